"""What a simulation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

ArmName = Literal["loop", "frozen", "oracle"]
ARMS: tuple[ArmName, ...] = ("loop", "frozen", "oracle")

# A Monday, so that weeks of a simulation are weeks of the calendar.
_START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """The size of a simulation and the seed of all its chance.

    Attributes:
        n_days: simulated days, counted from 1.
        n_cooks: cooks with tastes of their own.
        seed: equal seeds give equal cooks, questions and draws.
        drift_day: the day on which tastes have changed, 2 to *n_days*; None for no drift.
        start: midnight of the first day, aware.
        asks_per_day: questions that a cook asks on an average day, on average over all cooks.
    """

    n_days: int = 60
    n_cooks: int = 2_000
    seed: int = 0
    drift_day: int | None = None
    start: datetime = _START
    asks_per_day: float = 0.3

    def __post_init__(self) -> None:
        if self.n_days < 1 or self.n_cooks < 1:
            raise ValueError(f"a simulation needs a day and a cook at least, got {self.n_days} and {self.n_cooks}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")
        if self.drift_day is not None and not 2 <= self.drift_day <= self.n_days:
            raise ValueError(f"drift_day must be from 2 to {self.n_days}, got {self.drift_day}")
        if not 0 < self.asks_per_day <= 10:
            raise ValueError(f"asks_per_day must be above 0 and at most 10, got {self.asks_per_day}")

    def midnight(self, day: int) -> datetime:
        """When *day*, counted from 1, begins."""
        return self.start + timedelta(days=day - 1)
