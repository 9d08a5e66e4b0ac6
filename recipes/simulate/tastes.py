"""What cooks like, which only the simulation knows.

The liking of a cook for a recipe is a sum of three independent parts of variance 1 in all:

* appeal, 0.25: what all cooks share. Half of it comes from attributes (this season, stews), half is the recipe's own.
* taste, 0.5: the cook's weights on attributes: cuisine, meal, diet, time, foods, tags. Half of them are those of the
  kitchen that the cook belongs to, half the cook's own.
* whim, 0.25: this cook and this recipe. Nothing but this cook's feedback on this recipe tells of it.

On the drift day the season changes (the attributes of the appeal are drawn anew, nearly), and a third of the cooks take
to another kitchen.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recipes.simulate.chance import chance
from recipes.simulate.options import Options
from recipes.simulate.pantry import Floats, Pantry, standardised

APPEAL, TASTE, WHIM = 0.25, 0.5, 0.25
N_KITCHENS = 12
# Correlation of the season's weights before and after the drift, and the share of cooks that change their kitchen.
SEASONS_CORRELATION = 0.2
SHARE_THAT_TURNS = 1 / 3
# From liking to the chance to want it: most recipes that fit are no favourites.
_STEEPNESS, _SHYNESS = 1.5, 0.7


class Tastes:
    """The liking of each cook for each recipe, before and after the drift."""

    def __init__(self, pantry: Pantry, options: Options) -> None:
        self._options = options
        self._attributes = pantry.attributes()
        rng = chance(options.seed, "tastes")
        n_recipes, n_attributes = self._attributes.shape
        n_cooks = options.n_cooks
        self._season = _normal(rng, n_attributes)
        self._quality = _normal(rng, n_recipes)
        self._kitchens = _normal(rng, N_KITCHENS, n_attributes)
        self.kitchen_of = rng.integers(0, N_KITCHENS, n_cooks)
        self._own = _normal(rng, n_cooks, n_attributes)
        self._whim = _normal(rng, n_cooks, n_recipes)
        turning = chance(options.seed, "drift")
        fresh = _normal(turning, n_attributes)
        self._next_season = SEASONS_CORRELATION * self._season + np.sqrt(1 - SEASONS_CORRELATION**2) * fresh
        self.turns = turning.random(n_cooks) < SHARE_THAT_TURNS
        moved = (self.kitchen_of + turning.integers(1, N_KITCHENS, n_cooks)) % N_KITCHENS
        self.next_kitchen_of = np.where(self.turns, moved, self.kitchen_of)

    def has_drifted(self, day: int) -> bool:
        """Whether tastes are those after the drift on *day*."""
        return self._options.drift_day is not None and day >= self._options.drift_day

    def liking(self, day: int) -> Floats:
        """Of each cook for each recipe on *day*, mean 0 and variance about 1: shape (n_cooks, n_recipes)."""
        return self._after if self.has_drifted(day) else self._before

    def wanting(self, day: int) -> Floats:
        """The chance, 0 to 1, that each cook would want each recipe if it fits: shape (n_cooks, n_recipes)."""
        return self._wanted_after if self.has_drifted(day) else self._wanted_before

    @cached_property
    def _before(self) -> Floats:
        return self._sum(self._season, self._kitchens[self.kitchen_of])

    @cached_property
    def _after(self) -> Floats:
        return self._sum(self._next_season, self._kitchens[self.next_kitchen_of])

    @cached_property
    def _wanted_before(self) -> Floats:
        return _wanted(self._before)

    @cached_property
    def _wanted_after(self) -> Floats:
        return _wanted(self._after)

    def _sum(self, season: Floats, kitchens: Floats) -> Floats:
        appeal = standardised(standardised(self._attributes @ season) + standardised(self._quality))
        weights = np.sqrt(0.5) * (kitchens + self._own)
        taste = standardised(self._attributes @ weights.T).T
        parts = np.sqrt(APPEAL) * appeal[None, :] + np.sqrt(TASTE) * taste + np.sqrt(WHIM) * self._whim
        return np.asarray(parts, dtype=np.float32)


def _wanted(liking: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(_SHYNESS - _STEEPNESS * liking)), dtype=np.float32)


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.standard_normal(shape, dtype=np.float32)
