"""Prometheus text: as its own parser reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops.monitoring.collector import MetricsCollector
from mlops.monitoring.memory import MemoryMetrics
from mlops.monitoring.prometheus import exposition, label_name, metric_name

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def metrics() -> MemoryMetrics:
    metrics = MemoryMetrics(clock=lambda: NOON)
    metrics.describe("api_latency_ms", unit="ms", help='Time of an answer, "all in".\nC:\\', boundaries=(10, 100, 1000))
    metrics.describe("request_count", "counter", help="Requests.")
    metrics.describe("queue_depth", "gauge")
    for value in (5.0, 50.0, 500.0, 5000.0):
        metrics.record("api_latency_ms", value, {"version": "1.0.1", "language": "es"})
    for value in (1.0, 1.0, 3.0):
        metrics.record("request_count", value, {"path": 'a\\b"c\nd'})
    metrics.record("queue_depth", 7.0)
    metrics.record("queue_depth", 2.5)
    return metrics


def test_the_text_is_as_the_format_says(metrics: MemoryMetrics) -> None:
    assert exposition(metrics) == (
        '# HELP api_latency_ms Time of an answer, "all in".\\nC:\\\\\n'
        "# TYPE api_latency_ms histogram\n"
        'api_latency_ms_bucket{language="es",version="1.0.1",le="10.0"} 1\n'
        'api_latency_ms_bucket{language="es",version="1.0.1",le="100.0"} 2\n'
        'api_latency_ms_bucket{language="es",version="1.0.1",le="1000.0"} 3\n'
        'api_latency_ms_bucket{language="es",version="1.0.1",le="+Inf"} 4\n'
        'api_latency_ms_sum{language="es",version="1.0.1"} 5555\n'
        'api_latency_ms_count{language="es",version="1.0.1"} 4\n'
        "# TYPE queue_depth gauge\n"
        "queue_depth 2.5\n"
        "# HELP request_count_total Requests.\n"
        "# TYPE request_count_total counter\n"
        'request_count_total{path="a\\\\b\\"c\\nd"} 5\n'
    )


@pytest.mark.parametrize("openmetrics", [False, True])
def test_prometheus_own_parser_reads_back_what_was_recorded(metrics: MemoryMetrics, *, openmetrics: bool) -> None:
    parser: Any = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    if openmetrics:
        parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = parser.text_string_to_metric_families(exposition(metrics, openmetrics=openmetrics))
    by_name = {family.name: family for family in families}
    assert {name: family.type for name, family in by_name.items()} == {
        "api_latency_ms": "histogram", "queue_depth": "gauge", "request_count": "counter",
    }  # fmt: skip
    (count,) = by_name["request_count"].samples
    assert (count.name, count.labels, count.value) == ("request_count_total", {"path": 'a\\b"c\nd'}, 5)
    assert 'Time of an answer, "all in".\nC:\\' in by_name["api_latency_ms"].documentation


def test_names_that_prometheus_would_refuse_are_made_fit() -> None:
    assert metric_name("http.latency-ms") == "http_latency_ms"
    assert metric_name("95th") == "_95th"
    assert [label_name(name) for name in ("a-b", "9", "__name", "le")] == ["a_b", "_9", "label___name", "label_le"]


def test_what_would_be_the_same_series_twice_is_shown_once() -> None:
    metrics = MemoryMetrics(clock=lambda: NOON)
    for name in ("a-b", "a_b"):
        metrics.describe(name, "gauge")
        metrics.record(name, 1.0)
        metrics.record("c", 1.0, {name: "x"})
    lines = [line.split(" ")[0] for line in exposition(metrics).splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))


def test_workers_and_restarts_tell_the_very_same_text(tmp_path: Path) -> None:
    workers = [MetricsCollector(tmp_path, flush_seconds=60) for _ in range(2)]
    for number in range(1000):
        workers[number % 2].record("latency_ms", 0.1 * number, {"version": str(number % 3)})
    for worker in workers:
        worker.flush()
    texts = {exposition(worker) for worker in [*workers, *workers, MetricsCollector(tmp_path)]}
    for worker in workers:
        worker.stop()
    assert len(texts) == 1


@pytest.mark.parametrize("wrong", [{"kind": "summary"}, {"boundaries": [2, 1]}, {"boundaries": []}])
def test_a_description_whose_parts_do_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        MemoryMetrics().describe("x", **wrong)
