"""Charts whose horizontal axis is time: lines with a band, limits and marks; columns; a gap is a gap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeVar

from markupsafe import escape

from mlops.reports._svg import (
    FOOT,
    Drawing,
    Rows,
    Scale,
    Sheet,
    Show,
    check_drawable,
    coordinate,
    drawing,
    tick_text,
    ticks,
    value_lines,
)
from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number

Style = Literal["first", "second", "third"]
_Timed = TypeVar("_Timed", tuple[datetime, float], tuple[datetime, float, float])

_CLASSES: Mapping[Style, str] = {"first": "step", "second": "other", "third": "third"}
_MARKS, _APART = 20, 14
# Room for half a time, where lines have no labels.
_EDGE = 20
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS = (1, 2, 5, 7, 14, 30)
_STEPS = tuple([timedelta(minutes=n) for n in _MINUTES] + [timedelta(days=n) for n in _DAYS])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trace:
    """A line through *points*, times rising. *label* stands at its end; one line alone needs none."""

    label: str
    points: Sequence[tuple[datetime, float]]
    style: Style = "first"


@dataclass(frozen=True, slots=True)
class Limit:
    """A dashed line across the plot, such as an objective."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened *at* a time: a sign above the plot, what it was as its title, a line through the plot."""

    at: datetime
    sign: str
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """What charts over time share.

    Attributes:
        since, until: ends of the axis, aware.
        gap: neighbouring points that are farther apart than this are not joined: no data is not a line.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        show: number to text.
    """

    since: datetime
    until: datetime
    gap: timedelta
    title: str
    description: str = ""
    height: int = 220
    show: Show = shown_number


def time_chart(
    traces: Sequence[Trace],
    plot: Plot,
    *,
    band: Sequence[tuple[datetime, float, float]] = (),
    limits: Sequence[Limit] = (),
    happenings: Sequence[Happening] = (),
    log: bool = False,
    zero: bool = False,
) -> Drawing:
    """Lines over time, each with its label at its end.

    Args:
        traces: the first one is drawn on top.
        band: (time, low, high) of the first trace, with the gaps of *plot*.
        limits: to compare the lines with.
        happenings: within the axis.
        log: factors are equal distances; everything must be above 0.
        zero: the axis begins at 0.
    Raises:
        BadChart: no points, a time outside of the axis or not rising, a number that is not finite, or not above 0 on a
            logarithmic axis.
    """
    times = [[at for at, _ in trace.points] for trace in traces]
    times += [[at for at, _, _ in band], sorted(one.at for one in happenings)]
    _check_times(plot, times)
    values = [value for trace in traces for _, value in trace.points]
    values += [end for _, low, high in band for end in (low, high)] + [limit.value for limit in limits]
    if not any(trace.points for trace in traces):
        raise BadChart(f"chart {plot.title!r} needs a point at least")
    check_drawable(plot.title, values)
    is_labelled = bool(limits) or any(trace.label for trace in traces)
    y = _Vertical.over(values, plot, log=log, zero=zero)
    ends = [(y.at(trace.points[-1][1]), trace.label, "value") for trace in traces if trace.points and trace.label]
    ends += [(y.at(limit.value), limit.label, "aside") for limit in limits]

    def parts(sheet: Sheet) -> list[str]:
        x = _x(plot, sheet, is_labelled=is_labelled)
        drawn = [y.axis(plot.show, x), _time_axis(x, plot, sheet), *(_happening(one, x, plot) for one in happenings)]
        if band:
            drawn.append(f'<path class="band" d="{"".join(_band(run, x, y) for run in _runs(list(band), plot.gap))}"/>')
        drawn += [_limit(limit, x, y) for limit in limits]
        drawn += [_trace(trace, x, y, plot.gap) for trace in reversed(traces) if trace.points]
        return drawn + _labels(ends, plot.height - FOOT, x.end + 8)

    return drawing(plot.height, plot.title, plot.description, parts, _rows(traces, band))


def _rows(traces: Sequence[Trace], band: Sequence[tuple[datetime, float, float]]) -> Rows:
    """Each point, that of the first trace with the ends of its band."""
    ends = {at: {"low": low, "high": high} for at, low, high in band}
    return [
        {"name": trace.label, "at": at, "value": value, **(ends.get(at, {}) if number == 0 else {})}
        for number, trace in enumerate(traces)
        for at, value in trace.points
    ]


def time_columns(points: Sequence[tuple[datetime, float]], plot: Plot) -> Drawing:
    """A column for each step, as wide as *plot*'s gap; a step without a point has none.

    Args:
        points: (begin of the step, value of 0 or more), times rising.
    Raises:
        BadChart: as :func:`time_chart`, or a value is below 0.
    """
    if not points:
        raise BadChart(f"chart {plot.title!r} needs a point at least")
    _check_times(plot, [[at for at, _ in points]])
    values = [value for _, value in points]
    check_drawable(plot.title, values)
    if min(values) < 0:
        raise BadChart(f"chart {plot.title!r} has the column {min(values)}; columns need values of 0 or more")
    y = _Vertical.over([*values, 0.0], plot, log=False, zero=True)
    floor = coordinate(y.at(0.0))

    def parts(sheet: Sheet) -> list[str]:
        x = _x(plot, sheet, is_labelled=False)
        columns = []
        for at, value in points:
            right = min(x.at(_seconds(at + plot.gap)), x.end)
            columns.append(f"M{x(_seconds(at))} {floor}V{coordinate(y.at(value))}H{coordinate(right - 0.5)}V{floor}z")
        return [y.axis(plot.show, x), _time_axis(x, plot, sheet), f'<path class="area" d="{"".join(columns)}"/>']

    rows = [{"at": at, "value": value} for at, value in points]
    return drawing(plot.height, plot.title, plot.description, parts, rows)


@dataclass(frozen=True, slots=True)
class _Vertical:
    """Values onto heights, by their logarithm where *log* is set."""

    scale: Scale
    log: bool

    @classmethod
    def over(cls, values: Sequence[float], plot: Plot, *, log: bool, zero: bool) -> _Vertical:
        if log and min(values) <= 0:
            raise BadChart(f"chart {plot.title!r} has the value {min(values)}; a logarithmic axis needs values above 0")
        numbers = [math.log10(value) for value in values] if log else [*values, *([0.0] if zero else [])]
        scale = Scale.over(numbers, start=plot.height - FOOT - 4, end=_MARKS + 8)
        # Lines that are all 0 lie on the floor, not in the middle.
        return cls(Scale(0.0, scale.high, scale.start, scale.end) if zero and min(numbers) == 0 else scale, log)

    def at(self, value: float) -> float:
        return self.scale.at(math.log10(value) if self.log else value)

    def axis(self, show: Show, x: Scale) -> str:
        """Round numbers at the left, and lines from them over the plot."""
        values = _log_ticks(self.scale) if self.log else ticks(self.scale.low, self.scale.high, 5)
        return value_lines(
            [(coordinate(self.at(value)), tick_text(value, show)) for value in values], left=x.start, right=x.end
        )


def _log_ticks(scale: Scale) -> list[float]:
    """Powers of ten, with 2 and 5 between them where few powers fall into the range; else round numbers."""
    low, high = scale.low, scale.high
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1.0,) if high - low > 3 else (1.0, 2.0, 5.0)
    found = [factor * 10.0**power for power in powers for factor in factors]
    kept = [value for value in found if low - 1e-9 <= math.log10(value) <= high + 1e-9]
    return kept if len(kept) > 1 else [value for value in ticks(10.0**low, 10.0**high, 4) if value > 0]


def _x(plot: Plot, sheet: Sheet, *, is_labelled: bool) -> Scale:
    if not plot.since < plot.until:
        raise BadChart(f"chart {plot.title!r} must begin before it ends, got {plot.since} to {plot.until}")
    end = sheet.width - (sheet.labels if is_labelled else _EDGE)
    return Scale(_seconds(plot.since), _seconds(plot.until), sheet.numbers, end)


def _seconds(at: datetime) -> float:
    return at.timestamp()


def _check_times(plot: Plot, series: Sequence[Sequence[datetime]]) -> None:
    for times in series:
        for at in times:
            if not plot.since <= at <= plot.until:
                raise BadChart(f"chart {plot.title!r} goes from {plot.since} to {plot.until}, got {at}")
        if any(later < earlier for earlier, later in pairwise(times)):
            raise BadChart(f"chart {plot.title!r} needs times that rise")


def _time_axis(x: Scale, plot: Plot, sheet: Sheet) -> str:
    """Round times under the plot: of days as month and day, within days as hour and minute."""
    span = plot.until - plot.since
    step = next((one for one in _STEPS if span / one <= sheet.n_times), span / sheet.n_times)
    layout = "%m-%d" if step >= timedelta(days=1) else "%H:%M"
    first = -(-(plot.since - _EPOCH) // step)
    last = (plot.until - _EPOCH) // step
    times = [_EPOCH + number * step for number in range(first, last + 1)]
    floor = plot.height - FOOT
    drawn = [(coordinate(x.at(_seconds(at))), at) for at in times]
    lines = "".join(f"M{at} {floor}v4" for at, _ in drawn)
    texts = "".join(
        f'<text x="{at}" y="{plot.height - 6}" text-anchor="middle">{time:{layout}}</text>' for at, time in drawn
    )
    return f'<path class="grid" d="{lines}M{coordinate(x.start)} {floor}H{coordinate(x.end)}"/>{texts}'


def _happening(one: Happening, x: Scale, plot: Plot) -> str:
    at = coordinate(x.at(_seconds(one.at)))
    words = f"{escape(one.sign)}<title>{escape(one.title)}</title>"
    return (
        f'<text x="{at}" y="14" text-anchor="middle">{words}</text>'
        f'<path class="margin" d="M{at} {_MARKS}V{plot.height - FOOT}"/>'
    )


def _limit(limit: Limit, x: Scale, y: _Vertical) -> str:
    return f'<path class="limit" d="M{coordinate(x.start)} {coordinate(y.at(limit.value))}H{coordinate(x.end)}"/>'


def _runs(points: Sequence[_Timed], gap: timedelta) -> Iterator[list[_Timed]]:
    """Points that are to be joined."""
    run: list[_Timed] = []
    for point in points:
        if run and point[0] - run[-1][0] > gap:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _trace(trace: Trace, x: Scale, y: _Vertical, gap: timedelta) -> str:
    """Joined points as one path; a point by itself is a dot."""
    kind, path, dots = _CLASSES[trace.style], [], []
    for run in _runs(trace.points, gap):
        places = [(coordinate(x.at(_seconds(at))), coordinate(y.at(value))) for at, value in run]
        if len(places) == 1:
            dots.append(f'<circle class="dot {kind}" cx="{places[0][0]}" cy="{places[0][1]}" r="2.5"/>')
        else:
            path.append("M" + "L".join(f"{left} {top}" for left, top in places))
    line = f'<path class="{kind}" d="{"".join(path)}"><title>{escape(trace.label)}</title></path>' if path else ""
    return line + "".join(dots)


def _band(run: Sequence[tuple[datetime, float, float]], x: Scale, y: _Vertical) -> str:
    if len(run) == 1:
        at, low, high = run[0]
        left, right = coordinate(x.at(_seconds(at)) - 1.5), coordinate(x.at(_seconds(at)) + 1.5)
        return f"M{left} {coordinate(y.at(high))}H{right}V{coordinate(y.at(low))}H{left}z"
    above = [f"{coordinate(x.at(_seconds(at)))} {coordinate(y.at(high))}" for at, _, high in run]
    below = [f"{coordinate(x.at(_seconds(at)))} {coordinate(y.at(low))}" for at, low, _ in reversed(run)]
    return "M" + "L".join([*above, *below]) + "z"


def _labels(ends: Sequence[tuple[float, str, str]], floor: float, left: float) -> list[str]:
    """(height, label, class) at *left*, moved apart where they would overlap, and kept above *floor*."""
    ordered = sorted(ends)
    heights: list[float] = []
    for at, _, _ in ordered:
        heights.append(max(at, heights[-1] + _APART) if heights else at)
    lowest = floor
    for number in range(len(heights) - 1, -1, -1):
        heights[number] = lowest = min(heights[number], lowest)
        lowest -= _APART
    return [
        f'<text class="{kind}" x="{coordinate(left)}" y="{coordinate(at)}" dy=".35em">{escape(label)}</text>'
        for at, (_, label, kind) in zip(heights, ordered, strict=True)
    ]
