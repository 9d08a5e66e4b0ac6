"""Time as the toolkit has it: aware, in UTC, handed in where it matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def in_utc(time: datetime) -> datetime:
    """*time* in UTC; without a zone it is taken to be UTC already."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def utc_from_text(text: str) -> datetime:
    """An instant from ISO 8601 text, in UTC; without a zone it is taken to be UTC already.

    Raises:
        ValueError: *text* is no ISO 8601 date or time, or its instant lies outside of the years 1 to 9999.
    """
    try:
        return in_utc(datetime.fromisoformat(text))
    except OverflowError:
        raise ValueError(f"{text} in UTC is outside of the years 1 to 9999") from None
