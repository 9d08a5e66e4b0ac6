"""The clock of the demonstration: it runs as any clock, and leaps ahead where nobody would want to wait."""

from __future__ import annotations

import time
from datetime import datetime, timedelta


class LeapingClock:
    """A :data:`mlops.clock.Clock` that never goes back. Safe to use from several threads."""

    def __init__(self, at: datetime) -> None:
        # One reference, swapped as a whole.
        self._since = (at, time.monotonic())

    def __call__(self) -> datetime:
        at, since = self._since
        return at + timedelta(seconds=time.monotonic() - since)

    def leap(self, to: datetime) -> None:
        """Go on from *to*; nothing where that is past already."""
        self._since = (max(self(), to), time.monotonic())
