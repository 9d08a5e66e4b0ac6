"""What each cook likes: a regression for each cook, with all cooks as each one's prior.

The surprise of an encounter (liking less what its position and the recipe's appeal get) is explained by the recipe's
attributes, with weights of the cook. The weights of cooks are normal, with a mean and covariance that come from all of
them by expectation maximisation (Laird & Ware 1982, a linear mixed model): a cook of whom little is known is thought to
be like the others, and likings that go together in many cooks go together in a new one. What a cook asks for tells of
the same weights, as far as cooks are found to ask for what they like. What a cook did with this very recipe counts
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recipes.index.items import Floats
from recipes.tastes.asked import Asked
from recipes.tastes.attributes import RecipeAttributes
from recipes.tastes.encounters import Encounters, Numbers

HALF_LIFE_DAYS = 45.0
_ITERATIONS = 4
_PRIOR_VARIANCE = 0.05
_FLOOR_OF_VARIANCE = 1e-4
# An encounter with the same recipe counts like one of so many.
_FAMILIAR_SHRINKAGE = 8.0
_STEEPNESS = 3.0
# Bounds the memory: each takes some 20 kB.
_COOKS_AT_ONCE = 500
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
        weights: less the mean of all cooks, which is no taste of one's own: shape (n_cooks, d).
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

    def explained(self, encounters: Encounters) -> Numbers:
        """How much of the surprise of each of *encounters* the weights explain, 0 of unknown cooks: shape (n,)."""
        row_of_cook = np.array([self.row_of.get(cook, -1) for cook in encounters.cooks] or [-1], dtype=np.int64)
        cook = np.where(encounters.cook >= 0, row_of_cook[encounters.cook], -1)
        rows = self.attributes.rows(encounters.number)
        known = (cook >= 0) & (rows >= 0)
        found = np.zeros(len(encounters))
        found[known] = _products(self.attributes.vectors[rows[known]], self.weights[cook[known]])
        return found


class PersonalLearner:
    """Learns :class:`Personal` again and again; what it knew of all cooks is where it begins."""

    def __init__(self, attributes: RecipeAttributes, *, half_life_days: float = HALF_LIFE_DAYS) -> None:
        self._attributes = attributes
        self._half_life_days = half_life_days
        self._prior: Prior | None = None

    def learn(self, encounters: Encounters, surprise: Numbers) -> Personal:
        """What *encounters* say of each cook; the same encounters in the same order give the same.

        Args:
            surprise: of each, that is to be explained: shape (n,).
        """
        rows = self._attributes.rows(encounters.number)
        there = rows >= 0
        known = (encounters.cook >= 0) & there
        if known.sum() < _FEWEST_ENCOUNTERS:
            return Personal(self._attributes, {}, self._attributes.vectors[:0], {})
        weight, vectors = encounters.weights(self._half_life_days), self._attributes.vectors.astype(np.float64)
        asked = Asked.of(encounters.where(there), vectors[rows[there]], weight[there])
        cook, rows, weight, surprise = encounters.cook[known], rows[known], weight[known], surprise[known]
        looks = _Looks.of(cook, vectors, rows, weight, surprise, len(encounters.cooks))
        weights = self._weights(looks, asked, max(float(np.average(surprise**2, weights=weight)), _FLOOR_OF_VARIANCE))
        left = surprise - _products(vectors[rows], weights[cook])
        row_of = {user_id: place for place, user_id in enumerate(encounters.cooks)}
        return Personal(self._attributes, row_of, weights.astype(np.float32), _familiar(cook, rows, weight, left))

    def _weights(self, looks: _Looks, asked: Asked, noise: float) -> Numbers:
        """Of each cook, less their mean."""
        n_dimensions = asked.sums.shape[1]
        prior = replace(self._prior, noise=noise) if self._prior else Prior.first(n_dimensions, noise)
        weights = _step(prior, looks, asked, pull=0.0)[1]
        pull = asked.pull(weights - weights.mean(axis=0))
        for _ in range(_ITERATIONS):
            prior, weights = _step(prior, looks, asked, pull)
        self._prior = prior
        return np.asarray(weights - weights.mean(axis=0))


@dataclass(frozen=True)
class _Looks:
    """What cooks saw, those of each cook together: from ``bounds[cook]`` to before ``bounds[cook + 1]``.

    Attributes:
        vectors: of all recipes; *rows* are places in it.
    """

    vectors: Numbers
    rows: NDArray[np.int64]
    weight: Numbers
    surprise: Numbers
    bounds: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        cook: NDArray[np.int64],
        vectors: Numbers,
        rows: NDArray[np.int64],
        weight: Numbers,
        surprise: Numbers,
        n_cooks: int,
    ) -> _Looks:
        order = np.argsort(cook, kind="stable")
        bounds = np.searchsorted(cook[order], np.arange(n_cooks + 1))
        return cls(vectors, rows[order], weight[order], surprise[order], bounds)

    def sums(self, first: int, last: int) -> tuple[Numbers, Numbers]:
        """Of each cook from *first* to before *last* the weighted sums of x xᵀ and of x y: (n, d, d) and (n, d)."""
        d = self.vectors.shape[1]
        squares, products = np.zeros((last - first, d, d)), np.zeros((last - first, d))
        for place, number in enumerate(range(first, last)):
            mine = slice(self.bounds[number], self.bounds[number + 1])
            x = self.vectors[self.rows[mine]]
            weighted = x * self.weight[mine, None]
            squares[place] = weighted.T @ x
            products[place] = weighted.T @ self.surprise[mine]
        return squares, products


def _step(prior: Prior, looks: _Looks, asked: Asked, pull: float) -> tuple[Prior, Numbers]:
    """One step of expectation maximisation: each cook's weights under *prior*, and the prior that they make."""
    precision = np.linalg.inv(prior.covariance)
    means = np.empty_like(asked.sums)
    spread = np.zeros_like(prior.covariance)
    for first in range(0, len(means), _COOKS_AT_ONCE):
        last = min(first + _COOKS_AT_ONCE, len(means))
        squares, products = looks.sums(first, last)
        told = pull**2 * asked.counts[first:last, None, None] * asked.covariance
        covariances = np.linalg.inv(squares / prior.noise + told + precision)
        towards = products / prior.noise + pull * asked.sums[first:last] + precision @ prior.mean
        means[first:last] = np.einsum("nij,nj->ni", covariances, towards)
        spread += covariances.sum(axis=0)
    mean = means.mean(axis=0)
    off = means - mean
    covariance = (spread + off.T @ off) / len(means) + _FLOOR_OF_VARIANCE * np.eye(len(mean))
    return Prior(mean, covariance, prior.noise), means


def _products(vectors: Floats | Numbers, weights: Floats | Numbers) -> Numbers:
    """Of each row of one with that of the other: shape (n,)."""
    return np.asarray(np.einsum("ij,ij->i", vectors, weights), dtype=np.float64)


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
