"""What every kind of ranker does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mlops.sentences import say
from recipes.errors import RankerFailed
from recipes.index.items import Floats
from recipes.index.search import Candidates
from recipes.ranker.context import RankingContext

MODEL_ID = "hybrid_ranker"
INITIAL_VERSION = "1.0.0"

RANKER_FILE = "ranker.json"


class Ranker(Protocol):
    """Scores candidate items by their features. Immutable, and safe to use from several threads.

    Attributes:
        version: of ``hybrid_ranker``.
    """

    @property
    def version(self) -> str: ...

    def features(self, candidates: Candidates, context: RankingContext) -> dict[str, Floats]:
        """All of :data:`recipes.ranker.FEATURES`, each of shape (n_candidates,); they are written down as they are."""

    def recalled(self, written: Mapping[str, Floats]) -> dict[str, Floats]:
        """What :meth:`score` takes, from features as they were *written* down, each of shape (n,).

        Features that were not get their defaults, :data:`recipes.ranker.FEATURE_DEFAULTS`.
        """

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, shape (n_candidates,), finite; higher is better.

        All kinds share one scale: 0 to 1 for the blends, and near it where trees correct a blend.
        """

    def files(self) -> dict[str, bytes]:
        """Its artefact, content by relative path."""


def try_out(ranker: Ranker, candidates: Candidates, context: RankingContext) -> None:
    """Score *candidates*, and see that the scores are usable.

    Raises:
        RankerFailed: there is not one finite score for each candidate.
    """
    scores = ranker.score(ranker.features(candidates, context))
    if np.shape(scores) != (len(candidates),):
        raise RankerFailed(
            say("gave scores of shape {shape} to {n:d} candidates", shape=np.shape(scores), n=len(candidates))
        )
    if n_wrong := int((~np.isfinite(scores)).sum()):
        raise RankerFailed(say("gave {n:d} of {of:d} candidates no finite score", n=n_wrong, of=len(candidates)))


def checked_weight(name: str, value: Any) -> float:
    """*value* as a weight.

    Raises:
        RankerFailed: it is no number from 0 to 1; the message names the field.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RankerFailed(say("{field} must be a number from 0 to 1, got {value!r}", field=name, value=value))
    return float(value)
