"""Answers that cooks reacted to, ordered anew by another version: what counts, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mlops.store import Database
from recipes.answer import Answer, Ask, Shown
from recipes.catalog import Catalogue, Recipe
from recipes.constraints import Constraints
from recipes.evaluation.feedback import evaluate_feedback, read_feedback, scores_of
from recipes.feedback import AnswerLog, Feedback, FeedbackBook
from recipes.query import Understanding
from recipes.query_hash import QueryHasher
from recipes.ranker import FEATURE_DEFAULTS, SEMANTIC_WEIGHTS, HybridRanker

SOUP, BREAD, FLAN = "test-soup", "test-bread", "test-flan"
NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
CHAMPION = HybridRanker()
# The other way round: what is popular counts, what fits the query hardly.
POPULAR = HybridRanker("2.0.0", 0.3, 0.7)
# (semantic as name similarity, popularity): 1.0.0 scores them 0.9, 0.5, 0.43 times 0.45 … in this order.
FEATURES = {SOUP: (0.9, 0.1), BREAD: (0.5, 0.5), FLAN: (0.1, 0.9)}

Log = Callable[..., str]


def features(recipe_id: str) -> dict[str, float]:
    """As a ranker writes them down, every way of matching the same, so that `semantic` is that, too."""
    semantic, popularity = FEATURES[recipe_id]
    return {**dict.fromkeys(SEMANTIC_WEIGHTS, semantic), "semantic": semantic, "popularity": popularity}


@pytest.fixture
def log(emptied_database: Database, make_recipe: Callable[..., Recipe]) -> Log:
    """Writes an answer down, with what cooks did with its recipes; says its request id."""
    catalogue = Catalogue(emptied_database)
    catalogue.save([make_recipe(name.removeprefix("test-"), recipe_id=name) for name in FEATURES])
    answers = AnswerLog(emptied_database, hash_query=QueryHasher(b"key"))
    book = FeedbackBook(emptied_database, catalogue, answers, clock=lambda: NOW)
    numbers = iter(range(1, 1_000))

    def log(
        *recipe_ids: str,
        events: Sequence[tuple[str, str, float | None]] = (),
        written: Mapping[str, float] | None = None,
        scores: Sequence[float] | None = None,
        **changes: Any,
    ) -> str:
        known = [features(one) if written is None else written for one in recipe_ids]
        given = scores or [CHAMPION_SCORES[one] for one in recipe_ids]
        shown = tuple(
            Shown(place, catalogue.get(one), score, values)
            for place, (one, score, values) in enumerate(zip(recipe_ids, given, known, strict=True), start=1)
        )
        answer: dict[str, Any] = {
            "request_id": f"{next(numbers):032x}", "answered_at": NOW, "ask": Ask("sopa"), "mode": "full",
            "understanding": Understanding("es", Constraints(), "sopa", ()), "constraints": Constraints(),
            "shown": shown, "notices": (), "model_id": "hybrid_ranker", "model_version": "1.0.0", "n_candidates": 3,
            "stage_ms": {}, **changes,
        }  # fmt: skip
        answers.record(Answer(**answer))
        answers.flush()
        for recipe_id, event, value in events:
            book.record(Feedback(answer["request_id"], recipe_id, event, value))  # type: ignore[arg-type]
        return str(answer["request_id"])

    return log


CHAMPION_SCORES = {
    name: float(CHAMPION.semantic_weight * semantic + CHAMPION.popularity_weight * popularity)
    for name, (semantic, popularity) in FEATURES.items()
}


def test_recorded_features_give_the_scores_that_the_ranker_gave_then() -> None:
    rows = np.array([list({**FEATURE_DEFAULTS, **features(name)}.values()) for name in FEATURES])
    assert scores_of(CHAMPION, rows.astype(np.float32)) == pytest.approx(list(CHAMPION_SCORES.values()), abs=1e-6)


def test_a_version_is_judged_by_where_it_puts_what_was_cooked(log: Log, emptied_database: Database) -> None:
    first = log(SOUP, BREAD, FLAN, events=[(FLAN, "cook", None), (SOUP, "click", None)])
    known = read_feedback(emptied_database)
    assert [answer.gains.tolist() for answer in known.answers] == [[1.0, 0.0, 3.0]]
    before, after = evaluate_feedback(CHAMPION, known), evaluate_feedback(POPULAR, known)
    # Gains 1, 0, 3 in the order shown, 3, 0, 1 the other way round; the best list is 3, 1, 0.
    best = 3 + 1 / np.log2(3)
    assert before.metrics["ndcg@3"].mean == pytest.approx((1 + 3 / 2) / best)
    assert after.metrics["ndcg@3"].mean == pytest.approx((3 + 1 / 2) / best)
    assert after.figures["ndcg@3 as shown"] == pytest.approx(before.metrics["ndcg@3"].mean)
    assert after.qrels == {first: {SOUP: 1.0, FLAN: 3.0}}


def test_slices_come_from_what_was_written_down_with_the_answer(log: Log, emptied_database: Database) -> None:
    liked = [(SOUP, "save", None)]
    log(SOUP, BREAD, events=liked, constraints=Constraints(exclude=frozenset({"egg"}), max_minutes=30))
    log(SOUP, BREAD, events=liked, ask=Ask("soup", language="en"))
    measured = evaluate_feedback(CHAMPION, read_feedback(emptied_database))
    sizes = {
        name: {key: one.n_queries for key, one in measured.slices(name)["mrr"].items()} for name in measured.labels
    }
    assert sizes == {
        "idioma": {"en": 1, "es": 1},
        "exclusion": {"with": 1, "without": 1},
        "time_limit": {"with": 1, "without": 1},
    }


def test_answers_without_feedback_are_not_read_and_those_without_an_order_are_counted(
    log: Log, emptied_database: Database
) -> None:
    liked = [(SOUP, "cook", None)]
    log(SOUP, BREAD)
    log(SOUP, events=liked)
    log(SOUP, BREAD, events=liked, mode="direct", model_id="direct_link")
    log(SOUP, BREAD, events=liked, mode="popular", written={"popularity": 0.5})
    log(SOUP, BREAD, events=liked, written={"semantic": 0.5, "popularity": 0.5})
    log(FLAN, SOUP, events=liked)
    kept = log(SOUP, BREAD, events=[(BREAD, "dismiss", None)])
    known = read_feedback(emptied_database)
    assert [answer.request_id for answer in known.answers] == [kept]
    assert (known.n_single, known.n_without_features, known.n_ordered_by_rules) == (3, 1, 1)


def test_where_nobody_liked_anything_there_is_no_mean_and_no_error(log: Log, emptied_database: Database) -> None:
    log(SOUP, BREAD, events=[(BREAD, "dismiss", None)])
    measured = evaluate_feedback(CHAMPION, read_feedback(emptied_database))
    assert (measured.metrics["mrr"].n_queries, measured.metrics["mrr"].n_without_relevant) == (1, 1)
    assert measured.figures["mrr as shown"] is None


def test_lists_of_different_length_are_measured_each_by_itself(log: Log, emptied_database: Database) -> None:
    log(SOUP, BREAD, FLAN, events=[(FLAN, "cook", None)])
    log(SOUP, FLAN, events=[(FLAN, "cook", None)])
    measured = evaluate_feedback(CHAMPION, read_feedback(emptied_database))
    assert sorted(measured.metrics["mrr"].values.tolist()) == pytest.approx([1 / 3, 1 / 2])
