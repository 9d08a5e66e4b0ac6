"""Impressions that would teach the wrong thing: those of programs, and the same one again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recipes.training.labels import SHOWN
from recipes.training.log import NOBODY
from recipes.training.options import TrainingOptions

_ENOUGH_TO_TELL = 100

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def programs(users: Integers, times: NDArray[np.float64], options: TrainingOptions) -> Integers:
    """Users that ask more often than a person does: above ``most_answers_per_hour`` in one hour of the clock.

    Args:
        users, times: shape (n_slates,). Nobody in particular is never one of them: it is many people.
    """
    known = users != NOBODY
    asked = np.stack([users[known], (times[known] // 3_600).astype(np.int64)], axis=1)
    pairs, counts = np.unique(asked, axis=0, return_counts=True)
    return np.unique(pairs[counts > options.most_answers_per_hour, 0])


def clickers(users: Integers, grades: NDArray[np.int8], options: TrainingOptions) -> Integers:
    """Users that react to nearly all they are shown: to more than ``most_reactions`` of at least 100 recipes.

    Args:
        users, grades: shape (n_rows,).
    """
    known = users != NOBODY
    found, which, n_shown = np.unique(users[known], return_inverse=True, return_counts=True)
    n_reactions = np.bincount(which, weights=grades[known] != SHOWN, minlength=len(found))
    return found[(n_shown >= _ENOUGH_TO_TELL) & (n_reactions > options.most_reactions * n_shown)]


def repeated(
    users: Integers, queries: Integers, recipes: Integers, times: NDArray[np.float64], grades: NDArray[np.int8],
    *, within_seconds: float,
) -> Bools:  # fmt: skip
    """Impressions to leave out: the same recipe for the same query of the same user again within a while.

    Of a run of them, each at most *within_seconds* after the one before, the one with the highest grade stays, the
    first of equal ones: a cook who looks at the same answer twice and then cooks has seen it once. Whose user is
    nobody in particular stays, since two people may well ask the same.

    Args:
        users, queries, recipes, times, grades: shape (n_rows,).
    """
    order = np.lexsort((times, recipes, queries, users))
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in (users, queries, recipes):
        same &= np.diff(column[order]) == 0
    same &= (np.diff(times[order]) <= within_seconds) & (users[order][1:] != NOBODY)
    runs = np.concatenate([[0], np.cumsum(~same)])[: len(order)]
    best_first = np.lexsort((times[order], -grades[order].astype(np.int64), runs))
    is_kept = np.zeros(len(order), dtype=np.bool_)
    is_kept[order[best_first[np.unique(runs[best_first], return_index=True)[1]]]] = True
    return ~is_kept
