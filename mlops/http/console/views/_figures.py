"""Numbers as tables of the console have them."""

from __future__ import annotations


def rounded(value: float | None) -> float | None:
    """*value* to three significant digits: neither sketches nor samples know more."""
    return None if value is None else float(f"{value:.3g}")
