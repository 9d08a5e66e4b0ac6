"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


def is_storable(text: str) -> bool:
    """Whether every database can keep *text*: PostgreSQL takes no NUL, and none takes half a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


class Name(sa.TypeDecorator[str]):
    """A name that anybody may ask for. What no database can keep is NULL in a question: it equals nothing there is."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Any) -> str | None:
        """To the database."""
        return value if isinstance(value, str) and is_storable(value) else None


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware instant, stored in UTC. SQLite keeps no zone, so one is taken off before and put back after."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """To the database.

        Raises:
            ValueError: *value* has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
