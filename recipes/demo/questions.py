"""What the cooks of a demonstration ask, and what they mean by it.

They are the cooks of :mod:`recipes.simulate`. From one day on many are in a hurry, which is the drift of the story.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recipes.simulate.visits import Visit
from recipes.simulate.world import Request, World
from recipes.text import Language

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

    def __init__(self, world: World) -> None:
        """Nobody is in a hurry yet."""
        self.world = world
        self._is_quick = world.pantry.minutes <= HURRIED_MINUTES
        self.in_a_hurry_from: int | None = None

    def asked(self, day: int, visit: Visit) -> Question:
        """What the cook of *visit* asks on *day*; the same each time."""
        request = self.world.request(day, visit)
        rng = np.random.default_rng([self.world.options.seed, 71, visit.cook, visit.number])
        is_hurried = (
            self.in_a_hurry_from is not None and day >= self.in_a_hurry_from and rng.random() < SHARE_IN_A_HURRY
        )
        return Question(self._hurried(request) if is_hurried else request, is_hurried)

    def _hurried(self, request: Request) -> Request:
        query = f"{request.ask.query} {_HURRIED_WORDS[request.ask.language]}"
        return replace(request, ask=replace(request.ask, query=query), worths=request.worths * self._is_quick)
