"""What is usual at an hour of the week, learned from the same hour of the weeks before."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from statistics import median

HOURS = 168
MOST_WEEKS = 8


class HourOfWeek:
    """Means by hour of the week in UTC, of the last eight weeks at most: 168 x 8 numbers, whatever the traffic."""

    def __init__(self, *, fewest_weeks: int = 3) -> None:
        """Nothing was seen yet.

        Args:
            fewest_weeks: for how many weeks an hour must have been seen, at least 1.
        """
        self._fewest_weeks = fewest_weeks
        # (number of the week, mean, how many)
        self._weeks: list[deque[tuple[int, float, int]]] = [deque(maxlen=MOST_WEEKS) for _ in range(HOURS)]

    def add(self, at: datetime, value: float) -> None:
        """See *value*; times come in order."""
        week, hour = _slot(at)
        weeks = self._weeks[hour]
        if weeks and weeks[-1][0] == week:
            _, mean, n = weeks.pop()
            weeks.append((week, mean + (value - mean) / (n + 1), n + 1))
        else:
            weeks.append((week, value, 1))

    def expected(self, at: datetime) -> float | None:
        """The median over the weeks before that of *at*; None where they are fewer than it takes."""
        week, hour = _slot(at)
        means = [mean for number, mean, _ in self._weeks[hour] if number < week]
        return median(means) if len(means) >= self._fewest_weeks else None


def _slot(at: datetime) -> tuple[int, int]:
    """The number of the week since 1970-01-01, and the hour within it, 0 to 167. Weeks begin on a Thursday."""
    return divmod(int(at.timestamp()) // 3_600, HOURS)
