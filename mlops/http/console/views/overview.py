"""Resumen: is it well, which model answers, is it any good, what changed, who decided, what waits for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.evidence import evidence_blocks
from mlops.http.console.parts import Gauge, Headline, Parts
from mlops.http.console.shown import (
    MODEL,
    chosen_model,
    job_link,
    model_choices,
    rollout_link,
    state,
    version_link,
    who,
    why,
)
from mlops.http.console.view import ConsoleBlock, Details, Panel, View
from mlops.http.console.views.models import champion_blocks, move_badge, promotion_of
from mlops.model_registry import ModelVersion
from mlops.model_registry.records import Freeze, Move
from mlops.monitoring.alert_records import SEVERITIES, Alert
from mlops.reports import Badge, Bounds, Chart, Facts, Link, Prose, Said, Table, sequence_chart
from mlops.reports.page import Cell, Tone
from mlops.retraining.jobs import OPEN, RetrainingJob
from mlops.rollout.state import Happening, Rollout

_LINES = 15
_ALERTS = 5
_WAITING = 20
_DAYS = 7
_STEP_SECONDS = 6 * 3600
_FRESH = timedelta(days=1)
_SAME_MOMENT = timedelta(seconds=10)
_STATUS_TONES: Mapping[str, Tone] = {"ok": "good", "degraded": "note", "unavailable": "bad"}
_SEVERITY_TONES: Mapping[str, Tone] = {"critical": "bad", "warning": "note"}

Row = list[Cell]


def overview(parts: Parts, ask: Ask) -> View:
    """The page to read in the morning: the answer is on the first screen."""
    t = ask.words
    health = parts.health()
    found_open = parts.alerts.open_alerts()
    model_id = chosen_model(parts, ask)
    champion = None if model_id is None else parts.registry.get_production_model(model_id)
    promotion = promotion_of(parts, champion)
    waits = list(_waiting(parts, ask))
    panels = [Panel("health", t("overview.health"), _health(ask, health, found_open), width="half")]
    if model_id is not None:
        shown = _champion(parts, ask, model_id, champion, promotion)
        panels.append(Panel("champion", t("overview.champion"), shown, width="half"))
    panels.append(Panel("waiting", t("overview.waiting"), _waiting_blocks(ask, waits)))
    if model_id is not None:
        panels.append(Panel("quality", t("overview.quality"), _quality(parts, ask, model_id, promotion)))
    panels.append(Panel("changes", t("overview.changes"), _changes(parts, ask)))
    status = str(health.get("status", ""))
    return View(
        t("menu.overview"),
        lead=_lead(ask, model_id, champion, n_alerts=len(found_open), n_waiting=len(waits)),
        verdict=Badge(t.get(f"overview.status.{status}", status), _STATUS_TONES.get(status, "plain")),
        panels=panels,
    )


def _lead(ask: Ask, model_id: str | None, champion: ModelVersion | None, *, n_alerts: int, n_waiting: int) -> str:
    t = ask.words
    if model_id is None:
        first = t("models.none")
    elif champion is None:
        first = t("models.lead_none", model=model_id, version="")
    else:
        first = t("models.lead", model=model_id, version=champion.version)
    alerts = t.count("alerts.lead", n_alerts) if n_alerts else t("alerts.none_open")
    waiting = t.count("overview.n_waiting", n_waiting) if n_waiting else t("overview.nothing_at_all")
    return f"{first} {alerts} {waiting}"


# --- Is it well? ----------------------------------------------------------------------------------------------------


def _health(ask: Ask, health: Mapping[str, Any], found: Sequence[Alert]) -> Sequence[ConsoleBlock]:
    t = ask.words
    reasons = list(_reasons(ask, health))
    blocks: list[ConsoleBlock] = [Prose(t("overview.well"))] if not reasons and health.get("status") == "ok" else []
    if reasons:
        blocks.append(Table(["what_is_wrong", "in_detail"], reasons))
    return [*blocks, *_traffic(ask, health.get("api") or {}), *_alerts(ask, found)]


def _reasons(ask: Ask, health: Mapping[str, Any]) -> Iterator[Row]:
    """What is wrong in the page's language, beside the sentence that the service has for it."""
    t = ask.words
    problems: Mapping[str, str] = health.get("problems") or {}
    told = [str(each) for each in health.get("reasons") or ()]
    for part, problem in problems.items():
        words = t.get(f"overview.parts.{part}", "") or t("overview.parts.other", part=part)
        yield [words, Said(problem)]
    known = {f"{part}: {problem}" for part, problem in problems.items()}
    api: Mapping[str, Any] = health.get("api") or {}
    lines: Mapping[str, float] = api.get("thresholds") or {}
    said = [*(api.get("problems") or ())]
    for sentence in said:
        # The health monitor has two sentences: the first speaks of failures, where these are too many.
        rate, line = api.get("error_rate"), lines.get("error_rate")
        is_failing = sentence == said[0] and rate is not None and line is not None and rate > line
        words = (
            t("overview.failing", share=t.share(rate or 0.0), line=t.share(line or 0.0))
            if is_failing
            else t("overview.slow", line=t.number(lines.get("latency_ms", 0.0)))
        )
        yield [words, Said(str(sentence))]
    for sentence in told:
        if sentence not in known and sentence not in said:
            yield [t("overview.parts.unnamed"), Said(sentence)]


def _traffic(ask: Ask, api: Mapping[str, Any]) -> Sequence[ConsoleBlock]:
    t = ask.words
    if not api:
        return []
    latency: Mapping[str, float] = api.get("latency_ms") or {}
    quiet = [Prose(t("overview.quiet"))] if api.get("status") == "no data" else []
    rate = api.get("error_rate")
    return [
        *quiet,
        Facts(
            [
                ("window_minutes", api.get("window_minutes")),
                ("request_count", api.get("request_count")),
                ("error_rate", None if rate is None else t.share(rate)),
                ("p95_ms", latency.get("p95")),
            ]
        ),
    ]


def _alerts(ask: Ask, found: Sequence[Alert]) -> Sequence[ConsoleBlock]:
    t = ask.words
    if not found:
        return [Prose(t("alerts.none_open"))]
    counted = Counter(each.severity for each in found)
    worst_first = sorted(found, key=lambda each: (-SEVERITIES.index(each.severity), -each.alert_id))
    facts = Facts([(f"n_{severity}", counted[severity] or None) for severity in reversed(SEVERITIES)])
    rows: list[Row] = [
        [
            Link(f"#{each.alert_id}", ask.link("alertas", str(each.alert_id))),
            Badge(t(f"alerts.severities.{each.severity}"), _SEVERITY_TONES.get(each.severity, "plain")),
            each.rule,
            Said(each.sentence),
            each.fired_at,
        ]
        for each in worst_first[:_ALERTS]
    ]
    return [facts, Table(["alert", "severity", "rule", "sentence", "fired_at"], rows, t("overview.worst_alerts"))]


# --- Which model answers, and is it any good? -----------------------------------------------------------------------


def _champion(
    parts: Parts, ask: Ask, model_id: str, champion: ModelVersion | None, promotion: Move | None
) -> Sequence[ConsoleBlock]:
    shown = champion_blocks(parts, ask, model_id, champion, promotion, with_evidence=False)
    return [*model_choices(parts, ask, model_id), *shown]


def _quality(parts: Parts, ask: Ask, model_id: str, promotion: Move | None) -> Sequence[ConsoleBlock]:
    t = ask.words
    headline = parts.headline
    blocks: list[ConsoleBlock] = []
    if headline is None or headline.model_id != model_id:
        blocks.append(Prose(t("overview.no_headline")))
    else:
        blocks += _headline(parts, ask, headline)
    if promotion is None or promotion.evidence is None:
        blocks.append(Prose(t("overview.no_comparison")))
    else:
        blocks += _comparison(ask, promotion)
    return [*blocks, *_last_compared(parts, ask, model_id)]


def _last_compared(parts: Parts, ask: Ask, model_id: str) -> Sequence[ConsoleBlock]:
    """The last version that a training has compared with the champion, and what came of it."""
    jobs = parts.retraining.list_jobs(model_id, limit=_WAITING, brief=True)
    job = next((each for each in jobs if each.challenger is not None), None)
    if job is None or job.challenger is None:
        return []
    outcome = state(ask, "job", job.state) if job.outcome is None else state(ask, "outcome", job.outcome)
    facts = Facts(
        [
            ("last_compared", version_link(ask, model_id, job.challenger)),
            ("job", job_link(ask, job.job_id)),
            ("outcome", outcome),
        ]
    )
    return [facts, Said(job.reason)] if job.reason and not job.is_open else [facts]


def _headline(parts: Parts, ask: Ask, headline: Headline) -> Sequence[ConsoleBlock]:
    """The newest estimate with its band, what was observed, and the band of the last days."""
    t = ask.words
    name = headline.names[ask.language]
    newest = {key: _newest(parts, gauge) for key, gauge in _gauges(headline).items()}
    rate = newest["rate"]
    if rate is None:
        return [Prose(t("overview.no_estimate", name=name))]
    at, value = rate
    low, high = newest["low"], newest["high"]
    band = None if low is None or high is None else t("evidence.span", low=t.share(low[1]), high=t.share(high[1]))
    observed = newest.get("observed")
    facts = Facts(
        [
            ("measure", name),
            ("estimate", t.share(value)),
            ("band", band),
            ("observed", None if observed is None else t.share(observed[1])),
            ("estimated_at", at),
            ("is_old", Badge(t("overview.old"), "note") if ask.now - at > _FRESH else None),
        ]
    )
    return [facts, *_chart(parts, ask, headline, name)]


def _gauges(headline: Headline) -> dict[str, Gauge]:
    known = {"rate": headline.rate, "low": headline.low, "high": headline.high, "observed": headline.observed}
    return {key: gauge for key, gauge in known.items() if gauge is not None}


def _newest(parts: Parts, gauge: Gauge) -> tuple[datetime, float] | None:
    labels = dict(gauge.labels)
    points = parts.metrics.get_latest(gauge.name, 100)
    return next(((each.at, each.value) for each in points if dict(each.labels) == labels), None)


def _chart(parts: Parts, ask: Ask, headline: Headline, name: str) -> Iterator[Chart]:
    since = ask.now - timedelta(days=_DAYS)
    low, high = (
        {
            each.since: each.stats["mean"]
            for each in parts.metrics.history(gauge.name, since=since, step_seconds=_STEP_SECONDS, labels=gauge.labels)
        }
        for gauge in (headline.low, headline.high)
    )
    points = [Bounds(at, low[at], high[at]) for at in sorted(low.keys() & high.keys())]
    if len(points) > 1:
        t = ask.words
        drawing = sequence_chart(points, title=t("overview.band_chart", name=name), height=130, show=t.share)
        yield Chart(drawing, t("overview.band_chart", name=name))


def _comparison(ask: Ask, move: Move) -> Sequence[ConsoleBlock]:
    """What the promotion of the version in production rested on: verdict first, the figures folded away."""
    t = ask.words
    evidence: Mapping[str, Any] = move.evidence if isinstance(move.evidence, Mapping) else {}
    gates = evidence.get("verdicts") or evidence.get("gates") or ()
    guards = evidence.get("guards") or ()
    passed = sum(each.get("outcome") == "passed" for each in gates)
    facts = Facts(
        [
            ("compared_at", move.at),
            ("gates_passed", t("overview.of", n=passed, all=len(gates)) if gates else None),
            (
                "guards_calm",
                t("overview.of", n=sum(not each["breached"] for each in guards), all=len(guards)) if guards else None,
            ),
            ("verdict", state(ask, "verdict", str(evidence["verdict"])) if "verdict" in evidence else None),
        ]
    )
    return [facts, Details(t("models.rests_on"), evidence_blocks(move.evidence, ask))]


# --- What waits for a person? ---------------------------------------------------------------------------------------


def _waiting_blocks(ask: Ask, rows: Sequence[Row]) -> Sequence[ConsoleBlock]:
    if not rows:
        return [Prose(ask.words("overview.nothing_waits"))]
    return [Table(["what", "subject", "since", "actor", "reason"], rows)]


def _waiting(parts: Parts, ask: Ask) -> Iterator[Row]:
    jobs = parts.retraining.list_jobs(states=("awaiting_approval",), limit=_WAITING, brief=True)
    yield from (_job_waits(ask, each) for each in jobs)
    known = {(each.model_id, each.challenger) for each in jobs}
    t = ask.words
    for each in parts.registry.approvals(state="pending", limit=_WAITING):
        if (each.model_id, each.version) not in known:
            link = version_link(ask, each.model_id, each.version, with_model=True)
            badge = Badge(t("overview.approval"), "note")
            yield [badge, link, each.requested_at, each.requested_by, why(each.because, automatic=False)]
    yield from (_rollout_waits(ask, each) for each in parts.rollouts.under_way())
    yield from (_freeze_waits(ask, each) for each in parts.registry.freezes().values())


def _job_waits(ask: Ask, job: RetrainingJob) -> Row:
    badge = Badge(ask.words("overview.job"), "note")
    actor = who(ask, job.requested_by, automatic=job.automatic)
    at = job.entered.get("awaiting_approval")
    since = job.requested_at if at is None else datetime.fromisoformat(at)
    link = Link(f"{job.model_id} {job.challenger}", ask.link("reentrenamiento", str(job.job_id)))
    return [badge, link, since, actor, why(job.because, automatic=job.automatic)]


def _rollout_waits(ask: Ask, rollout: Rollout) -> Row:
    t = ask.words
    badge = Badge(t("overview.rollout_paused" if rollout.paused_at is not None else "overview.rollout"), "note")
    name, stage = f"{rollout.model_id} {rollout.challenger}", state(ask, "rollout", rollout.status).text
    subject = t("overview.at_stage", name=name, stage=stage, share=t.share(rollout.share))
    link = Link(subject, ask.link("despliegues", str(rollout.rollout_id)))
    return [badge, link, rollout.started_at, rollout.started_by, why(rollout.because, automatic=False)]


def _freeze_waits(ask: Ask, freeze: Freeze) -> Row:
    return [
        Badge(ask.words("models.is_frozen"), "note"),
        _scope(ask, freeze),
        freeze.frozen_at,
        freeze.frozen_by,
        freeze.because,
    ]


# --- What changed? --------------------------------------------------------------------------------------------------


def _changes(parts: Parts, ask: Ask) -> Sequence[ConsoleBlock]:
    jobs = parts.retraining.list_jobs(limit=_LINES, brief=True)
    happenings = [each for each in parts.rollouts.latest_events(limit=2 * _LINES) if each.event.kind != "archived"]
    told = [
        *((each.model_id, each.challenger, each.finished_at or parts.clock()) for each in jobs),
        *((each.model_id, each.challenger, each.event.at) for each in happenings),
    ]
    rows = [
        *_moved(ask, parts.registry.latest_moves(limit=4 * _LINES), told),
        *_finished(ask, jobs),
        *_happened(ask, happenings),
        *_frozen(ask, parts.registry.latest_freezes(limit=_LINES)),
    ]
    if not rows:
        return [Prose(ask.words("overview.no_changes"))]
    rows.sort(key=_time_of, reverse=True)
    return [Table(["at", "event", "subject", "actor", "reason"], rows[:_LINES])]


def _time_of(row: Row) -> datetime:
    at = row[0]
    assert isinstance(at, datetime)  # noqa: S101
    return at


def _moved(ask: Ask, moves: Sequence[Move], told: Sequence[tuple[str, str | None, datetime]]) -> Iterator[Row]:
    """Moves that nothing else tells of: a promotion is up to three of one moment, a job or a rollout makes some, too.

    Args:
        told: model, version and time of what is told beside them.
    """
    promoted = {(each.model_id, each.at) for each in moves if each.to_status == "production" and each.outcome == "done"}
    for each in moves:
        is_minor = each.outcome == "done" and each.to_status != "production"
        is_part = each.kind != "registered" and (each.model_id, each.at) in promoted
        is_told = any(
            (each.model_id, each.version) == (model_id, version) and abs(each.at - at) < _SAME_MOMENT
            for model_id, version, at in told
        )
        if not (is_minor and (is_part or is_told)):
            yield [
                each.at,
                move_badge(ask, each),
                version_link(ask, each.model_id, each.version, with_model=True),
                who(ask, each.actor, automatic=each.automatic),
                why(each.because, automatic=each.automatic),
            ]


def _finished(ask: Ask, jobs: Sequence[RetrainingJob]) -> Iterator[Row]:
    """Jobs that were asked for, and those that are over with what came of them."""
    for each in jobs:
        actor = who(ask, each.requested_by, automatic=each.automatic)
        link = job_link(ask, each.job_id)
        if each.finished_at is not None:
            outcome = state(ask, "outcome", each.outcome or each.state)
            badge = Badge(ask.words("overview.job_over", outcome=outcome.text), outcome.tone)
            yield [each.finished_at, badge, link, actor, Said(each.reason or "")]
        elif each.state in OPEN:
            badge = Badge(ask.words("overview.job_open", state=state(ask, "job", each.state).text), "note")
            yield [each.requested_at, badge, link, actor, why(each.because, automatic=each.automatic)]


def _happened(ask: Ask, happenings: Sequence[Happening]) -> Iterator[Row]:
    for each in happenings:
        event = each.event
        badge = state(ask, "event", event.kind)
        badge = Badge(ask.words("overview.rollout_event", event=badge.text, challenger=each.challenger), badge.tone)
        actor = who(ask, event.actor, automatic=event.automatic)
        yield [
            event.at,
            badge,
            rollout_link(ask, event.rollout_id),
            actor,
            why(event.sentence, automatic=event.automatic),
        ]


def _frozen(ask: Ask, freezes: Sequence[Freeze]) -> Iterator[Row]:
    t = ask.words
    for each in freezes:
        scope = _scope(ask, each)
        yield [each.frozen_at, Badge(t("overview.froze"), "note"), scope, each.frozen_by, each.because]
        if each.lifted_at is not None:
            yield [each.lifted_at, Badge(t("overview.unfroze")), scope, each.lifted_by, each.lifted_because]


def _scope(ask: Ask, freeze: Freeze) -> Cell:
    if freeze.scope == "*":
        return ask.words("overview.all_models")
    return Link(freeze.scope, ask.link("modelos", **{MODEL: freeze.scope}))
