"""What people made of the answers, kept by day: small enough to be read by a page, exact enough to compare versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mlops.evaluation.shares import mean_interval, wilson_interval

# Of means: fewer values say too little of their spread. An interval of a share holds from one on.
FEWEST_VALUES = 10


@dataclass(frozen=True, slots=True)
class DayTally:
    """Values of one measure on one day, of one version and one set of labels.

    Attributes:
        n: how many values.
        total, squares: their sum, and that of their squares. Of a share both are how many were 1.
    """

    day: date
    version: str
    measure: str
    n: int
    total: float
    squares: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pooled:
    """Tallies together; *n* is above 0.

    Attributes:
        low, high: 95 % interval of the mean; None where there are too few values for one.
    """

    n: int
    total: float
    mean: float
    low: float | None
    high: float | None


def pooled(tallies: Iterable[DayTally], *, is_share: bool) -> Pooled | None:
    """*tallies* of one measure together; None where they hold nothing.

    Args:
        is_share: whether each value is 0 or 1: Wilson's interval; else Student's, from ten values on.
    """
    kept = list(tallies)
    n, total = sum(one.n for one in kept), sum(one.total for one in kept)
    if n == 0:
        return None
    ends: tuple[float | None, float | None] = (None, None)
    if is_share:
        ends = wilson_interval(total, n)
    elif n >= FEWEST_VALUES:
        ends = mean_interval(n, total, sum(one.squares for one in kept))
    return Pooled(n, total, total / n, *ends)


def grouped(
    tallies: Iterable[DayTally], key: Callable[[DayTally], str | date], *, is_share: bool
) -> dict[str | date, Pooled]:
    """*tallies* of one measure, pooled by *key*, sorted by it."""
    groups: dict[str | date, list[DayTally]] = {}
    for one in tallies:
        groups.setdefault(key(one), []).append(one)
    found = {name: pooled(groups[name], is_share=is_share) for name in sorted(groups, key=str)}
    return {name: one for name, one in found.items() if one is not None}


def on_the_same_days(tallies: Sequence[DayTally], one: str, other: str) -> tuple[list[DayTally], list[DayTally], int]:
    """The tallies of two versions on the days on which both answered, and how many days these are.

    Versions of different weeks met different cooks, dishes of the season and days of the week.
    """
    days = {
        version: {tally.day for tally in tallies if tally.version == version and tally.n} for version in (one, other)
    }
    common = days[one] & days[other]
    first, second = (
        [tally for tally in tallies if tally.version == version and tally.day in common] for version in (one, other)
    )
    return first, second, len(common)
