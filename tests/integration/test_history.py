"""What cooks did is known to the ranker soon after, and never before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe
from recipes.history import CookHistory
from recipes.ranker import MODEL_ID

NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
Note = Callable[..., None]


class Alike:
    """Recipes are as alike as their numbers are near; keeps what it was asked."""

    def likeness(self, liked: np.ndarray, weights: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        near = 1 / (1 + np.abs(numbers[:, None] - liked[None, :]))
        return np.asarray(near @ weights / np.abs(weights).sum(), dtype=np.float32)


@pytest.fixture
def numbers(emptied_database: Database, make_recipe: Callable[..., Recipe]) -> np.ndarray:
    catalogue = Catalogue(emptied_database)
    catalogue.save([make_recipe(f"Dish {number}", recipe_id=f"test-{number}") for number in range(4)])
    found = [catalogue.get(f"test-{number}").recipe_no for number in range(4)]
    return np.array(found, np.int64)


@pytest.fixture
def note(emptied_database: Database, numbers: np.ndarray) -> Note:
    """Writes down what a cook did with recipe *which*, some days ago."""
    counter = iter(range(1, 1_000))

    def note(which: int, event: str, *, days: float, user: str | None = "ana", value: float | None = None) -> None:
        request_id, at = f"request-{next(counter)}", NOW - timedelta(days=days)
        answer: dict[str, Any] = {
            "request_id": request_id, "answered_at": at, "user_id": user, "query_hash": "q", "language": "es",
            "constraints": {}, "mode": "full", "model_id": MODEL_ID, "model_version": "1.0.0", "n_candidates": 4,
            "latency_ms": 1.0,
        }  # fmt: skip
        shown = {"request_id": request_id, "recipe_id": f"test-{which}"}
        with emptied_database.writing() as connection:
            connection.execute(schema.answers.insert(), answer)
            connection.execute(
                schema.impressions.insert(), {**shown, "position": 1, "score": 1, "features": {}, "propensity": 1}
            )
            connection.execute(
                schema.feedback_events.insert(),
                {**shown, "event_id": request_id, "event": event, "value": value, "received_at": at},
            )

    return note


@pytest.fixture
def history(emptied_database: Database) -> CookHistory:
    return CookHistory(emptied_database, library=Alike)


def test_what_is_liked_of_late_counts_more_and_half_after_two_weeks(
    note: Note, history: CookHistory, numbers: np.ndarray
) -> None:
    assert history.trend(numbers).tolist() == [0, 0, 0, 0]
    note(0, "click", days=15)
    note(1, "click", days=1)
    note(2, "dismiss", days=1)
    history.refresh(NOW)
    # In units of a click of yesterday: 1/2, 1, 0 over their mean, 3/4, as x / (x + 1).
    assert history.trend(numbers) == pytest.approx([0.4, 4 / 7, 0, 0], abs=1e-6)


def test_a_taste_is_what_a_cook_chose_and_did_not_like(note: Note, history: CookHistory, numbers: np.ndarray) -> None:
    history.refresh(NOW)
    assert history.scores("ana", numbers) is None
    note(0, "cook", days=2)
    note(3, "rating", days=1, value=1.0)
    note(1, "save", days=1, user=None)
    history.refresh(NOW)
    scores = history.scores("ana", numbers)
    assert scores is not None
    # Two of four half-known: times 2 / (2 + 2); cooked counts 3, one star -2.
    expected = [(3 / (1 + abs(0 - at)) - 2 / (1 + abs(3 - at))) / 5 / 2 for at in range(4)]
    assert scores == pytest.approx(np.clip(expected, 0, 1), abs=1e-6)
    assert history.scores("eva", numbers) is None
    assert CookHistory(history._database, library=lambda: None).scores("ana", numbers) is None


def test_reading_what_is_new_is_as_good_as_reading_everything(
    note: Note, history: CookHistory, numbers: np.ndarray, emptied_database: Database
) -> None:
    for days in (9, 5, 5, 1):
        note(int(days) % 4, "save", days=days)
        history.refresh(NOW)
        history.refresh(NOW)
    whole = CookHistory(emptied_database, library=Alike)
    whole.refresh(NOW)
    assert history.trend(numbers).tolist() == whole.trend(numbers).tolist()
    assert history.scores("ana", numbers).tolist() == whole.scores("ana", numbers).tolist()  # type: ignore[union-attr]
