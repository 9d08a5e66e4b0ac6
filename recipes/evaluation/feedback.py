"""A version orders anew what cooks were shown, and is judged by what they did with it.

Only the recipes of an answer are ordered, by the features that were written down when it was given: nobody knows what
cooks would have done with recipes that they never saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.evaluation import evaluate_arrays
from mlops.store import Database
from recipes import schema
from recipes.evaluation.gains import CONVENTION, gain_of
from recipes.evaluation.results import Evaluated
from recipes.exploration import EXPLORED_BELOW
from recipes.index.items import Floats
from recipes.ranker import FEATURE_DEFAULTS, FEATURES, MODEL_ID, PARTS, Ranker

# An answer shows three recipes: deeper cutoffs would only say that all of them are there.
METRICS = ("ndcg@3", "mrr")
# Every release wrote these down; the others have defaults.
_NEEDED = (*PARTS, "popularity")
_SEARCHED = ("full", "words_only")
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer that got feedback.

    Attributes:
        features: shape (n_shown, n_features): as written down, those of :data:`recipes.ranker.FEATURES`.
        gains: shape (n_shown,): see :mod:`recipes.evaluation.gains`.
        labels: its group in each slice.
    """

    request_id: str
    recipe_ids: Sequence[str]
    features: NDArray[np.float32]
    gains: NDArray[np.float64]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FeedbackLog:
    """Answers that can be ordered anew, and how many with feedback cannot.

    Attributes:
        n_single: one recipe only, opened by a link, or popular ones without a search: the ranker made no order.
        n_without_features: what the ranker knew of a recipe was not written down in full.
        n_ordered_by_rules: scores do not explain the order; what the query asked for came first. A version's scores
            would not have changed that, and the rules are not written down for each recipe.
    """

    answers: Sequence[LoggedAnswer]
    n_single: int = 0
    n_without_features: int = 0
    n_ordered_by_rules: int = 0


def read_feedback(database: Database) -> FeedbackLog:
    """All answers of ``hybrid_ranker`` with feedback, oldest first, without lists of two rankings.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        events = _events(connection)
        shown = [list(rows) for _, rows in groupby(connection.execute(_shown()), key=lambda row: str(row.request_id))]
    fates = [_fate(rows) for rows in shown]
    return FeedbackLog(
        answers=[_logged(rows, events) for rows, fate in zip(shown, fates, strict=True) if fate == "kept"],
        n_single=fates.count("single"),
        n_without_features=fates.count("without features"),
        n_ordered_by_rules=fates.count("ordered by rules"),
    )


def _fate(rows: Sequence[sa.Row[Any]]) -> Literal["kept", "single", "without features", "ordered by rules"]:
    """What becomes of an answer, see :class:`FeedbackLog`."""
    if len(rows) < 2 or rows[0].mode not in _SEARCHED or rows[0].model_id != MODEL_ID:
        return "single"
    if not all(_has_features(row.features) for row in rows):
        return "without features"
    in_place = [row for row in rows if row.propensity >= EXPLORED_BELOW]
    if any(after.score > before.score + _ROUNDING for before, after in pairwise(in_place)):
        return "ordered by rules"
    return "kept"


def _shown() -> sa.Select[Any]:
    answers, impressions, events = schema.answers.c, schema.impressions.c, schema.feedback_events.c
    return (
        sa.select(
            answers.request_id, answers.language, answers.constraints, answers.mode, answers.model_id,
            impressions.recipe_id, impressions.score, impressions.features,
            impressions.propensity,
        )
        .join_from(schema.answers, schema.impressions)
        .where(answers.request_id.in_(sa.select(events.request_id)))
        # Neither version's scores explain the order of a list of both.
        .where(sa.func.coalesce(answers.arm, "") != "interleaved")
        .order_by(answers.answered_at, answers.request_id, impressions.position)
    )  # fmt: skip


def _events(connection: sa.Connection) -> dict[tuple[str, str], list[tuple[str, float | None]]]:
    table = schema.feedback_events.c
    query = sa.select(table.request_id, table.recipe_id, table.event, table.value).order_by(
        table.received_at, table.event_id
    )
    found: dict[tuple[str, str], list[tuple[str, float | None]]] = {}
    for row in connection.execute(query):
        found.setdefault((row.request_id, row.recipe_id), []).append((row.event, row.value))
    return found


def _has_features(features: Mapping[str, Any]) -> bool:
    return all(isinstance(features.get(name), int | float) for name in _NEEDED)


def _logged(
    rows: Sequence[sa.Row[Any]], events: Mapping[tuple[str, str], Sequence[tuple[str, float | None]]]
) -> LoggedAnswer:
    first = rows[0]
    rules = first.constraints
    return LoggedAnswer(
        request_id=first.request_id,
        recipe_ids=[row.recipe_id for row in rows],
        features=np.array([_values(row.features) for row in rows], np.float32),
        gains=np.array([gain_of(events.get((row.request_id, row.recipe_id), ())) for row in rows]),
        labels={
            "idioma": first.language,
            "exclusion": "with" if rules.get("exclude") or rules.get("exclude_words") else "without",
            "time_limit": "without" if rules.get("max_minutes") is None else "with",
        },
    )


def _values(features: Mapping[str, Any]) -> list[float]:
    return [features.get(name, default) for name, default in FEATURE_DEFAULTS.items()]


def evaluate_feedback(ranker: Ranker, log: FeedbackLog, *, metrics: Sequence[str] = METRICS) -> Evaluated:
    """Measure *ranker* on *log*, which holds at least one answer.

    Raises:
        BadInput: no metric has one of the names.
    """
    scores, mask = _padded([scores_of(ranker, answer.features) for answer in log.answers])
    gains, _ = _padded([answer.gains for answer in log.answers])
    ids = np.array([answer.request_id for answer in log.answers])
    places = np.broadcast_to(-np.arange(scores.shape[1], dtype=np.float64), scores.shape)
    results, as_shown = (
        evaluate_arrays(gains, one, metrics=list(metrics), mask=mask, query_ids=ids) for one in (scores, places)
    )
    slices = log.answers[0].labels
    return Evaluated(
        source="feedback",
        about=_about(log),
        version=ranker.version,
        qrels={answer.request_id: _relevant(answer) for answer in log.answers},
        metrics=results,
        figures={
            **{f"{name} as shown": one.mean if one.values.size else None for name, one in as_shown.items()},
            "left_out_no_order": float(log.n_single),
            "left_out_no_features": float(log.n_without_features),
            "left_out_ordered_by_rules": float(log.n_ordered_by_rules),
        },
        labels={name: {answer.request_id: answer.labels[name] for answer in log.answers} for name in slices},
    )


def scores_of(ranker: Ranker, features: NDArray[np.float32]) -> Floats:
    """Scores of recipes whose features were written down, shape (n_shown,); *features* as in :class:`LoggedAnswer`."""
    return ranker.score(ranker.recalled(dict(zip(FEATURES, features.T, strict=True))))


def _about(log: FeedbackLog) -> str:
    return (
        f"{len(log.answers)} answers that cooks reacted to, their recipes ordered anew by the version's scores for the "
        f"features that were written down, ties in the order shown; {CONVENTION}; nothing corrects for position: cooks "
        f"react most to what stands first, which favours the version that answered then"
    )


def _relevant(answer: LoggedAnswer) -> dict[str, float]:
    pairs: Iterator[tuple[str, float]] = zip(answer.recipe_ids, answer.gains.tolist(), strict=True)
    return {recipe_id: gain for recipe_id, gain in pairs if gain > 0}


def _padded(rows: Sequence[NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of different length as one array, and where it holds a value."""
    sizes = np.array([len(row) for row in rows])
    mask = np.arange(sizes.max()) < sizes[:, None]
    values = np.zeros(mask.shape)
    values[mask] = np.concatenate(rows)
    return values, mask
