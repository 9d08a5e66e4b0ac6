"""Time windows in memory: sketches of each series in buckets of a minute, an hour, a day, and of all time.

A series keeps 121 minutes, 193 hours and as many days as are retained. A sketch has at most 2048 bins of 6 bytes;
latencies seldom occupy more than 300. That makes 0.3 to 0.8 MB for a busy series of a day's span, and 5 MB at the very
worst, whatever the traffic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops.monitoring.series import LabelPairs, Series, SeriesTable
from mlops.monitoring.sketch import Floats, Sketch, merged

Times = NDArray[np.int64]

MINUTE, HOUR, DAY, EVER = 60_000, 3_600_000, 86_400_000, 0
STEPS = (MINUTE, HOUR, DAY, EVER)
N_MINUTES = 2 * 60
N_HOURS = 8 * 24
# As many of the last points of a series are kept as they are.
N_LATEST = 100
_SETTLE_AFTER = 20


@dataclass(slots=True)
class SeriesWindows:
    """The buckets of one series by their number: their begin divided by their step. See :meth:`at`."""

    series: Series
    buckets: dict[int, dict[int, Sketch]] = field(default_factory=lambda: {step: {} for step in STEPS})
    # Minutes that hours and days do not have yet: few ask for those, so many are merged at once.
    unsettled: list[tuple[int, Sketch]] = field(default_factory=list)
    times: Times = field(default_factory=lambda: np.empty(0, np.int64))
    values: Floats = field(default_factory=lambda: np.empty(0))

    def fold(self, times: Times, values: Floats) -> None:
        """Add points. Both arrays have shape (n,), n at least 1; times in milliseconds since 1970, in any order."""
        minutes = _sketch_by_minute(times, values)
        self.add(MINUTE, minutes)
        self.add(EVER, {0: merged(list(minutes.values()))})
        self.unsettled.extend(minutes.items())
        if len(self.unsettled) >= _SETTLE_AFTER:
            self.settle()
        self.keep_latest(times, values)

    def at(self, step: int) -> dict[int, Sketch]:
        """The buckets of *step*, all points in them."""
        if self.unsettled and step in (HOUR, DAY):
            self.settle()
        return self.buckets[step]

    def settle(self) -> None:
        """Bring hours and days up to date."""
        for step in (HOUR, DAY):
            coarser = defaultdict(list)
            for minute, sketch in self.unsettled:
                coarser[minute * MINUTE // step].append(sketch)
            self.add(step, {number: merged(parts) for number, parts in coarser.items()})
        self.unsettled.clear()

    def add(self, step: int, sketches: dict[int, Sketch]) -> None:
        """Merge a sketch into each of some buckets of one step."""
        buckets = self.buckets[step]
        for number, sketch in sketches.items():
            known = buckets.get(number)
            buckets[number] = sketch if known is None else merged([known, sketch])

    def keep_latest(self, times: Times, values: Floats) -> None:
        """Remember the newest points."""
        times = np.concatenate((self.times, times[-10 * N_LATEST :]))
        values = np.concatenate((self.values, values[-10 * N_LATEST :]))
        newest = np.argsort(times, kind="stable")[-N_LATEST:]
        self.times, self.values = times[newest], values[newest]

    def forget(self, kept: dict[int, tuple[int, int]]) -> None:
        """Drop the buckets outside of *kept*: first and last number by step."""
        for step, (first, last) in kept.items():
            buckets = self.at(step)
            for number in [one for one in buckets if not first <= one <= last]:
                del buckets[number]

    def n_bytes(self) -> int:
        """Memory of the buckets."""
        return sum(sketch.n_bytes for step in STEPS for sketch in self.at(step).values())


class Windows:
    """The windows of all series. Not safe from threads: whoever has them locks them."""

    def __init__(
        self, *, retention_days: int, now_ms: Callable[[], int], max_series_per_name: int, max_names: int
    ) -> None:
        self._retention_days = retention_days
        self._now_ms = now_ms
        self._limits = {"max_series_per_name": max_series_per_name, "max_names": max_names}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.table = SeriesTable(**self._limits)
        self._series: list[SeriesWindows] = []
        self._by_name: dict[str, list[SeriesWindows]] = {}
        self._forgot_at = 0

    def at(self, series: Series) -> SeriesWindows:
        """The windows of *series*, or of the one that stands in where there are too many."""
        number, _ = self.table.number(series)
        while len(self._series) <= number:
            one = SeriesWindows(self.table.all[len(self._series)])
            self._series.append(one)
            self._by_name.setdefault(one.series.name, []).append(one)
        return self._series[number]

    def fold(self, series: Series, times: Times, values: Floats) -> None:
        """Add points of *series*."""
        self.at(series).fold(times, values)

    def names(self) -> list[str]:
        """All names that have points, sorted."""
        return sorted(name for name, found in self._by_name.items() if any(map(_has_points, found)))

    def of(self, name: str, labels: LabelPairs = ()) -> list[SeriesWindows]:
        """All series of *name* that carry *labels* and have points."""
        return [one for one in self._by_name.get(name, ()) if one.series.carries(labels) and _has_points(one)]

    def all(self) -> Iterator[SeriesWindows]:
        """All series that have points, names sorted."""
        for name in self.names():
            yield from self.of(name)

    def forget_old(self) -> None:
        """Drop what is beyond the span of its resolution; at most once a minute."""
        now = self._now_ms()
        if now // MINUTE == self._forgot_at:
            return
        self._forgot_at = now // MINUTE
        kept = {step: self._span(step, now) for step in (MINUTE, HOUR, DAY)}
        for one in self._series:
            one.forget(kept)

    def step_for(self, begin_ms: int) -> int:
        """The finest step whose buckets reach back to *begin_ms*."""
        now = self._now_ms()
        return next((step for step in (MINUTE, HOUR) if begin_ms // step >= self._span(step, now)[0]), DAY)

    def between(self, chosen: Iterable[SeriesWindows], step: int, begin_ms: int, end_ms: int) -> list[Sketch]:
        """The sketches of all buckets that begin before *end_ms*, from the one that has *begin_ms* on."""
        numbers = self.numbers(step, begin_ms, end_ms)
        found = (map(one.at(step).get, numbers) for one in chosen)
        return [sketch for sketches in found for sketch in sketches if sketch is not None]

    def numbers(self, step: int, begin_ms: int, end_ms: int) -> range:
        """The numbers of the buckets that can be there between two times."""
        first, last = self._span(step, self._now_ms())
        return range(max(begin_ms // step, first), min(-(-end_ms // step), last + 1))

    def first_number(self, step: int) -> int:
        """The number of the oldest bucket of *step* that is kept."""
        return 0 if step == EVER else self._span(step, self._now_ms())[0]

    def n_bytes(self) -> int:
        """Memory of all buckets."""
        return sum(one.n_bytes() for one in self._series)

    def _span(self, step: int, now_ms: int) -> tuple[int, int]:
        n_kept = {MINUTE: N_MINUTES, HOUR: N_HOURS, DAY: self._retention_days}[step]
        # Another process's clock may be ahead by a little; what is ahead by more would stay for ever.
        return now_ms // step - n_kept, (now_ms + HOUR) // step


def _has_points(one: SeriesWindows) -> bool:
    return bool(one.buckets[EVER])


def _sketch_by_minute(times: Times, values: Floats) -> dict[int, Sketch]:
    minutes = times // MINUTE
    if minutes.min() == minutes.max():
        return {int(minutes[0]): Sketch.of(values)}
    order = np.argsort(minutes, kind="stable")
    numbers, starts = np.unique(minutes[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    return {int(number): Sketch.of(part) for number, part in zip(numbers, parts, strict=True)}
