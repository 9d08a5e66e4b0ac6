"""What a process measures of itself every few seconds: load, memory, the event loop's lag, what waits in its queues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

import psutil

from mlops.monitoring.protocol import Metrics

Count = Callable[[], int]

SAMPLE_SECONDS = 5.0
LAG_SECONDS = 0.5


class ProcessSampler:
    """Records figures of this process from a thread of its own.

    ``process_cpu_percent`` is of one core since the last sample: two busy threads can make it 200.
    ``process_memory_mb`` is the resident set. ``queue_depth`` has one point for each queue, and ``dropped_count`` what
    each queue dropped since the last sample, where it dropped anything.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        queues: Mapping[str, Count] | None = None,
        dropped: Mapping[str, Count] | None = None,
        sample_seconds: float = SAMPLE_SECONDS,
    ) -> None:
        """Nothing is measured yet.

        Args:
            queues: how much waits in each queue, by its name. Quick to call, from any thread.
            dropped: how much each queue has dropped since its beginning.
        """
        self._metrics = metrics
        self._queues = dict(queues or {})
        self._dropped = dict(dropped or {})
        self._sample_seconds = sample_seconds
        self._seen = dict.fromkeys(self._dropped, 0)
        self._process = psutil.Process()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Measure in the background."""
        # The first call only sets the mark from which the next one counts.
        self._process.cpu_percent(None)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="process-sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Measure once more, and no further."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self.sample()

    def sample(self) -> None:
        """Measure once."""
        self._metrics.record("process_cpu_percent", self._process.cpu_percent(None))
        self._metrics.record("process_memory_mb", self._process.memory_info().rss / 1e6)
        for name, waiting in self._queues.items():
            self._metrics.record("queue_depth", waiting(), {"queue": name})
        for name, count in self._dropped.items():
            self._record_dropped(name, count())

    def _record_dropped(self, name: str, n_dropped: int) -> None:
        # A queue may find that what it had counted as dropped was written after all.
        if n_dropped > self._seen[name]:
            self._metrics.record("dropped_count", n_dropped - self._seen[name], {"queue": name})
        self._seen[name] = n_dropped

    def _run(self) -> None:
        while not self._stopping.wait(self._sample_seconds):
            self.sample()


async def measure_loop_lag(metrics: Metrics, *, every_seconds: float = LAG_SECONDS) -> None:
    """Record ``event_loop_lag_ms``: how much later than asked for the loop wakes a sleeper. Never ends."""
    while True:
        since = time.perf_counter()
        await asyncio.sleep(every_seconds)
        lag_seconds = time.perf_counter() - since - every_seconds
        metrics.record("event_loop_lag_ms", max(0.0, lag_seconds * 1_000))
