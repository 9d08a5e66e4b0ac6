"""What charts are made of: scales, axes, labels of rows, the drawing around it all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from markupsafe import Markup, escape

from mlops.reports.errors import BadChart

ROW = 26
FOOT = 24
# Beyond these, differences and their ratios leave the range of floats.
_SMALLEST, _LARGEST = 1e-290, 1e290

Show = Callable[[float], str]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a chart is drawn on, in units that are pixels where the page has room for all of them.

    Attributes:
        width: of all.
        names: at the left, for the names of rows, which are cut after *longest_name* letters.
        values: at the right, for the values of rows.
        numbers: at the left, for the numbers of a vertical axis.
        labels: at the right, for the labels of lines.
        n_ticks: about how many numbers a horizontal axis has.
        n_times: as many times at most.
    """

    width: int
    names: int
    longest_name: int
    values: int
    numbers: int
    labels: int
    n_ticks: int
    n_times: int


WIDE = Sheet(640, names=180, longest_name=28, values=90, numbers=64, labels=92, n_ticks=5, n_times=6)
# For a phone: as wide as its page, so that letters keep their size.
NARROW = Sheet(340, names=132, longest_name=18, values=56, numbers=54, labels=76, n_ticks=3, n_times=4)


class Drawing(Markup):
    """A chart as SVG, with the same for a narrow page, and in figures.

    Attributes:
        narrow: the chart on a narrow page, to stand after it; the styles of charts show one of the two.
        rows: what is drawn, for programs: plain values and times by their names.
    """

    narrow: Markup
    rows: Rows

    def __new__(cls, wide: str, narrow: str, rows: Rows) -> Self:
        made = super().__new__(cls, wide)
        made.narrow, made.rows = Markup(narrow), rows  # noqa: S704 - made by svg(), below
        return made

    def told_by(self, rows: Rows) -> Drawing:
        """The same with other figures: where an axis shows something else than what it is drawn from."""
        return Drawing(self, self.narrow, rows)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values *low* to *high* onto coordinates *start* to *end*."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], *, start: float, end: float) -> Scale:
        """Wide enough for *values*; a single one comes to lie in the middle."""
        numbers = [float(value) for value in values]
        low, high = min(numbers), max(numbers)
        if high - low < _SMALLEST:
            half = abs(low) / 2 if abs(low) > _SMALLEST else 0.5
            low, high = low - half, high + half
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def __call__(self, value: float) -> str:
        return coordinate(self.at(value))


def coordinate(value: float) -> str:
    """*value* to a tenth of a unit, without a zero that says nothing."""
    return f"{value:.1f}".removesuffix(".0")


def ticks(low: float, high: float, n: int) -> list[float]:
    """About *n* round numbers (1, 2 or 5 times a power of ten) within *low* to *high*."""
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Rounding can put the outermost ones a little outside, and close numbers have few others between them.
    return sorted({min(max(number * step, low), high) for number in range(first, last + 1)})


def drawing(
    height: float,
    title: str,
    description: str,
    parts: Callable[[Sheet], Iterable[str]],
    rows: Rows,
    *,
    wide: Sheet = WIDE,
) -> Drawing:
    """A chart, whose *parts* fit the sheet that they are asked for."""
    narrow = svg(height, title, description, parts(NARROW), width=NARROW.width, kind="narrow")
    return Drawing(svg(height, title, description, parts(wide), width=wide.width), narrow, rows)


def svg(height: float, title: str, description: str, parts: Iterable[str], *, width: int, kind: str = "") -> Markup:
    """The SVG element: an image with a title, and a description where there is one. *kind* is its class."""
    named = f' class="{kind}"' if kind else ""
    more = f"<desc>{escape(description)}</desc>" if description else ""
    # Every text in it went through escape().
    return Markup(  # noqa: S704
        f'<svg{named} role="img" viewBox="0 0 {width} {coordinate(height)}" width="{width}">'
        f"<title>{escape(title)}</title>{more}{''.join(parts)}</svg>"
    )


def axis(x: Scale, height: float, show: Show, *, grid: bool = True, n_ticks: int = 5) -> str:
    """The horizontal axis with round numbers under it, and lines over the plot where *grid* is set."""
    floor = height - FOOT
    top = 0 if grid else floor
    drawn = [(x(tick), tick) for tick in ticks(x.low, x.high, n_ticks)]
    lines = "".join(f"M{at} {coordinate(top)}V{coordinate(floor + 4)}" for at, _ in drawn)
    ends = (x.start, x.end)
    y = coordinate(height - 6)
    texts = "".join(
        f'<text x="{at}" y="{y}" text-anchor="{_anchor(float(at), ends)}">{escape(tick_text(tick, show))}</text>'
        for at, tick in drawn
    )
    return f'<path class="grid" d="{lines}M{coordinate(x.start)} {coordinate(floor)}H{coordinate(x.end)}"/>{texts}'


def tick_text(value: float, show: Show) -> str:
    """The number of a tick."""
    # Multiples of a step bring along the dust of binary fractions: 0.30000000000000004.
    return show(float(f"{value:.10g}"))


def _anchor(at: float, ends: tuple[float, float]) -> str:
    left, right = min(ends), max(ends)
    if at - left < 12 and left < 12:
        return "start"
    return "end" if right - at < 12 else "middle"


def value_axis(y: Scale, show: Show, sheet: Sheet) -> str:
    """The vertical axis of a line chart: round numbers at the left, lines across."""
    drawn = [(y(tick), tick_text(tick, show)) for tick in ticks(y.low, y.high, 5)]
    return value_lines(drawn, left=sheet.numbers, right=sheet.width - 8)


def value_lines(drawn: Sequence[tuple[str, str]], *, left: float, right: float) -> str:
    """Texts at their heights, and a line from *left* of each to *right*."""
    lines = "".join(f"M{coordinate(left)} {at}H{coordinate(right)}" for at, _ in drawn)
    texts = "".join(
        f'<text x="{coordinate(left - 6)}" y="{at}" dy=".35em" text-anchor="end">{escape(text)}</text>'
        for at, text in drawn
    )
    return f'<path class="grid" d="{lines}"/>{texts}'


def time_labels(first: datetime, last: datetime, height: int, sheet: Sheet) -> list[str]:
    """First and last time under a line chart."""
    layout = "%Y-%m-%d" if (last - first).days >= 2 else "%m-%d %H:%M"
    if first == last:
        middle = coordinate((sheet.numbers + sheet.width) / 2)
        return [f'<text x="{middle}" y="{height - 6}" text-anchor="middle">{first:%Y-%m-%d %H:%M}</text>']
    return [
        f'<text x="{sheet.numbers}" y="{height - 6}">{first:{layout}}</text>',
        f'<text x="{sheet.width - 8}" y="{height - 6}" text-anchor="end">{last:{layout}}</text>',
    ]


def vertical(x: str, height: float, kind: str) -> str:
    """A line over the rows of a plot; *kind* is its class."""
    return f'<path class="{kind}" d="M{x} 0V{coordinate(height)}"/>'


def row_label(label: str, middle: float, sheet: Sheet) -> str:
    """What a row is called, at its left; too long a name is cut, and whole in its title."""
    short = label if len(label) <= sheet.longest_name else label[: sheet.longest_name - 1] + "…"
    whole = f"<title>{escape(label)}</title>" if short != label else ""
    y = coordinate(middle)
    return f'<text x="{sheet.names - 10}" y="{y}" dy=".35em" text-anchor="end">{escape(short)}{whole}</text>'


def row_value(text: str, middle: float, sheet: Sheet) -> str:
    """The number of a row, at its right."""
    y = coordinate(middle)
    return f'<text class="value" x="{sheet.width - 4}" y="{y}" dy=".35em" text-anchor="end">{escape(text)}</text>'


def check_drawable(title: str, values: Iterable[float]) -> None:
    """Refuse NaN, infinity, and numbers beyond 1e290.

    Raises:
        BadChart: with the title and the value.
    """
    for value in values:
        if not abs(value) <= _LARGEST:
            raise BadChart(f"chart {title!r} has the value {value}; numbers must be finite, and within ±{_LARGEST}")
