"""The simulated world: recipes, cooks, what they ask and what an answer is truly worth to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from recipes.answer import Ask
from recipes.catalog import Recipe
from recipes.lexicon import Lexicon
from recipes.simulate.behaviour import Draws, Reaction, react
from recipes.simulate.chance import chance
from recipes.simulate.intents import Intent, Intents
from recipes.simulate.options import Options
from recipes.simulate.pantry import Floats, pantry_of
from recipes.simulate.tastes import Tastes
from recipes.simulate.visits import Visit, Visits

N_SHOWN = 3
# Numbers of asks that no cook comes to.
_JUDGED_FROM = 10**6


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the service gets it, and what only the world knows of it.

    Attributes:
        worths: of each recipe to this cook and this question, 0 to 1: how well it fits times how much the cook wants
            it; shape (n_recipes,).
        wanting: of each recipe, whatever the question.
    """

    visit: Visit
    ask: Ask
    worths: Floats
    wanting: Floats


class World:
    """All that the arms of a simulation share. The order of recipes is that of *recipes*."""

    def __init__(self, recipes: Sequence[Recipe], lexicon: Lexicon, options: Options) -> None:
        self.options = options
        self.pantry = pantry_of(recipes, lexicon)
        self.tastes = Tastes(self.pantry, options)
        self.visits = Visits(options)
        self._intents = Intents(self.pantry, lexicon)
        self.row_of = {recipe.recipe_id: row for row, recipe in enumerate(recipes)}

    def days(self) -> Iterator[tuple[int, list[Visit]]]:
        """Each day, counted from 1, with its visits in the order of their times."""
        yield from enumerate(self.visits.by_day(), start=1)

    def request(self, day: int, visit: Visit) -> Request:
        """What the cook of *visit* asks on *day*."""
        wanting = self.tastes.wanting(day)[visit.cook]
        intent = self._intent(day, visit)
        ask = Ask(intent.query, n=N_SHOWN, language=intent.language, user_id=f"cook-{visit.cook}")
        return Request(visit, ask, intent.fit * wanting, wanting)

    def fresh_requests(self, day: int, n: int) -> Iterator[Request]:
        """*n* questions as of *day* that no arm is asked, of cooks as often as they come; the same each time."""
        rng = chance(self.options.seed, "judge", day)
        rates = self.visits.rates
        for number, cook in enumerate(rng.choice(len(rates), size=n, p=rates / rates.sum()).tolist()):
            at = self.options.midnight(day) + timedelta(hours=float(rng.uniform(7, 22)))
            yield self.request(day, Visit(cook, _JUDGED_FROM + number, at))

    def reactions(self, request: Request, recipe_ids: Sequence[str]) -> list[Reaction]:
        """What the cook does with *recipe_ids*, as shown. The draws depend on the cook and the ask alone."""
        visit = request.visit
        draws = Draws.of(chance(self.options.seed, "behaviour", visit.cook, visit.number))
        rows = [self.row_of[recipe_id] for recipe_id in recipe_ids]
        return react(draws, request.worths[rows].tolist(), request.wanting[rows].tolist())

    def ndcg(self, request: Request, recipe_ids: Sequence[str]) -> float | None:
        """True nDCG@3 of a slate: worth as the gain, 1/log2(rank + 1) as the discount.

        The ideal is the best three recipes of the whole catalogue for this cook and this question, found or not. None
        where no recipe fits.
        """
        ideal = np.sort(request.worths)[::-1][:N_SHOWN]
        if ideal[0] <= 0:
            return None
        shown = request.worths[[self.row_of[recipe_id] for recipe_id in recipe_ids[:N_SHOWN]]]
        return float(shown @ _DISCOUNTS[: len(shown)]) / float(ideal @ _DISCOUNTS[: len(ideal)])

    def _intent(self, day: int, visit: Visit) -> Intent:
        rng = chance(self.options.seed, "intent", visit.cook, visit.number)
        language = self.visits.languages[visit.cook]
        return self._intents.draw(rng, liking=self.tastes.liking(day)[visit.cook], hour=visit.hour, language=language)


_DISCOUNTS = (1 / np.log2(np.arange(2, N_SHOWN + 2))).astype(np.float32)
