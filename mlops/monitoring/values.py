"""Which values can be recorded."""

from __future__ import annotations

from mlops.monitoring.sketch import LARGEST


def checked(value: object) -> float | None:
    """*value* as a float; None where it is not a number, is NaN or infinite, or beyond 1e140 in magnitude.

    Booleans count as 0 and 1.
    """
    try:
        if isinstance(value, str | bytes | bytearray):
            return None
        number = float(value)  # type: ignore[arg-type]
    except Exception:
        # Whatever a stranger's __float__ raises, recording must not.
        return None
    return number if -LARGEST < number < LARGEST else None
