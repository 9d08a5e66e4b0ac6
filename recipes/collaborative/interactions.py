"""Who had to do with which recipe, how much, and when; as a table, and as a matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recipes.errors import BadInteractions

Numbers = NDArray[np.float64]
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events of cooks and recipes; every array has shape (n_interactions,).

    Attributes:
        users: ids as text.
        recipes: recipe numbers.
        weights: what each is worth, above 0; 1 for having cooked. Of a cook's several with one recipe the largest
            counts.
        at: seconds since 1970 in UTC, or None where nothing has a date.
    """

    users: NDArray[np.object_]
    recipes: NDArray[np.int64]
    weights: Numbers
    at: Numbers | None = None

    @classmethod
    def of(
        cls,
        users: Sequence[str],
        recipes: Sequence[int] | NDArray[np.int64],
        *,
        weights: Sequence[float] | Numbers | None = None,
        at: Sequence[datetime] | Numbers | None = None,
    ) -> Interactions:
        """From columns of the same length.

        Args:
            weights: default 1 each.
            at: aware datetimes, or seconds since 1970 in UTC.
        Raises:
            BadInteractions: the columns differ in length, a weight is not above 0, or a time is missing or naive.
        """
        names = np.array(list(users), dtype=object)
        numbers = np.asarray(recipes, dtype=np.int64)
        worth = np.ones(len(names)) if weights is None else np.asarray(weights, dtype=np.float64)
        times = None if at is None else _seconds(at)
        for name, column in (("recipes", numbers), ("weights", worth), ("at", times)):
            if column is not None and column.shape != names.shape:
                raise BadInteractions(f"{name} must have one value for each of {len(names)} users, got {column.shape}")
        _refuse_values(worth, times)
        return cls(names, numbers, worth, times)

    def __len__(self) -> int:
        return len(self.users)

    def where(self, chosen: NDArray[np.bool_]) -> Interactions:
        """Those that are *chosen*, shape (n_interactions,)."""
        at = None if self.at is None else self.at[chosen]
        return Interactions(self.users[chosen], self.recipes[chosen], self.weights[chosen], at)

    def fingerprint(self) -> str:
        """SHA-256 of all values in hexadecimal, whatever their order."""
        columns = [self.recipes, self.weights, *([] if self.at is None else [self.at])]
        names = self.users.astype(str)
        order = np.lexsort((*columns, names))
        digest = hashlib.sha256("\n".join(names[order]).encode())
        for column in columns:
            digest.update(np.ascontiguousarray(column[order]).tobytes())
        return digest.hexdigest()

    def before(self, as_of: datetime | None) -> Interactions:
        """Those at < *as_of*; all of them for None.

        Raises:
            BadInteractions: there is a cut, and nothing has a date; or the cut is naive.
        """
        if as_of is None:
            return self
        if self.at is None:
            raise BadInteractions(f"at is None: without dates nobody knows what was before {as_of.isoformat()}")
        return self.where(self.at < _seconds([as_of])[0])


def _seconds(at: Sequence[datetime] | Numbers) -> Numbers:
    if isinstance(at, np.ndarray):
        return np.asarray(at, np.float64)
    naive = next((moment for moment in at if moment.tzinfo is None), None)
    if naive is not None:
        raise BadInteractions(f"at must hold aware datetimes, got {naive!r}")
    return np.array([moment.timestamp() for moment in at], np.float64)


def _refuse_values(weights: Numbers, at: Numbers | None) -> None:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if len(wrong):
        raise BadInteractions(f"weights must be numbers above 0; number {wrong[0]} is {weights[wrong[0]]}")
    if at is not None and not np.isfinite(at).all():
        undated = int(np.flatnonzero(~np.isfinite(at))[0])
        raise BadInteractions(
            f"at has no time for number {undated}; leave out what has no date, or give no dates at all"
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Interactions as a matrix. What comes first does not depend on the order of the interactions.

    Attributes:
        users: ids, sorted.
        recipes: shape (n_recipes,): recipe numbers; those that most cooks met come first, equal ones by number.
        matrix: shape (n_users, n_recipes): the largest weight of each cook with each recipe.
        latest: shape (n_stored,): when the cook met it last, for each stored value of the matrix; all 0 without dates.
    """

    users: list[str]
    recipes: NDArray[np.int64]
    matrix: sp.csr_matrix
    latest: Numbers

    @classmethod
    def of(cls, interactions: Interactions) -> Table:
        """The matrix of *interactions*, of which there is at least one."""
        users, rows = np.unique(interactions.users.astype(str), return_inverse=True)
        recipes, columns = _most_met_first(rows, interactions.recipes)
        pairs, which = np.unique(rows * len(recipes) + columns, return_inverse=True)
        largest, latest = np.zeros(len(pairs)), np.full(len(pairs), -np.inf)
        np.maximum.at(largest, which, interactions.weights)
        np.maximum.at(latest, which, 0.0 if interactions.at is None else interactions.at)
        starts = np.searchsorted(pairs, np.arange(len(users) + 1) * len(recipes))
        shape = (len(users), len(recipes))
        return cls(users.tolist(), recipes, sp.csr_matrix((largest, pairs % len(recipes), starts), shape=shape), latest)


def _most_met_first(rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The recipe numbers, those of most cooks first, and the place of each of *numbers* among them."""
    recipes, columns = np.unique(numbers, return_inverse=True)
    pairs = np.unique(rows * len(recipes) + columns)
    order = np.lexsort((recipes, -np.bincount(pairs % len(recipes))))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return recipes[order], place[columns]


def recent_popularity(
    interactions: Interactions, recipes: NDArray[np.int64], *, now: float | None, half_life_days: float | None
) -> Numbers:
    """How much each recipe was cooked lately, the most popular one 1.

    The sum of weights, each halved for every *half_life_days* between it and *now*.

    Args:
        recipes: shape (n_recipes,): recipe numbers, each once, in any order; all of *interactions* are among them.
        now: seconds since 1970; None counts everything in full, as does a half-life of None.
    Returns:
        Shape (n_recipes,), 0 to 1.
    """
    worth = interactions.weights
    if now is not None and half_life_days is not None and interactions.at is not None:
        worth = worth * 0.5 ** ((now - interactions.at) / SECONDS_PER_DAY / half_life_days)
    order = np.argsort(recipes)
    places = order[np.searchsorted(recipes, interactions.recipes, sorter=order)]
    # Sorted, since a sum of floats depends on its order, and the model must not depend on that of the events.
    chronological = np.lexsort((worth, places))
    counts = np.bincount(places[chronological], weights=worth[chronological], minlength=len(recipes))
    popularity: Numbers = counts / (counts.max(initial=0.0) or 1.0)
    return popularity
