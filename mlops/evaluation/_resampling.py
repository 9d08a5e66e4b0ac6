"""The bootstrap and the randomisation test of a mean, in arrays and within bounded memory."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist

import numpy as np

from mlops.evaluation._arrays import Floats

_CHUNK = 1 << 18
_ALL_SIGNS_UP_TO = 14
# Resampling the means of this many random groups of equal size, instead of more units than that, keeps variance and
# skewness of the mean, and bounds the time.
_MOST_UNITS = 10_000


def bootstrap_means(values: Floats, *, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Means of *n_resamples* samples of *values*, drawn with replacement and as long as it is.

    Args:
        values: shape (n,), n at least 1.
        n_resamples: at least 1.
        rng: decides everything.
    """
    values = _grouped(values, rng)
    means = np.empty(n_resamples)
    for start, stop in _spans(n_resamples, len(values)):
        drawn = rng.integers(0, len(values), size=(stop - start, len(values)), dtype=np.int32)
        means[start:stop] = values[drawn].mean(axis=1)
    # A sum of equal numbers, divided by how many they are, can differ from them in the last bit.
    return np.clip(means, values.min(), values.max())


def bca_levels(values: Floats, means: Floats, levels: tuple[float, float]) -> tuple[float, float]:
    """The levels at which to read *means*, bias-corrected and accelerated (Efron 1987).

    The acceleration of a mean follows from its jackknife in closed form: the sum of cubes of the centred values,
    divided by 6 times the sum of squares to the power 3/2.

    Args:
        values: the sample.
        means: of its bootstrap samples.
        levels: lower and upper level as they would be for the percentile method, in (0, 1).
    """
    normal = NormalDist()
    below = (np.count_nonzero(means < values.mean()) + 0.5 * np.count_nonzero(means == values.mean())) / len(means)
    if not 0 < below < 1:
        return levels
    bias, centred = normal.inv_cdf(below), values - values.mean()
    centred /= np.abs(centred).max() or 1.0
    squares = float((centred**2).sum())
    acceleration = float((centred**3).sum()) / (6 * squares**1.5) if squares else 0.0

    def corrected(level: float) -> float:
        z = bias + normal.inv_cdf(level)
        if acceleration * z >= 1:  # The formula has no answer so far out; the end of the bootstrap is the nearest one.
            return 1.0 if z > 0 else 0.0
        return normal.cdf(bias + z / (1 - acceleration * z))

    return corrected(levels[0]), corrected(levels[1])


def randomisation_p_value(differences: Floats, *, n_resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of Fisher's randomisation test of paired differences.

    Under the null hypothesis each difference could as well have the other sign. With 14 differences other than zero or
    fewer all signs are tried; with more, *n_resamples* random ones and the observed one itself.

    Args:
        differences: shape (n,).
        n_resamples: how many random signs.
        rng: decides everything.
    Returns:
        1.0 where all differences are zero.
    """
    nonzero = differences[differences != 0]
    if not nonzero.size:
        return 1.0
    # So that neither the sum nor its tolerance leaves the range of floats.
    scaled = nonzero / np.abs(nonzero).max()
    if len(scaled) <= _ALL_SIGNS_UP_TO:
        return _exact_p_value(scaled)
    return _sampled_p_value(_grouped(scaled, rng), n_resamples, rng)


def _exact_p_value(differences: Floats) -> float:
    n = len(differences)
    negative = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    sums = differences.sum() - 2 * (negative @ differences)
    return float(_as_far(sums, differences).mean())


def _sampled_p_value(differences: Floats, n_resamples: int, rng: np.random.Generator) -> float:
    n, n_as_far = len(differences), 1
    total = differences.sum()
    for start, stop in _spans(n_resamples, n):
        bits = rng.integers(0, 256, size=(stop - start, (n + 7) // 8), dtype=np.uint8)
        negative = np.unpackbits(bits, axis=1, count=n)
        n_as_far += int(np.count_nonzero(_as_far(total - 2 * (negative @ differences), differences)))
    return n_as_far / (n_resamples + 1)


def _as_far(sums: Floats, differences: Floats) -> Floats:
    # Sums of the same numbers in another order differ in the last bits, and must not count as smaller.
    tolerance = 1e-12 * np.abs(differences).sum()
    return np.asarray(np.abs(sums) >= abs(differences.sum()) - tolerance)


def _grouped(values: Floats, rng: np.random.Generator) -> Floats:
    """*values*, or, of more than 10,000, the means of as many random groups, each weighted with its size."""
    n = len(values)
    if n <= _MOST_UNITS:
        return values
    bounds = np.linspace(0, n, _MOST_UNITS + 1).astype(np.int64)
    sums = np.add.reduceat(rng.permutation(values), bounds[:-1])
    return np.asarray(sums * (_MOST_UNITS / n))


def _spans(n_rows: int, n_columns: int) -> list[tuple[int, int]]:
    size = max(1, _CHUNK // n_columns)
    return list(pairwise([*range(0, n_rows, size), n_rows]))
