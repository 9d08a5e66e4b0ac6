"""How much to smooth, and how much popularity counts: chosen on interactions that the model was not fitted on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
MOST_TO_CHOOSE = 4_000
# Without dates any fifth may be held out, and one alone leaves much to chance.
N_DRAWS = 3
# The order of the first few, and what is found at all: a ranker asks for both.
_OBJECTIVES = ("ndcg@10", "recall@20")
_DEPTH = 20

HALF_LIVES_DAYS = (60.0, 120.0, 240.0, 480.0)
# By how much less a long history counts, and the ridges to try with it: pairs that count in full add up to more.
RIDGES = {0.0: (400.0, 800.0, 1_600.0, 3_200.0), 0.25: (200.0, 400.0, 800.0), 0.5: (75.0, 150.0, 300.0)}
POPULARITY_WEIGHTS = (0.01, 0.1, 0.3, 1.0, 2.0, 4.0)
FINER_WEIGHTS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
# So many scores at a time, of as many cooks as that takes, bound the memory and the time with many recipes.
_SCORES_AT_ONCE = 2_500_000
_SCORES_TO_CHOOSE = 40_000_000
_COOKS_FOR_TYPICAL = 500


@dataclass(frozen=True, slots=True)
class Options:
    """What is not learned from each pair of recipes.

    Attributes:
        ridge: see :func:`~recipes.collaborative.ease.ease_weights`, above 0.
        popularity_weight: what the most popular recipe gains by being so, above 0, where 1 is EASE's best prediction
            for a typical cook. A small one only orders what EASE knows nothing of.
        half_life_days: after so many days an interaction counts half for popularity, above 0; None for no decay.
        history_power: see :func:`~recipes.collaborative.ease.gram`, 0 to 1.
    """

    ridge: float = 100.0
    popularity_weight: float = 0.3
    half_life_days: float | None = 120.0
    history_power: float = 0.5

    def __post_init__(self) -> None:
        for name in ("ridge", "popularity_weight", "half_life_days"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadInteractions(f"{name} must be a number above 0, got {value}")
        if not 0 <= self.history_power <= 1:
            raise BadInteractions(f"history_power must be from 0 to 1, got {self.history_power}")


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
    """The options with the best nDCG@10 + recall@20 on a fifth of *interactions*; with few cooks in it the defaults.

    The half-life first, by popularity alone; then the power, the ridge and the weight together; then the half-life and
    the weight again, more finely, since popularity has another part to play beside taste.
    """
    has_dates = interactions.at is not None
    trials = _trials(interactions, seed=seed)
    if min((len(trial.rows) for trial in trials), default=0) < FEWEST_TO_CHOOSE:
        return Options(half_life_days=Options().half_life_days if has_dates else None)
    half_life = _best_half_life(trials[0]) if has_dates else None
    found = _best_of([_blends(trial, half_life, n_head=n_head) for trial in trials])
    return _best_of([_finer(trial, found, n_head=n_head) for trial in trials])


def _trials(interactions: Interactions, *, seed: int) -> list[_Trial]:
    splits = [
        split_for_validation(interactions, seed=seed + number)
        for number in range(N_DRAWS if interactions.at is None else 1)
    ]
    return [_Trial.of(earlier, later, seed=seed) for earlier, later in splits if len(earlier) and len(later)]


def _best_half_life(trial: _Trial) -> float:
    quality = trial.qualities([trial.popularity(days) for days in HALF_LIVES_DAYS])
    return HALF_LIVES_DAYS[int(quality.argmax())]


def _best_of(tried: Sequence[list[tuple[float, Options]]]) -> Options:
    """The options that are best on average over the trials, which all tried the same ones; the first of equal ones."""
    quality = np.mean([[value for value, _ in one] for one in tried], axis=0)
    return tried[0][int(quality.argmax())][1]


def _blends(trial: _Trial, half_life: float | None, *, n_head: int) -> list[tuple[float, Options]]:
    """The quality of each power, ridge and weight."""
    tried: list[tuple[float, Options]] = []
    for power, ridges in RIDGES.items():
        together = gram(trial.table.matrix[:, :n_head], power=power)
        for ridge in ridges:
            options = Options(ridge, half_life_days=half_life, history_power=power)
            tried += _weighed(trial, options, ease_weights(together, ridge=ridge), [half_life], POPULARITY_WEIGHTS)
    return tried


def _finer(trial: _Trial, found: Options, *, n_head: int) -> list[tuple[float, Options]]:
    """The quality of each half-life and many weights, with the power and the ridge that were *found*."""
    together = gram(trial.table.matrix[:, :n_head], power=found.history_power)
    half_lives = HALF_LIVES_DAYS if found.half_life_days is not None else [None]
    return _weighed(trial, found, ease_weights(together, ridge=found.ridge), half_lives, FINER_WEIGHTS)


def _weighed(
    trial: _Trial, options: Options, weights: Weights, half_lives: Sequence[float | None], shares: Sequence[float]
) -> list[tuple[float, Options]]:
    typical = typical_best(trial.table.matrix, weights)
    choices = list(itertools.product(half_lives, shares))
    known = {days: trial.popularity(days) for days in half_lives}
    quality = trial.qualities([weight * typical * known[days] for days, weight in choices], weights)
    changed = (replace(options, half_life_days=days, popularity_weight=weight) for days, weight in choices)
    return list(zip(quality.tolist(), changed, strict=True))


@dataclass(frozen=True)
class _Trial:
    """Cooks who later met recipes that are new to them.

    Attributes:
        earlier: what they are judged by; ``table`` is made of it.
        rows: of these cooks in the table; ``later`` has a row for each: shape (n_rows, n_recipes), 1 where met.
        now: when the later ones begin, None without dates.
    """

    earlier: Interactions
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
        most = min(MOST_TO_CHOOSE, max(FEWEST_TO_CHOOSE, _SCORES_TO_CHOOSE // new.shape[1]))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        now = None if later.at is None else float(later.at.min())
        return cls(earlier, table, rows, new[rows], now)

    def popularity(self, half_life_days: float | None) -> Numbers:
        return recent_popularity(self.earlier, self.table.recipes, now=self.now, half_life_days=half_life_days)

    def qualities(self, popularities: Sequence[Numbers], weights: Weights | None = None) -> Numbers:
        """Mean nDCG@10 + recall@20 of ranking all recipes new to each cook by popularity, plus taste by *weights*.

        Returns:
            Shape (n_popularities,), one for each of *popularities*.
        """
        step = max(1, _SCORES_AT_ONCE // self.later.shape[1])
        starts = range(0, len(self.rows), step)
        values = [self._values(popularities, weights, slice(start, start + step)) for start in starts]
        means: Numbers = np.concatenate(values, axis=1).mean(axis=1)
        return means

    def _values(self, popularities: Sequence[Numbers], weights: Weights | None, part: slice) -> Numbers:
        """Of the cooks in *part*: shape (n_popularities, n_cooks)."""
        known = self.table.matrix[self.rows[part]]
        taste = np.zeros(known.shape, np.float32)
        if weights is not None:
            taste[:, : len(weights)] = tastes(known[:, : len(weights)], weights)
        relevance, is_new = self.later[part].toarray(), known.toarray() == 0
        decided = np.where(relevance > 0, -np.inf, np.where(is_new, 0, np.inf)).astype(np.float32)
        n_places = min(_DEPTH + int((relevance > 0).sum(axis=1).max()), relevance.shape[1])
        values = []
        for popularity in popularities:
            scores = taste + popularity.astype(np.float32)
            # What is relevant, and the best of the rest: the metrics are the same, and no long row has to be sorted.
            places = np.argpartition(decided - scores, n_places - 1, axis=1)[:, :n_places]
            places.sort(axis=1)
            gains, points, mask = (np.take_along_axis(one, places, axis=1) for one in (relevance, scores, is_new))
            result = evaluate_arrays(gains, points, metrics=_OBJECTIVES, mask=mask, n_threads=1)
            values.append(sum(result[name].values for name in _OBJECTIVES))
        return np.array(values)


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
