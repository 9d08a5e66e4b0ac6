"""Charts as inline SVG: data in, markup out.

They take colours and type from the page around them (see ``page.html``), so that they follow light, dark and print.
Coordinates are rounded to a tenth of a unit: a histogram of two times 30 bins is about 1.5 kB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from mlops.reports._svg import (
    FOOT,
    ROW,
    WIDE,
    Drawing,
    Scale,
    Sheet,
    Show,
    axis,
    check_drawable,
    coordinate,
    drawing,
    row_label,
    row_value,
    time_labels,
    value_axis,
    vertical,
)
from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number

_POINTS_DRAWN = 400


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and how sure it is: ``low`` ≤ ``estimate`` ≤ ``high``."""

    label: str
    estimate: float
    low: float
    high: float


def interval_plot(
    intervals: Sequence[Interval],
    *,
    title: str,
    description: str = "",
    zero: float | None = 0.0,
    margin: float = 0.0,
    show: Show = shown_number,
) -> Drawing:
    """Estimates with whiskers, one above the other, and a line at *zero*.

    Args:
        intervals: top row first.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        zero: where the line of no difference is; None draws none.
        margin: above 0 draws a second, dashed line at ``zero - margin``.
        show: number to text.
    Raises:
        BadChart: there is no interval, a number is not finite, or ``low`` is above ``high``.
    """
    if not intervals:
        raise BadChart(f"interval plot {title!r} needs at least one interval")
    for one in intervals:
        check_drawable(title, (one.estimate, one.low, one.high))
        if one.low > one.high:
            raise BadChart(f"interval plot {title!r}: {one.label} has low {one.low} above high {one.high}")
    lines = [] if zero is None else [zero, zero - margin]
    ends = [end for one in intervals for end in (one.low, one.high, one.estimate)]
    height = ROW * len(intervals) + FOOT

    def parts(sheet: Sheet) -> list[str]:
        x = _beside_names([*ends, *lines], sheet)
        drawn = [axis(x, height, show, n_ticks=sheet.n_ticks)]
        if zero is not None:
            drawn.append(vertical(x(zero), height - FOOT, "zero"))
            if margin > 0:
                drawn.append(vertical(x(zero - margin), height - FOOT, "margin"))
        return drawn + [_whisker(one, x, ROW * row + ROW / 2, show, sheet) for row, one in enumerate(intervals)]

    rows = [{"name": one.label, "estimate": one.estimate, "low": one.low, "high": one.high} for one in intervals]
    return drawing(height, title, description, parts, rows)


def bar_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    description: str = "",
    highlighted: Sequence[bool] | None = None,
    threshold: float | None = None,
    show: Show = shown_number,
) -> Drawing:
    """Horizontal bars from zero, one below the other.

    Args:
        labels: one a bar.
        values: shape as *labels*, finite; may be negative.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        highlighted: which bars stand out; shape as *labels*.
        threshold: a line to compare the bars with.
        show: number to text.
    Raises:
        BadChart: no bars, as many labels as values are not there, or a value is not finite.
    """
    marks = [False] * len(values) if highlighted is None else list(highlighted)
    if not labels or not len(labels) == len(values) == len(marks):
        raise BadChart(f"bar chart {title!r} needs as many labels as values and marks, and one at least")
    lines = [] if threshold is None else [threshold]
    check_drawable(title, [*values, *lines])
    height = ROW * len(labels) + FOOT

    def parts(sheet: Sheet) -> list[str]:
        x = _beside_names([0.0, *values, *lines], sheet)
        drawn = [axis(x, height, show, n_ticks=sheet.n_ticks), vertical(x(0.0), height - FOOT, "zero")]
        for row, (label, value, marked) in enumerate(zip(labels, values, marks, strict=True)):
            drawn.append(_bar(label, value, x, ROW * row, marked=marked, show=show, sheet=sheet))
        return drawn if threshold is None else [*drawn, vertical(x(threshold), height - FOOT, "margin")]

    rows = [{"name": label, "value": value} for label, value in zip(labels, values, strict=True)]
    return drawing(height, title, description, parts, rows)


def histogram_pair(
    edges: Sequence[float],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str,
    description: str = "",
    width: int = WIDE.width,
    height: int = 120,
    show: Show = shown_number,
) -> Drawing:
    """Two histograms over the same bins: the reference as an area, the current one as a line of steps.

    Args:
        edges: of the bins, rising, one more than there are bins.
        reference: share of each bin, 0 to 1.
        current: the same, of the current data.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        width: of the drawing where the page has room for it.
        height: of the drawing, at least 40.
        show: number to text.
    Raises:
        BadChart: the lengths do not fit together, the edges do not rise, or a number is not finite or below 0.
    """
    if not len(edges) - 1 == len(reference) == len(current) or len(edges) < 2:
        raise BadChart(
            f"histogram {title!r} needs one more edge than bins, got {len(edges)} edges, "
            f"{len(reference)} reference and {len(current)} current bins"
        )
    check_drawable(title, [*edges, *reference, *current])
    if any(right <= left for left, right in pairwise(edges)):
        raise BadChart(f"histogram {title!r} needs edges that rise")
    if min(*reference, *current) < 0:
        raise BadChart(f"histogram {title!r} needs shares of 0 or more")
    floor = height - FOOT
    y = Scale(0.0, max(*reference, *current) or 1.0, floor, 4)

    def parts(sheet: Sheet) -> list[str]:
        x = Scale.over((edges[0], edges[-1]), start=4, end=sheet.width - 4)
        return [
            f'<path class="area" d="{_steps(edges, reference, x, y)}z"/>',
            f'<path class="step" d="{_steps(edges, current, x, y)}"/>',
            axis(x, height, show, grid=False, n_ticks=5 if sheet.width > 300 else 3),
        ]

    rows = [
        {"from": left, "to": right, "reference": before, "current": now}
        for (left, right), before, now in zip(pairwise(edges), reference, current, strict=True)
    ]
    return drawing(height, title, description, parts, rows, wide=replace(WIDE, width=width))


def bar_pair(
    labels: Sequence[str],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str,
    description: str = "",
    show: Show = shown_number,
) -> Drawing:
    """Two bars a category: the reference above, the current one below it.

    Args:
        labels: one a category.
        reference: shape as *labels*, each 0 or more.
        current: the same, of the current data.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        show: number to text.
    Raises:
        BadChart: no categories, lengths that differ, or a number that is not finite or below 0.
    """
    if not labels or not len(labels) == len(reference) == len(current):
        raise BadChart(f"bar pair {title!r} needs as many labels as reference and current values, and one at least")
    check_drawable(title, [*reference, *current])
    if min(*reference, *current) < 0:
        raise BadChart(f"bar pair {title!r} needs values of 0 or more")
    height = ROW * len(labels) + FOOT
    rows = [
        {"name": label, "reference": before, "current": now}
        for label, before, now in zip(labels, reference, current, strict=True)
    ]

    def parts(sheet: Sheet) -> list[str]:
        x = _beside_names([0.0, *reference, *current], sheet)
        drawn = [axis(x, height, show, n_ticks=sheet.n_ticks)]
        for row, (label, before, now) in enumerate(zip(labels, reference, current, strict=True)):
            top = ROW * row
            drawn.append(row_label(label, top + ROW / 2, sheet))
            for kind, value, y in (("area", before, top + 4), ("bar", now, top + 13)):
                length = coordinate(x.at(value) - sheet.names)
                drawn.append(f'<rect class="{kind}" x="{sheet.names}" y="{y}" width="{length}" height="8"/>')
        return drawn

    return drawing(height, title, description, parts, rows)


def line_chart(
    times: Sequence[datetime],
    values: Sequence[float],
    *,
    title: str,
    description: str = "",
    threshold: float | None = None,
    height: int = 180,
    show: Show = shown_number,
) -> Drawing:
    """A value over time. Of more than 400 points, the lowest and the highest of each stretch are drawn.

    Args:
        times: aware, rising or equal.
        values: shape as *times*, finite.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        threshold: a line to compare the values with.
        height: of the drawing.
        show: number to text.
    Raises:
        BadChart: no points, lengths that differ, times that fall, or a value that is not finite.
    """
    if not times or len(times) != len(values):
        raise BadChart(f"line chart {title!r} needs as many times as values, got {len(times)} and {len(values)}")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise BadChart(f"line chart {title!r} needs times that rise")
    lines = [] if threshold is None else [threshold]
    check_drawable(title, [*values, *lines])
    seconds = [at.timestamp() for at in times]
    y = Scale.over([*values, *lines], start=height - FOOT - 4, end=8)
    points = _thinned(list(zip(seconds, values, strict=True)))

    def parts(sheet: Sheet) -> list[str]:
        x = Scale.over(seconds, start=sheet.numbers, end=sheet.width - 8)
        drawn = [value_axis(y, show, sheet), *time_labels(times[0], times[-1], height, sheet)]
        if threshold is not None:
            drawn.append(f'<path class="margin" d="M{sheet.numbers} {y(threshold)}H{sheet.width - 8}"/>')
        if len(points) == 1:
            return [*drawn, f'<circle class="dot" cx="{x(seconds[0])}" cy="{y(values[0])}" r="4"/>']
        path = " ".join(f"{x(second)},{y(value)}" for second, value in points)
        return [*drawn, f'<polyline class="step" points="{path}"/>']

    rows = [{"at": at, "value": value} for at, value in zip(times, values, strict=True)]
    return drawing(height, title, description, parts, rows)


def _beside_names(values: Sequence[float], sheet: Sheet) -> Scale:
    """Between the names of rows and their values."""
    return Scale.over(values, start=sheet.names, end=sheet.width - sheet.values)


def _whisker(one: Interval, x: Scale, middle: float, show: Show, sheet: Sheet) -> str:
    y, low, high = coordinate(middle), x(one.low), x(one.high)
    ends = f"M{low} {y}H{high}M{low} {coordinate(middle - 5)}v10M{high} {coordinate(middle - 5)}v10"
    return (
        f'{row_label(one.label, middle, sheet)}<path class="whisker" d="{ends}"/>'
        f'<circle class="dot" cx="{x(one.estimate)}" cy="{y}" r="4"/>'
        f"{row_value(show(one.estimate), middle, sheet)}"
    )


def _bar(label: str, value: float, x: Scale, top: float, *, marked: bool, show: Show, sheet: Sheet) -> str:
    left, right = sorted((x.at(0.0), x.at(value)))
    place = f'x="{coordinate(left)}" y="{coordinate(top + 5)}" width="{coordinate(right - left)}"'
    return (
        f"{row_label(label, top + ROW / 2, sheet)}"
        f'<rect class="{"bar marked" if marked else "bar"}" {place} height="{ROW - 10}"/>'
        f"{row_value(show(value), top + ROW / 2, sheet)}"
    )


def _steps(edges: Sequence[float], shares: Sequence[float], x: Scale, y: Scale) -> str:
    path = [f"M{x(edges[0])} {y(0.0)}"]
    path += [f"V{y(share)}H{x(right)}" for share, right in zip(shares, edges[1:], strict=True)]
    return "".join([*path, f"V{y(0.0)}"])


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= _POINTS_DRAWN:
        return points
    size = math.ceil(len(points) / (_POINTS_DRAWN // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        extremes = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept.extend(sorted(extremes))
    return kept
