"""What cooks made of each day's answers, counted in the background, so that a page reads some hundred rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

import sqlalchemy as sa

from mlops.clock import Clock, in_utc, utc_now
from mlops.monitoring.daily_quality import DayTally
from mlops.store import Database
from recipes.evaluation.gains import gain_of
from recipes.live_quality import OUTCOMES, SETTLED
from recipes.ranker import MODEL_ID
from recipes.schema import answers, feedback_events, impressions, quality_days

CLICK_RATE, NDCG = "click_rate", "ndcg@3"
# Who cooks a recipe tells of it within days: so long a day is counted anew.
OPEN_DAYS = 3
KEPT_DAYS = 90
_K = 3
_DAY = timedelta(days=1)
_KEY = (answers.c.model_version, answers.c.language, answers.c.mode)
_Key = tuple[str, str, str]


class QualityDays:
    """Counts days, and reads what was counted."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        self._database = database
        self._clock = clock

    def refresh(self, *, on_day: Callable[[], object] = lambda: None) -> list[date]:
        """Count the days that are new or may have changed; those that were counted, oldest first.

        Args:
            on_day: called before each day; what it raises ends it all, with the days before counted.
        Raises:
            StoreUnavailable: the database does not answer.
        """
        # Of later answers nobody knows yet what becomes of them.
        until = self._clock() - SETTLED
        first = self._first_day(until)
        if first is None:
            return []
        days = [first + number * _DAY for number in range((until.date() - first).days + 1)]
        for day in days:
            on_day()
            self._count(day, until)
        return days

    def read(self, model_id: str, since: date) -> list[DayTally]:
        """The tallies from the day *since* on, oldest first; none of other models than ``hybrid_ranker``.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if model_id != MODEL_ID:
            return []
        columns = quality_days.c
        query = sa.select(quality_days).where(columns.day >= since).order_by(*quality_days.primary_key.columns)
        with self._database.reading() as connection:
            return [
                DayTally(row.day, row.version, row.measure, row.n, row.total, row.squares, _labels(row))
                for row in connection.execute(query)
            ]

    def _first_day(self, until: datetime) -> date | None:
        """The first day to count: three before the last that was counted, or that of the first answer."""
        with self._database.reading() as connection:
            counted = connection.execute(sa.select(sa.func.max(quality_days.c.day))).scalar()
            if counted is None:
                first = connection.execute(sa.select(sa.func.min(answers.c.answered_at))).scalar()
                counted = None if first is None else in_utc(first).date()
            else:
                counted -= OPEN_DAYS * _DAY
        return None if counted is None else max(cast(date, counted), until.date() - KEPT_DAYS * _DAY)

    def _count(self, day: date, until: datetime) -> None:
        begin = datetime.combine(day, time(), UTC)
        end = min(begin + _DAY, until)
        with self._database.reading() as connection:
            rows = [*_click_rows(connection, begin, end), *_ndcg_rows(connection, begin, end)]
        with self._database.writing() as connection:
            connection.execute(quality_days.delete().where(quality_days.c.day == day))
            if rows:
                connection.execute(quality_days.insert(), [{"day": day, **row} for row in rows])


def _labels(row: Any) -> Mapping[str, str]:
    return {"language": row.language, "mode": row.mode}


def _answers_between(begin: datetime, end: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        answers.c.answered_at >= begin,
        answers.c.answered_at < end,
        answers.c.model_id == MODEL_ID,
        answers.c.mode != "direct",
    )


def _row(key: _Key, measure: str, n: int, total: float, squares: float) -> dict[str, Any]:
    version, language, mode = key
    named = {"version": version, "language": language, "mode": mode, "measure": measure}
    return {**named, "n": n, "total": total, "squares": squares}


def _click_rows(connection: sa.Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Answers that showed something, and those of them with a good reaction."""
    shown = sa.exists().where(impressions.c.request_id == answers.c.request_id)
    liked = sa.exists().where(
        feedback_events.c.request_id == answers.c.request_id, feedback_events.c.event.in_(OUTCOMES["click"])
    )
    counts = sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((liked, 1), else_=0)), 0)
    query = sa.select(*_KEY, *counts).where(*_answers_between(begin, end), shown).group_by(*_KEY)
    return [
        _row((version, language, mode), CLICK_RATE, n, float(k), float(k))
        for version, language, mode, n, k in connection.execute(query)
    ]


def _ndcg_rows(connection: sa.Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """nDCG@3 of answers of which some recipe got a gain, as they were shown."""
    tallies: dict[_Key, list[float]] = defaultdict(list)
    for one in _judged(connection, begin, end):
        value = one.ndcg
        if value is not None:
            tallies[one.key].append(value)
    return [
        _row(key, NDCG, len(values), sum(values), sum(value * value for value in values))
        for key, values in tallies.items()
    ]


@dataclass(slots=True)
class _Judged:
    """An answer that got a reaction: its events by recipe, and the recipes by position."""

    key: _Key
    events: dict[str, list[tuple[str, float | None]]] = field(default_factory=lambda: defaultdict(list))
    recipes: dict[int, str] = field(default_factory=dict)

    @property
    def ndcg(self) -> float | None:
        """None where nothing in it was worth anything."""
        gains = [gain_of(self.events.get(self.recipes[position], ())) for position in sorted(self.recipes)]
        best = _dcg(sorted(gains, reverse=True))
        return _dcg(gains) / best if best else None


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:_K], start=1))


def _judged(connection: sa.Connection, begin: datetime, end: datetime) -> Iterable[_Judged]:
    found: dict[str, _Judged] = {}
    between = _answers_between(begin, end)
    events = (
        sa.select(answers.c.request_id, *_KEY, feedback_events.c.recipe_id, feedback_events.c.event)
        .add_columns(feedback_events.c.value)
        .join(feedback_events, feedback_events.c.request_id == answers.c.request_id)
        .where(*between)
        .order_by(feedback_events.c.received_at, feedback_events.c.event_id)
    )
    for request_id, version, language, mode, recipe_id, event, value in connection.execute(events):
        one = found.setdefault(request_id, _Judged((version, language, mode)))
        one.events[recipe_id].append((event, value))
    has_events = sa.exists().where(feedback_events.c.request_id == answers.c.request_id)
    shown = (
        sa.select(impressions.c.request_id, impressions.c.position, impressions.c.recipe_id)
        .join(answers, answers.c.request_id == impressions.c.request_id)
        .where(*between, has_events)
    )
    for request_id, position, recipe_id in connection.execute(shown):
        # A reaction may have come between the two questions.
        if request_id in found:
            found[request_id].recipes[position] = recipe_id
    return found.values()
