"""What is read out of windows: the part of :class:`~mlops.monitoring.protocol.Metrics` that records nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mlops.clock import Clock, in_utc
from mlops.monitoring.descriptions import BOUNDARIES, Description, Kind, description
from mlops.monitoring.protocol import Bucket, Labels, Point, Stats
from mlops.monitoring.series import pairs_of
from mlops.monitoring.sketch import Sketch, merged_or_none
from mlops.monitoring.windows import EVER, SeriesWindows, Windows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUANTILES = (0.5, 0.95, 0.99)


class WindowViews:
    """Answers from windows that :meth:`_refresh` brings up to date. A base of whoever keeps metrics."""

    def __init__(self, windows: Windows, *, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock
        self._guard = threading.RLock()
        self._descriptions: dict[str, Description] = {}

    def _refresh(self) -> None:
        """Bring the windows up to date. Called with the guard held."""
        raise NotImplementedError

    def describe(
        self,
        name: str,
        kind: Kind = "distribution",
        *,
        unit: str = "",
        help: str = "",  # noqa: A002
        boundaries: Sequence[float] = BOUNDARIES,
    ) -> None:
        """Say what *name* is; a name that nobody described is a distribution without a unit.

        Raises:
            ValueError: see :func:`~mlops.monitoring.descriptions.description`.
        """
        self._descriptions[name] = description(kind, unit=unit, help=help, boundaries=boundaries)

    def description(self, name: str) -> Description:
        """What was said of *name*."""
        return self._descriptions.get(name, _PLAIN)

    def get_stats(
        self, name: str, window_minutes: float = 60, *, labels: Labels | None = None, until: datetime | None = None
    ) -> Stats:
        """Statistics of a window: count mean std min max p50 p95 p99; empty where there is no point.

        The window begins on the edge of a bucket: a minute where it lies within the last 2 hours, an hour within 8
        days, else a day (in UTC). Quantiles are within 1 %, all else is exact; std is that of the population.

        Args:
            labels: only points that carry all of these.
            until: end of the window, rounded up to the edge of a bucket. Default: now.

        Raises:
            ValueError: the window is not positive.
        """
        with self._guard:
            self._refresh()
            return self._stats(self._windows.of(name, pairs_of(labels)), window_minutes, until)

    def stats_by(
        self,
        name: str,
        label: str,
        window_minutes: float = 60,
        *,
        labels: Labels | None = None,
        until: datetime | None = None,
    ) -> dict[str, Stats]:
        """As :meth:`get_stats`, apart for each value of *label*, sorted; points without it are left out."""
        with self._guard:
            self._refresh()
            by_value: dict[str, list[SeriesWindows]] = {}
            for one in self._windows.of(name, pairs_of(labels)):
                value = one.series.value(label)
                if value is not None:
                    by_value.setdefault(value, []).append(one)
            found = {value: self._stats(by_value[value], window_minutes, until) for value in sorted(by_value)}
            return {value: stats for value, stats in found.items() if stats}

    def history(
        self,
        name: str,
        *,
        since: datetime,
        until: datetime | None = None,
        step_seconds: float = 60,
        labels: Labels | None = None,
    ) -> list[Bucket]:
        """Statistics of each step, oldest first; a step without a point is absent.

        Steps are whole minutes, hours or days, as fine as is still kept so far back: *step_seconds* is rounded up to
        such. They begin at multiples of the step since 1970, in UTC.

        Raises:
            ValueError: the step is not positive.
        """
        if not step_seconds > 0:
            raise ValueError(f"step_seconds must be above 0, got {step_seconds}")
        begin, end = _milliseconds(since), _milliseconds(until or self._clock()) + (until is None)
        with self._guard:
            self._refresh()
            chosen = self._windows.of(name, pairs_of(labels))
            finest = self._windows.step_for(begin)
            step = max(1, -(-round(step_seconds * 1000) // finest)) * finest
            by_step: dict[int, list[Sketch]] = {}
            for number in self._windows.numbers(finest, begin, end):
                found = [one.at(finest)[number] for one in chosen if number in one.at(finest)]
                if found:
                    by_step.setdefault(number * finest // step, []).extend(found)
            return [Bucket(_time(number * step), _as_stats(merged_or_none(by_step[number]))) for number in by_step]

    def get_latest(self, name: str, n: int = 1) -> list[Point]:
        """The last *n* points, newest first; of each series the last 100 are known.

        Raises:
            ValueError: *n* is negative.
        """
        if n < 0:
            raise ValueError(f"n must be at least 0, got {n}")
        with self._guard:
            self._refresh()
            found = [
                (int(at), float(value), one)
                for one in self._windows.of(name)
                for at, value in zip(one.times[::-1][:n], one.values[::-1][:n], strict=True)
            ]
        found.sort(key=lambda each: each[0], reverse=True)
        return [Point(_time(at), value, dict(one.series.labels)) for at, value, one in found[:n]]

    def names(self) -> list[str]:
        """Names of all metrics that have points, sorted."""
        with self._guard:
            self._refresh()
            return self._windows.names()

    def totals(self) -> list[tuple[str, Labels, Sketch, float]]:
        """Of each series, sorted: name, labels, the sketch of all points ever, the last value."""
        with self._guard:
            self._refresh()
            return [
                (one.series.name, dict(one.series.labels), one.buckets[EVER][0], _last(one))
                for one in sorted(self._windows.all(), key=lambda one: (one.series.name, one.series.labels))
            ]

    def n_bytes(self) -> int:
        """Memory of the windows."""
        with self._guard:
            return self._windows.n_bytes()

    def _stats(self, chosen: Sequence[SeriesWindows], window_minutes: float, until: datetime | None) -> Stats:
        if not window_minutes > 0:
            raise ValueError(f"window_minutes must be above 0, got {window_minutes}")
        now = _milliseconds(self._clock())
        end = now + 1 if until is None else _milliseconds(until)
        # A window may be longer than time itself.
        begin = max(0, end - round(min(window_minutes * 60_000, 1e15)))
        step = self._windows.step_for(begin)
        return _as_stats(merged_or_none(self._windows.between(chosen, step, begin, end)))


_PLAIN = Description()


def _as_stats(sketch: Sketch | None) -> Stats:
    if sketch is None:
        return {}
    p50, p95, p99 = sketch.quantiles(_QUANTILES)
    return {
        "count": sketch.count, "mean": sketch.mean, "std": sketch.std, "min": sketch.low, "max": sketch.high,
        "p50": p50, "p95": p95, "p99": p99,
    }  # fmt: skip


def _last(one: SeriesWindows) -> float:
    return float(one.values[-1]) if len(one.values) else one.buckets[EVER][0].mean


def _milliseconds(time: datetime) -> int:
    return (in_utc(time) - _EPOCH) // timedelta(milliseconds=1)


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
