"""A learned blend that LightGBM's trees correct: what a version is made of once there is enough feedback."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson

from mlops.sentences import listed, say
from recipes.errors import RankerFailed
from recipes.index.items import Floats
from recipes.index.search import Candidates
from recipes.ranker.base import RANKER_FILE
from recipes.ranker.context import RankingContext
from recipes.ranker.learned import LEARNED_FEATURES, LearnedBlend, checked_weights, matrix_of

if TYPE_CHECKING:
    import lightgbm

TREES_FILE = "trees.txt"


@dataclass(frozen=True, slots=True)
class LambdaRanker:
    """``blend + trees / scale``. The blend also ranks what no cook was ever shown, where trees know nothing.

    Attributes:
        scale: what a blend's score of 1 is worth in the units of the trees, above 0.
        trees: as LightGBM's text.
        booster: the same, in memory.
        names: of the features that the trees were grown on, in their order; a release may bring new ones.
    """

    KIND: ClassVar[str] = "lambdarank"

    blend: LearnedBlend
    scale: float
    trees: bytes
    booster: lightgbm.Booster
    names: tuple[str, ...] = LEARNED_FEATURES

    @property
    def version(self) -> str:
        """Of ``hybrid_ranker``."""
        return self.blend.version

    def features(self, candidates: Candidates, context: RankingContext) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.features`."""
        return self.blend.features(candidates, context)

    def recalled(self, written: Mapping[str, Floats]) -> dict[str, Floats]:
        """See :meth:`recipes.ranker.Ranker.recalled`."""
        return self.blend.recalled(written)

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """The score of each candidate, on the scale of the blend, higher is better."""
        matrix = matrix_of(features)
        if not len(matrix):
            return np.zeros(0, dtype=np.float32)
        # One thread: requests share the cores, and two hundred rows are too few to divide.
        known = matrix if self.names == LEARNED_FEATURES else matrix_of(features, self.names)
        correction = np.asarray(self.booster.predict(known, num_threads=1)) / self.scale
        return np.asarray(self.blend.score_matrix(matrix) + correction, dtype=np.float32)

    def files(self) -> dict[str, bytes]:
        """Its artefact."""
        fields = {
            "kind": self.KIND,
            "weights": dict(self.blend.weights),
            "scale": self.scale,
            "features": list(self.names),
            "trees_sha256": hashlib.sha256(self.trees).hexdigest(),
        }
        text = orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return {RANKER_FILE: text, TREES_FILE: self.trees}

    @classmethod
    def read(cls, version: str, fields: Mapping[str, Any], files: Mapping[str, bytes]) -> LambdaRanker:
        """From the *fields* of its ``ranker.json`` and its other *files*.

        Raises:
            RankerFailed: a field or file is wrong, or LightGBM is not installed; the message says which, or what to do.
        """
        blend = LearnedBlend(version, checked_weights(fields.get("weights")))
        scale = fields.get("scale")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
            raise RankerFailed(say("{field} must be a number above 0, got {value!r}", field="scale", value=scale))
        names = _checked_names(fields.get("features"))
        trees = _checked_trees(fields, files)
        booster = booster_of(trees)
        if booster.num_feature() != len(names):
            raise RankerFailed(
                say("trees.txt is of {n:d} features, not of {wanted:d}", n=booster.num_feature(), wanted=len(names))
            )
        return cls(blend, float(scale), trees, booster, names)


def _checked_names(names: Any) -> tuple[str, ...]:
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not is_list or not set(names) <= set(LEARNED_FEATURES) or len(set(names)) != len(names):
        raise RankerFailed(
            say("features must be of {known:s}, each once, got {names!r}", known=listed(LEARNED_FEATURES), names=names)
        )
    return tuple(names)


def _checked_trees(fields: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    trees = files.get(TREES_FILE)
    if trees is None:
        raise RankerFailed(say("the artefact has no file {file!s}", file=TREES_FILE))
    # Before LightGBM sees it: its reader trusts what it reads, down to reading beyond the end.
    digest = hashlib.sha256(trees).hexdigest()
    if digest != fields.get("trees_sha256"):
        raise RankerFailed(
            say("trees.txt has the SHA-256 {digest!s}, not the trees_sha256 of ranker.json", digest=digest)
        )
    return trees


def booster_of(trees: bytes) -> lightgbm.Booster:
    if importlib.util.find_spec("lightgbm") is None:
        raise RankerFailed(say("this version's trees need LightGBM, which is not installed; run: pip install lightgbm"))
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=trees.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise RankerFailed(say("trees.txt cannot be read: {error}", error=error)) from error
    return booster
