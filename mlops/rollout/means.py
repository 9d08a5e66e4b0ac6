"""The difference of two means, with an interval that may be looked at any time: for scores rather than events.

An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 2024), with Robbins' normal mixture as its boundary. It is for
means of many requests; where the outcome is yes or no, :mod:`mlops.rollout.sequential` is exact and needs no many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sums:
    """How many values there are, their sum, and the sum of their squares: what is left of two of them adds up."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.n - other.n, self.total - other.total, self.squares - other.squares)

    @property
    def mean(self) -> float | None:
        """None where there is no value: no data is not zero."""
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float:
        """Variance of the values, divisor n; 0 where there are none."""
        if not self.n:
            return 0.0
        return max(self.squares / self.n - (self.total / self.n) ** 2, 0.0)


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Challenger minus champion, and the interval of all looks at once."""

    estimate: float
    low: float
    high: float
    n_challenger: int
    n_champion: int


def mean_difference(
    challenger: Sums, champion: Sums, *, alpha: float = 0.05, least: int = 50, n_tuned: int = 1_000
) -> MeanDifference | None:
    """The difference of the means of the two arms; None where an arm has fewer than *least* values.

    With n values in all and v the variance of the difference times n, the half width is
    ``sqrt((n v r + 1) / (n² r) · log((n v r + 1) / alpha²))``, r chosen so that it is narrowest at *n_tuned* values.
    The arms' values are taken to be independent, and their shares to stay; where a share changes, compare each part
    by itself.

    Args:
        alpha: between 0 and 1.
        least: 2 or more.
        n_tuned: 1 or more.

    Raises:
        ValueError: an argument lies outside of what is allowed.
    """
    _check(alpha, least, n_tuned)
    if challenger.n < least or champion.n < least:
        return None
    estimate = challenger.total / challenger.n - champion.total / champion.n
    n = challenger.n + champion.n
    variance = n * (challenger.variance / challenger.n + champion.variance / champion.n)
    half = _half_width(n, variance, alpha=alpha, n_tuned=n_tuned)
    return MeanDifference(estimate, estimate - half, estimate + half, challenger.n, champion.n)


def _half_width(n: int, variance: float, *, alpha: float, n_tuned: int) -> float:
    if variance == 0:
        return 0.0
    # The boundary for values of variance 1, scaled; r as in Waudby-Smith et al., appendix on tuning.
    r = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / n_tuned
    boundary = math.sqrt((n * r + 1) / (n**2 * r) * math.log((n * r + 1) / alpha**2))
    return math.sqrt(variance) * boundary


def _check(alpha: float, least: int, n_tuned: int) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if least < 2:
        raise ValueError(f"least must be 2 or more, got {least}")
    if n_tuned < 1:
        raise ValueError(f"n_tuned must be 1 or more, got {n_tuned}")
