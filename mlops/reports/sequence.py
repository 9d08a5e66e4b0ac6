"""Confidence sequences: an interval that may be looked at as often as one likes, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from markupsafe import Markup

from mlops.reports._svg import FOOT, WIDTH, Scale, Show, check_drawable, drawing, time_labels, value_axis
from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number

_LEFT, _RIGHT = 64, WIDTH - 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval at a time; an open end is None, and drawn to the edge."""

    at: datetime
    low: float | None
    high: float | None


def sequence_chart(
    points: Sequence[Bounds],
    *,
    title: str,
    description: str = "",
    zero: float | None = None,
    limit: float | None = None,
    height: int = 160,
    show: Show = shown_number,
) -> Markup:
    """The band between the ends of an interval over time, its edges drawn as lines.

    Args:
        points: times aware, rising or equal.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        zero: where the line of no difference is.
        limit: a second, dashed line that the interval is held to.
        height: of the drawing.
        show: number to text.
    Raises:
        BadChart: no point has an end, times fall, an end is not finite, or ``low`` is above ``high``.
    """
    ends = [end for each in points for end in (each.low, each.high) if end is not None]
    lines = [line for line in (zero, limit) if line is not None]
    if not ends:
        raise BadChart(f"sequence {title!r} needs a point with an end")
    if any(later.at < earlier.at for earlier, later in pairwise(points)):
        raise BadChart(f"sequence {title!r} needs times that rise")
    check_drawable(title, [*ends, *lines])
    for each in points:
        if each.low is not None and each.high is not None and each.low > each.high:
            raise BadChart(f"sequence {title!r}: at {each.at.isoformat()} low {each.low} is above high {each.high}")
    x = Scale.over((each.at.timestamp() for each in points), start=_LEFT, end=_RIGHT)
    y = Scale.over([*ends, *lines], start=height - FOOT - 4, end=8)
    lows = [f"{x(each.at.timestamp())} {y(y.low if each.low is None else each.low)}" for each in points]
    highs = [f"{x(each.at.timestamp())} {y(y.high if each.high is None else each.high)}" for each in points]
    parts = [value_axis(y, show), *time_labels(points[0].at, points[-1].at, height), *_band(lows, highs)]
    for kind, line in (("zero", zero), ("margin", limit)):
        if line is not None:
            parts.append(f'<path class="{kind}" d="M{_LEFT} {y(line)}H{_RIGHT}"/>')
    return drawing(height, title, description, parts, over_time=True)


def _band(lows: Sequence[str], highs: Sequence[str]) -> list[str]:
    if len(lows) == 1:
        return [f'<path class="whisker" d="M{lows[0]}L{highs[0]}"/>']
    edges = [f'<path class="edge" d="M{"L".join(ends)}"/>' for ends in (lows, highs)]
    return [f'<path class="band" d="M{"L".join([*lows, *reversed(highs)])}z"/>', *edges]
