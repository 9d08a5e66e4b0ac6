"""Reentrenamiento: does a model need it and why, what is being trained, what came of the jobs before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops.errors import UnknownJob
from mlops.http.console.ask import Ask
from mlops.http.console.evidence import evidence_blocks, plain_blocks
from mlops.http.console.parts import Parts
from mlops.http.console.shown import job_link, shortened, state, version_link, who, why
from mlops.http.console.view import Action, Actions, Choice, Choices, ConsoleBlock, Details, Pager, Panel, View
from mlops.http.console.views._figures import brief
from mlops.reports import Badge, Chart, Facts, Line, Link, Prose, Said, Table, progress_bar, timeline_chart
from mlops.reports.page import Cell
from mlops.retraining.jobs import JOB_STATES, OPEN, RetrainingJob
from mlops.retraining.needs import Need
from mlops.retraining.recent_needs import CheckedNeed
from mlops.retraining.schedule import parse_schedule

_PAGE = 50
_STATES: Mapping[str, Sequence[str]] = {
    "all": (),
    "open": OPEN,
    "awaiting_approval": ("awaiting_approval",),
    "completed": ("completed",),
    "failed": ("failed",),
    "skipped": ("skipped",),
    "cancelled": ("cancelled",),
}
_ORDER: Mapping[str, int] = {name: number for number, name in enumerate(JOB_STATES)}
_WORKED_ON = ("pending", "running", "evaluating")


def retraining(parts: Parts, ask: Ask) -> View:
    """The need of each model that can be trained, what is open, and all jobs, newest first."""
    t = ask.words
    known = parts.retraining.model_ids()
    # As in the other pages: the application's first model first.
    names = [name for name in dict.fromkeys([*parts.model_ids(), *known]) if name in known]
    under_way = parts.retraining.list_jobs(states=OPEN, limit=_PAGE, brief=True)
    panels = [Panel(f"need-{name}", t("retraining.need", model=name), _need(parts, ask, name)) for name in names]
    if not names:
        panels = [Panel("need", t("retraining.needs"), [Prose(t("retraining.no_trainer"))])]
    panels += [
        *(
            Panel(f"open-{job.job_id}", t("retraining.open_job", job=job.job_id, model=job.model_id), _open(ask, job))
            for job in under_way
        ),
        Panel("jobs", t("retraining.jobs"), _jobs(parts, ask)),
    ]
    return View(t("menu.retraining"), lead=t.count("retraining.lead", len(under_way)), panels=panels)


def job(parts: Parts, ask: Ask) -> View:
    """One job: when it came where, what it trained with, what the gates said, what became of it.

    Raises:
        UnknownJob: there is none of this number.
    """
    t = ask.words
    found = parts.retraining.book.get(ask.path_number("job_id", UnknownJob))
    panels = [
        Panel("job", t("retraining.what"), _what(ask, found), width="half"),
        Panel("stages", t("retraining.stages"), [_stages(ask, found, parts.clock())], width="half"),
        Panel("evidence", t("retraining.evidence"), _evidence(ask, found)),
        Panel("training", t("retraining.training"), _training(ask, found)),
        Panel("log", t("retraining.log"), _log(ask, found)),
    ]
    return View(
        t("retraining.one", job=found.job_id, model=found.model_id),
        lead=_lead(ask, found),
        verdict=state(ask, "job", found.state),
        panels=panels,
        trail=[Link(t("menu.retraining"), ask.link("reentrenamiento"))],
    )


def _need(parts: Parts, ask: Ask, model_id: str) -> Sequence[ConsoleBlock]:
    found = parts.retraining.recent_needs.of(model_id)
    return [*_verdict(ask, found), *_figures(parts, ask, found), Actions(_asking(ask, model_id))]


def _verdict(ask: Ask, found: CheckedNeed) -> Sequence[ConsoleBlock]:
    t = ask.words
    if found.problem is not None:
        return [Badge(t("retraining.not_checked"), "bad"), Said(found.problem)]
    if found.need is None:
        return [Prose(t("retraining.is_being_checked"))]
    need = found.need
    key = "may_start" if need.may_start else "is_needed" if need.is_needed else "not_needed"
    badge = Badge(t(f"retraining.{key}"), "note" if need.is_needed else "good")
    return [badge, *_sentences(ask, need)]


def _sentences(ask: Ask, need: Need) -> Sequence[ConsoleBlock]:
    """Each sentence, and whether it speaks for a training, against one now, or for neither."""
    kinds = (("reason_for", need.reasons), ("hindrance", need.hindrances), ("remark", need.remarks))
    rows: list[list[Cell]] = [
        [Badge(ask.words(f"retraining.{kind}"), "note" if kind == "reason_for" else "plain"), Said(sentence)]
        for kind, sentences in kinds
        for sentence in sentences
    ]
    return [Table(["speaks", "sentence"], rows)] if rows else []


def _figures(parts: Parts, ask: Ask, found: CheckedNeed) -> Sequence[ConsoleBlock]:
    config = parts.retraining.config
    figures: Mapping[str, Any] = {} if found.need is None else found.need.figures
    plain = [
        (name, value if isinstance(value, int) else brief(value))
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    due = None
    if config.enabled and config.schedule:
        due = parse_schedule(config.schedule, time_zone=config.time_zone).next(parts.clock())
    return [
        Facts(
            [
                ("checked_at", found.checked_at),
                ("next_check", due if due is not None else ask.words("retraining.no_schedule")),
                *plain,
                ("asks_a_person", not config.auto_approve),
            ]
        )
    ]


def _asking(ask: Ask, model_id: str) -> list[Action]:
    t = ask.words
    check = Action(
        "check_now",
        "/retrain/check",
        t("retraining.will_check", model=model_id),
        {"model_ids": [model_id]},
        asks_reason=False,
    )
    train = Action(
        "retrain",
        "/retrain",
        t("retraining.will_train", model=model_id),
        {"model_id": model_id},
        accepted=t("retraining.accepted"),
    )
    return [check, train]


def _open(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    """A job that is not over: how far it is, and what can be done."""
    facts = Facts(
        [
            ("job", job_link(ask, found.job_id)),
            ("state", state(ask, "job", found.state)),
            ("progress", _bar(ask, found)),
            ("doing", Said(found.doing)),
            ("requested_at", found.requested_at),
            ("requested_by", who(ask, found.requested_by, automatic=found.automatic)),
            ("reason", why(ask, found.because, automatic=found.automatic)),
            ("not_before", found.not_before if found.state == "pending" else None),
            ("attempts", found.attempts or None),
            ("challenger", None if found.challenger is None else version_link(ask, found.model_id, found.challenger)),
        ]
    )
    return [facts, *_actions(ask, found)]


def _actions(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    t = ask.words
    address = f"/retrain/jobs/{found.job_id}"
    if found.state == "awaiting_approval":
        names = {"model": found.model_id, "version": found.challenger or "", "champion": found.champion or ""}
        return [
            Actions(
                [
                    Action("approve", f"{address}/approve", t("retraining.will_approve", **names), tone="good"),
                    Action("reject", f"{address}/reject", t("retraining.will_reject", **names)),
                ]
            )
        ]
    if found.state in _WORKED_ON:
        sentence = t("retraining.will_cancel", job=found.job_id)
        return [Actions([Action("cancel_job", f"{address}/cancel", sentence, asks_reason=False, tone="bad")])]
    return []


def _jobs(parts: Parts, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    chosen = ask.choice("estado", _STATES, "all")
    found = parts.retraining.list_jobs(states=_STATES[chosen], limit=_PAGE + 1, before=ask.number("antes"), brief=True)
    page = found[:_PAGE]
    options = [Choice(t(f"states.job.{each}"), {"estado": each, "antes": None}, each == chosen) for each in _STATES]
    blocks: list[ConsoleBlock] = [Choices(t("retraining.state"), options)]
    if not page:
        return [*blocks, Prose(t("retraining.none"))]
    columns = [
        "job",
        "state",
        "outcome",
        "model",
        "progress",
        "requested_at",
        "requested_by",
        "took",
        "challenger",
        "reason",
    ]
    rows: list[list[Cell]] = [
        [
            job_link(ask, each.job_id),
            state(ask, "job", each.state),
            None if each.outcome is None else state(ask, "outcome", each.outcome),
            each.model_id,
            _bar(ask, each),
            each.requested_at,
            who(ask, each.requested_by, automatic=each.automatic),
            _took(ask, each),
            None if each.challenger is None else version_link(ask, each.model_id, each.challenger),
            Said(each.reason) if each.reason else why(ask, each.because, automatic=each.automatic),
        ]
        for each in page
    ]
    blocks.append(Table(columns, rows))
    if len(found) > _PAGE:
        blocks.append(Pager({"antes": str(page[-1].job_id)}))
    return blocks


def _bar(ask: Ask, found: RetrainingJob) -> Cell:
    if not found.is_open or found.state == "awaiting_approval":
        return None
    share = min(max(found.progress, 0.0), 1.0)
    shown = ask.words.share(round(share, 2))
    return Chart(progress_bar(share, title=ask.words("retraining.progress", share=shown), label=shown))


def _took(ask: Ask, found: RetrainingJob) -> str | None:
    began = found.entered.get("running")
    if began is None or found.finished_at is None:
        return None
    return _duration(ask, (found.finished_at - datetime.fromisoformat(began)).total_seconds())


def _duration(ask: Ask, seconds: float) -> str:
    t = ask.words
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return t(f"retraining.{unit}", n=t.number(float(f"{seconds / size:.2g}")))
    return t("retraining.seconds", n=t.number(float(f"{seconds:.2g}")))


def _lead(ask: Ask, found: RetrainingJob) -> str:
    t = ask.words
    names = {"version": found.challenger or "", "champion": found.champion or "", "model": found.model_id}
    if found.outcome is not None:
        key = found.outcome.replace(" ", "_")
        return t.get(f"retraining.ended.{key}", t("retraining.ended.other")).format(**names)
    return t(f"retraining.is.{found.state}", **names)


def _what(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    links = {
        name: None if version is None else version_link(ask, found.model_id, version)
        for name, version in (("champion", found.champion), ("challenger", found.challenger))
    }
    facts = Facts(
        [
            ("outcome", None if found.outcome is None else state(ask, "outcome", found.outcome)),
            ("outcome_reason", Said(found.reason) if found.reason and not found.is_open else None),
            ("progress", _bar(ask, found)),
            ("doing", Said(found.doing) if found.is_open else None),
            *links.items(),
            ("requested_by", who(ask, found.requested_by, automatic=found.automatic)),
            ("reason", why(ask, found.because, automatic=found.automatic)),
            ("cancelled_by", found.cancelled_by),
            ("seed", found.seed),
            ("data_fingerprint", found.data_fingerprint),
            ("artefact", shortened(found.artefact)),
            ("worker", found.worker),
            ("attempts", found.attempts),
        ]
    )
    return [facts, *_actions(ask, found)]


def _stages(ask: Ask, found: RetrainingJob, now: datetime) -> Table:
    """When it came into each state, and how long it stayed there."""
    entered = sorted(
        ((datetime.fromisoformat(at), name) for name, at in found.entered.items()),
        key=lambda each: (each[0], _ORDER.get(each[1], len(_ORDER))),
    )
    ends = [*(at for at, _ in entered[1:]), None if found.finished_at is not None else now]
    rows: list[list[Cell]] = [
        [state(ask, "job", name), at, None if end is None else _duration(ask, max((end - at).total_seconds(), 0.0))]
        for (at, name), end in zip(entered, ends, strict=True)
    ]
    return Table(["state", "entered_at", "took"], rows)


def _evidence(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    if found.evidence is None:
        key = "no_evidence_yet" if found.is_open else "no_evidence"
        return [Prose(ask.words(f"retraining.{key}"))]
    facts = Facts([("n_looks", found.evidence.get("n_looks"))])
    return [*evidence_blocks(found.evidence, ask), facts]


def _training(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    t = ask.words
    result: Mapping[str, Any] = found.result or {}
    blocks: list[ConsoleBlock] = []
    for key in ("parameters", "metrics"):
        values = result.get(key) or (found.parameters if key == "parameters" else {})
        blocks += plain_blocks(values, ask, t(f"retraining.{key}"))
    blocks += _curves(ask, result.get("curves") or {})
    return blocks or [Prose(t("retraining.no_result"))]


def _curves(ask: Ask, curves: Mapping[str, Sequence[float]]) -> list[Chart]:
    """Each curve by step of the training, two steps at least."""
    t = ask.words
    return [
        Chart(
            timeline_chart(
                [Line(name, list(values))], title=t("retraining.curve", name=name), height=180, show=t.number
            ),
            t("retraining.curve", name=name),
        )
        for name, values in curves.items()
        if len(values) > 1
    ]


def _log(ask: Ask, found: RetrainingJob) -> Sequence[ConsoleBlock]:
    if not found.log:
        return [Prose(ask.words("retraining.no_log"))]
    # Each line begins with its time: 2026-11-24 12:00:00.
    rows: list[list[Cell]] = [[line[:19], Said(line[20:])] for line in found.log]
    return [Details(ask.words.count("retraining.lines", len(rows)), [Table(["at", "line"], rows)])]
