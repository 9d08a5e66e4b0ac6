"""Metrics that are kept in memory only: for tests, and for programs that want no files."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mlops.clock import Clock, utc_now
from mlops.monitoring.protocol import Labels
from mlops.monitoring.series import MAX_NAMES, MAX_SERIES_PER_NAME, Series, series_of
from mlops.monitoring.values import checked
from mlops.monitoring.views import WindowViews
from mlops.monitoring.windows import Windows

_FOLD_AFTER_POINTS = 10_000


class MemoryMetrics(WindowViews):
    """As :class:`~mlops.monitoring.collector.MetricsCollector`, without a log."""

    def __init__(
        self,
        *,
        clock: Clock = utc_now,
        retention_days: int = 90,
        max_series_per_name: int = MAX_SERIES_PER_NAME,
        max_names: int = MAX_NAMES,
    ) -> None:
        windows = Windows(
            retention_days=retention_days,
            now_ms=lambda: int(clock().timestamp() * 1000),
            max_series_per_name=max_series_per_name,
            max_names=max_names,
        )
        super().__init__(windows, clock=clock)
        self._unfolded: dict[Series, list[tuple[float, float]]] = {}
        self._n_unfolded = 0
        self.refused: Counter[str] = Counter()
        self.n_overflowed = 0

    def record(self, name: str, value: float, labels: Labels | None = None, *, flush: bool = False) -> None:  # noqa: ARG002
        """Keep one point. *flush* changes nothing: there is nothing to flush to."""
        series, number = series_of(name, labels), checked(value)
        with self._guard:
            if series is None or number is None:
                self.refused[str(name)[:200]] += 1
                return
            self.n_overflowed += self._windows.table.number(series)[1]
            self._unfolded.setdefault(series, []).append((self._clock().timestamp(), number))
            self._n_unfolded += 1
            if self._n_unfolded >= _FOLD_AFTER_POINTS:
                self._fold()

    def _refresh(self) -> None:
        self._fold()
        self._windows.forget_old()

    def _fold(self) -> None:
        unfolded, self._unfolded, self._n_unfolded = self._unfolded, {}, 0
        for series, points in unfolded.items():
            times, values = np.array(points).T
            self._windows.fold(series, (times * 1000).astype(np.int64), values)
