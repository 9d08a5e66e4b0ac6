"""How well liked each recipe is, shrunk: one rating of 5 must not beat nine hundred of 4.9."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.index.items import Floats

_MIDDLE = 3.0
_USUAL_STRENGTH = 10.0
_STRENGTH_RANGE = (1.0, 100.0)
# With fewer recipes, or fewer ratings beyond the first of each recipe, the variances cannot be told apart.
_FEWEST_TO_ESTIMATE = 10


@dataclass(frozen=True, slots=True)
class Popularity:
    """Bayesian average ratings: ``(C * m + sum) / (C + n)``, with *m* and *C* from the data.

    Attributes:
        mean: m, the mean of all ratings, 1 to 5; the middle, 3, where nobody rated anything.
        strength: C, how many ratings the mean counts for.
    """

    mean: float
    strength: float
    averages: Mapping[int, float]

    @classmethod
    def of(cls, ratings: Mapping[int, tuple[int, float]], *, sum_of_squares: float) -> Popularity:
        """From (number of ratings, their sum) of each rated recipe, and the sum of the squares of all ratings."""
        n_ratings = sum(count for count, _ in ratings.values())
        if n_ratings == 0:
            return cls(_MIDDLE, _USUAL_STRENGTH, {})
        mean = sum(total for _, total in ratings.values()) / n_ratings
        strength = _prior_strength(ratings, sum_of_squares)
        averages = {
            number: (strength * mean + total) / (strength + count) for number, (count, total) in ratings.items()
        }
        return cls(mean, strength, averages)

    def scores(self, numbers: NDArray[np.int64]) -> Floats:
        """Popularity of recipes from 0 (all ratings 1) to 1 (all ratings 5), shape (n,). Unrated ones get the mean."""
        averages = [self.averages.get(number, self.mean) for number in numbers.tolist()]
        return ((np.array(averages, dtype=np.float32) - 1) / 4).astype(np.float32)


def _prior_strength(ratings: Mapping[int, tuple[int, float]], sum_of_squares: float) -> float:
    """C: the variance of ratings within a recipe over the variance between the recipes' true means.

    Both by the method of moments for groups of unequal size (one-way analysis of variance, as Bühlmann & Straub 1970
    use it): the recipes' means vary by the variance between, and by their own ratings' chance beside it.
    """
    counts = np.array([count for count, _ in ratings.values()], dtype=np.float64)
    sums = np.array([total for _, total in ratings.values()], dtype=np.float64)
    n_recipes, n_ratings = len(counts), counts.sum()
    if min(n_recipes, n_ratings - n_recipes) < _FEWEST_TO_ESTIMATE:
        return _USUAL_STRENGTH
    explained = np.square(sums) @ (1 / counts)
    within = (sum_of_squares - explained) / (n_ratings - n_recipes)
    typical_count = (n_ratings - counts @ counts / n_ratings) / (n_recipes - 1)
    between = ((explained - sums.sum() ** 2 / n_ratings) / (n_recipes - 1) - within) / typical_count
    if between <= 0:
        return _STRENGTH_RANGE[1]
    return float(np.clip(within / between, *_STRENGTH_RANGE))
