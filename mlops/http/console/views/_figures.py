"""Numbers as tables of the console have them."""

from __future__ import annotations


def rounded(value: float | None) -> float | None:
    """*value* to three significant digits: neither sketches nor samples know more."""
    return None if value is None else float(f"{value:.3g}")


def brief(value: float) -> float:
    """*value* as one would say it: 8.125 days are 8.1, 123.4 are 123; whole numbers stay."""
    return float(round(value)) if abs(value) >= 100 else float(f"{value:.2g}")
