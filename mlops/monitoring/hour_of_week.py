"""What is usual at an hour of the week, learned from the same hour of the weeks before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median

import sqlalchemy as sa

from mlops.schema import usual_hours
from mlops.store import Database, upsert

HOURS = 168
MOST_WEEKS = 8


@dataclass(frozen=True, slots=True)
class Hour:
    """The mean of *n* values in the hour *hour* (0 to 167) of the week *week*. Weeks count from 1970, on a Thursday."""

    hour: int
    week: int
    mean: float
    n: int


class HourOfWeek:
    """Means by hour of the week in UTC, of the last eight weeks at most: 168 x 8 numbers, whatever the traffic."""

    def __init__(self, *, fewest_weeks: int = 3) -> None:
        """Nothing was seen yet.

        Args:
            fewest_weeks: for how many weeks an hour must have been seen, at least 1.
        """
        self._fewest_weeks = fewest_weeks
        self._weeks: list[deque[Hour]] = [deque(maxlen=MOST_WEEKS) for _ in range(HOURS)]

    def add(self, at: datetime, value: float) -> None:
        """See *value*; times come in order."""
        week, hour = _slot(at)
        weeks = self._weeks[hour]
        if weeks and weeks[-1].week == week:
            last = weeks.pop()
            n = last.n + 1
            weeks.append(Hour(hour, week, last.mean + (value - last.mean) / n, n))
        else:
            weeks.append(Hour(hour, week, value, 1))

    def put(self, hour: Hour) -> None:
        """Learn *hour* as it was learned before; hours come in order."""
        self._weeks[hour.hour].append(hour)

    def at(self, at: datetime) -> Hour | None:
        """What was learned in the very hour of *at*; None for nothing."""
        week, hour = _slot(at)
        return next((each for each in self._weeks[hour] if each.week == week), None)

    def expected(self, at: datetime) -> float | None:
        """The median over the weeks before that of *at*; None where they are fewer than it takes."""
        week, hour = _slot(at)
        means = [each.mean for each in self._weeks[hour] if each.week < week]
        return median(means) if len(means) >= self._fewest_weeks else None


def _slot(at: datetime) -> tuple[int, int]:
    """The number of the week since 1970-01-01, and the hour within it, 0 to 167. Weeks begin on a Thursday."""
    return divmod(int(at.timestamp()) // 3_600, HOURS)


class UsualHours:
    """What is usual, kept in *database*, whose tables are there: it takes weeks to learn, which no process lives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, name: str) -> HourOfWeek:
        """What was learned of *name*.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        columns = (usual_hours.c.hour, usual_hours.c.week, usual_hours.c.mean, usual_hours.c.n)
        query = sa.select(*columns).where(usual_hours.c.name == name).order_by(usual_hours.c.week)
        season = HourOfWeek()
        with self._database.reading() as connection:
            for row in connection.execute(query):
                season.put(Hour(*row))
        return season

    def save(self, name: str, hours: Sequence[Hour]) -> None:
        """Keep *hours*, and forget what is older than eight weeks before the last of them.

        Raises:
            StoreUnavailable: the database does not answer; nothing was kept.
        """
        if not hours:
            return
        rows = [{"name": name, **asdict(hour)} for hour in hours]
        oldest = hours[-1].week - MOST_WEEKS
        old = sa.delete(usual_hours).where(usual_hours.c.name == name, usual_hours.c.week < oldest)
        with self._database.writing() as connection:
            upsert(connection, usual_hours, rows, key=["name", "hour", "week"])
            connection.execute(old)
