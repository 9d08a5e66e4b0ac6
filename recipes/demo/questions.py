"""What the cooks of a demonstration ask, and what they mean by it.

They are the cooks of :mod:`recipes.simulate`, with two ways of their own. Most name a dish and mean that one: without
them a ranker learns that what people like is all that counts, and forgets the dishes that the golden queries ask for by
name. And from one day on many are in a hurry, which is the drift of the story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recipes.catalog import Recipe
from recipes.simulate.pantry import Bools
from recipes.simulate.visits import Visit
from recipes.simulate.world import Request, World
from recipes.text import Language

# Of all cooks, those who ask for a dish by its name, and want no other.
SHARE_BY_NAME = 0.6
# Of the cooks in a hurry, what they say and which recipes they mean.
SHARE_IN_A_HURRY = 0.6
HURRIED_MINUTES = 30
_HURRIED_WORDS: Mapping[Language, str] = {"es": "en menos de 30 minutos", "en": "in under 30 minutes"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a cook asks and means, and whether in a hurry."""

    request: Request
    is_hurried: bool


class Questions:
    """The questions of the cooks of *world*.

    Attributes:
        world: that of :mod:`recipes.simulate`.
        in_a_hurry_from: the day, counted from 1, from which on many of them are in a hurry; None: never.
    """

    def __init__(self, world: World, recipes: Sequence[Recipe]) -> None:
        """*recipes* are those of *world*, in its order."""
        self.world = world
        self._names: Mapping[Language, Sequence[str]] = {
            "es": [recipe.texts.get("es", recipe.original).name for recipe in recipes],
            "en": [recipe.texts.get("en", recipe.original).name for recipe in recipes],
        }
        self._is_quick = world.pantry.minutes <= HURRIED_MINUTES
        self.in_a_hurry_from: int | None = None

    def asked(self, day: int, visit: Visit) -> Question:
        """What the cook of *visit* asks on *day*; the same each time."""
        request = self.world.request(day, visit)
        rng = np.random.default_rng([self.world.options.seed, 71, visit.cook, visit.number])
        # Drawn in any case, so that the days before are the same with and without a hurry after them.
        hurry, by_name = rng.random(2).tolist()
        is_hurried = self.in_a_hurry_from is not None and day >= self.in_a_hurry_from and hurry < SHARE_IN_A_HURRY
        if by_name < SHARE_BY_NAME:
            request = self._by_name(request, rng, self._is_quick if is_hurried else np.ones_like(self._is_quick))
        return Question(self._hurried(request) if is_hurried else request, is_hurried)

    def _by_name(self, request: Request, rng: np.random.Generator, eligible: Bools) -> Request:
        """The cook names one of the *eligible* recipes, rather one that is wanted, and no other is worth a thing."""
        odds = request.wanting * eligible
        row = int(rng.choice(len(odds), p=odds / odds.sum()))
        worths = np.zeros_like(request.worths)
        worths[row] = request.wanting[row]
        return replace(request, ask=replace(request.ask, query=self._names[request.ask.language][row]), worths=worths)

    def _hurried(self, request: Request) -> Request:
        query = f"{request.ask.query} {_HURRIED_WORDS[request.ask.language]}"
        return replace(request, ask=replace(request.ask, query=query), worths=request.worths * self._is_quick)
