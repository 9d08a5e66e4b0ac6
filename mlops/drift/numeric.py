"""Numbers: how far a distribution moved, from arrays that were sorted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from mlops.drift.options import DriftOptions
from mlops.drift.psi import expected_psi, psi
from mlops.drift.result import Distribution, DriftResult, without_enough_data

FloatArray = NDArray[np.float64]

MEASURE = "largest of Wasserstein / sd and KS D"
TEST = "Kolmogorov–Smirnov, asymptotic"
N_BINS = 10
N_DRAWN = 24
# Squares of larger numbers, and sums of a million of them, would overflow.
LARGEST = 1e140
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class NumericSummary:
    """A numeric column as a comparison needs it: the whole of it in order, or a sketch.

    Attributes:
        points: ascending; all values, or quantiles of them that stand for equally many values each.
        n: values that the points stand for.
        n_missing: null, NaN, infinite, or larger than 1e140.
        rank_error: at any number, the share of points up to it is at most this far from the share of values.
        mean: 0.0 where n is 0.
        squares: sum of squared differences from the mean.
    """

    points: FloatArray
    n: int
    n_missing: int
    rank_error: float
    mean: float
    squares: float

    @property
    def sd(self) -> float:
        """Standard deviation of the values, divided by n; 0.0 for a constant and for rounding noise around one."""
        if self.n == 0:
            return 0.0
        sd = float(np.sqrt(self.squares / self.n))
        return sd if sd > 1e-12 * max(abs(float(self.points[0])), abs(float(self.points[-1])), 1e-280) else 0.0


def summarise(values: FloatArray) -> NumericSummary:
    """*values*, shape (n,), in order. What is not a number is counted apart."""
    ordered = np.sort(values)
    # NaN sorts behind infinity, so that what cannot be compared lies at the two ends.
    first, last = np.searchsorted(ordered, [-LARGEST, LARGEST], side="left")
    points = ordered[first:last]
    mean = float(points.mean()) if len(points) else 0.0
    squares = float(np.square(points - mean).sum()) if len(points) else 0.0
    return NumericSummary(points, len(points), len(values) - len(points), 0.0, mean, squares)


def ks_statistic(first: FloatArray, second: FloatArray) -> float:
    """Largest distance between two empirical distribution functions, Kolmogorov–Smirnov's D, 0 to 1.

    Args:
        first, second: ascending, none empty. Ties are allowed.
    """
    if len(second) > len(first):
        first, second = second, first
    before = np.searchsorted(first, second, side="left")
    up_to = before
    if (first[np.minimum(before, len(first) - 1)] == second).any():
        up_to = np.searchsorted(first, second, side="right")
    # The distance is largest just before or at a value of `second`: between two of them only `first` moves.
    steps = np.arange(len(second) + 1) / len(second)
    above = float((before / len(first) - steps[:-1]).max())
    below = float((steps[1:] - up_to / len(first)).max())
    return min(max(above, below, 0.0), 1.0)


def ks_p(statistic: float, n_first: int, n_second: int) -> float:
    """Two-sided p of Kolmogorov–Smirnov's D, asymptotic.

    For few values and for ties it is too large rather than too small.
    """
    return float(kolmogorov(np.sqrt(n_first * n_second / (n_first + n_second)) * statistic))


def wasserstein(first: FloatArray, second: FloatArray) -> float:
    """Earth mover's distance W₁ between two samples, in their unit: the mean distance between their quantiles.

    Args:
        first, second: ascending, none empty.
    """
    n, m = len(first), len(second)
    if n == m:
        return float(np.abs(first - second).mean())
    area = 0.0
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        # Shares at which either quantile function steps, in units of 1 / (n m) so that they are exact.
        inside = np.arange(start * m // n + 1, -(-stop * m // n)) * n
        cuts = np.sort(np.concatenate([np.arange(start, stop + 1) * m, inside]))
        at = cuts[:-1]
        area += float((np.diff(cuts) * np.abs(first[at // m] - second[at // n])).sum())
    return area / (n * m)


def compare_numeric(
    column: str, reference: NumericSummary, current: NumericSummary, *, options: DriftOptions
) -> DriftResult:
    """How far the numbers of *column* moved.

    The effect is the larger of two: the Wasserstein distance in standard deviations of the reference, which also sees
    a few values move far, and D, which sees mass move where heavy tails make that deviation meaningless.
    """
    n, m = reference.n, current.n
    if min(n, m) < options.minimum_n:
        return without_enough_data(
            column, "numeric", measure=MEASURE, test=TEST, options=options, n_reference=n, n_current=m
        )
    ks = ks_statistic(reference.points, current.points)
    moved = _distance(reference, current)
    normalised = moved / reference.sd if reference.sd else 0.0
    # What the sketch may have added must not become significant because there are many rows.
    certain_ks = max(0.0, ks - reference.rank_error - current.rank_error)
    p = ks_p(certain_ks, n, m)
    return DriftResult(
        column, "numeric", MEASURE, max(ks, normalised), options.threshold, TEST, p, p, options.alpha, n, m,
        {"ks": ks, "wasserstein": moved, "normalised_wasserstein": normalised} | _figures(reference, current),
        _histogram(reference, current),
    )  # fmt: skip


def _distance(reference: NumericSummary, current: NumericSummary) -> float:
    if reference.rank_error == current.rank_error == 0.0:
        return wasserstein(reference.points, current.points)
    # A sketch's points lie in the middle of the share that each stands for. No two distributions are nearer to each
    # other than their means, which are exact.
    n = max(len(summary.points) for summary in (reference, current) if summary.rank_error)
    between = np.abs(_quantiles(reference.points, n) - _quantiles(current.points, n)).mean()
    return max(float(between), abs(reference.mean - current.mean))


def _histogram(reference: NumericSummary, current: NumericSummary) -> Distribution | None:
    """Over the middle 98 % of both sides, so that one value far out does not press all others into one bin."""
    ends = np.concatenate([_quantiles(side.points, 100)[[0, -1]] for side in (reference, current)])
    edges = np.linspace(ends.min(), ends.max(), N_DRAWN + 1)
    if not (np.diff(edges) > 0).all():
        return None
    shares = []
    for side in (reference, current):
        up_to = np.searchsorted(side.points, edges[1:-1], side="left")
        counts = np.diff(up_to, prepend=0, append=len(side.points))
        shares.append(tuple((counts / len(side.points)).tolist()))
    return Distribution(tuple(edges.tolist()), shares[0], shares[1])


def _quantiles(points: FloatArray, n: int) -> FloatArray:
    return points[((np.arange(n) + 0.5) * len(points) / n).astype(np.intp)]


def _figures(reference: NumericSummary, current: NumericSummary) -> dict[str, Any]:
    edges = np.unique(reference.points[(np.arange(1, N_BINS) * len(reference.points) / N_BINS).astype(np.intp)])
    n, m = reference.n, current.n
    counts = [np.diff(np.searchsorted(side.points, edges, side="right"), prepend=0, append=len(side.points))
              * (side.n / len(side.points)) for side in (reference, current)]  # fmt: skip
    expected = expected_psi(len(edges) + 1, n, m)
    value = psi(*counts)
    return {
        "psi": value, "psi_expected_without_drift": expected, "psi_excess": value - expected,
        "reference_mean": reference.mean, "current_mean": current.mean,
        "reference_sd": reference.sd, "current_sd": current.sd,
    }  # fmt: skip
