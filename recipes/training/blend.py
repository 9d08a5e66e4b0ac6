"""Fits the weights of a blend to pairs of recipes that stood in one answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from recipes.index.items import Floats
from recipes.ranker import LEARNED_FEATURES
from recipes.ranker.learned import specified_weights
from recipes.training.examples import Examples
from recipes.training.labels import SHOWN

# What a blend's score of 1 is worth in log odds, before anything is learned: a lead of 0.1 wins in 73 of 100 pairs.
PRIOR_SCALE = 10.0
# More pairs than these, the newest, would cost memory and tell nothing new about a dozen weights.
MOST_PAIRS = 1_000_000
# By so much in log odds what must not be lost is kept, or by as much as 1.0.0 keeps it, where that is less.
KEPT_BY = 0.05
# In a file; beyond it, machines differ.
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class FittedBlend:
    """Weights that add up to 1, by feature, and what a score of 1 is worth in log odds of winning a pair."""

    weights: dict[str, float]
    scale: float
    n_pairs: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """Recipes that cooks took to more, each with one of the same answer that they took to less.

    Attributes:
        leads: shape (n_pairs, n_features): by how much the features of the one exceed those of the other.
        worth: shape (n_pairs,): what each pair counts.
    """

    leads: Floats
    worth: NDArray[np.float64]

    @classmethod
    def of(cls, examples: Examples, matrix: Floats, weights: NDArray[np.float64]) -> Pairs:
        """The newest :data:`MOST_PAIRS` of *examples*.

        Args:
            matrix: shape (n_rows, n_features), see :func:`recipes.ranker.learned.matrix_of`.
            weights: shape (n_rows,): what a reaction to each recipe counts, see :func:`reaction_weights`.
        """
        better, worse, worth = _pairs(examples, weights)
        return cls(matrix[better] - matrix[worse], worth)


def fit_blend(pairs: Pairs, *, l2: float, kept: Floats) -> FittedBlend:
    """The non-negative weights under which recipes that cooks took to more come before others of the same answer.

    Minimises the sum over pairs of ``weight * log(1 + exp(-lead))`` (Burges et al. 2005, RankNet, on linear scores; the
    weights as in Joachims et al. 2017) plus ``l2 / 2 * |c - c0|^2``, where ``c0`` makes 1.0.0.

    Args:
        l2: how many log odds squared the pull towards 1.0.0 is worth, 0 or more.
        kept: shape (n, n_features): leads that must not be negative, such as those of
            :meth:`recipes.training.golden.GoldenPromises.leads`.
    """
    leads, worth = pairs.leads, pairs.worth
    prior = specified_weights() * PRIOR_SCALE

    def loss(given: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        won = (leads @ given.astype(np.float32)).astype(np.float64)
        away = given - prior
        value = worth @ np.logaddexp(0, -won) + l2 / 2 * away @ away
        slope = -(worth * expit(-won)).astype(np.float32) @ leads
        return float(value), slope.astype(np.float64) + l2 * away

    found = _least(loss, prior, kept) if len(leads) else prior
    scale = float(found.sum())
    if scale <= 0:
        found, scale = prior, PRIOR_SCALE
    shares = np.round(found / scale, _DECIMALS).tolist()
    return FittedBlend(dict(zip(LEARNED_FEATURES, shares, strict=True)), round(scale, _DECIMALS), len(leads))


_Loss = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def _least(loss: _Loss, prior: NDArray[np.float64], kept: Floats) -> NDArray[np.float64]:
    """The weights of 0 or more with the least *loss* under which no lead of *kept* is negative.

    The search begins at *prior*; without conditions by L-BFGS-B (Byrd et al. 1995), with them by sequential least
    squares (Kraft 1988).
    """
    bounds = [(0.0, None)] * len(prior)
    if not len(kept):
        return np.asarray(minimize(loss, prior, jac=True, bounds=bounds, method="L-BFGS-B").x)
    leads = kept.astype(np.float64)
    least = np.minimum(leads @ prior, KEPT_BY)
    # Its tolerance is absolute.
    unit = max(loss(prior)[0], 1.0)

    def scaled(given: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = loss(given)
        return value / unit, slope / unit

    condition = {"type": "ineq", "fun": lambda given: leads @ given - least, "jac": lambda given: leads}
    found = minimize(
        scaled, prior, jac=True, bounds=bounds, method="SLSQP", constraints=[condition],
        options={"maxiter": 200, "ftol": 1e-9},
    )  # fmt: skip
    return np.asarray(np.maximum(found.x, 0.0))


def reaction_weights(examples: Examples, look_weights: NDArray[np.float64], *, largest: float) -> NDArray[np.float64]:
    """What a reaction to each recipe counts: by who looks there, and how seldom it was shown there; cut at *largest*.

    Args:
        look_weights: see :func:`recipes.training.examination.look_weights`.
    """
    shown = np.minimum(1 / examples.propensities.astype(np.float64), largest)
    return np.minimum(look_weights * shown, largest)


def _pairs(
    examples: Examples, weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows that cooks took to more, rows of the same slates that they took to less, and what each pair counts."""
    found = [_pairs_apart(examples, distance) for distance in range(1, int(examples.sizes.max(initial=1)))]
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0)
    better, worse = (np.concatenate(side)[-MOST_PAIRS:] for side in zip(*found, strict=True))
    grades = examples.grades.astype(np.float64)
    seen = np.where(examples.grades != SHOWN, weights, 0.0)
    worth = (grades[better] - grades[worse]) * np.maximum(seen[better], seen[worse])
    return better, worse, worth


def _pairs_apart(examples: Examples, distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    upper = np.arange(len(examples) - distance)
    lower = upper + distance
    differ = (examples.slates[upper] == examples.slates[lower]) & (examples.grades[upper] != examples.grades[lower])
    upper, lower = upper[differ], lower[differ]
    upper_wins = examples.grades[upper] > examples.grades[lower]
    return np.where(upper_wins, upper, lower), np.where(upper_wins, lower, upper)
