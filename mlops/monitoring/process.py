"""What a process measures of itself every few seconds: load, memory, the event loop's lag, what waits in its queues."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping

import psutil

from mlops.background import Repeating
from mlops.monitoring.protocol import Labels, Metrics

_log = logging.getLogger("mlops.monitoring")

Count = Callable[[], int]
# Name, labels and present total of something that is counted elsewhere.
Total = tuple[str, Labels, int]

SAMPLE_SECONDS = 5.0
LAG_SECONDS = 0.5


class ProcessSampler:
    """Records figures of this process from a thread of its own.

    ``process_cpu_percent`` is of one core since the last sample: two busy threads can make it 200.
    ``process_memory_mb`` is the resident set. ``queue_depth`` has one point for each queue. Of what is counted
    elsewhere the growth since the last sample is recorded, where there is any.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        queues: Mapping[str, Count] | None = None,
        totals: Callable[[], Iterable[Total]] = tuple,
        sample_seconds: float = SAMPLE_SECONDS,
    ) -> None:
        """Nothing is measured yet.

        Args:
            queues: how much waits in each queue, by its name. Quick to call, from any thread.
            totals: what is counted elsewhere, such as what queues have dropped since their beginning.
        """
        self._metrics = metrics
        self._queues = dict(queues or {})
        self._totals = totals
        self._seen: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        self._process = psutil.Process()
        self._thread = Repeating(
            "process-sampler",
            self.sample,
            every_seconds=sample_seconds,
            log=_log,
            trouble="this process could not be measured, and is measured again",
        )

    def start(self) -> None:
        """Measure in the background."""
        # The first call only sets the mark from which the next one counts.
        self._process.cpu_percent(None)
        self._thread.start()

    def stop(self) -> None:
        """Measure once more, and no further."""
        if self._thread.stop():
            self.sample()

    def sample(self) -> None:
        """Measure once."""
        self._metrics.record("process_cpu_percent", self._process.cpu_percent(None))
        self._metrics.record("process_memory_mb", self._process.memory_info().rss / 1e6)
        for name, waiting in self._queues.items():
            self._metrics.record("queue_depth", waiting(), {"queue": name})
        for name, labels, total in self._totals():
            self._record_growth(name, labels, total)

    def _record_growth(self, name: str, labels: Labels, total: int) -> None:
        key = (name, frozenset(labels.items()))
        growth = total - self._seen.get(key, 0)
        # A queue may find that what it had counted as dropped was written after all.
        if growth > 0:
            self._metrics.record(name, growth, labels or None)
        self._seen[key] = total


async def measure_loop_lag(metrics: Metrics, *, every_seconds: float = LAG_SECONDS) -> None:
    """Record ``event_loop_lag_ms``: how much later than asked for the loop wakes a sleeper. Never ends."""
    while True:
        since = time.perf_counter()
        await asyncio.sleep(every_seconds)
        lag_seconds = time.perf_counter() - since - every_seconds
        metrics.record("event_loop_lag_ms", max(0.0, lag_seconds * 1_000))
