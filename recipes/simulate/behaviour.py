"""What a cook does with an answer: looks by position, clicks by taste, saves, cooks, rates, dismisses.

The cook looks at position k with a chance that depends on k alone, and clicks on what was looked at with a chance that
depends on its worth alone: the position-based model (Richardson et al. 2007; Chuklin et al. 2015, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recipes.feedback import Event

# Chance of looking at the first position, and how it falls: 0.95, 0.65, 0.52, 0.44, …
FIRST_LOOK, LOOK_DECAY = 0.95, 0.55
_LONGEST_SLATE = 20
_CLICK_FLOOR, _CLICK_SLOPE = 0.03, 0.67
_COOK_FLOOR, _COOK_SLOPE = 0.05, 0.6
_SAVE_FLOOR, _SAVE_SLOPE = 0.05, 0.2
_DISMISS_SLOPE = 0.06
_RATES = 0.45
_HOURS_UNTIL_COOKED = 2.5


class Reaction(NamedTuple):
    """An event on the recipe at *position* (from 1), so long after the answer. *value* is stars, for ratings."""

    after: timedelta
    position: int
    event: Event
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Draws:
    """All the chance of one answer, drawn before anybody knows what it shows: uniforms from 0 to 1 by position."""

    looks: NDArray[np.float64]
    clicks: NDArray[np.float64]
    saves: NDArray[np.float64]
    cooks: NDArray[np.float64]
    rates: NDArray[np.float64]
    dismisses: NDArray[np.float64]
    stars: NDArray[np.float64]
    delays: NDArray[np.float64]

    @classmethod
    def of(cls, rng: np.random.Generator) -> Draws:
        """The draws of one answer from *rng*."""
        return cls(*rng.random((6, _LONGEST_SLATE)), *rng.standard_normal((2, _LONGEST_SLATE)))


def look_chance(position: int) -> float:
    """Chance that a cook looks at *position*, from 1."""
    return float(FIRST_LOOK * position**-LOOK_DECAY)


def click_chance(worth: float) -> float:
    """Chance of a click on a recipe of *worth* (0 to 1) that the cook looks at."""
    return _CLICK_FLOOR + _CLICK_SLOPE * worth


def react(draws: Draws, worths: Sequence[float], wanting: Sequence[float]) -> list[Reaction]:
    """What the cook does with the recipes shown, best position first.

    Args:
        worths: of each shown recipe to this cook and this question, 0 to 1.
        wanting: of each, 0 to 1, whatever the question: stars are given for it.
    """
    reactions: list[Reaction] = []
    has_cooked = False
    for place, worth in enumerate(worths):
        if draws.looks[place] >= look_chance(place + 1):
            continue
        if draws.clicks[place] >= click_chance(worth):
            if draws.dismisses[place] < _DISMISS_SLOPE * (1 - worth):
                reactions.append(Reaction(timedelta(seconds=20), place + 1, "dismiss"))
            continue
        clicked_after = timedelta(seconds=15 + 20 * place)
        reactions.append(Reaction(clicked_after, place + 1, "click"))
        if draws.saves[place] < _SAVE_FLOOR + _SAVE_SLOPE * worth:
            reactions.append(Reaction(clicked_after + timedelta(minutes=1), place + 1, "save"))
        if not has_cooked and draws.cooks[place] < _COOK_FLOOR + _COOK_SLOPE * worth:
            has_cooked = True
            reactions += _cooked(draws, place, wanting[place], clicked_after)
    return reactions


def _cooked(draws: Draws, place: int, wanting: float, clicked_after: timedelta) -> list[Reaction]:
    hours = _HOURS_UNTIL_COOKED * float(np.exp(0.6 * draws.delays[place]))
    cooked_after = clicked_after + timedelta(hours=min(hours, 48.0))
    cooked = [Reaction(cooked_after, place + 1, "cook")]
    if draws.rates[place] < _RATES:
        stars = float(np.clip(round(1.5 + 4 * wanting + 0.7 * draws.stars[place]), 1, 5))
        cooked.append(Reaction(cooked_after + timedelta(hours=1), place + 1, "rating", stars))
    return cooked
