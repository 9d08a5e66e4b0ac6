"""``mlops rollout …``: bringing a challenger in step by step. Each change reads back what is so now, and says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli._registry import Actor, AnyModelId, AsJson, ModelId, Reason, Version, known_version, opened
from mlops.cli.exits import epilogue
from mlops.cli.output import moment, print_json, print_line, print_table

if TYPE_CHECKING:
    from mlops.rollout import Rollout, RolloutController, RolloutPlan

app = typer.Typer(
    no_args_is_help=True, help="Rollouts: shadow, canary, promotion, and the way back.", epilog=epilogue()
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Of a rollout, as `history` shows it.", min=1)]


@contextmanager
def _controlled(actor: str | None = None) -> Iterator[tuple[RolloutController, str]]:
    """The controller over the registry of the environment's settings, and who acts."""
    from mlops.people import system_user
    from mlops.rollout import InstalledExpectations, RolloutController

    with opened(actor) as registry:
        yield RolloutController(registry, expect=InstalledExpectations()), actor or system_user()


@app.command()
def start(
    model: ModelId,
    version: Version,
    shadow: Annotated[
        str | None, typer.Option(help="How long it only answers aside, such as 1h; 0: not at all.")
    ] = None,
    interleave: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH[:SHARE]",
            help="How long, and for which share of requests, lists are drafted from both: 2h:20%.",
        ),
    ] = None,
    canary: Annotated[str | None, typer.Option(help="Shares of users, such as 5%,25%,50%.")] = None,
    hold: Annotated[str | None, typer.Option(help="How long each share is held, at least, such as 2h.")] = None,
    guard: Annotated[
        str | None, typer.Option(help="What must not get worse, such as error_rate,click_rate:0.05 (with a margin).")
    ] = None,
    target: Annotated[str | None, typer.Option(help="A guard that has to show 'not worse' for a promotion.")] = None,
    max_length: Annotated[str | None, typer.Option("--max", help="After which the default is decided: 48h.")] = None,
    default: Annotated[str | None, typer.Option(metavar="keep_champion|promote", help="What is decided then.")] = None,
    watch: Annotated[str | None, typer.Option(help="How long it is watched after its promotion: 1h.")] = None,
    least_requests: Annotated[
        int | None, typer.Option(help="That it has to answer before a stage ends: 100.", min=0)
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept for good.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where it is expected to be clearly worse; needs --reason.")
    ] = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Begin to bring VERSION in; what is left out is as the ROLLOUT_ settings have it."""
    if force and not (reason or "").strip():
        raise typer.BadParameter("say why: give --reason, too", param_hint="--force")
    plan = _plan(
        shadow=shadow, interleave=interleave, canary=canary, hold=hold, guard=guard, max=max_length, watch=watch,
        target=target, default=default, least_requests=least_requests,
    )  # fmt: skip
    with _controlled(actor) as (controller, who):
        known_version(controller.registry, model, version)
        because = reason or "a rollout was asked for"
        begun = controller.start(model, version, plan=plan, because=because, actor=who, force=force)
        _say(controller, controller.get(begun.rollout_id), as_json=as_json, begins=True)


def _plan(**typed: Any) -> RolloutPlan:
    from mlops.config import Settings, load_settings
    from mlops.rollout import RolloutPlan, plan_from_settings
    from mlops.rollout.plan import interleave_from, seconds_from, shares_from

    values = plan_from_settings(load_settings(Settings)).to_dict()
    for option in ("shadow", "hold", "max", "watch"):
        if typed[option] is not None:
            values[f"{option}_seconds"] = seconds_from(typed[option], field=f"--{option}")
    if typed["interleave"] is not None:
        seconds, share = interleave_from(typed["interleave"], field="--interleave")
        values |= {"interleave_seconds": seconds, **({} if share is None else {"interleave_share": share})}
    if typed["canary"] is not None:
        values["shares"] = shares_from(typed["canary"], field="--canary")
    if typed["guard"] is not None:
        values["guards"] = [name for name in typed["guard"].split(",") if name]
    plain = {name: typed[name] for name in ("target", "default", "least_requests") if typed[name] is not None}
    return RolloutPlan.from_dict({**values, **plain})


@app.command()
def status(model: ModelId, as_json: AsJson = False) -> None:
    """The rollout of MODEL that is under way, and what the guards say now."""
    with _controlled() as (controller, _):
        found = controller.status(model)
        if found is not None:
            _say(controller, found, as_json=as_json, guards=True)
        elif as_json:
            print_json({"model_id": model, "rollout": None})
        else:
            print_line(f"no rollout of {model} is under way")


@app.command()
def history(
    model: AnyModelId = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Rollouts, newest first, and how they ended; then the versions that are barred."""
    with _controlled() as (controller, _):
        found, bars = controller.history(model, limit=limit), controller.bars(model)
    if as_json:
        print_json({"rollouts": [each.to_dict() for each in found], "barred": [bar.to_dict() for bar in bars]})
        return
    if not found:
        print_line("there was no rollout")
    rows = [
        (each.rollout_id, each.model_id, each.challenger, each.status, moment(each.started_at), each.because)
        for each in found
    ]
    if rows:
        print_table(("number", "model", "challenger", "status", "started", "because"), rows, numbers=["number"])
    for bar in bars:
        print_line(f"{bar.model_id} {bar.version} is barred since {moment(bar.barred_at)}")


@app.command()
def show(
    number: Number,
    report: Annotated[Path | None, typer.Option(help="Also write it as a page, with charts.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """All that was decided about a rollout: the sentence, the figures, the chart that led to it."""
    from mlops.rollout.pages import rollout_page, sparkline

    with _controlled() as (controller, _):
        found, events = controller.get(number), controller.events(number)
    if report is not None:
        from mlops.reports import save_page

        save_page(report, rollout_page(found, events))
    if as_json:
        print_json({**found.to_dict(), "events": [event.to_dict() for event in events]})
        return
    for event in events:
        print_line(f"{moment(event.at)}  {event.kind}  by {event.actor}")
        print_line(f"  {event.sentence}")
        if "expected" in event.figures:
            print_line(f"    {event.figures['expected']['sentence']}")
        for guard in event.figures.get("guards", ()):
            print_line(f"    {guard['sentence']}")
            chart = sparkline(event.figures.get("series", ()), guard["guard"], needed=guard["needed"])
            if chart:
                print_line(f"      {chart}")


@app.command()
def pause(model: ModelId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Keep the share as it is; a guard that alarms still takes the challenger back."""
    with _controlled(actor) as (controller, who):
        _say(controller, controller.pause(model, because=reason, actor=who), as_json=as_json)


@app.command()
def resume(model: ModelId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Go on after a pause."""
    with _controlled(actor) as (controller, who):
        _say(controller, controller.resume(model, because=reason, actor=who), as_json=as_json)


@app.command()
def abort(model: ModelId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """End the rollout: nobody gets the challenger any more. It is not barred."""
    with _controlled(actor) as (controller, who):
        _say(controller, controller.abort(model, because=reason, actor=who), as_json=as_json)


@app.command("promote-now")
def promote_now(model: ModelId, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Put the challenger into production without waiting for the stages; it is watched as planned."""
    from mlops.cli._registry import waiting_is_an_answer

    with _controlled(actor) as (controller, who), waiting_is_an_answer(controller.registry, as_json=as_json):
        _say(controller, controller.promote_now(model, because=reason, actor=who), as_json=as_json)


@app.command()
def unbar(model: ModelId, version: Version, reason: Reason, actor: Actor = None, as_json: AsJson = False) -> None:
    """Let a version that was rolled back, or its files, be rolled out again."""
    with _controlled(actor) as (controller, who):
        controller.unbar(model, version, because=reason, actor=who)
        left = [bar.to_dict() for bar in controller.bars(model)]
    if as_json:
        print_json({"model_id": model, "barred": left})
    else:
        print_line(f"{model} {version} is not barred any more")


def _say(
    controller: RolloutController, found: Rollout, *, as_json: bool, guards: bool = False, begins: bool = False
) -> None:
    """Say how a rollout stands, and what is in production; where it *begins* what is expected of it."""
    champion = controller.registry.get_production_model(found.model_id)
    seen = controller.look(found) if guards and found.is_open else None
    readings = () if seen is None else seen.readings
    preferred = None if seen is None else seen.interleaving
    if as_json:
        production = None if champion is None else champion.version
        more: dict[str, Any] = {"guards": [reading.to_dict() for reading in readings]} if guards else {}
        if guards:
            more["interleaving"] = None if preferred is None else asdict(preferred)
        if begins:
            more["expected"] = _expected(controller, found)
        print_json({**found.to_dict(), "production": production, **more})
        return
    paused = ", paused" if found.paused_at is not None else ""
    serves = "no version" if champion is None else champion.version
    print_line(
        f"{found.name} is in {found.status}{paused}: {_share(found)}; {serves} is in production"
        if found.is_open
        else f"{found.name} is {found.status}; {serves} is in production"
    )
    expected = _expected(controller, found) if begins else None
    if expected is not None:
        print_line(f"  {expected['sentence']}")
    for reading in readings:
        print_line(f"  {reading.sentence}")
    if preferred is not None:
        print_line(f"  {preferred.sentence}")


def _expected(controller: RolloutController, found: Rollout) -> dict[str, Any] | None:
    started = controller.events(found.rollout_id)[0]
    expected: dict[str, Any] | None = started.figures.get("expected")
    return expected


def _share(rollout: Rollout) -> str:
    if rollout.status == "interleave":
        return f"{rollout.share:.3g} of the requests get a list of both"
    return f"{rollout.share:.3g} of the users get it"
