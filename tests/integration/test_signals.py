"""What calls for a training of hybrid_ranker, from real rows in a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops.artefacts import MemoryArtefacts
from mlops.drift import ReferenceProfile
from mlops.model_registry import ModelMetadata, ModelRegistry
from mlops.retraining import InstalledSignals
from mlops.store import Database
from recipes.ranker import FEATURES, HybridRanker
from recipes.request_drift import request_drift
from recipes.schema import answers, feedback_events, impressions
from recipes.signals import RecipeSignals, difference_of_shares
from tests.shown_worlds import answer_row

DEPLOYED = datetime(2026, 5, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODEL = "hybrid_ranker"


@pytest.fixture
def registry(sqlite_database: Database) -> ModelRegistry:
    return ModelRegistry(sqlite_database, artefacts=MemoryArtefacts(), clock=lambda: DEPLOYED)


def promoted(registry: ModelRegistry, *, profile: ReferenceProfile | None = None) -> None:
    files = HybridRanker("1.0.0", 0.7, 0.3).files()
    registry.register(ModelMetadata(MODEL, "1.0.0"), artefact=files, profile=profile)
    registry.promote(MODEL, "1.0.0", because="first")


def show(
    database: Database,
    *,
    n: int,
    since: datetime,
    clicked: int,
    features: Callable[[int], dict[str, float]] = lambda number: {"semantic": 0.5},
) -> None:
    """*n* answers of one recipe within the week from *since*; the first *clicked* of them were clicked."""
    rows: dict[str, list[dict[str, Any]]] = {"answers": [], "impressions": [], "events": []}
    for number in range(n):
        at, request_id = since + timedelta(days=6) * number / n, f"{since:%m%d}-{number}"
        rows["answers"].append(answer_row(request_id, at))
        shown = {"request_id": request_id, "position": 1, "recipe_id": "r"}
        rows["impressions"].append({**shown, "score": 0.5, "features": features(number), "propensity": 1.0})
        if number < clicked:
            event = {"event_id": request_id, "event": "click", "received_at": at, "recipe_id": "r"}
            rows["events"].append({**event, "request_id": request_id})
    with database.writing() as connection:
        connection.execute(answers.insert(), rows["answers"])
        connection.execute(impressions.insert(), rows["impressions"])
        if rows["events"]:
            connection.execute(feedback_events.insert(), rows["events"])


def signals(registry: ModelRegistry) -> RecipeSignals:
    return RecipeSignals(registry, registry.database, clock=lambda: NOW)


def test_fewer_clicks_than_in_the_first_week_are_a_degradation_with_an_interval(registry: ModelRegistry) -> None:
    promoted(registry)
    show(registry.database, n=400, since=DEPLOYED, clicked=160)
    show(registry.database, n=400, since=NOW - timedelta(days=7), clicked=100)
    found = signals(registry).degradation(MODEL)
    assert found is not None
    assert (found.metric, found.before, found.now) == ("click_ratio", 0.4, 0.25)
    assert found.low < -0.15 < found.high < 0
    assert found.degraded


def test_a_fall_that_chance_explains_is_none(registry: ModelRegistry) -> None:
    promoted(registry)
    show(registry.database, n=400, since=DEPLOYED, clicked=160)
    show(registry.database, n=400, since=NOW - timedelta(days=7), clicked=150)
    found = signals(registry).degradation(MODEL)
    assert found is not None
    assert found.high > 0
    assert not found.degraded


def test_with_few_answers_or_too_soon_degradation_is_not_measured(registry: ModelRegistry) -> None:
    assert signals(registry).degradation(MODEL) is None
    promoted(registry)
    show(registry.database, n=400, since=DEPLOYED, clicked=160)
    assert signals(registry).degradation(MODEL) is None
    soon = RecipeSignals(registry, registry.database, clock=lambda: DEPLOYED + timedelta(days=10))
    assert soon.degradation(MODEL) is None


def test_columns_that_moved_from_what_the_champion_learned_from_have_drifted(registry: ModelRegistry) -> None:
    rng = np.random.default_rng(5)
    reference = {name: rng.normal(0.5, 0.1, 2_000) for name in ("semantic", "quickness", "taste")}
    promoted(registry, profile=ReferenceProfile.of(reference))
    shifted, same = rng.normal(0.7, 0.1, 600), rng.normal(0.5, 0.1, 600)
    show(
        registry.database,
        n=600,
        since=NOW - timedelta(days=6, hours=12),
        clicked=0,
        features=lambda number: {
            "semantic": float(shifted[number]),
            "quickness": float(same[number]),
            "taste": float(shifted[number]),
        },
    )
    found = signals(registry).drift(MODEL)
    assert found is not None
    features = {one.column: one.drifted for one in found if one.column in FEATURES}
    assert features == {"semantic": True, "quickness": False}
    # What a profile has of what moves by design is not missed.
    checked = signals(registry).checked(MODEL)
    assert checked is not None
    assert checked.report.columns_with_drift == ["semantic"]
    assert checked.report.findings == []


def test_signals_count_the_columns_that_a_kept_check_counts(registry: ModelRegistry) -> None:
    rng = np.random.default_rng(5)
    promoted(registry, profile=ReferenceProfile.of({"semantic": rng.normal(0.5, 0.1, 2_000)}))
    # Half of what was shown has no such feature, and the other half another one than before: one column all the same.
    shown = [{"semantic": float(value)} if value > 0.7 else {} for value in rng.normal(0.7, 0.1, 600)]
    since = NOW - timedelta(days=6, hours=12)
    show(registry.database, n=600, since=since, clicked=0, features=lambda number: shown[number])
    found, checked = signals(registry).drift(MODEL), signals(registry).checked(MODEL)
    assert found is not None
    assert checked is not None
    assert [one.column for one in found] == checked.report.compared_columns
    assert [one.column for one in found if one.drifted] == checked.report.drifted_columns == ["semantic"]


def test_without_a_profile_or_traffic_drift_is_not_measured(registry: ModelRegistry) -> None:
    promoted(registry)
    assert signals(registry).drift(MODEL) is None


def test_of_other_models_nothing_is_measured(registry: ModelRegistry) -> None:
    found = signals(registry)
    assert found.labelled_since("churn", DEPLOYED) is None
    assert found.degradation("churn") is None
    assert found.drift("churn") is None
    assert InstalledSignals().degradation("churn") is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    # Newcombe (1998), table II, method 10, comparisons a and g; there the difference is the other way round.
    [((48, 80), (56, 70), (0.0524, 0.3339)), ((0, 10), (10, 10), (0.6075, 1.0))],
)
def test_the_interval_of_two_shares_is_that_of_newcombe(
    before: tuple[int, int], after: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert difference_of_shares(before, after) == pytest.approx(expected, abs=1e-4)


def ask(database: Database, *, n: int, since: datetime, hurried: int, version: str = "1.0.0") -> None:
    """*n* questions within the day from *since*; every *hurried*-th one states a time, 0 for none."""
    rows = [
        {
            **answer_row(f"{since:%m%d}-{number}", since + timedelta(days=1) * number / n),
            "constraints": {"max_minutes": 20 if hurried and number % hurried == 0 else None},
            "model_version": version,
        }
        for number in range(n)
    ]
    with database.writing() as connection:
        connection.execute(answers.insert(), rows)


@pytest.mark.parametrize(("hurried", "drifted"), [(10, []), (2, ["time_limit"])])
def test_other_questions_than_in_the_first_week_have_drifted_whoever_answers_them(
    registry: ModelRegistry, hurried: int, drifted: list[str]
) -> None:
    promoted(registry)
    for day in range(7):
        ask(registry.database, n=100, since=DEPLOYED + timedelta(days=day), hurried=10)
    assert signals(registry).requests_drift(MODEL) is None
    ask(registry.database, n=150, since=NOW - timedelta(days=1), hurried=hurried, version="2.0.0")
    found = signals(registry).requests_drift(MODEL)
    assert found is not None
    assert [one.column for one in found if one.drifted] == drifted
    assert {one.column for one in found} <= {one.column for one in signals(registry).drift(MODEL) or ()}


def test_a_busy_service_is_compared_with_whole_days_from_its_third_one_on(sqlite_database: Database) -> None:
    # Only in the mornings somebody is in a hurry, and 200 questions are there before the first noon.
    for day in range(3):
        for hour, hurried in ((0, True), (12, False)):
            ask_within(sqlite_database, since=DEPLOYED + timedelta(days=day, hours=hour), hurried=hurried)
    for hours in range(24, 73, 6):
        found = request_drift(sqlite_database, learned_until=DEPLOYED, now=DEPLOYED + timedelta(hours=hours))
        assert (found is None) == (hours < 48)
        assert found is None or not found.columns_with_drift, hours


def ask_within(database: Database, *, since: datetime, hurried: bool) -> None:
    """300 questions within the twelve hours from *since*, all of them in a hurry or none."""
    rows = [
        answer_row(
            f"{since:%m%d%H}-{number}",
            since + timedelta(hours=12) * number / 300,
            constraints={"max_minutes": 20 if hurried else None},
        )
        for number in range(300)
    ]
    with database.writing() as connection:
        connection.execute(answers.insert(), rows)


def test_what_was_asked_before_the_champion_was_made_is_what_it_learned_from(registry: ModelRegistry) -> None:
    promoted(registry)
    ask(registry.database, n=300, since=DEPLOYED - timedelta(days=3), hurried=2)
    ask(registry.database, n=150, since=NOW - timedelta(days=1), hurried=2)
    found = signals(registry).requests_drift(MODEL)
    assert found is not None
    assert not [one.column for one in found if one.drifted]
