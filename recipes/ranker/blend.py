"""The blend of the product's specification: 0.7 semantic + 0.3 popularity, or other weights set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import orjson

from mlops.sentences import listed, say
from recipes.errors import RankerFailed
from recipes.index.items import Floats
from recipes.index.search import Candidates
from recipes.ranker.base import INITIAL_VERSION, RANKER_FILE, checked_weight
from recipes.ranker.context import RankingContext
from recipes.ranker.features import SEMANTIC_WEIGHTS, features_of, filled, semantic_of


@dataclass(frozen=True, slots=True)
class HybridRanker:
    """A linear blend: ``semantic_weight * semantic + popularity_weight * popularity``, both from 0 to 1."""

    KIND: ClassVar[str] = "linear_blend"

    version: str = INITIAL_VERSION
    semantic_weight: float = 0.7
    popularity_weight: float = 0.3
    semantic_weights: Mapping[str, float] = field(default_factory=lambda: SEMANTIC_WEIGHTS)

    def features(self, candidates: Candidates, context: RankingContext) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.features`."""
        return features_of(candidates, context, semantic_weights=self.semantic_weights)

    def recalled(self, written: Mapping[str, Floats]) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.recalled`. ``semantic`` is made anew, by this version's weights."""
        n_written = len(next(iter(written.values())))
        features = filled(written, n_written)
        return {**features, "semantic": semantic_of(features, self.semantic_weights)}

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, 0 to 1, higher is better."""
        scores = self.semantic_weight * features["semantic"] + self.popularity_weight * features["popularity"]
        return np.asarray(scores, dtype=np.float32)

    def files(self) -> dict[str, bytes]:
        """Its artefact."""
        weights = {
            "kind": self.KIND,
            "semantic_weight": self.semantic_weight,
            "popularity_weight": self.popularity_weight,
            "semantic_weights": dict(self.semantic_weights),
        }
        return {RANKER_FILE: orjson.dumps(weights, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}

    @classmethod
    def read(cls, version: str, fields: Mapping[str, Any]) -> HybridRanker:
        """From the *fields* of its ``ranker.json``.

        Raises:
            RankerFailed: a field is wrong; the message names it.
        """
        parts = fields.get("semantic_weights")
        if not isinstance(parts, dict) or not parts or not set(parts) <= set(SEMANTIC_WEIGHTS):
            raise RankerFailed(
                say(
                    "{field} must be weights of {known:s}, got {value!r}",
                    field="semantic_weights",
                    known=listed(SEMANTIC_WEIGHTS),
                    value=parts,
                )
            )
        return cls(
            version,
            checked_weight("semantic_weight", fields.get("semantic_weight")),
            checked_weight("popularity_weight", fields.get("popularity_weight")),
            {name: checked_weight(f"semantic_weights.{name}", value) for name, value in parts.items()},
        )
