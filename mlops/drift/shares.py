"""Shares: empty results, missing values, anything that is counted out of something."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import chdtrc, gammaln

from mlops.drift.options import DriftOptions
from mlops.drift.result import DriftResult, without_enough_data

MEASURE = "Cohen's h"
TEST = "chi-square, or Fisher's exact test where counts are small"
# Below it the chi-square approximation is no longer one (Cochran 1954).
LEAST_EXPECTED = 5.0


def cohens_h(first: float, second: float) -> float:
    """Distance of two shares, |2 arcsin √p - 2 arcsin √q|, 0 to π (Cohen 1988).

    From 50 % to 55 % it is 0.10, and from 0 % to 0.25 % too: what never happened before counts for more.
    """
    return abs(2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second)))


def share_p(first: int, n_first: int, second: int, n_second: int) -> float:
    """Two-sided p of *first* of *n_first* against *second* of *n_second*.

    Chi-square without continuity correction where the smallest expected count is 5 or more, else Fisher's exact test.
    """
    total, n = first + second, n_first + n_second
    if total in (0, n):
        return 1.0
    smallest = min(total, n - total) * min(n_first, n_second) / n
    if smallest < LEAST_EXPECTED:
        return _fisher_p(first, n_first, second, n_second)
    difference = first / n_first - second / n_second
    variance = total / n * (1 - total / n) * (1 / n_first + 1 / n_second)
    return float(chdtrc(1, difference**2 / variance))


def compare_shares(
    column: str,
    reference: tuple[int, int],
    current: tuple[int, int],
    *,
    options: DriftOptions,
    kind: str = "share",
) -> DriftResult:
    """How a share changed.

    Args:
        column: what is counted, such as "empty results".
        reference, current: how many, out of how many.

    Raises:
        ValueError: a count is negative or larger than what it is counted out of.
    """
    for count, n in (reference, current):
        if not 0 <= count <= n:
            raise ValueError(f"{column}: a count must be 0 to {n}, got {count}")
    n, m = reference[1], current[1]
    if min(n, m) < options.minimum_n:
        return without_enough_data(
            column, kind, measure=MEASURE, test=TEST, options=options, n_reference=n, n_current=m
        )
    before, now = reference[0] / n, current[0] / m
    p = share_p(*reference, *current)
    details: dict[str, Any] = {"reference_share": before, "current_share": now}
    return DriftResult(
        column, kind, MEASURE, cohens_h(before, now), options.threshold, TEST, p, p, options.alpha, n, m, details
    )


def _fisher_p(first: int, n_first: int, second: int, n_second: int) -> float:
    total = first + second
    possible = np.arange(max(0, total - n_second), min(total, n_first) + 1)
    logs = _log_choose(n_first, possible) + _log_choose(n_second, total - possible)
    weights = np.exp(logs - logs.max())
    # As likely as what was seen, or less; the factor keeps equals equal in spite of rounding.
    extreme = weights <= weights[first - possible[0]] * (1 + 1e-7)
    return min(1.0, float(weights[extreme].sum() / weights.sum()))


def _log_choose(n: int, k: Any) -> Any:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
