"""The population stability index: reported for those who know it, never decided on.

Its usual limits of 0.1 and 0.25 ignore the number of rows. Without any drift, ten bins and 100 rows on each side give
0.19 on average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def psi(reference_counts: ArrayLike, current_counts: ArrayLike) -> float:
    """Sum of (q - p) ln(q / p) over bins, p and q the shares of reference and current.

    Args:
        reference_counts, current_counts: shape (n_bins,), none negative. An empty bin counts as half a value, since
            the logarithm of zero would make one missing value an infinite drift.

    Raises:
        ValueError: the shapes differ, or a side has no values at all.
    """
    reference = np.asarray(reference_counts, dtype=np.float64)
    current = np.asarray(current_counts, dtype=np.float64)
    if reference.shape != current.shape:
        raise ValueError(f"both sides need the same bins, got {reference.shape} and {current.shape}")
    if reference.sum() <= 0 or current.sum() <= 0:
        raise ValueError("psi needs at least one value on either side")
    p = np.maximum(reference, 0.5) / reference.sum()
    q = np.maximum(current, 0.5) / current.sum()
    return float(((q - p) * np.log(q / p)).sum())


def expected_psi(n_bins: int, n_reference: int, n_current: int) -> float:
    """The mean of :func:`psi` without any drift: (B - 1)(1/n + 1/m), to first order (Yurdakul, 2018).

    Raises:
        ValueError: a number is below 1.
    """
    if min(n_bins, n_reference, n_current) < 1:
        raise ValueError(f"bins and rows must be at least 1, got {n_bins}, {n_reference} and {n_current}")
    return (n_bins - 1) * (1 / n_reference + 1 / n_current)
