"""``hybrid_ranker``: named features of each candidate item, and a score.

Version 1.0.0 is the blend of the product's specification: 0.7 semantic + 0.3 popularity. The artefact of a version is
one file, ``ranker.json``, that holds its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from mlops.model_registry import ModelVersion
from recipes.errors import RankerFailed
from recipes.index.items import Floats
from recipes.index.search import Candidates

MODEL_ID = "hybrid_ranker"
INITIAL_VERSION = "1.0.0"

RANKER_FILE = "ranker.json"
_KIND = "linear_blend"

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
        return self.blended(parts, popularity)

    def blended(self, parts: Mapping[str, Floats], popularity: Floats) -> dict[str, Floats]:
        """The features from their *parts*, the ways of matching: from candidates, or as they were written down.

        Args:
            parts: all that :attr:`semantic_weights` names, each of shape (n_candidates,).
            popularity: as for :meth:`features`.
        """
        semantic = sum(
            (weight * np.clip(parts[name], 0, 1) for name, weight in self.semantic_weights.items()),
            start=np.zeros(len(popularity), dtype=np.float32),
        )
        return {**parts, "semantic": semantic, "popularity": popularity}

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, 0 to 1, higher is better."""
        return self.semantic_weight * features["semantic"] + self.popularity_weight * features["popularity"]

    def try_out(self, candidates: Candidates, popularity: Floats) -> None:
        """Score *candidates*, and see that the scores are usable.

        Raises:
            RankerFailed: there is not one finite score for each candidate.
        """
        scores = self.score(self.features(candidates, popularity))
        if np.shape(scores) != (len(candidates),):
            raise RankerFailed(f"gave scores of shape {np.shape(scores)} to {len(candidates)} candidates")
        if n_wrong := int((~np.isfinite(scores)).sum()):
            raise RankerFailed(f"gave {n_wrong} of {len(candidates)} candidates no finite score")

    def files(self) -> dict[str, bytes]:
        """Its artefact."""
        weights = {
            "kind": _KIND,
            "semantic_weight": self.semantic_weight,
            "popularity_weight": self.popularity_weight,
            "semantic_weights": dict(self.semantic_weights),
        }
        return {RANKER_FILE: orjson.dumps(weights, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}


def load_ranker(version: ModelVersion, files: Mapping[str, bytes]) -> HybridRanker:
    """The ranker of *version* from its artefact.

    Raises:
        RankerFailed: the artefact is no ranker of a kind that this release knows; the message names the field.
    """
    try:
        fields = orjson.loads(files[RANKER_FILE])
    except KeyError:
        raise RankerFailed(f"the artefact has no file {RANKER_FILE}") from None
    except orjson.JSONDecodeError as error:
        raise RankerFailed(f"{RANKER_FILE} is no JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("kind") != _KIND:
        raise RankerFailed(f'{RANKER_FILE} has no "kind": "{_KIND}", the one that this release knows')
    parts = fields.get("semantic_weights")
    if not isinstance(parts, dict) or not parts or not set(parts) <= set(SEMANTIC_WEIGHTS):
        raise RankerFailed(f"semantic_weights must be weights of {', '.join(SEMANTIC_WEIGHTS)}, got {parts!r}")
    return HybridRanker(
        version.version,
        _weight("semantic_weight", fields.get("semantic_weight")),
        _weight("popularity_weight", fields.get("popularity_weight")),
        {name: _weight(f"semantic_weights.{name}", value) for name, value in parts.items()},
    )


def _weight(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RankerFailed(f"{name} must be a number from 0 to 1, got {value!r}")
    return float(value)
