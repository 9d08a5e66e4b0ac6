"""Metrics as whoever watches them needs them. :class:`~mlops.monitoring.collector.MetricsCollector` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Labels = Mapping[str, str]
# count mean std min max p50 p95 p99; empty where there is no point.
Stats = dict[str, float]


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value, as it was recorded."""

    at: datetime
    value: float
    labels: Labels


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was measured from *since* on, until the next bucket begins."""

    since: datetime
    stats: Stats


class Metrics(Protocol):
    """Points by name and labels, and windows over them."""

    def record(self, name: str, value: float, labels: Labels | None = None, *, flush: bool = False) -> None:
        """Keep one point. Never blocks on the disk unless *flush* is set, and never raises."""

    def get_stats(
        self, name: str, window_minutes: float = 60, *, labels: Labels | None = None, until: datetime | None = None
    ) -> Stats:
        """Statistics of the window that ends at *until* (default: now), of the points that carry all *labels*."""

    def stats_by(
        self,
        name: str,
        label: str,
        window_minutes: float = 60,
        *,
        labels: Labels | None = None,
        until: datetime | None = None,
    ) -> dict[str, Stats]:
        """As :meth:`get_stats`, apart for each value of *label*; points without it are left out."""

    def history(
        self,
        name: str,
        *,
        since: datetime,
        until: datetime | None = None,
        step_seconds: float = 60,
        labels: Labels | None = None,
    ) -> list[Bucket]:
        """Statistics of each step, oldest first. A step without a point is absent: no data is not zero."""

    def get_latest(self, name: str, n: int = 1) -> list[Point]:
        """The last *n* points, newest first."""

    def names(self) -> list[str]:
        """Names of all metrics that have points, sorted."""
