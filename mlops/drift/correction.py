"""Many tests at once: p values corrected over the family of one check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.drift.result import DriftResult


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p values that control the false discovery rate, Benjamini & Hochberg (1995).

    Where nothing drifted at all, the chance that any of them is at most alpha is alpha at most.

    Args:
        p: shape (n_tests,), each 0 to 1. Empty gives empty.

    Raises:
        ValueError: a value is not a probability.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p values must be between 0 and 1, got {values[~((values >= 0) & (values <= 1))][0]}")
    order = np.argsort(values)
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def corrected(results: Sequence[DriftResult], *, correction: str) -> list[DriftResult]:
    """*results* with their adjusted p. Those that were not judged are no part of the family."""
    if correction == "none":
        return list(results)
    judged = [result.p for result in results if result.p is not None]
    adjusted = iter(benjamini_hochberg(judged).tolist())
    return [result if result.p is None else replace(result, adjusted_p=next(adjusted)) for result in results]
