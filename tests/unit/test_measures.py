"""What the service measures of its answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from recipes.answer import Answer, Ask
from recipes.constraints import Constraints
from recipes.measures import ServiceMeasures, n_constraints
from recipes.query import Understanding
from tests.unit.test_process_measures import Recorded


def an_answer(**fields: Any) -> Answer:
    made = Answer(
        request_id="r",
        answered_at=datetime(2026, 1, 1, tzinfo=UTC),
        ask=Ask("sopa", language="es"),
        understanding=Understanding("es", Constraints(), "sopa", ()),
        constraints=Constraints(),
        shown=(),
        notices=(),
        mode="full",
        model_id="hybrid_ranker",
        model_version="1.0.0",
        n_candidates=0,
        stage_ms={"parse": 0.5, "encode": 1.5, "retrieve": 2.0, "rank": 0.25},
    )
    return replace(made, **fields)


@pytest.fixture
def metrics() -> Any:
    return Recorded()


def test_each_stage_has_a_measure_by_version_and_language(metrics: Any) -> None:
    ServiceMeasures(metrics, slow_ms=1_000).answered(an_answer())
    labels = {"version": "1.0.0", "language": "es"}
    assert ("encode_ms", 1.5, labels) in metrics.points
    assert ("retrieve_ms", 2.0, labels) in metrics.points
    assert ("rank_ms", 0.25, labels) in metrics.points


def test_an_answer_without_a_recipe_is_an_empty_result_without_a_score(metrics: Any) -> None:
    ServiceMeasures(metrics, slow_ms=1_000).answered(an_answer())
    assert metrics.of("empty_results") == [1]
    assert metrics.of("num_recipes") == [0]
    assert metrics.of("top_score") == []


def test_an_answer_without_the_encoder_is_degraded(metrics: Any) -> None:
    measures = ServiceMeasures(metrics, slow_ms=1_000)
    measures.answered(an_answer(mode="words_only", stage_ms={"shelf": 1.0}))
    measures.answered(an_answer())
    assert metrics.of("degraded_answers") == [1, 0]


def test_every_rule_of_a_cook_counts() -> None:
    assert n_constraints(Constraints()) == 0
    rules = Constraints(exclude=frozenset({"egg", "nut"}), include=("rice",), max_minutes=30, meals=("lunch", "dinner"))
    assert n_constraints(rules) == 5


def test_an_error_of_the_service_is_one_and_an_error_of_the_client_is_none(metrics: Any) -> None:
    measures = ServiceMeasures(metrics, slow_ms=1_000)
    for status in (200, 422, 503):
        measures.requested("/recommend", status, 3.0)
    assert metrics.of("error_rate") == [0, 0, 1]
    assert metrics.of("request_count") == [1, 1, 1]


def test_answers_and_other_requests_have_latencies_apart(metrics: Any) -> None:
    measures = ServiceMeasures(metrics, slow_ms=1_000)
    measures.requested("/recommend", 200, 3.0, version="1.0.0", language="en")
    measures.requested("/recetas/{recipe_id}", 200, 8.0)
    assert ("api_latency_ms", 3.0, {"version": "1.0.0", "language": "en"}) in metrics.points
    assert ("http_latency_ms", 8.0, {"route": "/recetas/{recipe_id}"}) in metrics.points


def test_an_answer_that_takes_longer_than_promised_is_slow(metrics: Any) -> None:
    measures = ServiceMeasures(metrics, slow_ms=100)
    for milliseconds in (99.0, 101.0):
        measures.requested("/recommend", 200, milliseconds, version="1.0.0", language="en")
    assert metrics.of("slow_rate") == [0, 1]


@pytest.mark.parametrize("route", ["/health", "/health/live", "/metrics", "/metrics/prometheus"])
def test_requests_of_machines_are_not_among_those_of_cooks(metrics: Any, route: str) -> None:
    ServiceMeasures(metrics, slow_ms=1_000).requested(route, 200, 1.0)
    assert metrics.points == []
