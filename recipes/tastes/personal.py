"""What each cook likes: a regression for each cook, with all cooks as each one's prior.

The surprise of an encounter (liking less what its position gets) is explained by the recipe's attributes, with weights
of the cook. The weights of cooks are normal, with a mean and covariance that come from all of them by expectation
maximisation (Laird & Ware 1982, a linear mixed model): a cook of whom little is known is thought to be like the others,
and likings that go together in many cooks go together in a new one. What a cook did with this very recipe counts apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recipes.index.items import Floats
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import Encounters, Numbers

HALF_LIFE_DAYS = 30.0
_ITERATIONS = 4
_PRIOR_VARIANCE = 0.05
_FLOOR_OF_VARIANCE = 1e-4
# An encounter with the same recipe counts like one of so many.
_FAMILIAR_SHRINKAGE = 4.0
_STEEPNESS = 3.0
_COOKS_AT_ONCE = 2_000
_FEWEST_ENCOUNTERS = 30


@dataclass(frozen=True)
class Prior:
    """What is thought of a cook of whom nothing is known: weights of shape (d,) with a covariance (d, d)."""

    mean: Numbers
    covariance: Numbers
    noise: float

    @classmethod
    def first(cls, n_dimensions: int, noise: float) -> Prior:
        """Before anything was learned."""
        return cls(np.zeros(n_dimensions), np.eye(n_dimensions) * _PRIOR_VARIANCE, noise)


@dataclass(frozen=True)
class Personal:
    """The weights of each cook, ready to score. Never changed: a later one takes its place.

    Attributes:
        row_of: row of each known cook in *weights*.
        weights: shape (n_cooks, d).
        familiar: of a cook and a recipe's row, what this cook's encounters with it add.
    """

    attributes: RecipeAttributes
    row_of: Mapping[str, int]
    weights: Floats
    familiar: Mapping[int, Mapping[int, float]]

    def scores(self, user_id: str, numbers: NDArray[np.int64]) -> Floats | None:
        """How much this cook may like each recipe, 0 to 1, 0.5 for as much as any: shape (n,). None: never met."""
        cook = self.row_of.get(user_id)
        if cook is None:
            return None
        rows = self.attributes.rows(numbers)
        points = np.where(rows >= 0, self.attributes.vectors[rows] @ self.weights[cook], 0)
        met = self.familiar.get(cook)
        if met:
            points = points + np.array([met.get(row, 0.0) for row in rows.tolist()])
        return np.asarray(1 / (1 + np.exp(-_STEEPNESS * points)), dtype=np.float32)


class PersonalLearner:
    """Learns :class:`Personal` again and again; what it knew of all cooks is where it begins."""

    def __init__(self, attributes: RecipeAttributes, *, half_life_days: float = HALF_LIFE_DAYS) -> None:
        self._attributes = attributes
        self._half_life_days = half_life_days
        self._prior: Prior | None = None

    def learn(self, encounters: Encounters) -> Personal:
        """What *encounters* say of each cook; the same encounters in the same order give the same."""
        rows = self._attributes.rows(encounters.number)
        known = (encounters.cook >= 0) & (rows >= 0)
        if known.sum() < _FEWEST_ENCOUNTERS:
            return Personal(self._attributes, {}, np.zeros((0, 1), dtype=np.float32), {})
        cook, rows = encounters.cook[known], rows[known]
        weight, surprise = encounters.weights(self._half_life_days)[known], encounters.surprise()[known]
        vectors = self._attributes.vectors.astype(np.float64)
        noise = max(float(np.average(surprise**2, weights=weight)), _FLOOR_OF_VARIANCE)
        prior = replace(self._prior, noise=noise) if self._prior else Prior.first(vectors.shape[1], noise)
        sums = _sums(cook, vectors[rows], weight, surprise, len(encounters.cooks))
        for _ in range(_ITERATIONS):
            prior, weights = _step(prior, *sums)
        self._prior = prior
        left = surprise - np.einsum("ij,ij->i", vectors[rows], weights[cook])
        row_of = {user_id: place for place, user_id in enumerate(encounters.cooks)}
        return Personal(self._attributes, row_of, weights.astype(np.float32), _familiar(cook, rows, weight, left))


def _sums(
    cook: NDArray[np.int64], vectors: Numbers, weight: Numbers, surprise: Numbers, n_cooks: int
) -> tuple[Numbers, Numbers]:
    """Of each cook the weighted sums of x xᵀ and of x y: shapes (n_cooks, d, d) and (n_cooks, d)."""
    d = vectors.shape[1]
    squares, products = np.zeros((n_cooks, d, d)), np.zeros((n_cooks, d))
    order = np.argsort(cook, kind="stable")
    bounds = np.searchsorted(cook[order], np.arange(n_cooks + 1))
    for number in range(n_cooks):
        mine = order[bounds[number] : bounds[number + 1]]
        x = vectors[mine]
        squares[number] = (x * weight[mine, None]).T @ x
        products[number] = x.T @ (weight[mine] * surprise[mine])
    return squares, products


def _step(prior: Prior, squares: Numbers, products: Numbers) -> tuple[Prior, Numbers]:
    """One step of expectation maximisation: each cook's weights under *prior*, and the prior that they make."""
    precision = np.linalg.inv(prior.covariance)
    pull = precision @ prior.mean
    means = np.empty_like(products)
    spread = np.zeros_like(prior.covariance)
    for start in range(0, len(products), _COOKS_AT_ONCE):
        part = slice(start, start + _COOKS_AT_ONCE)
        covariances = np.linalg.inv(squares[part] / prior.noise + precision)
        means[part] = np.einsum("nij,nj->ni", covariances, products[part] / prior.noise + pull)
        spread += covariances.sum(axis=0)
    mean = means.mean(axis=0)
    off = means - mean
    covariance = (spread + off.T @ off) / len(means) + _FLOOR_OF_VARIANCE * np.eye(len(mean))
    return Prior(mean, covariance, prior.noise), means


def _familiar(
    cook: NDArray[np.int64], rows: NDArray[np.int64], weight: Numbers, left: Numbers
) -> dict[int, dict[int, float]]:
    """Of each cook and recipe met: what the attributes leave unexplained, shrunk towards nothing."""
    n_rows = int(rows.max()) + 1
    pairs, place = np.unique(cook * n_rows + rows, return_inverse=True)
    totals = np.bincount(place, weight * left)
    counts = np.bincount(place, weight)
    found: dict[int, dict[int, float]] = {}
    for pair, value in zip(pairs.tolist(), (totals / (counts + _FAMILIAR_SHRINKAGE)).tolist(), strict=True):
        found.setdefault(pair // n_rows, {})[pair % n_rows] = value
    return found
