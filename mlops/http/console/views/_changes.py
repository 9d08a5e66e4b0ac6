"""What changed, and who decided: moves, jobs, rollouts and freezes as one list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.shown import freeze_scope, job_link, rollout_link, state, version_link, who, why
from mlops.http.console.view import ConsoleBlock
from mlops.http.console.views.models import move_badge
from mlops.model_registry.records import Freeze, Move
from mlops.reports import Badge, Prose, Said, Table
from mlops.reports.page import Row
from mlops.retraining.jobs import OPEN, RetrainingJob
from mlops.rollout.state import Happening

_LINES = 15
_SAME_MOMENT = timedelta(seconds=10)


def change_blocks(parts: Parts, ask: Ask) -> Sequence[ConsoleBlock]:
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
        scope = freeze_scope(ask, each)
        frozen = Badge(t("overview.froze"), "note")
        yield [each.frozen_at, frozen, scope, each.frozen_by, why(each.because, automatic=False)]
        if each.lifted_at is not None:
            because = why(each.lifted_because, automatic=False)
            yield [each.lifted_at, Badge(t("overview.unfroze")), scope, each.lifted_by, because]
