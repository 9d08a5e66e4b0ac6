"""What each cook met, compactly: the part of the interactions that scores are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.collaborative.interactions import Table
from recipes.index.items import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """The latest recipes of each cook, of those that have weights.

    Attributes:
        users: ids.
        ends: shape (n_users,): where each cook's part of the arrays that follow ends.
        recipes: shape (n,): rows of the weights.
        worth: shape (n,): of each with its cook, above 0.
    """

    users: list[str]
    ends: NDArray[np.int64]
    recipes: NDArray[np.uint16]
    worth: NDArray[np.float16]

    @classmethod
    def of(cls, table: Table, *, n_head: int, longest: int) -> Histories:
        """The latest *longest* of each cook among the first *n_head* recipes.

        At equal times, or without dates, those that fewest others met: they tell the most.
        """
        matrix = table.matrix
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        order = np.lexsort((-matrix.indices, -table.latest, rows))
        order = order[matrix.indices[order] < n_head]
        counts = np.bincount(rows[order], minlength=len(table.users))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = order[rank < longest]
        return cls(
            users=table.users,
            ends=np.cumsum(np.minimum(counts, longest), dtype=np.int64),
            recipes=matrix.indices[kept].astype(np.uint16),
            worth=matrix.data[kept].astype(np.float16),
        )

    def of_cook(self, row: int) -> tuple[NDArray[np.int64], Floats]:
        """The recipes that the cook of *row* met, as rows of the weights, and what each is worth."""
        part = slice(int(self.ends[row - 1]) if row else 0, int(self.ends[row]))
        return self.recipes[part].astype(np.int64), self.worth[part].astype(np.float32)
