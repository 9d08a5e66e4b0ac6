"""What tastes are learned from: what was shown up to a moment, and what was done with it up to then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe
from recipes.ranker import MODEL_ID
from recipes.tastes import read_encounters
from recipes.tastes.encounters import MATCHING

NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
Events = list[tuple[str, float | None, float]]
Note = Callable[..., None]


@pytest.fixture
def note(emptied_database: Database, make_recipe: Callable[..., Recipe]) -> Note:
    """Writes down that recipe *which* was shown some days ago, and events with the days ago of each."""
    Catalogue(emptied_database).save([make_recipe(f"Dish {n}", recipe_id=f"test-{n}") for n in range(3)])

    def note(name: str, which: int, *, days: float, events: Events = [], **fields: Any) -> None:  # noqa: B006
        answer = {
            "request_id": name, "answered_at": NOW - timedelta(days=days), "user_id": "ana", "query_hash": "q",
            "language": "es", "constraints": {}, "mode": "full", "model_id": MODEL_ID, "model_version": "1.0.0",
            "n_candidates": 4, "latency_ms": 1.0,
        } | fields  # fmt: skip
        shown = {"request_id": name, "recipe_id": f"test-{which}"}
        with emptied_database.writing() as connection:
            connection.execute(schema.answers.insert(), answer)
            row = {**shown, "position": which + 1, "score": 1, "features": {"name_words": 0.25}, "propensity": 1}
            connection.execute(schema.impressions.insert(), row)
            for number, (event, value, ago) in enumerate(events):
                at = NOW - timedelta(days=ago)
                row = {**shown, "event_id": f"{name}-{number}", "event": event, "value": value, "received_at": at}
                connection.execute(schema.feedback_events.insert(), row)

    return note


def test_the_event_that_says_most_counts_and_stars_count_alone(emptied_database: Database, note: Note) -> None:
    note("a", 0, days=5, events=[("cook", None, 4), ("click", None, 4.5)])
    note("b", 1, days=4, events=[("cook", None, 3), ("rating", 5.0, 2), ("rating", 1.0, 1)])
    note("c", 2, days=3, user_id=None, query_hash="another")
    found = read_encounters(emptied_database, since=SINCE, until=NOW)
    assert found.liking.tolist() == [2.0, -1.0, 0.0]
    assert found.position.tolist() == [1, 2, 3]
    assert found.age_days.tolist() == pytest.approx([5, 4, 3])
    assert len(set(found.answer.tolist())) == 3
    assert found.question[0] == found.question[1] != found.question[2]
    assert [found.cooks[row] if row >= 0 else None for row in found.cook] == ["ana", "ana", None]
    # What was not written down gets the default of its feature.
    assert dict(zip(MATCHING, found.matching[0].tolist(), strict=True)) == {
        "name_similarity": 0.0, "ingredients_similarity": 0.0, "name_words": 0.25, "body_words": 0.0,
        "covered": 1.0, "included": 1.0, "meal_fit": 1.0,
    }  # fmt: skip


def test_nothing_that_comes_later_is_seen(emptied_database: Database, note: Note) -> None:
    note("a", 0, days=5, events=[("click", None, 4), ("cook", None, 1)])
    before = read_encounters(emptied_database, since=SINCE, until=NOW - timedelta(days=2))
    note("b", 1, days=1, events=[("click", None, 0.5)])
    after = read_encounters(emptied_database, since=SINCE, until=NOW - timedelta(days=2))
    assert before.liking.tolist() == after.liking.tolist() == [1.0]
    assert len(read_encounters(emptied_database, since=SINCE, until=NOW)) == 2


def test_what_no_ranking_has_shown_is_left_out_and_of_too_many_the_newest_are_taken(
    emptied_database: Database, note: Note
) -> None:
    note("link", 0, days=5, model_id="direct_link")
    note("old", 1, days=40)
    for number, days in enumerate((9, 7, 8)):
        note(f"n{number}", number, days=days)
    found = read_encounters(emptied_database, since=SINCE, until=NOW, limit=2)
    assert found.age_days.tolist() == pytest.approx([8, 7])
    assert len(read_encounters(emptied_database, since=SINCE, until=NOW)) == 3
