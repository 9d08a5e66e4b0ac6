"""Answers, what they showed and what cooks did with it, read from the database into columns.

Rows are read one after the other and kept as numbers: a million impressions take about 100 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.clock import in_utc
from mlops.store import Database
from recipes import schema
from recipes.ranker import FEATURE_DEFAULTS, FEATURES, MODEL_ID
from recipes.training.labels import EVENT_CODES, Events

_SEARCHED = ("full", "words_only")
_OF_ONE_RANKING = sa.func.coalesce(schema.answers.c.arm, "") != "interleaved"
NOBODY = -1


@dataclass(frozen=True, slots=True)
class ImpressionLog:
    """Impressions by time of their answer; those of one answer, a slate, stand together, first position first.

    Attributes:
        slates: shape (n_rows,): number of the slate, ascending from 0.
        positions: shape (n_rows,): from 1.
        recipes: shape (n_rows,): numbers into ``recipe_ids``.
        scores: shape (n_rows,): by which it was ordered then.
        propensities: shape (n_rows,): above 0, to 1.
        features: shape (n_rows, n_features): as written down then, in the order of :data:`recipes.ranker.FEATURES`;
            what was not gets its default.
        answered_at: shape (n_slates,): seconds since 1970 in UTC.
        users, queries: shape (n_slates,): a number for each; users have :data:`NOBODY` where none is known.
        request_ids: of the slates.
        events: what cooks did.
        n_items: recipes in the catalogue.
    """

    slates: NDArray[np.int64]
    positions: NDArray[np.int16]
    recipes: NDArray[np.int32]
    scores: NDArray[np.float32]
    propensities: NDArray[np.float32]
    features: NDArray[np.float32]
    answered_at: NDArray[np.float64]
    users: NDArray[np.int64]
    queries: NDArray[np.int64]
    request_ids: Sequence[str]
    recipe_ids: Sequence[str]
    events: Events
    n_items: int

    def __len__(self) -> int:
        return len(self.slates)


def read_log(database: Database, *, since: datetime, until: datetime, with_interleaved: bool = False) -> ImpressionLog:
    """All answers of ``hybrid_ranker`` to a search at >= *since* and < *until*, with the events before *until*.

    Args:
        with_interleaved: also lists of two rankings, whose scores do not explain their order. What cooks do with them
            depends on both versions, and which neighbours stood where on a fair coin: no place to learn from how far
            cooks look.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    span = (
        schema.answers.c.answered_at >= since,
        schema.answers.c.answered_at < until,
        schema.answers.c.model_id == MODEL_ID,
        schema.answers.c.mode.in_(_SEARCHED),
        *(() if with_interleaved else (_OF_ONE_RANKING,)),
    )
    with database.streaming() as connection:
        n_items = connection.execute(sa.select(sa.func.count()).select_from(schema.recipes)).scalar_one()
        events = _pending(connection, span, until)
        writer = LogWriter()
        for row in connection.execute(_shown(span)):
            writer.add(cast("Mapping[str, Any]", row._mapping), events.pop((row.request_id, row.recipe_id), ()))
    return writer.log(n_items=n_items)


def labelled_since(database: Database, at: datetime) -> int:
    """How many recipes shown by ``hybrid_ranker`` got a first reaction at or after *at*: what is new to learn from.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    answers, events = schema.answers, schema.feedback_events
    shown = (
        sa.select(events.c.request_id, events.c.recipe_id)
        .join_from(events, answers, events.c.request_id == answers.c.request_id)
        .where(answers.c.model_id == MODEL_ID, answers.c.mode.in_(_SEARCHED), _OF_ONE_RANKING)
        .group_by(events.c.request_id, events.c.recipe_id)
        .having(sa.func.min(events.c.received_at) >= at)
    )
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(shown.subquery())).scalar_one())


def _shown(span: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    answers, impressions = schema.answers.c, schema.impressions.c
    return (
        sa.select(
            answers.request_id, answers.answered_at, answers.user_id, answers.query_hash, impressions.position,
            impressions.recipe_id, impressions.score, impressions.features, impressions.propensity,
        )
        .join_from(schema.answers, schema.impressions)
        .where(*span)
        .order_by(answers.answered_at, answers.request_id, impressions.position)
    )  # fmt: skip


Event = tuple[int, float, float]
"""Its code, its value or NaN, and when it happened."""


def _pending(
    connection: sa.Connection, span: Sequence[sa.ColumnElement[bool]], until: datetime
) -> dict[tuple[str, str], list[Event]]:
    """Events by answer and recipe; far fewer than impressions."""
    answers, events = schema.answers, schema.feedback_events
    query = (
        sa.select(events.c.request_id, events.c.recipe_id, events.c.event, events.c.value, events.c.received_at)
        .join_from(events, answers, events.c.request_id == answers.c.request_id)
        .where(*span, events.c.received_at < until)
        .order_by(events.c.received_at, events.c.event_id)
    )
    found: dict[tuple[str, str], list[Event]] = {}
    for row in connection.execute(query):
        value = float("nan") if row.value is None else row.value
        event = (EVENT_CODES[row.event], value, in_utc(row.received_at).timestamp())
        found.setdefault((row.request_id, row.recipe_id), []).append(event)
    return found


Columns: TypeAlias = "dict[str, array[Any]]"


class LogWriter:
    """Takes impressions in the order of the log, and makes the log of them."""

    def __init__(self) -> None:
        self._rows: Columns = {"slates": array("q"), "positions": array("h"), "recipes": array("i")}
        self._measures: Columns = {"scores": array("f"), "propensities": array("f"), "features": array("f")}
        self._answers: Columns = {"answered_at": array("d"), "users": array("q"), "queries": array("q")}
        self._events: Columns = {"rows": array("q"), "kinds": array("b"), "values": array("f"), "times": array("d")}
        self._request_ids: list[str] = []
        self._codes: dict[str, dict[str, int]] = {"users": {}, "queries": {}, "recipes": {}}

    def add(self, row: Mapping[str, Any], events: Sequence[Event]) -> None:
        """Add the next impression: a *row* of answers and impressions together, and what was done with it."""
        request_id = row["request_id"]
        if not self._request_ids or self._request_ids[-1] != request_id:
            self._begin_slate(row)
        for code, value, time in events:
            self._events["rows"].append(len(self._rows["slates"]))
            self._events["kinds"].append(code)
            self._events["values"].append(value)
            self._events["times"].append(time)
        self._rows["slates"].append(len(self._request_ids) - 1)
        self._rows["positions"].append(row["position"])
        self._rows["recipes"].append(self._code("recipes", row["recipe_id"]))
        self._measures["scores"].append(row["score"])
        self._measures["propensities"].append(row["propensity"])
        self._measures["features"].extend(_values(row["features"]))

    def _begin_slate(self, row: Mapping[str, Any]) -> None:
        self._request_ids.append(row["request_id"])
        self._answers["answered_at"].append(in_utc(row["answered_at"]).timestamp())
        user_id, query = row["user_id"], row["query_hash"]
        self._answers["users"].append(NOBODY if user_id is None else self._code("users", user_id))
        self._answers["queries"].append(NOBODY if query is None else self._code("queries", query))

    def _code(self, name: str, value: str) -> int:
        codes = self._codes[name]
        return codes.setdefault(value, len(codes))

    def log(self, *, n_items: int) -> ImpressionLog:
        """Everything that was added. Nothing is copied, and nothing can be added any more."""
        columns = {name: _column(values) for name, values in (self._rows | self._measures | self._answers).items()}
        columns["features"] = columns["features"].reshape(-1, len(FEATURES))
        events = Events(**{name: _column(values) for name, values in self._events.items()})
        return ImpressionLog(
            **columns,
            request_ids=self._request_ids,
            recipe_ids=list(self._codes["recipes"]),
            events=events,
            n_items=n_items,
        )


def _column(values: array[Any]) -> NDArray[Any]:
    return np.frombuffer(values, dtype=values.typecode) if values else np.zeros(0, dtype=values.typecode)


def _values(features: Mapping[str, Any]) -> Iterator[float]:
    for name, default in FEATURE_DEFAULTS.items():
        value = features.get(name)
        yield default if value is None else value
