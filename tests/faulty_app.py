"""The service, in which ranker 1.9.0 answers the query that tries it out, and raises ever after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import recipes.service
from mlops.model_registry import ModelVersion
from recipes.api import create_app
from recipes.config import load_settings
from recipes.index.items import Floats
from recipes.ranker import HybridRanker, Ranker, load_ranker

FAULTY = "1.9.0"


@dataclass(frozen=True)
class FaultyRanker(HybridRanker):
    """Scores once."""

    scored: list[int] = field(default_factory=list)

    def score(self, features: Mapping[str, Floats]) -> Floats:
        self.scored.append(1)
        if len(self.scored) > 1:
            raise RuntimeError("this version raises on purpose")
        return HybridRanker.score(self, features)


def load(version: ModelVersion, files: Mapping[str, bytes]) -> Ranker:
    return FaultyRanker(FAULTY) if version.version == FAULTY else load_ranker(version, files)


recipes.service.load_ranker = load
app = create_app(load_settings())
