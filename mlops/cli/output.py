"""What commands print: JSON for programs; lines, tables and times for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

NOTHING = "–"
# A pipe has no width: nothing is wrapped there.
_WIDTH_OF_A_PIPE = 10_000
# Texts of others are printed: none may ring the bell or write over what stands there.
_NO_CONTROL = dict.fromkeys((7, 8, 11, 12, 13, 27))
_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def print_json(value: Any) -> None:
    """*value* as JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_line(text: str, *, style: str = "") -> None:
    """A line for a person; *text* is printed as it is."""
    if not style:
        # Rich takes longer to load than most commands take for their work.
        sys.stdout.write(text.translate(_NO_CONTROL) + "\n")
        return
    console().print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_error(error: BaseException) -> None:
    """An error in one line, where errors go."""
    from rich.text import Text

    line = Text.assemble(("error:", "red"), " ", " ".join(str(error).split()))
    console(stderr=True).print(line, highlight=False, soft_wrap=True)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """A table.

    Args:
        headings: all of them empty for none.
        rows: their cells, None for nothing.
        numbers: the headings of columns whose cells stand to the right.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(headings))
    for heading in headings:
        table.add_column(Text(heading), justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(NOTHING if cell is None else str(cell)) for cell in row))
    console().print(table)


def moment(time: datetime | None) -> str:
    """A time for a person: ``2026-11-24 09:00:03 UTC``; a dash for none."""
    return NOTHING if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def ago(time: datetime, *, now: datetime) -> str:
    """How long ago that was, in the largest unit that fits: ``3 hours ago``."""
    passed = now - time
    if passed < timedelta(0):
        return "ahead of now"
    for unit, name in _UNITS:
        n = passed // unit
        if n:
            return f"{n} {name}{'s' if n > 1 else ''} ago"
    return "just now"


def number(value: float | None) -> str:
    """A number with up to six significant digits; a dash for none."""
    if value is None:
        return NOTHING
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def console(*, stderr: bool = False) -> Console:
    """Where text goes; a pipe has no width, so nothing is wrapped there."""
    from rich.console import Console

    console = Console(stderr=stderr, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, emoji=False, width=_WIDTH_OF_A_PIPE)
