"""Spans of time as people type them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}  # fmt: skip
_SPAN = re.compile(rf"([0-9]{{1,6}})([{''.join(_UNITS)}])")


def duration(text: str) -> timedelta:
    """A span such as ``30s``, ``15m``, ``2h``, ``2d`` or ``6w``.

    Raises:
        ValueError: *text* is none, or no time at all.
    """
    found = _SPAN.fullmatch(text.strip())
    span = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    if not span:
        raise ValueError(f"must be a span such as 30s, 15m, 2h, 2d or 6w, got {text!r}")
    return span
