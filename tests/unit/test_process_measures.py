"""What a process measures of itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from mlops.monitoring.process import ProcessSampler, measure_loop_lag


class Recorded:
    """Keeps what is recorded, in order."""

    def __init__(self) -> None:
        self.points: list[tuple[str, float, dict[str, str]]] = []

    def record(self, name: str, value: float, labels: Any = None, *, flush: bool = False) -> None:
        self.points.append((name, value, dict(labels or {})))

    def of(self, name: str) -> list[float]:
        return [value for one, value, _ in self.points if one == name]


def test_a_sample_holds_load_memory_and_what_waits_in_each_queue() -> None:
    metrics: Any = Recorded()
    ProcessSampler(metrics, queues={"answers": lambda: 7, "translation": lambda: 0}).sample()
    assert metrics.of("process_memory_mb")[0] > 10
    assert metrics.of("process_cpu_percent")[0] >= 0
    depths = [(value, labels) for name, value, labels in metrics.points if name == "queue_depth"]
    assert depths == [(7, {"queue": "answers"}), (0, {"queue": "translation"})]


def test_of_what_is_counted_elsewhere_only_the_growth_since_the_last_sample_counts() -> None:
    metrics: Any = Recorded()
    counts = iter([3, 3, 2, 5])
    sampler = ProcessSampler(metrics, totals=lambda: [("dropped_count", {"queue": "answers"}, next(counts))])
    for _ in range(4):
        sampler.sample()
    grown = [(value, labels) for name, value, labels in metrics.points if name == "dropped_count"]
    assert grown == [(3, {"queue": "answers"}), (3, {"queue": "answers"})]


def test_the_last_sample_is_taken_when_it_stops() -> None:
    metrics: Any = Recorded()
    sampler = ProcessSampler(metrics, sample_seconds=60)
    sampler.start()
    sampler.stop()
    assert len(metrics.of("process_memory_mb")) == 1


async def _held_up(metrics: Any, seconds: float) -> None:
    task = asyncio.create_task(measure_loop_lag(metrics, every_seconds=0.01))
    await asyncio.sleep(0.05)
    time.sleep(seconds)
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_loop_that_was_held_up_shows_a_lag_of_that_length() -> None:
    metrics: Any = Recorded()
    asyncio.run(_held_up(metrics, 0.2))
    lags = metrics.of("event_loop_lag_ms")
    assert max(lags) == pytest.approx(200, abs=60)
    assert min(lags) < 50
