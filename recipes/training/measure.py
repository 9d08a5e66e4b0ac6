"""How well a ranker orders logged slates, with what cooks did not see made up for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.evaluation import MetricResult
from recipes.training.examples import Examples
from recipes.training.labels import gains_of

Floats64 = NDArray[np.float64]

_CONVENTION = (
    "recipes of each logged answer ordered anew, ties in the order shown; a reaction counts its gain over the share of "
    "cooks who look at its position (inverse propensity of looking, cut at {largest:g}), discount 1/log2(rank + 1), "
    "cut at {k}; over the mean of the best possible (self-normalised): the mean is a ratio of sums, and one answer "
    "may exceed 1; answers without a reaction are counted and left out"
)


def ordered(examples: Examples, scores: ArrayLike) -> NDArray[np.int64]:
    """Rank of each row in its slate by *scores*, from 1, ties in the order shown: shape (n_rows,)."""
    given = np.asarray(scores, dtype=np.float64)
    order = np.lexsort((np.arange(len(given)), -given, examples.slates))
    starts = np.cumsum(examples.sizes) - examples.sizes
    ranks = np.empty(len(given), dtype=np.int64)
    ranks[order] = np.arange(len(given)) - np.repeat(starts, examples.sizes) + 1
    return ranks


def slate_values(examples: Examples, scores: ArrayLike, gains: Floats64, *, k: int) -> Floats64:
    """Discounted gain of the first *k* of each slate in the order of *scores*, shape (n_slates,).

    Args:
        gains: shape (n_rows,), 0 or more; linear. As *scores* they give the best possible.
    """
    ranks = ordered(examples, scores)
    worth = np.where(ranks <= k, gains / np.log2(ranks + 1), 0.0)
    return np.asarray(np.bincount(examples.slates, weights=worth, minlength=len(examples.sizes)), dtype=np.float64)


def measured(
    name: str, examples: Examples, scores: ArrayLike, *, weights: Floats64, k: int, graded: bool, largest: float
) -> MetricResult:
    """The metric *name* of *scores* on *examples*, with the value of each slate that has a relevant recipe.

    Args:
        weights: shape (n_rows,), see :func:`~recipes.training.examination.look_weights`; the same for every ranker.
        graded: whether gains are counted, or only that there was a reaction.
        largest: where *weights* were cut.
    """
    gains = gains_of(examples.grades)
    gains = (gains if graded else (gains > 0).astype(np.float64)) * weights
    values, best = (slate_values(examples, by, gains, k=k) for by in (scores, gains))
    relevant = best > 0
    normaliser = best[relevant].mean() if relevant.any() else 1.0
    gain = "gain linear in the grade: 1 click, 2 save, 3 cook, 4 rated 5" if graded else "gain 1 for any reaction"
    return MetricResult(
        name=name,
        values=values[relevant] / normaliser,
        query_ids=np.array(examples.request_ids)[relevant],
        n_queries=len(examples.sizes),
        n_without_relevant=int((~relevant).sum()),
        convention=f"{gain}; {_CONVENTION.format(largest=largest, k=k)}",
    )
