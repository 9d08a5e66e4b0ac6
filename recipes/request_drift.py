"""Do cooks ask for something else than they did? From what is kept of each question, whichever version answered it.

The features of recipes that were shown move with the version that chose them; questions do not. So an alarm is made of
questions alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from mlops.clock import in_utc
from mlops.drift import DriftOptions, DriftReport, check_drift
from mlops.store import Database
from recipes.schema import answers

# What a model learned from, at most, and what is new.
LEARNED_FROM, NEW, FIRST = timedelta(days=28), timedelta(days=1), timedelta(days=7)
FEWEST_REQUESTS = 200
MOST_REQUESTS = 20_000
_KINDS: Mapping[str, type[np.generic]] = {
    "language": np.str_, "time_limit": np.str_, "meal": np.str_, "excludes": np.bool_, "includes": np.bool_,
    "candidates": np.float64,
}  # fmt: skip
QUESTION_COLUMNS = frozenset(_KINDS)
# Looked at day after day, so that one look must not alarm as easily as a single check may. Weekdays differ by less.
OPTIONS = DriftOptions(threshold=0.15, alpha=0.001)

_SEARCHED = ("full", "words_only")
# Categories are read in any language.
_NOT_ASKED = "–"
_TIMES = (20, 30, 60)

Columns = Mapping[str, np.ndarray[Any, Any]]


def request_drift(database: Database, *, learned_until: datetime, now: datetime) -> DriftReport | None:
    """Questions of the last day against those of the four weeks before *learned_until*.

    Where these are fewer than 200, as for a first version that learned from none, against the first week of questions,
    or as many days of it as there are. The two never overlap, and days are whole ones: mornings differ from evenings.
    None where there is too little to compare.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    new_since = now - NEW
    until = min(learned_until, new_since)
    reference = read_requests(database, since=until - LEARNED_FROM, until=until)
    if _n_rows(reference) < FEWEST_REQUESTS:
        first = _first_request(database)
        if first is None:
            return None
        until = first + min(FIRST, (new_since - first) // NEW * NEW)
        reference = read_requests(database, since=first, until=until)
    current = read_requests(database, since=new_since, until=now)
    if _n_rows(reference) < FEWEST_REQUESTS or not _n_rows(current):
        return None
    return check_drift(reference, current, options=OPTIONS)


def read_requests(database: Database, *, since: datetime, until: datetime) -> Columns:
    """The newest questions at >= *since* and < *until* as columns, each of shape (n,), newest first.

    ``language``; ``time_limit`` and ``meal`` that were asked for; ``excludes`` and ``includes``: whether any food was
    ruled out or asked for; ``candidates``: how many recipes keep the rules.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    query = (
        sa.select(answers.c.language, answers.c.constraints, answers.c.n_candidates)
        .where(answers.c.answered_at >= since, answers.c.answered_at < until, answers.c.mode.in_(_SEARCHED))
        .order_by(answers.c.answered_at.desc())
        .limit(MOST_REQUESTS)
    )
    columns: dict[str, list[Any]] = {name: [] for name in _KINDS}
    with database.streaming() as connection:
        for row in connection.execute(query):
            for name, value in _described(row.language, row.constraints, row.n_candidates).items():
                columns[name].append(value)
    return {name: np.array(columns[name], dtype=kind) for name, kind in _KINDS.items()}


def _described(language: str, rules: Mapping[str, Any], n_candidates: int) -> dict[str, Any]:
    return {
        "language": language,
        "time_limit": _time_limit(rules.get("max_minutes")),
        "meal": (rules.get("meals") or [_NOT_ASKED])[0],
        "excludes": bool(rules.get("exclude") or rules.get("exclude_words")),
        "includes": bool(rules.get("include")),
        "candidates": n_candidates,
    }


def _time_limit(minutes: int | None) -> str:
    if minutes is None:
        return _NOT_ASKED
    return next((f"≤ {limit} min" for limit in _TIMES if minutes <= limit), f"> {_TIMES[-1]} min")


def _first_request(database: Database) -> datetime | None:
    query = sa.select(sa.func.min(answers.c.answered_at)).where(answers.c.mode.in_(_SEARCHED))
    with database.reading() as connection:
        first = connection.execute(query).scalar()
    return None if first is None else in_utc(first)


def _n_rows(columns: Columns) -> int:
    return len(columns["language"])
