"""Intervals of shares and of means, and of the difference of two shares."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(k: float, n: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of a share of *k* in *n*, level 1 - *alpha* (Wilson 1927). It holds for small shares, too.

    Raises:
        ValueError: *n* is below 1, or *k* is not within 0 to *n*.
    """
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"a share needs n of 1 or more and k within 0 to n, got k {k} and n {n}")
    z = NormalDist().inv_cdf(1 - alpha / 2)
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    # Rounding must not bring an end beyond what it touches.
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_of_shares(
    before: tuple[float, int], after: tuple[float, int], *, alpha: float = 0.05
) -> tuple[float, float]:
    """Interval of the share in *after* less that in *before*, each (how many, of how many), level 1 - *alpha*.

    Newcombe (1998), method 10: from the Wilson intervals of both, which hold for small shares, too.

    Raises:
        ValueError: see :func:`wilson_interval`.
    """
    (low_before, high_before), (low_after, high_after) = (
        wilson_interval(*before, alpha=alpha),
        wilson_interval(*after, alpha=alpha),
    )
    share_before, share_after = before[0] / before[1], after[0] / after[1]
    difference = share_after - share_before
    below = math.hypot(share_after - low_after, high_before - share_before)
    above = math.hypot(high_after - share_after, share_before - low_before)
    return difference - below, difference + above


def mean_interval(n: int, total: float, squares: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Student's interval of the mean of *n* values by their sum and the sum of their squares.

    Raises:
        ValueError: *n* is below 2.
    """
    from scipy.special import stdtrit

    mean, error, _ = _moments(n, total, squares)
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * math.sqrt(error)
    return mean - half, mean + half


def difference_of_means(
    before: tuple[int, float, float], after: tuple[int, float, float], *, alpha: float = 0.05
) -> tuple[float, float]:
    """Interval of the mean of *after* less that of *before*, each (n, sum, sum of squares), after Welch (1947).

    Raises:
        ValueError: a side has fewer than 2 values.
    """
    from scipy.special import stdtrit

    (mean_before, error_before, n_before), (mean_after, error_after, n_after) = _moments(*before), _moments(*after)
    error = error_before + error_after
    if error == 0:
        return mean_after - mean_before, mean_after - mean_before
    freedom = error**2 / (error_before**2 / (n_before - 1) + error_after**2 / (n_after - 1))
    half = float(stdtrit(freedom, 1 - alpha / 2)) * math.sqrt(error)
    return mean_after - mean_before - half, mean_after - mean_before + half


def _moments(n: int, total: float, squares: float) -> tuple[float, float, int]:
    """Mean, squared standard error of it, n."""
    if n < 2:
        raise ValueError(f"the interval of a mean needs 2 values or more, got {n}")
    mean = total / n
    return mean, max(0.0, squares - n * mean * mean) / (n - 1) / n, n
