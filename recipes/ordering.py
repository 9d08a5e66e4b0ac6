"""The order of candidates: what keeps more of what was asked for comes first, then what scores higher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.answer import Mode, Notice, Shown
from recipes.catalog import StoredRecipe
from recipes.constraints import Constraints
from recipes.index.items import Floats
from recipes.index.search import Candidates

# What it is worth to contain all ingredients that a dish's name names. On the known-item search of
# benchmarks/relevance.py anything from 0.05 to 0.1 is as good; more hides dishes whose translation names others.
INCLUDED_BONUS = 0.07


@dataclass(frozen=True, slots=True)
class OrderedCandidates:
    """Candidates in order; places are those in the arrays of the candidates.

    Attributes:
        order: places, the ones to show first first.
        tiers: of each candidate, how much it keeps of what was asked for: more comes first, whatever the scores.
        kept: by notice, which candidates give no reason for it.
    """

    candidates: Candidates
    features: Mapping[str, Floats]
    scores: Floats
    order: NDArray[np.intp]
    tiers: NDArray[np.int32]
    kept: Mapping[Notice, NDArray[np.bool_]]
    mode: Mode

    def shown(
        self, position: int, place: int, stored: StoredRecipe, propensity: float, team: str | None = None
    ) -> Shown:
        """The candidate at *place*, shown at *position*."""
        values = {name: float(column[place]) for name, column in self.features.items()}
        return Shown(position, stored, float(self.scores[place]), values, propensity, team)

    def relaxed(self, places: Sequence[int]) -> list[Notice]:
        """What had to be relaxed to show the candidates at *places*."""
        return [notice for notice, kept in self.kept.items() if not kept[places].all()]


def in_order(
    candidates: Candidates, features: Mapping[str, Floats], scores: Floats, rules: Constraints, mode: Mode
) -> OrderedCandidates:
    """*candidates*, best first: one that keeps more of what was asked for comes before one that keeps less.

    That is so whatever their scores. Where the ingredients are part of a dish's name, they only add to the score.
    """
    points = scores
    if rules.include_first:
        n_kept = candidates.n_included
    else:
        n_kept = np.zeros_like(candidates.n_included)
        share_included = candidates.n_included / max(1, len(rules.include))
        points = scores + INCLUDED_BONUS * share_included.astype(np.float32)
    time_is_known = candidates.minutes > 0 if rules.max_minutes else np.ones(len(candidates), dtype=np.bool_)
    meal_fits = candidates.right_meal | ~candidates.known_meal if rules.meals else np.ones(len(candidates), np.bool_)
    tiers = n_kept * 4 + time_is_known.astype(np.int32) * 2 + meal_fits.astype(np.int32)
    kept: dict[Notice, NDArray[np.bool_]] = {
        "not_all_included": candidates.n_included == len(rules.include),
        "time_unknown": time_is_known,
        "other_meals": meal_fits,
    }
    order = np.lexsort((candidates.numbers, -points, -tiers))
    return OrderedCandidates(candidates, features, scores, order, tiers, kept, mode)
