"""How much to smooth, and how much popularity counts: chosen on interactions that the model was not fitted on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
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
RIDGES = (150.0, 300.0, 500.0, 800.0)
# Those who cook much tell little about those who cook little: here each counts by the root of the history.
BROAD_POWER = 0.5
BROAD_RIDGES = (40.0, 75.0, 150.0, 300.0)
HALFWAYS = (4.0, 10.0, 30.0, 60.0, 120.0)
POPULARITY_WEIGHTS = (0.03, 0.5, 2.0, 10.0)
FINER_WEIGHTS = (0.03, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 4.0, 8.0, 15.0, 30.0, 60.0)
# So many scores at a time, of as many cooks as that takes, bound the memory and the time with many recipes.
_SCORES_AT_ONCE = 2_500_000
_SCORES_TO_CHOOSE = 40_000_000
_COOKS_FOR_TYPICAL = 500


@dataclass(frozen=True, slots=True)
class Options:
    """What is not learned from each pair of recipes.

    Attributes:
        ridge: of the sharp taste, see :func:`~recipes.collaborative.ease.ease_weights`, above 0.
        popularity_weight: what the most popular recipe gains by being so, above 0, for a cook of one recipe, where 1 is
            the best taste of a typical cook; for one of n recipes it is divided by the root of n.
        half_life_days: after so many days an interaction counts half for popularity, above 0; None for no decay.
        broad_ridge: of the broad taste, above 0.
        halfway: of a cook with so many recipes both tastes count half, above 0; of one with more the sharp counts more.
    """

    ridge: float = 300.0
    popularity_weight: float = 1.0
    half_life_days: float | None = 120.0
    broad_ridge: float = 150.0
    halfway: float = 30.0

    def __post_init__(self) -> None:
        for name in ("ridge", "popularity_weight", "half_life_days", "broad_ridge", "halfway"):
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
    """The options that rank a fifth of *interactions* best; with few cooks in it the defaults.

    The half-life first, by popularity alone; then both ridges and the weight together; then the middle and the weight,
    and the half-life and the weight, more finely, since popularity has another part to play beside taste.
    """
    has_dates = interactions.at is not None
    trials = _trials(interactions, seed=seed)
    if min((len(trial.rows) for trial in trials), default=0) < FEWEST_TO_CHOOSE:
        return Options(half_life_days=Options().half_life_days if has_dates else None)
    start = Options(half_life_days=_best_half_life(trials[0]) if has_dates else None)
    found = _best_of(
        trials,
        _changed(start, ridge=RIDGES, broad_ridge=BROAD_RIDGES, popularity_weight=POPULARITY_WEIGHTS),
        n_head=n_head,
    )
    found = _best_of(trials, _changed(found, halfway=HALFWAYS, popularity_weight=FINER_WEIGHTS), n_head=n_head)
    if not has_dates:
        return found
    return _best_of(
        trials, _changed(found, half_life_days=HALF_LIVES_DAYS, popularity_weight=FINER_WEIGHTS), n_head=n_head
    )


def _changed(options: Options, **choices: Sequence[float]) -> list[Options]:
    """*options* with each combination of *choices*."""
    return [replace(options, **dict(zip(choices, one, strict=True))) for one in itertools.product(*choices.values())]


def _trials(interactions: Interactions, *, seed: int) -> list[_Trial]:
    splits = [
        split_for_validation(interactions, seed=seed + number)
        for number in range(N_DRAWS if interactions.at is None else 1)
    ]
    return [_Trial.of(earlier, later, seed=seed) for earlier, later in splits if len(earlier) and len(later)]


def _best_half_life(trial: _Trial) -> float:
    quality = trial.qualities([_Blend(trial.popularity(days)) for days in HALF_LIVES_DAYS])
    return HALF_LIVES_DAYS[_best_in_both(quality)]


def _best_of(trials: Sequence[_Trial], choices: Sequence[Options], *, n_head: int) -> Options:
    """The options that are best on average over the trials; the first of equal ones."""
    quality = np.mean([trial.qualities(_blends(trial, choices, n_head=n_head)) for trial in trials], axis=0)
    return choices[_best_in_both(quality)]


def _best_in_both(quality: Numbers) -> int:
    """The row of the best sum of the metrics, each as a share of the best value any row has.

    As shares, since a hundredth of recall would else count more than a hundredth of nDCG, which is the smaller number.
    """
    return int((quality / np.where(quality.max(axis=0) > 0, quality.max(axis=0), 1)).sum(axis=1).argmax())


def _blends(trial: _Trial, choices: Sequence[Options], *, n_head: int) -> list[_Blend]:
    parts: dict[tuple[str, float], _Part] = {}
    head = trial.table.matrix[:, :n_head]
    for kind, power, columns in (("ridge", 0.0, n_head), ("broad_ridge", BROAD_POWER, n_head // 2)):
        together = gram(trial.table.matrix[:, :columns], power=power)
        for ridge in sorted({float(getattr(options, kind)) for options in choices}):
            weights = ease_weights(together, ridge=ridge)
            parts[kind, ridge] = _Part(weights, typical_best(head, weights))
    popularity = {options.half_life_days: trial.popularity(options.half_life_days) for options in choices}
    return [
        _Blend(
            options.popularity_weight * popularity[options.half_life_days],
            parts["ridge", options.ridge],
            parts["broad_ridge", options.broad_ridge],
            options.halfway,
        )
        for options in choices
    ]


@dataclass(frozen=True, eq=False)
class _Part:
    """EASE, and its best prediction for a typical cook."""

    weights: Weights
    typical: float


@dataclass(frozen=True, eq=False)
class _Blend:
    """What is to be tried; without the tastes popularity alone."""

    popularity: Numbers
    sharp: _Part | None = None
    broad: _Part | None = None
    halfway: float = 1.0

    def parts(self) -> list[_Part]:
        return [part for part in (self.sharp, self.broad) if part is not None]


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

    def qualities(self, blends: Sequence[_Blend]) -> Numbers:
        """Mean nDCG@10 and recall@20 of ranking all recipes new to each cook: shape (n_blends, 2)."""
        step = max(1, _SCORES_AT_ONCE // self.later.shape[1])
        starts = range(0, len(self.rows), step)
        values = [self._values(blends, slice(start, start + step)) for start in starts]
        means: Numbers = np.concatenate(values, axis=2).mean(axis=2)
        return means

    def _values(self, blends: Sequence[_Blend], part: slice) -> Numbers:
        """Of the cooks in *part*: shape (n_blends, 2, n_cooks)."""
        known = self.table.matrix[self.rows[part]]
        relevance, is_new = self.later[part].toarray(), known.toarray() == 0
        decided = np.where(relevance > 0, -np.inf, np.where(is_new, 0, np.inf)).astype(np.float32)
        n_places = min(_DEPTH + int((relevance > 0).sum(axis=1).max()), relevance.shape[1])
        values = []
        for scores in _scores(known, blends):
            # What is relevant, and the best of the rest: the metrics are the same, and no long row has to be sorted.
            places = np.argpartition(decided - scores, n_places - 1, axis=1)[:, :n_places]
            places.sort(axis=1)
            gains, points, mask = (np.take_along_axis(one, places, axis=1) for one in (relevance, scores, is_new))
            result = evaluate_arrays(gains, points, metrics=_OBJECTIVES, mask=mask, n_threads=1)
            values.append([result[name].values for name in _OBJECTIVES])
        return np.array(values)


def _scores(known: sp.csr_matrix, blends: Sequence[_Blend]) -> Iterator[Weights]:
    """As :meth:`recipes.collaborative.model.CollaborativeModel.scores` before the squashing, for all recipes."""
    parts = {id(part): part for blend in blends for part in blend.parts()}
    n_head = max((len(part.weights) for part in parts.values()), default=0)
    head = known[:, :n_head]
    likes = {key: tastes(head, part.weights) / np.float32(part.typical) for key, part in parts.items()}
    lengths = np.asarray(head.sum(axis=1), np.float32)
    for blend in blends:
        scores = blend.popularity.astype(np.float32) * popularity_share(lengths)
        share = sharp_share(lengths, blend.halfway)
        for part, worth in zip(blend.parts(), (share, 1 - share), strict=False):
            scores[:, : len(part.weights)] += worth * likes[id(part)]
        yield scores


def sharp_share(lengths: Weights, halfway: float) -> Weights:
    """How much of the taste is the sharp one, 0 to 1: what few recipes tell of a cook is better smoothed.

    Args:
        lengths: sums of the histories' weights, in any shape.
        halfway: see :class:`Options`.
    """
    share: Weights = (lengths / (lengths + halfway)).astype(np.float32)
    return share


def popularity_share(lengths: Weights) -> Weights:
    """How much popularity counts beside taste, 1 for up to one recipe: the more is known of a cook, the less."""
    share: Weights = (1 / np.sqrt(np.maximum(lengths, 1))).astype(np.float32)
    return share


def tastes(known: sp.csr_matrix, weights: Weights) -> Weights:
    """EASE's predictions, negative ones as 0: shape (n_users, n_weights).

    Each is divided by the root of the sum of the history's weights: a sum over a long history is not a stronger taste.

    Args:
        known: shape (n_users, n_head): the cooks' histories.
        weights: shape (n_weights, n_weights), of the first n_weights of them.
    """
    lengths = np.asarray(known.sum(axis=1), np.float32)
    predicted: Weights = known[:, : len(weights)].astype(np.float32) @ weights
    predicted /= np.sqrt(np.where(lengths > 0, lengths, 1))
    return np.maximum(predicted, 0)


def typical_best(head: sp.csr_matrix, weights: Weights) -> float:
    """The median over cooks of EASE's best prediction for a recipe that is new to them; 1 where there is none.

    Args:
        head: shape (n_users, n_head): the cooks' histories.
        weights: shape (n_weights, n_weights), of the first n_weights of them.
    """
    known = head[:: -(-head.shape[0] // _COOKS_FOR_TYPICAL)]
    best = np.where(known[:, : len(weights)].toarray() > 0, 0, tastes(known, weights)).max(axis=1)
    return float(np.median(best[best > 0])) if (best > 0).any() else 1.0
