"""What charts are made of: scales, axes, labels of rows, the drawing around it all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup, escape

from mlops.reports.errors import BadChart

WIDTH = 640
ROW = 26
LABELS = 180
FOOT = 24
_LONGEST_LABEL = 28
# Beyond these, differences and their ratios leave the range of floats.
_SMALLEST, _LARGEST = 1e-290, 1e290

Show = Callable[[float], str]


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
    height: float, title: str, description: str, parts: Iterable[str], *, width: int = WIDTH, over_time: bool = False
) -> Markup:
    """The SVG element: an image with a title, and a description where there is one.

    Args:
        over_time: the newest is at the right, where a page that is too narrow for all of it begins.
    """
    kind = ' class="over-time"' if over_time else ""
    more = f"<desc>{escape(description)}</desc>" if description else ""
    # Every text in it went through escape().
    return Markup(  # noqa: S704
        f'<svg{kind} role="img" viewBox="0 0 {width} {coordinate(height)}" width="{width}">'
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


def value_axis(y: Scale, show: Show) -> str:
    """The vertical axis of a line chart: round numbers at the left, lines across."""
    drawn = [(y(tick), tick_text(tick, show)) for tick in ticks(y.low, y.high, 5)]
    return value_lines(drawn, right=WIDTH - 8)


def value_lines(drawn: Sequence[tuple[str, str]], *, right: float) -> str:
    """Texts at the left at their heights, and a line from each to *right*."""
    lines = "".join(f"M64 {at}H{coordinate(right)}" for at, _ in drawn)
    texts = "".join(f'<text x="58" y="{at}" dy=".35em" text-anchor="end">{escape(text)}</text>' for at, text in drawn)
    return f'<path class="grid" d="{lines}"/>{texts}'


def time_labels(first: datetime, last: datetime, height: int) -> list[str]:
    """First and last time under a line chart."""
    layout = "%Y-%m-%d" if (last - first).days >= 2 else "%m-%d %H:%M"
    if first == last:
        return [f'<text x="352" y="{height - 6}" text-anchor="middle">{first:%Y-%m-%d %H:%M}</text>']
    return [
        f'<text x="64" y="{height - 6}">{first:{layout}}</text>',
        f'<text x="{WIDTH - 8}" y="{height - 6}" text-anchor="end">{last:{layout}}</text>',
    ]


def vertical(x: str, height: float, kind: str) -> str:
    """A line over the rows of a plot; *kind* is its class."""
    return f'<path class="{kind}" d="M{x} 0V{coordinate(height)}"/>'


def row_label(label: str, middle: float) -> str:
    """What a row is called, at its left; too long a name is cut, and whole in its title."""
    short = label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
    whole = f"<title>{escape(label)}</title>" if short != label else ""
    y = coordinate(middle)
    return f'<text x="{LABELS - 10}" y="{y}" dy=".35em" text-anchor="end">{escape(short)}{whole}</text>'


def row_value(text: str, middle: float) -> str:
    """The number of a row, at its right."""
    y = coordinate(middle)
    return f'<text class="value" x="{WIDTH - 4}" y="{y}" dy=".35em" text-anchor="end">{escape(text)}</text>'


def check_drawable(title: str, values: Iterable[float]) -> None:
    """Refuse NaN, infinity, and numbers beyond 1e290.

    Raises:
        BadChart: with the title and the value.
    """
    for value in values:
        if not abs(value) <= _LARGEST:
            raise BadChart(f"chart {title!r} has the value {value}; numbers must be finite, and within ±{_LARGEST}")
