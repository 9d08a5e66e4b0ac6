"""A small share of the answers is shown a little differently, so that what cooks do says more than where they look.

With probability ``share`` an answer explores, in one of two ways, each half of the time: two neighbours change places,
or the last recipe is drawn from itself and the next best. Only recipes that keep as much of what was asked for take
each other's place. The probability with which each shown recipe came to its position is written down with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

# So many of the next best are loaded beside those to show: the last recipe is drawn from them.
N_SPARE = 5
# Below it, what a recipe's propensity says is: it came there by exploration. See `Exploration.share`.
EXPLORED_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class Exploration:
    """How much to explore.

    Attributes:
        share: of the answers, 0 (never) to below 0.5: a recipe in its usual place is always likelier than not.
        seed: with the id of a request it decides what happens to it, whatever the order of requests.
    """

    share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share < EXPLORED_BELOW:
            raise ValueError(f"share must be from 0 to below {EXPLORED_BELOW}, got {self.share}")

    def arranged(self, tiers: Sequence[int], *, n: int, request_id: str) -> list[tuple[int, float]]:
        """Which recipes to show, first position first, each with its propensity.

        Args:
            tiers: of the recipes, best first: how much each keeps of what was asked for. Those beyond *n* are spare.
            n: how many to show. Fewer than two are never explored.
        Returns:
            At most *n* pairs: the place in *tiers*, and the probability that this recipe is shown at this position.
        """
        n_shown = min(n, len(tiers))
        places = list(range(n_shown))
        if self.share == 0 or n_shown < 2:
            return [(place, 1.0) for place in places]
        swaps = [place for place in places[:-1] if tiers[place] == tiers[place + 1]]
        draws = [place for place in range(n_shown - 1, len(tiers)) if tiers[place] == tiers[n_shown - 1]]
        chance, way, which = _chances(self.seed, request_id)
        if chance < self.share and way < 0.5 and swaps:
            first = swaps[int(which * len(swaps))]
            places[first], places[first + 1] = places[first + 1], places[first]
        elif chance < self.share and way >= 0.5:
            places[-1] = draws[int(which * len(draws))]
        return [(place, self._propensity(place, at, swaps, draws)) for at, place in enumerate(places)]

    def _propensity(self, place: int, at: int, swaps: Sequence[int], draws: Sequence[int]) -> float:
        """Probability that the recipe of *place* is shown *at* this place: there is one way to each but its own."""
        half = self.share / 2
        if place > draws[0]:
            return half / len(draws)
        if place != at:
            return half / len(swaps)
        n_swaps_away = (place in swaps) + (place - 1 in swaps)
        swapped_away = half * n_swaps_away / len(swaps) if swaps else 0.0
        drawn_away = half * (1 - 1 / len(draws)) if place == draws[0] else 0.0
        return 1 - swapped_away - drawn_away


def _chances(seed: int, request_id: str) -> tuple[float, float, float]:
    """Three numbers from 0 to below 1. A digest costs a hundredth of what a generator costs to seed."""
    digest = hashlib.blake2b(f"{seed} {request_id}".encode(), digest_size=24).digest()
    one, two, three = (int.from_bytes(digest[at : at + 8]) >> 11 for at in (0, 8, 16))
    return one / 2**53, two / 2**53, three / 2**53
