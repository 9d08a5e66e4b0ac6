"""Metrics over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mlops.access import KeyRing
from mlops.http import metrics as endpoints
from mlops.http import models, problems
from mlops.http.access import Access
from mlops.monitoring.collector import MetricsCollector
from mlops.store import Database


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[MetricsCollector]:
    with MetricsCollector(tmp_path / "metrics") as made:
        for value in (10.0, 20.0, 30.0):
            made.record("api_latency_ms", value, {"version": "1.0.0"})
        made.record("api_latency_ms", 100.0, {"version": "1.1.0"})
        yield made


class Client:
    """Asks an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._get(path, **options))

    async def _get(self, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
            return await client.get(path, **options)


def client(collector: MetricsCollector, database: Database, *, require_key: bool = False) -> Client:
    app = FastAPI()
    problems.install(app, models.STATUSES)
    access = Access(KeyRing(database), require_key_to_read=require_key)
    app.include_router(endpoints.router(collector, access))
    return Client(app)


def test_statistics_come_as_json_and_apart_by_a_label(collector: MetricsCollector, sqlite_database: Database) -> None:
    answer = client(collector, sqlite_database).get("/metrics", params={"window_minutes": 15, "by": "version"})
    body = answer.json()
    assert body["window_minutes"] == 15
    latency = body["metrics"]["api_latency_ms"]
    assert (latency["count"], latency["mean"], latency["min"], latency["max"]) == (4, 40.0, 10.0, 100.0)
    assert latency["by"]["version"]["1.1.0"]["count"] == 1
    assert body["collector"]["n_dropped"] == 0


@pytest.mark.parametrize(
    ("accept", "is_text"),
    [
        ("*/*", False),
        ("application/json", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/plain", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/json, text/plain, */*", False),
    ],
)
def test_prometheus_gets_text_and_everybody_else_json(
    collector: MetricsCollector, sqlite_database: Database, accept: str, is_text: bool
) -> None:
    answer = client(collector, sqlite_database).get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4" if is_text else "application/json")
    assert ("# TYPE api_latency_ms histogram" in answer.text) == is_text


def test_the_text_has_an_address_of_its_own(collector: MetricsCollector, sqlite_database: Database) -> None:
    answer = client(collector, sqlite_database).get("/metrics/prometheus")
    assert 'api_latency_ms_count{version="1.0.0"} 3' in answer.text


@pytest.mark.parametrize("window", ["0", "-5", "nan", "inf", "129601", "an hour"])
def test_a_window_that_is_none_is_refused_by_name(
    collector: MetricsCollector, sqlite_database: Database, window: str
) -> None:
    answer = client(collector, sqlite_database).get("/metrics", params={"window_minutes": window})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "window_minutes"


def test_where_reading_needs_a_key_metrics_need_one(collector: MetricsCollector, sqlite_database: Database) -> None:
    token = KeyRing(sqlite_database).create("prometheus", "read").token
    closed = client(collector, sqlite_database, require_key=True)
    assert closed.get("/metrics/prometheus").status_code == 401
    assert closed.get("/metrics/prometheus", headers={"authorization": f"Bearer {token}"}).status_code == 200
