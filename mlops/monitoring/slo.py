"""Service level objectives, and how fast their error budget burns: numbers in, a verdict out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops.monitoring.protocol import Metrics

# Below so many events in the long window there is nothing to tell.
FEWEST_EVENTS = 30


@dataclass(frozen=True, slots=True)
class Slo:
    """An objective: of the events, at least a share *objective* must be good.

    Attributes:
        metric: that has one point for each event, 1.0 where it was bad and 0.0 where it was good.
        objective: between 0 and 1, such as 0.99. What it leaves, 0.01, is the error budget.
    """

    name: str
    metric: str
    objective: float

    def __post_init__(self) -> None:
        if not 0 < self.objective < 1:
            raise ValueError(f"objective must lie between 0 and 1, got {self.objective}")


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """Burns where both windows burn at least *factor* times as fast as the budget allows.

    The short one, a twelfth of the long one, sees to it that an alert ends soon after its reason does.
    """

    factor: float
    long_minutes: float
    short_minutes: float
    severity: str


# Google, The Site Reliability Workbook (2018), chapter 5, table 5-8: 2 % of a 30 days' budget spent in 1 hour, 5 % in
# 6 hours, 10 % in 3 days.
BURN_WINDOWS = (
    BurnWindow(14.4, 60, 5, "critical"),
    BurnWindow(6.0, 360, 30, "critical"),
    BurnWindow(1.0, 4_320, 360, "warning"),
)


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget burns in a pair of windows: 1.0 spends it exactly in the period of the objective.

    Attributes:
        verdict: ``burning``, ``ok``, or ``no data``: fewer than 30 events in the long window, or none in the short one.
        long, short: the rates; 0.0 without events.
        n_long, n_short: the events.
    """

    window: BurnWindow
    verdict: str
    long: float
    short: float
    n_long: int
    n_short: int


def burn_rate(bad_share: float, objective: float) -> float:
    """How many times faster than allowed the budget is spent: *bad_share* / (1 - *objective*)."""
    return bad_share / (1 - objective)


def burns(metrics: Metrics, slo: Slo, now: datetime, *, windows: Sequence[BurnWindow] = BURN_WINDOWS) -> list[Burn]:
    """How fast the budget of *slo* burns, for each pair of windows that ends at *now*."""
    return [_burn(lambda minutes: _share(metrics, slo, minutes, now), slo, window) for window in windows]


def _burn(share: Callable[[float], tuple[float, int]], slo: Slo, window: BurnWindow) -> Burn:
    bad_long, n_long = share(window.long_minutes)
    bad_short, n_short = share(window.short_minutes)
    long, short = burn_rate(bad_long, slo.objective), burn_rate(bad_short, slo.objective)
    if n_long < FEWEST_EVENTS or n_short == 0:
        verdict = "no data"
    else:
        # Shares that are exactly on the line must not depend on how a sum was rounded.
        verdict = "burning" if min(long, short) >= window.factor * (1 - 1e-9) else "ok"
    return Burn(window, verdict, long, short, n_long, n_short)


def _share(metrics: Metrics, slo: Slo, minutes: float, now: datetime) -> tuple[float, int]:
    stats = metrics.get_stats(slo.metric, minutes, until=now)
    return (stats["mean"], int(stats["count"])) if stats else (0.0, 0)
