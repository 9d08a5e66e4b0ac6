"""The collaborative feature: what a cook would like, by what cooks with the same history cooked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mlops.errors import TooLittleData
from recipes.collaborative import _files
from recipes.collaborative.choice import (
    BROAD_POWER,
    Options,
    choose_options,
    popularity_share,
    sharp_share,
    typical_best,
)
from recipes.collaborative.ease import ease_weights, gram
from recipes.collaborative.histories import Histories
from recipes.collaborative.interactions import Interactions, Table, recent_popularity
from recipes.index.items import Floats

COLLABORATIVE_FILE = _files.NAME
# Weights of 4,096 recipes with one another take 32 MiB as float16; rarer recipes have little that could be learned.
MOST_IN_HEAD = 4_096
# Of a longer history the latest count: an answer must not take longer for those who cook the most.
LONGEST_HISTORY = 1_000


@dataclass(frozen=True)
class CollaborativeModel:
    """Scores from 0 to 1 for any cook and recipes; fitted by :meth:`fit`, kept by :meth:`files`.

    Attributes:
        options: what it was fitted with.
        recipes: shape (n_recipes,): recipe numbers; the first n_head of them have weights.
        popularity: shape (n_recipes,): recent popularity, 0 to 1, see
            :func:`~recipes.collaborative.interactions.recent_popularity`.
        weights: shape (n_head, n_head), float16: row j says what each recipe in a history says for recipe j.
            These are the sharp taste: every cook's pairs count in full.
        broad: shape (n_broad, n_broad), the same of the first n_broad recipes, half as many, for the broad taste: a
            cook's pairs count less, the more there are.
        typical: the best prediction for a typical cook, above 0, of the sharp taste and of the broad one.
        histories: what each known cook met.
        fingerprint: of the interactions that it was fitted on.
    """

    options: Options
    recipes: NDArray[np.int64]
    popularity: Floats
    weights: NDArray[np.float16]
    broad: NDArray[np.float16]
    typical: tuple[float, float]
    histories: Histories
    fingerprint: str
    _order: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _sorted: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _rows: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.recipes)
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_sorted", self.recipes[order])
        object.__setattr__(self, "_rows", {user: row for row, user in enumerate(self.histories.users)})

    @classmethod
    def fit(
        cls, interactions: Interactions, *, seed: int, as_of: datetime | None, options: Options | None = None
    ) -> CollaborativeModel:
        """Learn from the interactions before *as_of*; later ones change nothing.

        Args:
            seed: draws what the options are chosen on. The rest involves no chance.
            as_of: the cut, aware; None takes all.
            options: default: the best on a fifth of what is before the cut, see :mod:`recipes.collaborative.choice`.
        Raises:
            TooLittleData: nothing is before the cut.
            BadInteractions: there is a cut, and the interactions have no dates.
        """
        known = interactions.before(as_of)
        if not len(known):
            raise TooLittleData(f"0 interactions before {as_of}; the collaborative feature needs at least 1")
        # One thread: sums of floats differ with their number, and the same inputs are to give the same artefact.
        with threadpool_limits(limits=1):
            chosen = options or choose_options(known, seed=seed, n_head=MOST_IN_HEAD)
            return _fitted(known, chosen, now=_now(known, as_of))

    def scores(
        self,
        recipe_numbers: NDArray[np.int64],
        *,
        user_id: str | None = None,
        history: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Floats:
        """How much a cook would like each recipe: shape (n,), 0 to 1.

        That is x / (1 + x) of x = taste + popularity_weight * popularity / root of the history's length, where taste
        is a mean of the sharp and the broad one, each as a share of its typical: about 0.5 is a typical cook's best.

        A cook of whom nothing is known gets each recipe's popularity alone, 0 to 0.5. A recipe that nobody met before
        the cut gets 0; it is unknown, not disliked.

        Args:
            recipe_numbers: shape (n,).
            user_id: of a cook; one who was not there before the cut is like None.
            history: recipe numbers the cook met, oldest first, instead of what is kept of *user_id*.
        """
        places = self._places(np.asarray(recipe_numbers, np.int64))
        met, worth = self._history(user_id, history)
        popularity = np.where(places >= 0, self.popularity[places], 0)
        if not len(met):
            return _squashed(popularity)
        length = worth.sum()
        share = sharp_share(length, self.options.halfway)
        sharp, broad = (
            _taste(weights, places, met, worth) / typical
            for weights, typical in zip((self.weights, self.broad), self.typical, strict=True)
        )
        by_all = self.options.popularity_weight * popularity * popularity_share(length)
        return _squashed(by_all + share * sharp + (1 - share) * broad)

    def knows(self, user_id: str) -> bool:
        """Whether anything is known of this cook."""
        return user_id in self._rows

    def files(self) -> dict[str, bytes]:
        """Its artefact: one file of arrays, without a pickle."""
        return _files.packed(self)

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> CollaborativeModel:
        """The model from its artefact.

        Raises:
            RankerFailed: the file is missing, damaged, or its arrays do not fit together; the message names the array.
        """
        return cls(**_files.unpacked(files))

    def _places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each recipe, -1 where it is unknown."""
        at = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        return np.where(self._sorted[at] == numbers, self._order[at], -1)

    def _history(
        self, user_id: str | None, given: Sequence[int] | NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], Floats]:
        """Rows of the weights that the cook met, and what each is worth."""
        if given is not None:
            met = self._met(np.asarray(given, np.int64))
            return met, np.ones(len(met), np.float32)
        row = self._rows.get(user_id) if user_id is not None else None
        if row is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return self.histories.of_cook(row)

    def _met(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        places = self._places(numbers)[::-1]
        places = places[(places >= 0) & (places < len(self.weights))]
        return places[np.sort(np.unique(places, return_index=True)[1])][:LONGEST_HISTORY]


def _taste(weights: NDArray[np.float16], places: NDArray[np.int64], met: NDArray[np.int64], worth: Floats) -> Floats:
    """See :func:`~recipes.collaborative.choice.tastes`; *weights* by row of what is predicted. 0 beyond them."""
    taste = np.zeros(len(places), np.float32)
    asked, known = np.flatnonzero((places >= 0) & (places < len(weights))), met < len(weights)
    pairs = weights[places[asked][:, None], met[known]].astype(np.float32)
    taste[asked] = np.maximum(pairs @ worth[known], 0) / np.sqrt(worth.sum())
    return taste


def _squashed(raw: NDArray[Any]) -> Floats:
    squashed: Floats = (raw / (1 + raw)).astype(np.float32)
    return squashed


def _now(known: Interactions, as_of: datetime | None) -> float | None:
    if as_of is not None:
        return as_of.timestamp()
    return None if known.at is None else float(known.at.max())


def _fitted(known: Interactions, options: Options, *, now: float | None) -> CollaborativeModel:
    table = Table.of(known)
    popularity = recent_popularity(known, table.recipes, now=now, half_life_days=options.half_life_days)
    head = table.matrix[:, :MOST_IN_HEAD]
    sharp = ease_weights(gram(head, power=0.0), ridge=options.ridge)
    broad = ease_weights(gram(head[:, : MOST_IN_HEAD // 2], power=BROAD_POWER), ridge=options.broad_ridge)
    return CollaborativeModel(
        options=options,
        recipes=table.recipes,
        popularity=popularity.astype(np.float32),
        weights=np.ascontiguousarray(sharp.T).astype(np.float16),
        broad=np.ascontiguousarray(broad.T).astype(np.float16),
        typical=(typical_best(head, sharp), typical_best(head, broad)),
        histories=Histories.of(table, n_head=len(sharp), longest=LONGEST_HISTORY),
        fingerprint=known.fingerprint(),
    )
