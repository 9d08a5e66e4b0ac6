"""How much to smooth, and how much popularity counts: chosen on interactions that the model was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mlops.evaluation import evaluate_arrays
from recipes.collaborative.ease import Weights, ease_weights, gram
from recipes.collaborative.interactions import Interactions, Numbers, Table, recent_popularity
from recipes.errors import BadInteractions

VALIDATION_SHARE = 0.2
# With fewer cooks to validate on, chance chooses; the defaults are better.
FEWEST_TO_CHOOSE = 100
MOST_TO_CHOOSE = 1_500
_OBJECTIVE = "ndcg@20"

HALF_LIVES_DAYS = (60.0, 120.0, 240.0, 480.0)
RIDGES = (75.0, 150.0, 300.0)
POPULARITY_WEIGHTS = (0.01, 0.1, 0.3, 1.0, 2.0, 4.0)
_USERS_AT_ONCE = 256
_COOKS_FOR_TYPICAL = 500


@dataclass(frozen=True, slots=True)
class Options:
    """What is not learned from each pair of recipes.

    Attributes:
        ridge: see :func:`~recipes.collaborative.ease.ease_weights`, above 0.
        popularity_weight: what the most popular recipe gains by being so, above 0, where 1 is EASE's best prediction
            for a typical cook. A small one only orders what EASE knows nothing of.
        half_life_days: after so many days an interaction counts half for popularity, above 0; None for no decay.
    """

    ridge: float = 100.0
    popularity_weight: float = 0.3
    half_life_days: float | None = 120.0

    def __post_init__(self) -> None:
        for name in ("ridge", "popularity_weight", "half_life_days"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadInteractions(f"{name} must be a number above 0, got {value}")


def split_for_validation(interactions: Interactions, *, seed: int) -> tuple[Interactions, Interactions]:
    """The earlier four fifths and the last fifth; without dates a fifth of each cook's, drawn by *seed*.

    With dates one cut holds for all; later is at >= cut. Without, a cook with fewer than five keeps all.
    """
    if interactions.at is not None:
        cut = np.quantile(interactions.at, 1 - VALIDATION_SHARE, method="higher")
        later = interactions.at >= cut
    else:
        later = _a_share_of_each(interactions, np.random.default_rng(seed))
    return interactions.where(~later), interactions.where(later)


def _a_share_of_each(interactions: Interactions, rng: np.random.Generator) -> NDArray[np.bool_]:
    # In a fixed order first, so that the draw depends on the interactions and not on how they came.
    order = np.lexsort((interactions.weights, interactions.recipes, interactions.users.astype(str)))
    users = np.unique(interactions.users.astype(str), return_inverse=True)[1]
    shuffled = order[np.lexsort((rng.random(len(order)), users[order]))]
    counts = np.bincount(users)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    place = np.arange(len(shuffled)) - first
    chosen = np.zeros(len(shuffled), np.bool_)
    chosen[shuffled] = place < np.floor(counts * VALIDATION_SHARE)[users[shuffled]]
    return chosen


def choose_options(interactions: Interactions, *, seed: int, n_head: int) -> Options:
    """The options with the best nDCG@20 on a fifth of *interactions*; the defaults where too few cooks are in it.

    The half-life first, by popularity alone; then the ridge and the weight together.
    """
    earlier, later = split_for_validation(interactions, seed=seed)
    has_dates = interactions.at is not None
    default = Options(half_life_days=Options().half_life_days if has_dates else None)
    if not len(earlier) or not len(later):
        return default
    trial = _Trial.of(earlier, later, seed=seed)
    if len(trial.rows) < FEWEST_TO_CHOOSE:
        return default
    half_life = _best_half_life(trial, earlier) if has_dates else None
    popularity = trial.popularity(earlier, half_life)
    return _best_blend(trial, popularity, half_life, n_head=n_head)


def _best_half_life(trial: _Trial, earlier: Interactions) -> float:
    quality = trial.qualities([trial.popularity(earlier, days) for days in HALF_LIVES_DAYS])
    return HALF_LIVES_DAYS[int(quality.argmax())]


def _best_blend(trial: _Trial, popularity: Numbers, half_life: float | None, *, n_head: int) -> Options:
    together = gram(trial.table.matrix[:, :n_head])
    quality = np.array([_blends(trial, popularity, ease_weights(together, ridge=ridge)) for ridge in RIDGES])
    ridge, weight = np.unravel_index(quality.argmax(), quality.shape)
    return Options(RIDGES[ridge], POPULARITY_WEIGHTS[weight], half_life)


def _blends(trial: _Trial, popularity: Numbers, weights: Weights) -> Numbers:
    typical = typical_best(trial.table.matrix, weights)
    return trial.qualities([weight * typical * popularity for weight in POPULARITY_WEIGHTS], weights)


@dataclass(frozen=True)
class _Trial:
    """Cooks who later met recipes that are new to them.

    Attributes:
        rows: of these cooks in the table; ``later`` has a row for each: shape (n_rows, n_recipes), 1 where met.
        now: when the later ones begin, None without dates.
    """

    table: Table
    rows: NDArray[np.int64]
    later: sp.csr_matrix
    now: float | None

    @classmethod
    def of(cls, earlier: Interactions, later: Interactions, *, seed: int) -> _Trial:
        table = Table.of(earlier)
        row = {user: at for at, user in enumerate(table.users)}
        column = {number: at for at, number in enumerate(table.recipes.tolist())}
        pairs = [
            (row.get(user), column.get(number))
            for user, number in zip(later.users, later.recipes.tolist(), strict=True)
        ]
        known = sorted({(u, i) for u, i in pairs if u is not None and i is not None})
        us, columns = np.array(known, np.int64).reshape(-1, 2).T
        met = sp.csr_matrix((np.ones(len(us)), (us, columns)), shape=table.matrix.shape)
        new = (met - met.multiply(table.matrix > 0)).tocsr()
        new.eliminate_zeros()
        rows = np.flatnonzero(np.diff(new.indptr))
        if len(rows) > MOST_TO_CHOOSE:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_TO_CHOOSE, replace=False))
        now = None if later.at is None else float(later.at.min())
        return cls(table, rows, new[rows], now)

    def popularity(self, earlier: Interactions, half_life_days: float | None) -> Numbers:
        return recent_popularity(earlier, self.table.recipes, now=self.now, half_life_days=half_life_days)

    def qualities(self, popularities: Sequence[Numbers], weights: Weights | None = None) -> Numbers:
        """Mean nDCG of ranking all recipes new to each cook by popularity, plus taste where there are *weights*.

        Returns:
            Shape (n_popularities,), one for each of *popularities*.
        """
        starts = range(0, len(self.rows), _USERS_AT_ONCE)
        values = [self._values(popularities, weights, slice(start, start + _USERS_AT_ONCE)) for start in starts]
        means: Numbers = np.concatenate(values, axis=1).mean(axis=1)
        return means

    def _values(self, popularities: Sequence[Numbers], weights: Weights | None, part: slice) -> Numbers:
        """Of the cooks in *part*: shape (n_popularities, n_cooks)."""
        known = self.table.matrix[self.rows[part]]
        taste = np.zeros(known.shape, np.float32)
        if weights is not None:
            taste[:, : len(weights)] = tastes(known[:, : len(weights)], weights)
        relevance, is_new = self.later[part].toarray(), known.toarray() == 0
        results = (
            evaluate_arrays(relevance, taste + one.astype(np.float32), metrics=[_OBJECTIVE], mask=is_new)
            for one in popularities
        )
        return np.array([result[_OBJECTIVE].values for result in results])


def tastes(known: sp.csr_matrix, weights: Weights) -> Weights:
    """EASE's predictions, negative ones as 0: shape (n_users, n_head).

    Each is divided by the root of the sum of the history's weights: a sum over a long history is not a stronger taste.

    Args:
        known: shape (n_users, n_head): the cooks' histories.
        weights: shape (n_head, n_head).
    """
    lengths = np.asarray(known.sum(axis=1), np.float32)
    predicted: Weights = known.astype(np.float32) @ weights
    predicted /= np.sqrt(np.where(lengths > 0, lengths, 1))
    return np.maximum(predicted, 0)


def typical_best(matrix: sp.csr_matrix, weights: Weights) -> float:
    """The median over cooks of EASE's best prediction for a recipe that is new to them; 1 where there is none.

    Args:
        matrix: shape (n_users, n_recipes): the cooks' histories.
        weights: shape (n_head, n_head).
    """
    known = matrix[:: -(-matrix.shape[0] // _COOKS_FOR_TYPICAL), : len(weights)]
    best = np.where(known.toarray() > 0, 0, tastes(known, weights)).max(axis=1)
    return float(np.median(best[best > 0])) if (best > 0).any() else 1.0
