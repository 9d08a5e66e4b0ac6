"""The quality to be expected of what was just shown, from real rows in a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops.store import Database
from recipes.live_quality import LiveQuality, read_shown
from recipes.schema import answers, feedback_events, impressions
from tests.shown_worlds import answer_row
from tests.unit.test_process_measures import Recorded

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def fill(database: Database, *, n_answers: int, since: timedelta, until: timedelta, click_rate: float) -> None:
    """Answers of three recipes each, evenly spread; a recipe is clicked with a chance of *click_rate* times score."""
    # A generator of its own, so that the order of the tests changes nothing.
    rng = np.random.default_rng(n_answers)
    rows: dict[str, list[dict[str, Any]]] = {"answers": [], "impressions": [], "events": []}
    for number in range(n_answers):
        at = NOW - since + (since - until) * number / n_answers
        request_id = f"{since.days}-{number}"
        rows["answers"].append(answer_row(request_id, at))
        for position in (1, 2, 3):
            score = float(rng.uniform(0, 1))
            shown = {"request_id": request_id, "position": position, "recipe_id": f"r{position}"}
            rows["impressions"].append({**shown, "score": score, "features": {}, "propensity": 1.0})
            if rng.uniform() < click_rate * score:
                event = {"event_id": f"{request_id}-{position}", "event": "click", "received_at": at}
                rows["events"].append({**event, "request_id": request_id, "recipe_id": f"r{position}"})
    with database.writing() as connection:
        connection.execute(answers.insert(), rows["answers"])
        connection.execute(impressions.insert(), rows["impressions"])
        if rows["events"]:
            connection.execute(feedback_events.insert(), rows["events"])


def test_the_rate_is_estimated_with_a_band_and_drawn_beside_the_real_one(sqlite_database: Database) -> None:
    fill(sqlite_database, n_answers=600, since=timedelta(days=20), until=timedelta(days=2), click_rate=0.6)
    fill(sqlite_database, n_answers=200, since=timedelta(hours=20), until=timedelta(), click_rate=0.6)
    metrics: Any = Recorded()
    found = LiveQuality(sqlite_database, metrics, clock=lambda: NOW).turn()
    click = found["click"]
    assert click.verdict == "ok"
    assert click.low is not None
    assert click.high is not None
    assert click.low < 0.3 < click.high
    assert click.agrees
    recorded = {(name, *labels.values()): value for name, value, labels in metrics.points}
    assert recorded["expected_rate", "click", "rate"] == click.rate
    assert recorded["observed_rate", "click"] == pytest.approx(0.3, abs=0.06)
    # Nobody cooked anything: of that there is nothing to learn from.
    assert found["cook"].verdict == "not enough data"
    assert ("expected_rate", "cook", "rate") not in recorded


def test_a_fall_that_scores_do_not_explain_is_seen_when_feedback_arrives(sqlite_database: Database) -> None:
    fill(sqlite_database, n_answers=600, since=timedelta(days=20), until=timedelta(days=2), click_rate=0.6)
    fill(sqlite_database, n_answers=200, since=timedelta(hours=20), until=timedelta(hours=2), click_rate=0.2)
    found = LiveQuality(sqlite_database, Recorded(), clock=lambda: NOW).turn()
    assert found["click"].agrees is False


def test_impressions_whose_outcome_may_still_come_are_not_counted_as_failures(sqlite_database: Database) -> None:
    fill(sqlite_database, n_answers=600, since=timedelta(days=20), until=timedelta(days=2), click_rate=0.6)
    fill(sqlite_database, n_answers=100, since=timedelta(minutes=30), until=timedelta(), click_rate=0.0)
    click = LiveQuality(sqlite_database, Recorded(), clock=lambda: NOW).turn()["click"]
    assert (click.observed, click.n_observed, click.agrees) == (None, 0, None)


def test_a_recipe_opened_by_a_link_is_no_impression_of_the_ranker(sqlite_database: Database) -> None:
    fill(sqlite_database, n_answers=3, since=timedelta(days=1), until=timedelta(), click_rate=1.0)
    with sqlite_database.writing() as connection:
        connection.execute(answers.update().values(mode="direct").where(answers.c.request_id == "1-0"))
    shown = read_shown(sqlite_database, since=NOW - timedelta(days=2))
    assert shown.scores.size == 6
    assert set(shown.positions.tolist()) == {1, 2, 3}
