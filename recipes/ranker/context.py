"""What a request knows beside how well each candidate matches it: the cook, the moment, what others like."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from recipes.constraints import Constraints
from recipes.index.items import Floats


@dataclass(frozen=True, slots=True)
class RankingContext:
    """Of one request; every array has shape (n_candidates,), in the order of the candidates.

    Attributes:
        popularity: 0 to 1, see :mod:`recipes.popularity`.
        recency: 0 to 1, see :mod:`recipes.history`; None where nothing is known.
        collaborative: 0 to 1, what cooks with the same history like; None where this cook is unknown.
        affinity: 0 to 1, how much it is like what this cook chose; None where this cook is unknown.
        appeal: 0 to 1, what cooks like of late where it is shown, see :mod:`recipes.tastes.appeal`; None as above.
        taste: 0 to 1, what this cook likes, see :mod:`recipes.tastes.personal`; None where this cook is unknown.
        rules: what was asked for.
        user_id: who asks; None for nobody in particular.
        at: when, in UTC; None where it does not matter.
    """

    popularity: Floats
    recency: Floats | None = None
    collaborative: Floats | None = None
    affinity: Floats | None = None
    appeal: Floats | None = None
    taste: Floats | None = None
    rules: Constraints = field(default_factory=Constraints)
    user_id: str | None = None
    at: datetime | None = None
