"""Fits LightGBM's trees to what a blend leaves unexplained."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.index.items import Floats
from recipes.ranker import LEARNED_FEATURES
from recipes.training.examples import Examples
from recipes.training.labels import N_GRADES
from recipes.training.options import TrainingOptions

# Gains of the grades: what was shown without a reaction is worth a little more than what was dismissed.
_GRADE_GAINS = [0.0, *(grade - 0.5 for grade in range(1, N_GRADES))]
# Of these more is never worse, whatever the data of a week say. Whether quick is good depends on the cook.
_MONOTONE = [0 if name == "quickness" else 1 for name in LEARNED_FEATURES]
_METRIC = "ndcg@3"


def trees_are_possible() -> bool:
    """Whether LightGBM is installed."""
    return importlib.util.find_spec("lightgbm") is not None


@dataclass(frozen=True, slots=True)
class FittedTrees:
    """LightGBM's text of the best round, how good each round was on the validation part, and the best of them."""

    text: bytes
    curve: Sequence[float]
    best: float


@dataclass(frozen=True, slots=True)
class TreeData:
    """One part of time for the trees.

    Attributes:
        matrix: shape (n_rows, n_features).
        margins: shape (n_rows,): of the blend, in the units of the trees.
        weights: shape (n_rows,): inverse propensities of having been shown.
    """

    examples: Examples
    matrix: Floats
    margins: NDArray[np.float64]
    weights: NDArray[np.float64]


def fit_trees(
    train: TreeData,
    validation: TreeData,
    *,
    judge: Callable[[NDArray[np.float64]], float],
    options: TrainingOptions,
    seed: int,
    on_round: Callable[[int], object],
) -> FittedTrees:
    """``lambdarank`` (Burges 2010) on top of the margins of a blend, with a bias for each position.

    Args:
        train: only slates with different grades; the others tell the trees nothing.
        validation: decides how many rounds are kept.
        judge: how good scores of its rows are; higher is better.
        on_round: told the number of each round; what it raises ends the training.
    """
    import lightgbm

    training, held = _dataset(train, lightgbm), _dataset(validation, lightgbm)
    held.reference = training
    curve: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        _parameters(options, seed),
        training,
        num_boost_round=int(options.n_rounds),
        valid_sets=[held],
        valid_names=["validation"],
        feval=lambda scores, _: (_METRIC, judge(scores), True),
        callbacks=[
            lightgbm.record_evaluation(curve),
            lightgbm.early_stopping(int(options.patience), verbose=False),
            lambda state: on_round(state.iteration + 1),
        ],
    )
    values = curve["validation"][_METRIC]
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    return FittedTrees(text.encode(), values, max(values))


def _dataset(data: TreeData, lightgbm: Any) -> Any:
    examples = data.examples
    return lightgbm.Dataset(
        data.matrix,
        label=examples.grades,
        group=examples.sizes,
        position=examples.positions.astype(np.int32) - 1,
        weight=data.weights,
        init_score=data.margins,
        feature_name=list(LEARNED_FEATURES),
        free_raw_data=True,
        params={"verbose": -1, "num_threads": 1, "force_row_wise": True, "deterministic": True},
    )


def _parameters(options: TrainingOptions, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "None",
        "label_gain": _GRADE_GAINS,
        "lambdarank_position_bias_regularization": float(options.position_regularisation),
        "learning_rate": float(options.learning_rate),
        "num_leaves": int(options.n_leaves),
        "min_data_in_leaf": int(options.least_in_leaf),
        "monotone_constraints": _MONOTONE,
        "seed": seed % 2**31,
        # The same data give the same bytes.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
