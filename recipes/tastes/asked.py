"""What cooks ask for: it tells of their tastes, before they have done anything with an answer.

The words of a question are not kept, only that two questions are the same. So what a question is about is told by what
was shown to the *other* cooks who asked it: what is shown to a cook follows what is believed of the cook already, and
would confirm it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recipes.tastes.encounters import Encounters, Integers, Numbers

# Recipes shown to others count beside so many of no question in particular.
_SHRINKAGE = 4.0
_LEAST = 1e-12


@dataclass(frozen=True)
class Asked:
    """What each cook's questions are about, less what all questions are about, by attributes.

    A cook of weights ``w`` asks for ``v`` with odds that grow by ``exp(pull * v·w)``; a question tells of ``w`` what a
    normal observation of mean ``pull * covariance @ w`` would (to the second order, where ``pull * v·w`` is small).

    Attributes:
        sums: over the questions of each cook, newer ones counting more: shape (n_cooks, d).
        counts: how much the questions of each cook count in all: shape (n_cooks,).
        covariance: of what questions are about: shape (d, d).
    """

    sums: Numbers
    counts: Numbers
    covariance: Numbers

    @classmethod
    def of(cls, encounters: Encounters, vectors: Numbers, weight: Numbers) -> Asked:
        """From *encounters*, at least one.

        Args:
            vectors: of the recipe of each encounter: shape (n, d).
            weight: of each encounter: shape (n,).
        """
        first, places = np.unique(encounters.answer, return_index=True, return_inverse=True)[1:]
        cook, question, weight = encounters.cook[first], encounters.question[first], weight[first]
        # Of each answer: the sum of the vectors, and how many there are.
        shown = _totals(places, np.column_stack([vectors, np.ones(len(vectors))]))
        others = _of_the_same(question, shown) - _of_the_same(cook * (int(question.max()) + 1) + question, shown)
        usual = vectors.mean(axis=0)
        about = (others[:, :-1] + _SHRINKAGE * usual) / (others[:, -1:] + _SHRINKAGE)
        named = cook >= 0
        cook, about, weight = cook[named], about[named], weight[named]
        about = about - np.average(about, axis=0, weights=weight) if len(about) else about
        n_cooks = len(encounters.cooks)
        counts = np.bincount(cook, weight, minlength=n_cooks).astype(np.float64)
        sums = np.zeros((n_cooks, vectors.shape[1]))
        np.add.at(sums, cook, about * weight[:, None])
        covariance = (about * weight[:, None]).T @ about / max(float(weight.sum()), _LEAST)
        return cls(sums, counts, covariance)

    def pull(self, weights: Numbers) -> float:
        """How much more cooks ask for what they like, at least 0, by one standard error less than it looks.

        The regression of what is asked for on *weights*, which must not come from what is asked for.

        Args:
            weights: of each cook, less those of all: shape (n_cooks, d).
        """
        known = float((self.counts * np.einsum("ni,ij,nj->n", weights, self.covariance, weights)).sum())
        if known < _LEAST:
            return 0.0
        return max(0.0, float((self.sums * weights).sum()) / known - 1 / math.sqrt(known))


def _of_the_same(keys: Integers, values: Numbers) -> Numbers:
    """For each row the sum of *values*, of shape (n, d), over all rows with its key."""
    places = np.unique(keys, return_inverse=True)[1]
    return _totals(places, values)[places]


def _totals(places: Integers, values: Numbers) -> Numbers:
    """Sums of *values*, of shape (n, d), by place: shape (n_places, d)."""
    which = sp.csr_array(
        (np.ones(len(places)), (places, np.arange(len(places)))), shape=(places.max() + 1, len(places))
    )
    return np.asarray(which @ values)
