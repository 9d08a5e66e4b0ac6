"""The clock of a simulation: it stands still until it is told to go on."""

from __future__ import annotations

from datetime import datetime


class SimulatedClock:
    """A :data:`mlops.clock.Clock` that shows what it was set to."""

    def __init__(self, at: datetime) -> None:
        self._now = at

    def __call__(self) -> datetime:
        return self._now

    def set(self, at: datetime) -> None:
        """Go on to *at*, or back to it: within a batch, events carry their own times."""
        self._now = at
