"""Confidence sequences: an interval that may be looked at as often as one likes, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from mlops.reports._svg import FOOT, Drawing, Scale, Sheet, Show, check_drawable, drawing, time_labels, value_axis
from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval at a time; an open end is None: the band goes on to the edge there, without a line."""

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
    reach: tuple[float, float] | None = None,
    height: int = 160,
    show: Show = shown_number,
) -> Drawing:
    """The band between the ends of an interval over time, its edges drawn as lines where they are known.

    Args:
        points: times aware, rising or equal.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        zero: where the line of no difference is.
        limit: a second, dashed line that the interval is held to.
        reach: how far down and up the drawing goes where an end is open on that side; farther where something lies
            beyond. Default: as far again as what is known.
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
    y = Scale.over([*lines, *ends, *_beyond(points, [*ends, *lines], reach)], start=height - FOOT - 4, end=8)

    def parts(sheet: Sheet) -> list[str]:
        left, right = sheet.numbers, sheet.width - 8
        x = Scale.over((each.at.timestamp() for each in points), start=left, end=right)
        drawn = [value_axis(y, show, sheet), *time_labels(points[0].at, points[-1].at, height, sheet)]
        drawn += _band(points, x, y)
        for kind, line in (("zero", zero), ("margin", limit)):
            if line is not None:
                drawn.append(f'<path class="{kind}" d="M{left} {y(line)}H{right}"/>')
        return drawn

    rows = [{"at": each.at, "low": each.low, "high": each.high} for each in points]
    return drawing(height, title, description, parts, rows)


def _beyond(points: Sequence[Bounds], known: Sequence[float], reach: tuple[float, float] | None) -> list[float]:
    """Where the drawing ends on each side that has an open end: an edge at what is known would look like an end."""
    span = max(known) - min(known) or abs(known[0]) or 1.0
    lowest, highest = (min(known) - span, max(known) + span) if reach is None else reach
    is_open = (any(each.low is None for each in points), any(each.high is None for each in points))
    return [end for end, is_so in zip((lowest, highest), is_open, strict=True) if is_so]


def _band(points: Sequence[Bounds], x: Scale, y: Scale) -> list[str]:
    lows = [(each.at, y.low if each.low is None else each.low) for each in points]
    highs = [(each.at, y.high if each.high is None else each.high) for each in points]
    below, above = ([f"{x(at.timestamp())} {y(end)}" for at, end in ends] for ends in (lows, highs))
    if len(points) == 1:
        return [f'<path class="whisker" d="M{below[0]}L{above[0]}"/>']
    edges = [_edge(below, [each.low for each in points]), _edge(above, [each.high for each in points])]
    return [
        f'<path class="band" d="M{"L".join([*below, *reversed(above)])}z"/>',
        *(f'<path class="edge" d="{edge}"/>' for edge in edges if edge),
    ]


def _edge(places: Sequence[str], ends: Sequence[float | None]) -> str:
    """A line through the places of known ends; over the others the pen is lifted."""
    path, pen = [], "M"
    for place, end in zip(places, ends, strict=True):
        if end is None:
            pen = "M"
        else:
            # The stroke of no length makes a place by itself a dot.
            path.append(f"{pen}{place}" + ("h0" if pen == "M" else ""))
            pen = "L"
    return "".join(path)
