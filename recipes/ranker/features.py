"""The named features of a candidate item, each from 0 to 1 but the two cosines, which are from -1 to 1.

All versions compute all of them, so that what a later version learns from was written down by an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recipes.constraints import Constraints
from recipes.index.items import Floats
from recipes.index.search import Candidates
from recipes.ranker.context import RankingContext

# How much each way of matching counts in `semantic`. They were set on the 600 Spanish–English pairs and the queries of
# benchmarks/relevance.py; the maximum of the sum is 1.
SEMANTIC_WEIGHTS = {"name_similarity": 0.45, "ingredients_similarity": 0.05, "name_words": 0.3, "body_words": 0.2}
PARTS = tuple(SEMANTIC_WEIGHTS)

# What stands for a feature that an older release did not write down, or that is not known.
FEATURE_DEFAULTS: Mapping[str, float] = {
    "name_similarity": 0.0,
    "ingredients_similarity": 0.0,
    "name_words": 0.0,
    "body_words": 0.0,
    "covered": 1.0,
    "semantic": 0.0,
    "popularity": 0.5,
    "recency": 0.0,
    "collaborative": 0.0,
    "affinity": 0.0,
    "appeal": 0.5,
    "taste": 0.5,
    "included": 1.0,
    "meal_fit": 1.0,
    "time_fit": 1.0,
    "quickness": 0.5,
}
FEATURES = tuple(FEATURE_DEFAULTS)

_HALF_QUICK_MINUTES = 30


def features_of(
    candidates: Candidates, context: RankingContext, *, semantic_weights: Mapping[str, float] = SEMANTIC_WEIGHTS
) -> dict[str, Floats]:
    """The features of :data:`FEATURES`, each of shape (n_candidates,).

    - ``name_similarity``, ``ingredients_similarity``, ``name_words``, ``body_words``: see
      :class:`~recipes.index.search.Candidates`.
    - ``covered``: share of the things that the query names which the recipe has; 1 where it names none.
    - ``semantic``: the sum of the first four by *semantic_weights*, cosines below 0 as 0.
    - ``popularity``, ``recency``, ``collaborative``, ``affinity``, ``appeal``, ``taste``: see
      :class:`~recipes.ranker.RankingContext`.
    - ``included``: share of the asked-for ingredients that it contains; 1 where none were.
    - ``meal_fit``: 1 for an asked-for meal or where none was asked for, 0.5 where its meal is unknown, else 0.
    - ``time_fit``: 1 where its time is declared or no limit was asked for, 0.5 where it is unknown.
    - ``quickness``: 30 / (30 + minutes), 0.5 where the time is unknown.
    """
    parts = {name: np.asarray(getattr(candidates, name), dtype=np.float32) for name in PARTS}
    return {
        **parts,
        "covered": candidates.covered,
        "semantic": semantic_of(parts, semantic_weights),
        "popularity": context.popularity,
        **{name: _known(context, name) for name in ("recency", "collaborative", "affinity", "appeal", "taste")},
        **_constraint_fit(candidates, context.rules),
        "quickness": _quickness(candidates),
    }


def semantic_of(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Weighted sum of the ways of matching that *weights* names, cosines below 0 as 0; shape (n_candidates,)."""
    length = len(next(iter(parts.values())))
    return sum(
        (np.float32(weight) * np.clip(parts[name], 0, 1) for name, weight in weights.items()),
        start=np.zeros(length, dtype=np.float32),
    )


def filled(written: Mapping[str, Floats], n: int) -> dict[str, Floats]:
    """All of :data:`FEATURES`, from those that were *written* down for *n* recipes; the others by their defaults."""
    return {
        name: written[name] if name in written else np.full(n, default, dtype=np.float32)
        for name, default in FEATURE_DEFAULTS.items()
    }


def _known(context: RankingContext, name: str) -> Floats:
    values: Floats | None = getattr(context, name)
    if values is None:
        return np.full(len(context.popularity), FEATURE_DEFAULTS[name], dtype=np.float32)
    return values


def _constraint_fit(candidates: Candidates, rules: Constraints) -> dict[str, Floats]:
    ones = np.ones(len(candidates), dtype=np.float32)
    meal_fit = np.where(candidates.right_meal, 1, np.where(candidates.known_meal, 0, 0.5))
    time_fit = np.where(candidates.minutes > 0, 1, 0.5)
    return {
        "included": (candidates.n_included / len(rules.include)).astype(np.float32) if rules.include else ones,
        "meal_fit": meal_fit.astype(np.float32) if rules.meals else ones,
        "time_fit": time_fit.astype(np.float32) if rules.max_minutes is not None else ones,
    }


def _quickness(candidates: Candidates) -> Floats:
    quick = _HALF_QUICK_MINUTES / (_HALF_QUICK_MINUTES + candidates.minutes)
    return np.where(candidates.minutes > 0, quick, FEATURE_DEFAULTS["quickness"]).astype(np.float32)
