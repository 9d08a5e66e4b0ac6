"""The ranker that knows the tastes: what the loop can at best become."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recipes.index.search import Candidates
from recipes.ranker import RankingContext
from recipes.simulate.pantry import Floats


class OracleRanker:
    """Scores candidates by their true worth. Only a simulation can make one, and nothing of it is ever registered.

    Attributes:
        worths: of each recipe to the cook who asks now, shape (n_recipes,); set before each answer.
    """

    version = "oracle"

    def __init__(self, row_of: Mapping[int, int]) -> None:
        """The ranker over the recipes whose row is *row_of* their number."""
        self._rows: NDArray[np.intp] = np.full(max(row_of) + 1, -1, dtype=np.intp)
        for number, row in row_of.items():
            self._rows[number] = row
        self.worths: Floats = np.zeros(len(row_of), dtype=np.float32)

    def features(self, candidates: Candidates, _context: RankingContext) -> dict[str, Floats]:
        """The one thing that counts."""
        return {"worth": self.worths[self._rows[candidates.numbers]]}

    def recalled(self, written: Mapping[str, Floats]) -> dict[str, Floats]:
        """What was written down is all that there is."""
        return dict(written)

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The worth itself, 0 to 1."""
        return features["worth"]

    def files(self) -> dict[str, bytes]:
        """None: it is no model, and cannot be kept."""
        return {}
