"""Metrics as a list of points, and NumPy over it: for tests of what reads metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from mlops.monitoring.protocol import Bucket, Labels, Point, Stats


class PlainMetrics:
    """Every point is kept; windows end at *now*, which tests move."""

    def __init__(self, now: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)) -> None:
        self.now = now
        self.points: dict[str, list[Point]] = {}

    def clock(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)

    def record(self, name: str, value: float, labels: Labels | None = None, *, flush: bool = False) -> None:
        self.points.setdefault(name, []).append(Point(self.now, value, dict(labels or {})))

    def record_all(self, name: str, values: Iterable[float], labels: Labels | None = None) -> None:
        for value in values:
            self.record(name, value, labels)

    def get_stats(
        self, name: str, window_minutes: float = 60, *, labels: Labels | None = None, until: datetime | None = None
    ) -> Stats:
        end = until or self.now
        return _stats(self._values(name, end - timedelta(minutes=window_minutes), end, labels))

    def stats_by(
        self,
        name: str,
        label: str,
        window_minutes: float = 60,
        *,
        labels: Labels | None = None,
        until: datetime | None = None,
    ) -> dict[str, Stats]:
        found = {point.labels[label] for point in self.points.get(name, ()) if label in point.labels}
        parts = {
            value: self.get_stats(name, window_minutes, labels={**(labels or {}), label: value}, until=until)
            for value in found
        }
        return {value: stats for value, stats in parts.items() if stats}

    def history(
        self,
        name: str,
        *,
        since: datetime,
        until: datetime | None = None,
        step_seconds: float = 60,
        labels: Labels | None = None,
    ) -> list[Bucket]:
        steps: dict[float, list[float]] = {}
        for point in self._points(name, since, until or self.now, labels, includes_end=False):
            steps.setdefault(point.at.timestamp() // step_seconds * step_seconds, []).append(point.value)
        return [Bucket(datetime.fromtimestamp(at, UTC), _stats(values)) for at, values in sorted(steps.items())]

    def get_latest(self, name: str, n: int = 1) -> list[Point]:
        return self.points.get(name, [])[::-1][:n]

    def names(self) -> list[str]:
        return sorted(self.points)

    def _values(self, name: str, since: datetime, until: datetime, labels: Labels | None) -> list[float]:
        return [point.value for point in self._points(name, since, until, labels, includes_end=True)]

    def _points(
        self, name: str, since: datetime, until: datetime, labels: Labels | None, *, includes_end: bool
    ) -> list[Point]:
        wanted = (labels or {}).items()
        return [
            point
            for point in self.points.get(name, ())
            if since <= point.at and (point.at < until or (includes_end and point.at == until))
            if wanted <= point.labels.items()
        ]


def _stats(values: list[float]) -> Stats:
    if not values:
        return {}
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {
        "count": len(values), "mean": float(np.mean(values)), "std": float(np.std(values)), "min": min(values),
        "max": max(values), "p50": float(p50), "p95": float(p95), "p99": float(p99),
    }  # fmt: skip
