"""What every keeper of metrics does, with a log or without."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.monitoring.collector import MetricsCollector
from mlops.monitoring.memory import MemoryMetrics
from mlops.monitoring.protocol import Metrics

NOON = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
KEYS = ["count", "mean", "std", "min", "max", "p50", "p95", "p99"]


class SetClock:
    """A clock that a test sets."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


Keeper = MetricsCollector | MemoryMetrics


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["log", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Callable[..., Keeper]]:
    made: list[MetricsCollector] = []

    def one(**options: Any) -> Keeper:
        if request.param == "memory":
            return MemoryMetrics(clock=clock, **options)
        made.append(MetricsCollector(tmp_path / "metrics", clock=clock, **options))
        return made[-1]

    yield one
    for collector in made:
        collector.stop()


@pytest.fixture
def metrics(make: Callable[..., Keeper]) -> Keeper:
    return make()


def record_at(metrics: Metrics, clock: SetClock, ago: timedelta, *values: float, **labels: str) -> None:
    clock.time = NOON - ago
    for value in values:
        metrics.record("latency_ms", value, labels or None)
    if isinstance(metrics, MetricsCollector):
        metrics.flush()
    clock.time = NOON


def test_stats_have_the_specified_keys_and_are_those_of_the_points(metrics: Metrics) -> None:
    for value in (10.0, 20, np.float64(30), np.int64(40), True):
        metrics.record("latency_ms", value)
    stats = metrics.get_stats("latency_ms")
    assert list(stats) == KEYS
    values = [10, 20, 30, 40, 1]
    assert stats["count"] == 5
    assert stats["mean"] == pytest.approx(20.2)
    assert stats["std"] == pytest.approx(np.std(values))
    assert (stats["min"], stats["max"], stats["p50"]) == (1, 40, pytest.approx(20, rel=0.01))
    assert stats["p95"] == pytest.approx(np.quantile(values, 0.95), rel=0.01)


def test_nothing_recorded_is_an_empty_answer_everywhere(metrics: Metrics) -> None:
    assert metrics.get_stats("latency_ms") == {}
    assert metrics.stats_by("latency_ms", "version") == {}
    assert metrics.history("latency_ms", since=NOON - timedelta(days=90)) == []
    assert metrics.get_latest("latency_ms") == []
    assert metrics.names() == []


def test_what_is_no_finite_number_is_refused_and_counted_by_name(metrics: Keeper) -> None:
    class Odd:
        def __float__(self) -> float:
            raise RuntimeError("no")

    for value in (float("nan"), float("inf"), -float("inf"), "3", None, 1e200, 1j, Odd(), [1.0], np.array([1.0, 2.0])):
        metrics.record("broken", value)  # type: ignore[arg-type]
    metrics.record(7, 1.0)  # type: ignore[arg-type]
    metrics.record("", 1.0)
    metrics.record("labelled", 1.0, {"version": ["unhashable"]})  # type: ignore[dict-item]
    metrics.record("labelled", 1.0, "no mapping")  # type: ignore[arg-type]
    refused = metrics.refused() if isinstance(metrics, MetricsCollector) else metrics.refused
    assert refused["broken"] == 10
    assert sum(refused.values()) == 14
    assert metrics.names() == []


def test_labels_tell_points_apart_and_all_given_ones_must_match(metrics: Metrics) -> None:
    metrics.record("latency_ms", 1.0, {"version": "1", "language": "es"})
    metrics.record("latency_ms", 2.0, {"language": "en", "version": "1"})
    metrics.record("latency_ms", 4.0, {"version": "2", "language": "es"})
    metrics.record("latency_ms", 8.0)

    def total(**labels: str) -> float:
        stats = metrics.get_stats("latency_ms", labels=labels)
        return stats.get("mean", 0) * stats.get("count", 0)

    assert (total(), total(version="1"), total(language="es"), total(language="es", version="2")) == (15, 3, 5, 4)
    assert total(version="3") == 0
    by_version = metrics.stats_by("latency_ms", "version", labels={"language": "es"})
    assert {version: stats["mean"] for version, stats in by_version.items()} == {"1": 1, "2": 4}


def test_labels_in_another_order_or_of_another_type_are_the_same_series(metrics: Metrics) -> None:
    for labels in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": 1, "b": 2}, {"a": "1", "b": 2}):
        metrics.record("x", 1.0, labels)  # type: ignore[arg-type]
        metrics.record("x", 1.0, labels)  # type: ignore[arg-type]
    metrics.record("x", 1.0, {"a": True, "b": "2"})  # type: ignore[dict-item]
    assert {value: stats["count"] for value, stats in metrics.stats_by("x", "a").items()} == {"1": 8, "True": 1}


def test_too_many_label_values_share_one_series(make: Callable[..., Keeper]) -> None:
    metrics = make(max_series_per_name=3)
    for number in range(10):
        metrics.record("latency_ms", float(number), {"user": str(number)})
        metrics.record("other", 1.0, {"user": str(number % 2)})
    counts = {value: stats["count"] for value, stats in metrics.stats_by("latency_ms", "user").items()}
    assert counts == {"0": 1, "1": 1, "2": 1, "__other__": 7}
    overflowed = metrics.status().n_overflowed if isinstance(metrics, MetricsCollector) else metrics.n_overflowed
    assert overflowed == 7
    assert set(metrics.stats_by("other", "user")) == {"0", "1"}


def test_a_window_begins_on_the_edge_of_a_minute_and_ends_now(metrics: Metrics, clock: SetClock) -> None:
    # It is 12:00:30, so five minutes ago is within the minute from 11:55 on.
    record_at(metrics, clock, timedelta(minutes=5, seconds=29), 1.0)
    record_at(metrics, clock, timedelta(minutes=5, seconds=31), 10.0)
    record_at(metrics, clock, timedelta(0), 100.0)
    assert metrics.get_stats("latency_ms", 5)["mean"] == 50.5
    assert metrics.get_stats("latency_ms", 6)["mean"] == 37
    assert metrics.get_stats("latency_ms", 5, until=NOON - timedelta(minutes=1))["max"] == 10
    assert metrics.get_stats("latency_ms", 0.5)["count"] == 1


def test_old_windows_are_hours_and_days_up_to_the_retention(make: Callable[..., Keeper], clock: SetClock) -> None:
    metrics = make(retention_days=30)
    for ago in (timedelta(days=40), timedelta(days=20), timedelta(days=3), timedelta(hours=5)):
        record_at(metrics, clock, ago, 1.0, 3.0)
    counts = [metrics.get_stats("latency_ms", 60 * hours).get("count", 0) for hours in (1, 6, 24 * 4, 24 * 25, 24 * 90)]
    assert counts == [0, 2, 4, 6, 6]
    days = metrics.history("latency_ms", since=NOON - timedelta(days=25), step_seconds=60)
    assert [bucket.since for bucket in days] == [datetime(2026, 11, day, tzinfo=UTC) for day in (5, 22, 25)]
    assert [bucket.stats["mean"] for bucket in days] == [2, 2, 2]


def test_history_has_steps_and_leaves_out_those_without_a_point(metrics: Metrics, clock: SetClock) -> None:
    for minutes, value in ((9, 1.0), (8, 3.0), (1, 5.0)):
        record_at(metrics, clock, timedelta(minutes=minutes), value)
    since = NOON - timedelta(minutes=10)
    found = metrics.history("latency_ms", since=since, step_seconds=300)
    assert [(bucket.since.minute, bucket.stats["mean"], bucket.stats["count"]) for bucket in found] == [
        (50, 2, 2), (55, 5, 1),
    ]  # fmt: skip
    assert len(metrics.history("latency_ms", since=since)) == 3
    assert len(metrics.history("latency_ms", since=since, until=NOON - timedelta(minutes=8, seconds=30))) == 1


def test_the_latest_points_are_newest_first_over_all_series(metrics: Metrics, clock: SetClock) -> None:
    for seconds, labels in ((3, {"v": "1"}), (2, {}), (1, {"v": "1"}), (4, {})):
        record_at(metrics, clock, timedelta(seconds=seconds), float(seconds), **labels)
    found = metrics.get_latest("latency_ms", 3)
    assert [(point.value, point.labels) for point in found] == [(1, {"v": "1"}), (2, {}), (3, {"v": "1"})]
    assert found[0].at == NOON - timedelta(seconds=1)
    assert [point.value for point in metrics.get_latest("latency_ms")] == [1]
    assert metrics.get_latest("latency_ms", 0) == []


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_a_window_must_be_positive(metrics: Metrics, minutes: float) -> None:
    with pytest.raises(ValueError, match="window_minutes must be above 0"):
        metrics.get_stats("latency_ms", minutes)


def test_a_window_longer_than_time_itself_is_everything(metrics: Metrics) -> None:
    metrics.record("latency_ms", 1.0)
    assert metrics.get_stats("latency_ms", 1e300)["count"] == 1


def test_threads_and_tasks_lose_nothing(metrics: Metrics) -> None:
    def many(number: int) -> None:
        for each in range(1000):
            metrics.record("latency_ms", float(each), {"thread": str(number)})

    async def tasks() -> None:
        async def one() -> None:
            for _ in range(100):
                metrics.record("task", 1.0)
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(10)))

    threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    by_thread = metrics.stats_by("latency_ms", "thread")
    assert [(stats["count"], stats["mean"]) for stats in by_thread.values()] == [(1000, pytest.approx(499.5))] * 4
    assert metrics.get_stats("task")["count"] == 1000
