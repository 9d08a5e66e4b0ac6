"""Numbers as tables of the console have them."""

from __future__ import annotations

from mlops.reports import PValue, Share


def rounded(value: float | None) -> float | None:
    """*value* to three significant digits: neither sketches nor samples know more."""
    return None if value is None else float(f"{value:.3g}")


def share(value: float | None) -> Share | None:
    """*value*, 0 to 1 or the difference of two such, to three significant digits."""
    return None if value is None else Share(f"{value:.3g}")


def p_value(value: float | None) -> PValue | None:
    """*value* to three significant digits, for programs."""
    return None if value is None else PValue(f"{value:.3g}")


def brief(value: float) -> float:
    """*value* as one would say it: 8.125 days are 8.1, 123.4 are 123; whole numbers stay."""
    return float(round(value)) if abs(value) >= 100 else float(f"{value:.2g}")
