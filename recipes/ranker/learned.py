"""A weight for each feature, learned: what a version is made of while there is little feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import orjson
from numpy.typing import NDArray

from mlops.sentences import listed, say
from recipes.errors import RankerFailed
from recipes.index.items import Floats
from recipes.index.search import Candidates
from recipes.ranker.base import RANKER_FILE, checked_weight
from recipes.ranker.context import RankingContext
from recipes.ranker.features import FEATURES, SEMANTIC_WEIGHTS, features_of, filled, semantic_of

# `semantic` is a sum of others.
LEARNED_FEATURES = tuple(name for name in FEATURES if name != "semantic")
# Weights in a file are rounded.
_SUM_TOLERANCE = 1e-4


def specified_weights() -> NDArray[np.float64]:
    """The weights that make a learned blend the same as 1.0.0, in the order of :data:`LEARNED_FEATURES`."""
    weights = {**{name: 0.7 * weight for name, weight in SEMANTIC_WEIGHTS.items()}, "popularity": 0.3}
    return np.array([weights.get(name, 0.0) for name in LEARNED_FEATURES])


def matrix_of(features: Mapping[str, Floats], names: Sequence[str] = LEARNED_FEATURES) -> Floats:
    """Those of *names* side by side, cosines below 0 as 0: shape (n, n_features), all from 0 to 1."""
    return np.clip(np.stack([features[name] for name in names], axis=1), 0, 1)


@dataclass(frozen=True, slots=True)
class LearnedBlend:
    """``sum of weight * feature``. The weights are 0 or more and add up to 1, so that scores are from 0 to 1.

    Attributes:
        weights: of each of :data:`LEARNED_FEATURES`; one that is left out counts 0.
    """

    KIND: ClassVar[str] = "blend"

    version: str
    weights: Mapping[str, float]

    def features(self, candidates: Candidates, context: RankingContext) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.features`."""
        return features_of(candidates, context)

    def recalled(self, written: Mapping[str, Floats]) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.recalled`."""
        n_written = len(next(iter(written.values())))
        features = filled(written, n_written)
        return {**features, "semantic": semantic_of(features, SEMANTIC_WEIGHTS)}

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, 0 to 1, higher is better."""
        return self.score_matrix(matrix_of(features))

    def score_matrix(self, matrix: Floats) -> Floats:
        """As :meth:`score`, from what :func:`matrix_of` makes."""
        weights = np.array([self.weights.get(name, 0.0) for name in LEARNED_FEATURES], dtype=np.float32)
        return matrix @ weights

    def files(self) -> dict[str, bytes]:
        """Its artefact."""
        fields = {"kind": self.KIND, "weights": dict(self.weights)}
        return {RANKER_FILE: orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}

    @classmethod
    def read(cls, version: str, fields: Mapping[str, Any]) -> LearnedBlend:
        """From the *fields* of its ``ranker.json``.

        Raises:
            RankerFailed: a field is wrong; the message names it.
        """
        return cls(version, checked_weights(fields.get("weights")))


def checked_weights(weights: Any) -> dict[str, float]:
    """*weights* of a learned blend.

    Raises:
        RankerFailed: they are not weights from 0 to 1 of known features that add up to 1.
    """
    if not isinstance(weights, dict) or not weights or not set(weights) <= set(LEARNED_FEATURES):
        raise RankerFailed(
            say(
                "{field} must be weights of {known:s}, got {value!r}",
                field="weights",
                known=listed(LEARNED_FEATURES),
                value=weights,
            )
        )
    checked = {name: checked_weight(f"weights.{name}", value) for name, value in weights.items()}
    if abs(sum(checked.values()) - 1) > _SUM_TOLERANCE:
        raise RankerFailed(say("weights must add up to 1, got {total:.6f}", total=sum(checked.values())))
    return checked
