"""What cooks like of late, whoever asks: by what they did with it where it was shown, old encounters fading.

The feature ``recency`` counts reactions, so that what is shown most gets most; this one counts them by exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.index.items import Floats
from recipes.tastes.encounters import Encounters, Numbers

HALF_LIFE_DAYS = 14.0
# So many encounters of the average count for each recipe; a recipe that was never shown is average.
_SHRINKAGE = 5.0
_STEEPNESS = 3.0


@dataclass(frozen=True)
class Appeal:
    """How much more than others the recipes *numbers*, which ascend, are liked: *points*, 0 for as much."""

    numbers: NDArray[np.int64]
    points: Floats

    @classmethod
    def of(cls, encounters: Encounters, surprise: Numbers, *, half_life_days: float = HALF_LIFE_DAYS) -> Appeal:
        """From *encounters*: the mean *surprise* of each recipe, shrunk towards 0, newer ones counting more.

        Args:
            surprise: see :meth:`Encounters.surprise`: shape (n,).
        """
        numbers, place = np.unique(encounters.number, return_inverse=True)
        weight = encounters.weights(half_life_days)
        totals = np.bincount(place, weight * surprise, minlength=len(numbers))
        means = totals / (np.bincount(place, weight, minlength=len(numbers)) + _SHRINKAGE)
        return cls(numbers, means.astype(np.float32))

    def points_of(self, numbers: NDArray[np.int64]) -> Floats:
        """How much more than others each of *numbers* is liked, 0 for what was never shown: shape (n,)."""
        if not len(self.numbers):
            return np.zeros(len(numbers), dtype=np.float32)
        found = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[found] == numbers, self.points[found], np.float32(0))

    def scores(self, numbers: NDArray[np.int64]) -> Floats:
        """0 to 1, 0.5 for the average and for what was never shown: shape (n,)."""
        return np.asarray(1 / (1 + np.exp(-_STEEPNESS * self.points_of(numbers))), dtype=np.float32)
