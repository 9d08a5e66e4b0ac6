"""``hybrid_ranker``: named features of each candidate item, and a score.

Version 1.0.0 is the blend of the product's specification: 0.7 semantic + 0.3 popularity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recipes.index.items import Floats
from recipes.index.search import Candidates

MODEL_ID = "hybrid_ranker"
INITIAL_VERSION = "1.0.0"

FEATURES = ("name_similarity", "ingredients_similarity", "name_words", "body_words", "semantic", "popularity")

# How much each way of matching counts in `semantic`. They were set on the 600 Spanish–English pairs and the queries of
# benchmarks/relevance.py; the maximum of the sum is 1.
SEMANTIC_WEIGHTS = {"name_similarity": 0.45, "ingredients_similarity": 0.05, "name_words": 0.3, "body_words": 0.2}


@dataclass(frozen=True, slots=True)
class HybridRanker:
    """A linear blend: ``semantic_weight * semantic + popularity_weight * popularity``, both from 0 to 1."""

    version: str = INITIAL_VERSION
    semantic_weight: float = 0.7
    popularity_weight: float = 0.3
    semantic_weights: Mapping[str, float] = field(default_factory=lambda: SEMANTIC_WEIGHTS)

    def features(self, candidates: Candidates, popularity: Floats) -> dict[str, Floats]:
        """The features of :data:`FEATURES`, each of shape (n_candidates,).

        Args:
            popularity: of each candidate, 0 to 1; see :mod:`recipes.popularity`.
        """
        parts = {name: np.asarray(getattr(candidates, name), dtype=np.float32) for name in self.semantic_weights}
        semantic = sum(
            (weight * np.clip(parts[name], 0, 1) for name, weight in self.semantic_weights.items()),
            start=np.zeros(len(candidates), dtype=np.float32),
        )
        return {**parts, "semantic": semantic, "popularity": popularity}

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, 0 to 1, higher is better."""
        return self.semantic_weight * features["semantic"] + self.popularity_weight * features["popularity"]
