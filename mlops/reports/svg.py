"""Charts as inline SVG: data in, markup out.

They take colours and type from the page around them (see ``page.html``), so that they follow light, dark and print.
Coordinates are rounded to a tenth of a unit: a histogram of two times 30 bins is about 1.5 kB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup, escape

from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number

WIDTH = 640
_ROW = 26
_LABELS = 180
_FOOT = 24
_LONGEST_LABEL = 28
_POINTS_DRAWN = 400

Show = Callable[[float], str]


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
) -> Markup:
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
        _check_finite(title, (one.estimate, one.low, one.high))
        if one.low > one.high:
            raise BadChart(f"interval plot {title!r}: {one.label} has low {one.low} above high {one.high}")
    lines = [] if zero is None else [zero, zero - margin]
    ends = [end for one in intervals for end in (one.low, one.high, one.estimate)]
    x = _Scale.over([*ends, *lines], start=_LABELS, end=WIDTH - 90)
    height = _ROW * len(intervals) + _FOOT
    parts = [_axis(x, height, show)]
    if zero is not None:
        parts.append(_vertical(x(zero), height - _FOOT, "zero"))
        if margin > 0:
            parts.append(_vertical(x(zero - margin), height - _FOOT, "margin"))
    parts += [_whisker(one, x, _ROW * row + _ROW / 2, show) for row, one in enumerate(intervals)]
    return _drawing(height, title, description, parts)


def bar_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    description: str = "",
    highlighted: Sequence[bool] | None = None,
    threshold: float | None = None,
    show: Show = shown_number,
) -> Markup:
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
    _check_finite(title, [*values, *lines])
    x = _Scale.over([0.0, *values, *lines], start=_LABELS, end=WIDTH - 90)
    height = _ROW * len(labels) + _FOOT
    parts = [_axis(x, height, show), _vertical(x(0.0), height - _FOOT, "zero")]
    for row, (label, value, marked) in enumerate(zip(labels, values, marks, strict=True)):
        parts.append(_bar(label, value, x, _ROW * row, marked=marked, show=show))
    if threshold is not None:
        parts.append(_vertical(x(threshold), height - _FOOT, "margin"))
    return _drawing(height, title, description, parts)


def histogram_pair(
    edges: Sequence[float],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str,
    description: str = "",
    width: int = WIDTH,
    height: int = 120,
    show: Show = shown_number,
) -> Markup:
    """Two histograms over the same bins: the reference as an area, the current one as a line of steps.

    Args:
        edges: of the bins, rising, one more than there are bins.
        reference: share of each bin, 0 to 1.
        current: the same, of the current data.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        width: of the drawing.
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
    _check_finite(title, [*edges, *reference, *current])
    if any(right <= left for left, right in pairwise(edges)):
        raise BadChart(f"histogram {title!r} needs edges that rise")
    if min(*reference, *current) < 0:
        raise BadChart(f"histogram {title!r} needs shares of 0 or more")
    x = _Scale(float(edges[0]), float(edges[-1]), 4, width - 4)
    floor = height - _FOOT
    y = _Scale(0.0, max(*reference, *current) or 1.0, floor, 4)
    parts = [
        f'<path class="area" d="{_steps(edges, reference, x, y)}z"/>',
        f'<path class="step" d="{_steps(edges, current, x, y)}"/>',
        _axis(x, height, show, grid=False, n_ticks=5 if width > 300 else 3),
    ]
    return _drawing(height, title, description, parts, width=width)


def bar_pair(
    labels: Sequence[str],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    title: str,
    description: str = "",
    show: Show = shown_number,
) -> Markup:
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
    _check_finite(title, [*reference, *current])
    if min(*reference, *current) < 0:
        raise BadChart(f"bar pair {title!r} needs values of 0 or more")
    x = _Scale.over([0.0, *reference, *current], start=_LABELS, end=WIDTH - 90)
    height = _ROW * len(labels) + _FOOT
    parts = [_axis(x, height, show)]
    for row, (label, before, now) in enumerate(zip(labels, reference, current, strict=True)):
        top = _ROW * row
        parts.append(_row_label(label, top + _ROW / 2))
        parts.append(
            f'<rect class="area" x="{_LABELS}" y="{top + 4}" width="{_n(x.at(before) - _LABELS)}" height="8"/>'
        )
        parts.append(f'<rect class="bar" x="{_LABELS}" y="{top + 13}" width="{_n(x.at(now) - _LABELS)}" height="8"/>')
    return _drawing(height, title, description, parts)


def line_chart(
    times: Sequence[datetime],
    values: Sequence[float],
    *,
    title: str,
    description: str = "",
    threshold: float | None = None,
    height: int = 180,
    show: Show = shown_number,
) -> Markup:
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
    _check_finite(title, [*values, *lines])
    seconds = [at.timestamp() for at in times]
    x = _Scale.over(seconds, start=64, end=WIDTH - 8)
    y = _Scale.over([*values, *lines], start=height - _FOOT - 4, end=8)
    points = _thinned(list(zip(seconds, values, strict=True)))
    path = " ".join(f"{x(second)},{y(value)}" for second, value in points)
    parts = [_value_axis(y, show), *_time_labels(times[0], times[-1], height)]
    if threshold is not None:
        parts.append(f'<path class="margin" d="M64 {y(threshold)}H{WIDTH - 8}"/>')
    shape = f'<polyline class="step" points="{path}"/>'
    if len(points) == 1:
        shape = f'<circle class="dot" cx="{x(seconds[0])}" cy="{y(values[0])}" r="4"/>'
    return _drawing(height, title, description, [*parts, shape])


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values *low* to *high* onto coordinates *start* to *end*."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], *, start: float, end: float) -> _Scale:
        """Wide enough for *values*; a single one comes to lie in the middle."""
        numbers = [float(value) for value in values]
        low, high = min(numbers), max(numbers)
        if low == high:
            half = abs(low) / 2 or 0.5
            low, high = low - half, high + half
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        # Halves, since the difference of two very large numbers of opposite sign is infinite.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.start + share * (self.end - self.start)

    def __call__(self, value: float) -> str:
        return _n(self.at(value))


def _n(coordinate: float) -> str:
    return f"{coordinate:.1f}".removesuffix(".0")


def _ticks(low: float, high: float, n: int) -> list[float]:
    """About *n* round numbers (1, 2 or 5 times a power of ten) within *low* to *high*."""
    raw = (high / n - low / n) or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _drawing(height: float, title: str, description: str, parts: Iterable[str], *, width: int = WIDTH) -> Markup:
    more = f"<desc>{escape(description)}</desc>" if description else ""
    # Every text in it went through escape().
    return Markup(  # noqa: S704
        f'<svg role="img" viewBox="0 0 {width} {_n(height)}" style="max-width:{width}px">'
        f"<title>{escape(title)}</title>{more}{''.join(parts)}</svg>"
    )


def _axis(x: _Scale, height: float, show: Show, *, grid: bool = True, n_ticks: int = 5) -> str:
    floor = height - _FOOT
    top = 0 if grid else floor
    drawn = [(x(tick), tick) for tick in _ticks(x.low, x.high, n_ticks)]
    lines = "".join(f"M{at} {_n(top)}V{_n(floor + 4)}" for at, _ in drawn)
    ends = (x.start, x.end)
    y = _n(height - 6)
    texts = "".join(
        f'<text x="{at}" y="{y}" text-anchor="{_anchor(float(at), ends)}">{escape(_tick(tick, show))}</text>'
        for at, tick in drawn
    )
    return f'<path class="grid" d="{lines}M{_n(x.start)} {_n(floor)}H{_n(x.end)}"/>{texts}'


def _tick(value: float, show: Show) -> str:
    # Multiples of a step bring along the dust of binary fractions: 0.30000000000000004.
    return show(float(f"{value:.10g}"))


def _anchor(at: float, ends: tuple[float, float]) -> str:
    left, right = min(ends), max(ends)
    if at - left < 12 and left < 12:
        return "start"
    return "end" if right - at < 12 else "middle"


def _value_axis(y: _Scale, show: Show) -> str:
    drawn = [(y(tick), tick) for tick in _ticks(y.low, y.high, 5)]
    lines = "".join(f"M64 {at}H{WIDTH - 8}" for at, _ in drawn)
    texts = "".join(
        f'<text x="58" y="{at}" dy=".35em" text-anchor="end">{escape(_tick(tick, show))}</text>' for at, tick in drawn
    )
    return f'<path class="grid" d="{lines}"/>{texts}'


def _time_labels(first: datetime, last: datetime, height: int) -> list[str]:
    layout = "%Y-%m-%d" if (last - first).days >= 2 else "%m-%d %H:%M"
    if first == last:
        return [f'<text x="352" y="{height - 6}" text-anchor="middle">{first:%Y-%m-%d %H:%M}</text>']
    return [
        f'<text x="64" y="{height - 6}">{first:{layout}}</text>',
        f'<text x="{WIDTH - 8}" y="{height - 6}" text-anchor="end">{last:{layout}}</text>',
    ]


def _vertical(x: str, height: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x} 0V{_n(height)}"/>'


def _row_label(label: str, middle: float) -> str:
    short = label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
    whole = f"<title>{escape(label)}</title>" if short != label else ""
    return f'<text x="{_LABELS - 10}" y="{_n(middle)}" dy=".35em" text-anchor="end">{escape(short)}{whole}</text>'


def _row_value(text: str, middle: float) -> str:
    return f'<text class="value" x="{WIDTH - 4}" y="{_n(middle)}" dy=".35em" text-anchor="end">{escape(text)}</text>'


def _whisker(one: Interval, x: _Scale, middle: float, show: Show) -> str:
    y, low, high = _n(middle), x(one.low), x(one.high)
    ends = f"M{low} {y}H{high}M{low} {_n(middle - 5)}v10M{high} {_n(middle - 5)}v10"
    return (
        f'{_row_label(one.label, middle)}<path class="whisker" d="{ends}"/>'
        f'<circle class="dot" cx="{x(one.estimate)}" cy="{y}" r="4"/>'
        f"{_row_value(show(one.estimate), middle)}"
    )


def _bar(label: str, value: float, x: _Scale, top: float, *, marked: bool, show: Show) -> str:
    left, right = sorted((x.at(0.0), x.at(value)))
    kind = "bar marked" if marked else "bar"
    return (
        f"{_row_label(label, top + _ROW / 2)}"
        f'<rect class="{kind}" x="{_n(left)}" y="{_n(top + 5)}" width="{_n(right - left)}" height="{_ROW - 10}"/>'
        f"{_row_value(show(value), top + _ROW / 2)}"
    )


def _steps(edges: Sequence[float], shares: Sequence[float], x: _Scale, y: _Scale) -> str:
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


def _check_finite(title: str, values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise BadChart(f"chart {title!r} has the value {value}; every number must be finite")
