"""Several lines over days, and marks at the days on which something happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import escape

from mlops.reports._svg import (
    FOOT,
    Drawing,
    Scale,
    Sheet,
    Show,
    axis,
    check_drawable,
    coordinate,
    drawing,
    value_axis,
)
from mlops.reports.errors import BadChart
from mlops.reports.figures import shown_number

Style = Literal["first", "second", "limit"]

# Classes and no styles: a page may forbid styles in its elements.
_CLASSES: Mapping[Style, str] = {"first": "step", "second": "other", "limit": "limit"}
_RIGHT, _MARKS = 76, 22


@dataclass(frozen=True, slots=True)
class Line:
    """A value by day: *values*[0] is that of day 1. None leaves a gap."""

    label: str
    values: Sequence[float | None]
    style: Style = "first"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened on *day*: one sign above the plot, and what it was as its title."""

    day: int
    sign: str
    title: str
    over_the_plot: bool = False


def timeline_chart(
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    *,
    title: str,
    description: str = "",
    height: int = 260,
    show: Show = shown_number,
) -> Drawing:
    """Lines over days, each with its label at its end, and a row of marks above.

    Args:
        lines: as many values in each.
        marks: a vertical line through the plot where ``over_the_plot`` is set.
        title: what a screen reader says; not drawn.
        description: the longer form of it.
        height: of the drawing.
        show: number to text.
    Raises:
        BadChart: no values, lengths that differ, a value that is not finite, or a mark outside of the days.
    """
    n_days = len(lines[0].values) if lines else 0
    values = [value for line in lines for value in line.values if value is not None]
    if not values or any(len(line.values) != n_days for line in lines):
        raise BadChart(f"timeline {title!r} needs lines of equal length with values in them")
    if wrong := [mark.day for mark in marks if not 1 <= mark.day <= n_days]:
        raise BadChart(f"timeline {title!r} has days 1 to {n_days}, got a mark on day {wrong[0]}")
    check_drawable(title, values)
    y = Scale.over(values, start=height - FOOT - 4, end=_MARKS + 8)

    def parts(sheet: Sheet) -> list[str]:
        x = Scale(1, max(2, n_days), sheet.numbers, sheet.width - _RIGHT)
        n_ticks = min(sheet.n_ticks, max(1, n_days - 1))
        days = axis(x, height, lambda day: str(round(day)), grid=False, n_ticks=n_ticks)
        drawn = [value_axis(y, show, sheet), days, *(_mark(mark, x, height) for mark in marks)]
        # The first on top: where lines lie upon each other, it is the one to see.
        drawn += [_line(line, x, y) for line in reversed(lines)]
        return drawn + _labels(lines, y, x.end + 8)

    rows = [
        {"name": line.label, "step": step, "value": value}
        for line in lines
        for step, value in enumerate(line.values, start=1)
    ]
    return drawing(height, title, description, parts, rows)


def _mark(mark: Mark, x: Scale, height: int) -> str:
    words = f"{escape(mark.sign)}<title>{escape(mark.title)}</title>"
    sign = f'<text x="{x(mark.day)}" y="14" text-anchor="middle">{words}</text>'
    if not mark.over_the_plot:
        return sign
    return f'{sign}<path class="margin" d="M{x(mark.day)} {_MARKS}V{coordinate(height - FOOT)}"/>'


def _line(line: Line, x: Scale, y: Scale) -> str:
    """One path; a gap lifts the pen."""
    path, pen = [], "M"
    for day, value in enumerate(line.values, start=1):
        if value is None:
            pen = "M"
        else:
            path.append(f"{pen}{x(day)} {y(value)}")
            pen = "L"
    return f'<path class="{_CLASSES[line.style]}" d="{"".join(path)}"><title>{escape(line.label)}</title></path>'


def _labels(lines: Sequence[Line], y: Scale, left: float) -> list[str]:
    """The label of each line at its last value, moved apart where they would overlap."""
    ends = sorted((y.at(_last(line)), line.label) for line in lines)
    drawn, lowest = [], 0.0
    for at, label in ends:
        lowest = max(at, lowest + 14)
        drawn.append(
            f'<text class="value" x="{coordinate(left)}" y="{coordinate(lowest)}" dy=".35em">{escape(label)}</text>'
        )
    return drawn


def _last(line: Line) -> float:
    return next((value for value in reversed(line.values) if value is not None), 0.0)
