"""``mlops retrain …``: whether models need training, jobs, and the schedule. Nothing here asks a question."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli._registry import Actor, AsJson, Reason, pairs
from mlops.cli.exits import WAITS, WRONG
from mlops.cli.output import ago, moment, print_json, print_line, print_table
from mlops.sentences import say

if TYPE_CHECKING:
    from datetime import datetime

    from mlops.retraining import Need, RetrainingJob, RetrainingOrchestrator
    from mlops.retraining.schedule import Schedule

app = typer.Typer(no_args_is_help=True, help="Train models anew: needs, jobs, schedule.")

ModelIds = Annotated[list[str] | None, typer.Argument(metavar="MODEL…", help="Default: all that can be trained.")]
JobId = Annotated[int, typer.Argument(metavar="JOB", min=1, max=2**31 - 1, help="Number of a job.", show_default=False)]
Every = Annotated[str | None, typer.Option(metavar="TIME", help="Go on, and check every so often: 30m, 24h, 7d.")]
CronLine = Annotated[
    str | None, typer.Option(metavar="LINE", help="Go on, and check by a cron line, in RETRAIN_TIME_ZONE.")
]
_NAP_SECONDS = 15.0
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what is needed, and change nothing.")]


@contextmanager
def _opened() -> Iterator[RetrainingOrchestrator]:
    from mlops.config import Settings, load_settings
    from mlops.retraining.opening import open_orchestrator

    orchestrator = open_orchestrator(load_settings(Settings))
    try:
        yield orchestrator
    finally:
        orchestrator.registry.close()
        orchestrator.registry.database.close()


@app.command()
def check(models: ModelIds = None, as_json: AsJson = False) -> None:
    """Say whether models need training, and why. Changes nothing."""
    from mlops.cli._registry import known_model

    with _opened() as orchestrator:
        wanted = [known_model(orchestrator.registry, each) for each in models or orchestrator.model_ids()]
        needs = [orchestrator.need(model_id) for model_id in wanted]
    if as_json:
        print_json({"models": [each.to_dict() for each in needs]})
        return
    for each in needs:
        _say_need(each)
    if not needs:
        print_line("no model that is registered has a trainer; set RETRAIN_TRAINERS=model=package.module:function")


@app.command()
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; kept with the job.")] = say("asked for"),
    data: Annotated[
        Path | None, typer.Option(help="Train on this file, Parquet, Arrow or JSON Lines.", exists=True, dir_okay=False)
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Compare on this file, Parquet, Arrow or JSON Lines.", exists=True, dir_okay=False),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="JSON, or text; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is drawn at random.")] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Train a model now, and promote what comes of it where the gates let it through. Ends with 6 where that waits."""
    parameters = {name: _value(text) for name, text in pairs(parameter, "--parameter").items()}
    with _opened() as orchestrator:
        job = orchestrator.create_retrain_job(
            model, because=reason, parameters=parameters or None, seed=seed, requested_by=actor
        )
        frames = [None if path is None else _table(path) for path in (data, validation)]
        orchestrator.execute_retrain(job, *frames)
        ended = orchestrator.book.get(job.job_id)
    _say_job(ended, as_json=as_json)
    if ended.state in {"failed", "cancelled"}:
        raise typer.Exit(WRONG)
    if ended.state == "awaiting_approval":
        raise typer.Exit(WAITS)


@app.command()
def jobs(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Default: all.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from mlops.clock import utc_now

    with _opened() as orchestrator:
        found = orchestrator.list_jobs(model, limit=limit)
    if as_json:
        print_json({"jobs": [job.to_dict() for job in found]})
        return
    now = utc_now()
    headings = ("job", "model", "state", "done", "version", "outcome", "asked for")
    print_table(headings, [_cells(job, now=now) for job in found], numbers=["job", "done"])


@app.command()
def show(job: JobId, as_json: AsJson = False) -> None:
    """Show a job with its log, times and evidence."""
    with _opened() as orchestrator:
        found = orchestrator.book.get(job)
    _say_job(found, as_json=as_json)
    if as_json:
        return
    for state, at in sorted(found.entered.items(), key=lambda each: each[1]):
        print_line(f"  {at[:19].replace('T', ' ')} UTC  {state}")
    for line in found.log:
        print_line(f"  {line}")


@app.command()
def approve(job: JobId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Promote the version of a job that awaits approval."""
    with _opened() as orchestrator:
        _say_job(orchestrator.approve(job, because=reason, actor=actor), as_json=as_json)


@app.command()
def reject(job: JobId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Archive the version of a job that awaits approval."""
    with _opened() as orchestrator:
        _say_job(orchestrator.reject(job, because=reason, actor=actor), as_json=as_json)


@app.command()
def cancel(job: JobId, actor: Actor = None, as_json: AsJson = False) -> None:
    """End a job: a pending one at once, a running one within seconds, by its worker."""
    with _opened() as orchestrator:
        _say_job(orchestrator.cancel(job, actor=actor), as_json=as_json)


@app.command()
def schedule(
    models: ModelIds = None,
    every: Every = None,
    cron: CronLine = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Check models, and train those that need it. Once; or again and again, until it is ended."""
    from mlops.retraining import parse_schedule

    if every is not None and cron is not None:
        raise typer.BadParameter("give one of both: --every or --cron", param_hint="--cron")
    if dry_run and (every or cron):
        raise typer.BadParameter("it is one look; leave out --every and --cron", param_hint="--dry-run")
    # In good order: a training that runs is ended with it, and its job is free for others.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _opened() as orchestrator:
        if every is None and cron is None:
            failed = _check_once(orchestrator, models, dry_run=dry_run, as_json=as_json)
            raise typer.Exit(WRONG if failed else 0)
        plan = parse_schedule(every or cron or "", time_zone=orchestrator.config.time_zone)
        _go_on(orchestrator, plan, models, as_json=as_json)


def _go_on(orchestrator: RetrainingOrchestrator, plan: Schedule, models: list[str] | None, *, as_json: bool) -> None:
    from mlops.clock import utc_now
    from mlops.retraining.schedule import DueTimes

    due = DueTimes(orchestrator.registry.database)
    if not as_json:
        print_line(f"checks by the schedule {plan.name}; the next due time is {moment(plan.next(utc_now()))}")
    while True:
        if orchestrator.config.enabled and due.take(plan, by="mlops retrain schedule") is not None:
            _check_once(orchestrator, models, dry_run=False, as_json=as_json)
        else:
            orchestrator.worker().run_next()
        # Short naps: after a night in which the machine slept, what was missed must not wait for long.
        time.sleep(min(_NAP_SECONDS, max(0.05, (plan.next(utc_now()) - utc_now()).total_seconds())))


def _check_once(
    orchestrator: RetrainingOrchestrator, models: list[str] | None, *, dry_run: bool, as_json: bool
) -> bool:
    """Check, do what is needed, and say so. Whether something failed."""
    from mlops.retraining import AutomaticRetrainingScheduler

    scheduler = AutomaticRetrainingScheduler(orchestrator)
    found = scheduler.check_and_schedule_retraining(models or None, dry_run=dry_run)
    ended = [] if dry_run else _work_off(orchestrator, {each["job_id"] for each in found["scheduled_jobs"]})
    if as_json:
        print_json({**found, "jobs": [job.to_dict() for job in ended]})
    else:
        print_line(f"{found['timestamp'][:19].replace('T', ' ')} UTC: checked {len(found['models_checked'])} model(s)")
        for need in found["needs"].values():
            _say_need_of(need)
        for job in ended:
            _say_job(job, as_json=False)
    return any(job.state == "failed" for job in ended)


def _work_off(orchestrator: RetrainingOrchestrator, wanted: set[int]) -> list[RetrainingJob]:
    """Work until the jobs in *wanted* are over, here or elsewhere; others that wait are worked on, too."""
    worker = orchestrator.worker()
    while True:
        worked_on = worker.run_next()
        jobs_now = [orchestrator.book.get(job_id) for job_id in sorted(wanted)]
        if not any(job.state in {"pending", "running", "evaluating"} for job in jobs_now):
            return jobs_now
        if worked_on is None:
            time.sleep(0.2)


def _say_need(need: Need) -> None:
    _say_need_of(need.to_dict())


def _say_need_of(need: dict[str, Any]) -> None:
    verdict = "needs training" if need["needed"] else "needs no training"
    if need["needed"] and need["hindrances"]:
        verdict += ", and it cannot start now"
    print_line(f"{need['model_id']} {verdict}")
    for mark, name in (("+", "reasons"), ("!", "hindrances"), ("·", "remarks")):
        for sentence in need[name]:
            print_line(f"  {mark} {sentence}")


def _cells(job: RetrainingJob, *, now: datetime) -> tuple[object, ...]:
    asked = ago(job.requested_at, now=now)
    return job.job_id, job.model_id, job.state, f"{job.progress:.0%}", job.challenger, job.outcome, asked


def _say_job(job: RetrainingJob, *, as_json: bool) -> None:
    if as_json:
        print_json(job.to_dict())
        return
    version = "" if job.challenger is None else f", version {job.challenger} against {job.champion}"
    outcome = job.state.replace("_", " ") if job.outcome in {None, job.state} else f"{job.state}: {job.outcome}"
    print_line(f"job {job.job_id} of {job.model_id}: {outcome}{version}")
    print_line(f"  {job.reason or job.doing}")


def _table(path: Path) -> Any:
    from mlops.validation.files import read_typed

    return read_typed(path)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
