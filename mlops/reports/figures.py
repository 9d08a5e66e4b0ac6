"""Numbers and times as a reader of a report sees them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

# Nobody decides otherwise on a smaller one.
LEAST_P = 0.001


def shown_number(value: float, *, digits: int = 4) -> str:
    """*value* with at most *digits* significant digits; whole numbers in full, with separators.

    >>> shown_number(0.021349), shown_number(1234567), shown_number(3.0), shown_number(1.3e-9)
    ('0.02135', '1,234,567', '3', '1.3e-09')
    """
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "–")
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    if abs(value) >= 10**digits:
        return f"{value:,.0f}".replace("-", "−")
    return _minus(f"{value:.{digits}g}")


def shown_share(value: float) -> str:
    """*value*, 0 to 1, as a percentage.

    >>> shown_share(0.1234), shown_share(0.00042)
    ('12.3 %', '0.042 %')
    """
    percent = 100 * value
    text = f"{percent:.1f}" if abs(percent) >= 1 or percent == 0 else f"{percent:.2g}"
    return f"{_minus(text)} %"


def shown_p_value(value: float) -> str:
    """A probability that chance explains what was seen; how far below 0.001 it is says nothing more.

    >>> shown_p_value(0.02134), shown_p_value(3e-12)
    ('0.021', '<\\xa00.001')
    """
    return f"<\N{NO-BREAK SPACE}{LEAST_P}" if value < LEAST_P else shown_number(float(f"{value:.2g}"))


def shown_time(at: datetime) -> str:
    """*at* in UTC, to the minute.

    >>> shown_time(datetime(2026, 11, 17, 9, 30, tzinfo=UTC))
    '2026-11-17 09:30 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _minus(text: str) -> str:
    # A true minus sign in front; the exponent keeps the plain one.
    return "−" + text[1:] if text.startswith("-") else text
