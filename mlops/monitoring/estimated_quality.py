"""Expected click or cook rate before the labels are in, from scores that were calibrated on earlier impressions.

Scores are turned into probabilities by isotonic regression, for each position by itself where it has enough
impressions. What is estimated holds as long as the cooks are the same: a change of the scores is seen at once, one of
the people only when their feedback arrives. That is why the real rate belongs beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Below so many impressions, or so many of either outcome, nothing is learned.
FEWEST_IMPRESSIONS = 200
FEWEST_OUTCOMES = 10
FEWEST_NEW = 30
# Of the normal distribution: 95 % lie within so many standard deviations.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Curve:
    """A probability that never falls as the score rises: linear between *scores*, flat beyond them.

    Attributes:
        scores: ascending, shape (n_steps,).
        probabilities: 0 to 1, shape (n_steps,).
        n: impressions that it was learned from.
    """

    scores: Floats
    probabilities: Floats
    n: int

    def __call__(self, scores: Floats) -> Floats:
        """Probabilities of *scores*, shape (n,)."""
        found: Floats = np.interp(scores, self.scores, self.probabilities)
        return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """What probabilities scores stand for.

    Attributes:
        overall: for positions that have no curve of their own.
        by_position: for positions with 200 impressions and ten of either outcome.
    """

    overall: Curve
    by_position: Mapping[int, Curve]

    def probabilities(self, scores: Floats, positions: Ints) -> Floats:
        """The probability of each impression, shape (n,)."""
        found = self.overall(scores)
        for position, curve in self.by_position.items():
            here = positions == position
            found[here] = curve(scores[here])
        return found


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """An expected rate, 0 to 1, with a band.

    Attributes:
        verdict: ``ok``, or ``not enough data``: then the numbers are None, and *reason* says why.
        rate: mean probability of the new impressions.
        low, high: 95 % band of the rate that will be seen: what is not known of the curve, from resampled slates, and
            the chance of each outcome.
        n: new impressions.
        observed: the rate of those whose outcome is known, None without any; *n_observed* of them.
        agrees: whether *observed* is consistent with what was expected of those same impressions; None without any.
    """

    verdict: Literal["ok", "not enough data"]
    reason: str
    rate: float | None
    low: float | None
    high: float | None
    n: int
    observed: float | None = None
    n_observed: int = 0
    agrees: bool | None = None


def calibrate(scores: ArrayLike, outcomes: ArrayLike, positions: ArrayLike) -> Calibration | None:
    """Learn what scores stand for, from past impressions whose outcomes are known. None: not enough data.

    Args:
        scores: shape (n,), finite; higher is better.
        outcomes: 1 where the recipe was clicked (or cooked), 0 where not; only impressions old enough that no further
            outcome is to be expected.
        positions: from 1.

    Raises:
        ValueError: shapes differ, a score is not finite, or an outcome is neither 0 nor 1.
    """
    s, y, p = _checked(scores, outcomes, positions)
    overall = _curve(s, y)
    if overall is None:
        return None
    curves = {int(position): _curve(s[p == position], y[p == position]) for position in np.unique(p)}
    return Calibration(overall, {position: curve for position, curve in curves.items() if curve is not None})


def _curve(scores: Floats, outcomes: Floats) -> Curve | None:
    if not _is_enough(outcomes):
        return None
    # SciPy is heavy, and most of this package works without it.
    from scipy.optimize import isotonic_regression

    levels, where = np.unique(scores, return_inverse=True)
    weights = np.bincount(where).astype(np.float64)
    means = np.bincount(where, weights=outcomes) / weights
    return Curve(levels, isotonic_regression(means, weights=weights).x, scores.size)


def _is_enough(outcomes: Floats) -> bool:
    return outcomes.size >= FEWEST_IMPRESSIONS and min(outcomes.sum(), (1 - outcomes).sum()) >= FEWEST_OUTCOMES


def estimate_rate(
    past_scores: ArrayLike,
    past_outcomes: ArrayLike,
    past_positions: ArrayLike,
    scores: ArrayLike,
    positions: ArrayLike,
    *,
    rng: np.random.Generator,
    past_slates: ArrayLike | None = None,
    observed: ArrayLike | None = None,
    n_resamples: int = 200,
) -> RateEstimate:
    """The rate to be expected of new impressions, with a band, and whether what is known of them agrees.

    Args:
        past_scores, past_outcomes, past_positions: as for :func:`calibrate`.
        scores, positions: of the new impressions, shape (m,).
        rng: for the resampling.
        past_slates: whole numbers or names that tell which past impressions were shown together: they are drawn
            together. Default: each by itself, which makes the band too narrow where cooks differ.
        observed: of the new impressions 1 or 0 where the outcome is known, and NaN where it is not.
        n_resamples: at least 20.

    Raises:
        ValueError: shapes differ, or a value is out of range.
    """
    if n_resamples < 20:
        raise ValueError(f"n_resamples must be at least 20, got {n_resamples}")
    s, y, p = _checked(past_scores, past_outcomes, past_positions)
    new, at = _floats(scores, "scores"), _positions(positions)
    _same_length(scores=new, positions=at)
    calibration = calibrate(s, y, p)
    if calibration is None or new.size < FEWEST_NEW:
        return _untold(new.size, y)
    expected = calibration.probabilities(new, at)
    curves = _resampled(s, y, p, past_slates, new, at, rng=rng, n=n_resamples)
    low, high = _band(expected, curves)
    known = np.full(new.size, np.nan) if observed is None else np.asarray(observed, dtype=np.float64)
    reason = f"expected of {new.size} impressions, learned from {s.size}"
    seen = _compared(expected, curves, known)
    return RateEstimate("ok", reason, float(expected.mean()), low, high, new.size, *seen)


def _untold(n: int, outcomes: Floats) -> RateEstimate:
    reason = (
        f"{n} new impressions, and {outcomes.size} past ones with {outcomes.sum():.0f} outcomes; "
        f"it takes {FEWEST_NEW}, {FEWEST_IMPRESSIONS}, and {FEWEST_OUTCOMES} of either kind"
    )
    return RateEstimate("not enough data", reason, None, None, None, n)


def _resampled(
    s: Floats, y: Floats, p: Ints, slates: ArrayLike | None, new: Floats, at: Ints, *, rng: np.random.Generator, n: int
) -> Floats:
    """Probabilities of the new impressions under curves of resampled slates, shape (n_drawn, m)."""
    names = np.arange(s.size) if slates is None else np.unique(np.asarray(slates), return_inverse=True)[1]
    _same_length(past_scores=s, past_slates=names)
    order = np.argsort(names, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(names[order])) + 1)
    found = []
    for _ in range(n):
        drawn = np.concatenate([groups[group] for group in rng.integers(0, len(groups), len(groups))])
        calibration = calibrate(s[drawn], y[drawn], p[drawn])
        if calibration is not None:
            found.append(calibration.probabilities(new, at))
    return np.array(found)


def _band(expected: Floats, curves: Floats) -> tuple[float, float]:
    """95 % for the rate of *expected*'s impressions: normal, with the variances of the curve and of chance added."""
    chance = float((expected * (1 - expected)).sum()) / expected.size**2
    spread = float(curves.mean(axis=1).var(ddof=1)) if len(curves) > 1 else 0.0
    reach = _Z * (chance + spread) ** 0.5
    middle = float(expected.mean())
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _compared(expected: Floats, curves: Floats, observed: Floats) -> tuple[float | None, int, bool | None]:
    _same_length(scores=expected, observed=observed)
    known = np.isfinite(observed)
    if not known.any():
        return None, 0, None
    rate = float(observed[known].mean())
    low, high = _band(expected[known], curves[:, known] if len(curves) else curves)
    return rate, int(known.sum()), low <= rate <= high


def _checked(scores: ArrayLike, outcomes: ArrayLike, positions: ArrayLike) -> tuple[Floats, Floats, Ints]:
    s, y, p = _floats(scores, "scores"), _floats(outcomes, "outcomes"), _positions(positions)
    _same_length(scores=s, outcomes=y, positions=p)
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes must be 0 or 1")
    return s, y, p


def _floats(values: ArrayLike, name: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite, of one dimension; got shape {found.shape}")
    return found


def _positions(values: ArrayLike) -> Ints:
    found = np.asarray(values)
    if found.ndim != 1 or (found.size and (not np.issubdtype(found.dtype, np.integer) or found.min() < 1)):
        raise ValueError("positions must be whole numbers from 1, of one dimension")
    return found.astype(np.int64)


def _same_length(**arrays: NDArray[np.generic]) -> None:
    if len({array.shape for array in arrays.values()}) > 1:
        raise ValueError(f"shapes differ: {', '.join(f'{name} {array.shape}' for name, array in arrays.items())}")
