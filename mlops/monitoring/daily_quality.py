"""What people made of the answers, kept by day: small enough to be read by a page, exact enough to compare versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mlops.evaluation.shares import difference_of_means, difference_of_shares, mean_interval, wilson_interval

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


@dataclass(frozen=True, slots=True)
class Difference:
    """A version against another one on the days on which both answered.

    Attributes:
        one, other: what each measured on these days.
        low, high: 95 % interval of the mean of *other* less that of *one*; None where there are too few values.
    """

    n_days: int
    one: Pooled
    other: Pooled
    low: float | None
    high: float | None

    @property
    def effect(self) -> float:
        """How much higher *other* is."""
        return self.other.mean - self.one.mean


def on_the_same_days(tallies: Sequence[DayTally], one: str, other: str, *, is_share: bool) -> Difference | None:
    """The tallies of two versions compared; None where there is no day on which both answered.

    Versions of different weeks met different cooks, dishes of the season and days of the week.
    """
    by = {version: [each for each in tallies if each.version == version and each.n] for version in (one, other)}
    common = {each.day for each in by[one]} & {each.day for each in by[other]}
    kept = {version: [each for each in by[version] if each.day in common] for version in by}
    first, second = (pooled(kept[version], is_share=is_share) for version in (one, other))
    if first is None or second is None:
        return None
    ends: tuple[float | None, float | None] = (None, None)
    if is_share:
        ends = difference_of_shares((first.total, first.n), (second.total, second.n))
    elif min(first.n, second.n) >= FEWEST_VALUES:
        sides = (
            (each.n, each.total, sum(tally.squares for tally in kept[version]))
            for version, each in ((one, first), (other, second))
        )
        ends = difference_of_means(*sides)
    return Difference(len(common), first, second, *ends)
