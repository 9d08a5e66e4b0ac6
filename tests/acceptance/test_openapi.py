"""The service keeps what its own OpenAPI document promises, tried with generated requests."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
READS = ["/health", "/health/live", "/health/ready"]
WRITES = ["/recommend", "/feedback"]


@pytest.fixture(scope="module")
def openapi(live_server: str) -> Any:
    return schemathesis.openapi.from_url(f"{live_server}/openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [*(("GET", path, GOOD) for path in READS), *(("POST", path, mode) for path in WRITES for mode in (GOOD, BAD))],
)
def test_generated_requests_are_answered_as_documented(openapi: Any, method: str, path: str, mode: Any) -> None:
    # What a field must be beyond its schema, such as a query with a letter in it, no generator knows.
    unknowable = [schemathesis.checks.positive_data_acceptance]

    @given(case=openapi[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=60 if method == "POST" else 5, deadline=None, suppress_health_check=list(HealthCheck))
    def run(case: Any) -> None:
        case.call_and_validate(excluded_checks=unknowable)

    run()


def test_the_document_names_what_there_is(live_server: str) -> None:
    document = httpx.get(f"{live_server}/openapi.json").json()
    named = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        # Those of the toolkit have tests of their own: tests/acceptance/test_models_service.py, tests/integration.
        if not {"models", "metrics", "alerts", "retraining", "rollouts"} & set(operation.get("tags", ()))
    }
    assert named == {*(("GET", path) for path in READS), *(("POST", path) for path in WRITES)}
    fields = document["components"]["schemas"]["RecommendRequest"]["properties"]
    assert set(fields) == {"query", "n", "usuario", "idioma", "filtros", "explica"}
    for path in WRITES:
        answers = document["paths"][path]["post"]["responses"]
        assert set(answers) >= {"400", "413", "415", "422", "503"}
        assert list(answers["422"]["content"]) == ["application/problem+json"]
