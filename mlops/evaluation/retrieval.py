"""What a threshold on scores lets through: relevant items found, and others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import check_same_shape, vector
from mlops.evaluation.classification import BinaryCounts
from mlops.evaluation.errors import BadInput, NotFinite


def retrieval_counts(y_true: ArrayLike, y_scores: ArrayLike, *, threshold: float = 0.5) -> BinaryCounts:
    """What is found by taking every item whose score is *threshold* or more.

    Args:
        y_true: shape (n,): 1 or True for relevant items, 0 or False for others.
        y_scores: shape (n,), finite; of any range that *threshold* fits.
        threshold: finite.
    Raises:
        BadInput: see its subclasses: nothing there, different lengths, NaN, or labels other than 0 and 1.
    """
    truth, scores = vector(y_true, "y_true"), vector(y_scores, "y_scores")
    check_same_shape(truth, scores, ("y_true", "y_scores"))
    if not math.isfinite(threshold):
        raise NotFinite(f"threshold is {threshold}; it must be finite")
    strange = truth[(truth != 0) & (truth != 1)]
    if strange.size:
        raise BadInput(f"y_true holds {strange[0]}; an item is relevant (1) or not (0)")
    relevant, found = truth == 1, scores >= threshold
    tp = int(np.count_nonzero(relevant & found))
    n_relevant, n_found = int(np.count_nonzero(relevant)), int(np.count_nonzero(found))
    return BinaryCounts(tp, n_found - tp, len(truth) - n_relevant - n_found + tp, n_relevant - tp)
