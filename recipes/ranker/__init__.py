"""``hybrid_ranker``: named features of each candidate item, and a score.

Version 1.0.0 is the blend of the product's specification; later versions learn. The artefact of every version holds
``ranker.json``, whose ``kind`` says how it scores:

- ``linear_blend``: 0.7 semantic + 0.3 popularity, or other weights set by hand (:mod:`recipes.ranker.blend`).
- ``blend``: a weight for each feature, learned (:mod:`recipes.ranker.learned`).
- ``lambdarank``: such a blend, corrected by LightGBM's trees in ``trees.txt`` (:mod:`recipes.ranker.trees`).
"""

from recipes.ranker.base import INITIAL_VERSION, MODEL_ID, RANKER_FILE, Ranker
from recipes.ranker.blend import HybridRanker
from recipes.ranker.context import RankingContext
from recipes.ranker.features import FEATURE_DEFAULTS, FEATURES, PARTS, SEMANTIC_WEIGHTS
from recipes.ranker.learned import LEARNED_FEATURES, LearnedBlend
from recipes.ranker.loading import load_ranker, ranker_from
from recipes.ranker.trees import TREES_FILE, LambdaRanker

__all__ = [
    "FEATURES",
    "FEATURE_DEFAULTS",
    "INITIAL_VERSION",
    "LEARNED_FEATURES",
    "MODEL_ID",
    "PARTS",
    "RANKER_FILE",
    "SEMANTIC_WEIGHTS",
    "TREES_FILE",
    "HybridRanker",
    "LambdaRanker",
    "LearnedBlend",
    "Ranker",
    "RankingContext",
    "load_ranker",
    "ranker_from",
]
