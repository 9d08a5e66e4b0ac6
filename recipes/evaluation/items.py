"""The catalogue as an evaluation sees it: which recipes there are, and how many people rated each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlops.evaluation.lists import coverage, diversity, gini_of_exposure, novelty, popularity_bias
from mlops.store import Database
from recipes import schema
from recipes.catalog.starter import SOURCE

# Lists whose recipes are described at once: what they contain is a wide matrix.
_BATCH = 256


@dataclass(frozen=True)
class Items:
    """Every recipe of the catalogue, in the order of its number.

    Attributes:
        numbers: shape (n_items,): recipe numbers.
        ids: recipe ids, in the same order.
        n_ratings: shape (n_items,): how many people rated it.
        n_imported: how many are not of the starter catalogue.
    """

    numbers: NDArray[np.int64]
    ids: Sequence[str]
    n_ratings: NDArray[np.float64]
    n_imported: int = 0

    @classmethod
    def of(cls, database: Database) -> Items:
        """Those in *database*.

        Raises:
            StoreUnavailable: it does not answer.
        """
        table = schema.recipes
        columns = (table.c.recipe_no, table.c.recipe_id, table.c.n_ratings, table.c.source)
        with database.reading() as connection:
            rows = connection.execute(sa.select(*columns).order_by(table.c.recipe_no)).all()
        return cls(
            np.array([row.recipe_no for row in rows], np.int64),
            [row.recipe_id for row in rows],
            np.array([row.n_ratings for row in rows], np.float64),
            sum(row.source != SOURCE for row in rows),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each recipe, by its id."""
        return {recipe_id: row for row, recipe_id in enumerate(self.ids)}

    def lists(self, answers: Iterable[Sequence[str]]) -> NDArray[np.int64]:
        """*answers*, recipe ids best first, as rows of this catalogue: shape (n_answers, longest), -1 where empty."""
        known = [[self.rows[recipe_id] for recipe_id in answer if recipe_id in self.rows] for answer in answers]
        places = np.full((len(known), max(map(len, known), default=0)), -1, np.int64)
        for row, answer in enumerate(known):
            places[row, : len(answer)] = answer
        return places


def list_figures(
    lists: NDArray[np.int64], items: Items, *, used: NDArray[np.float64], contents: Mapping[int, frozenset[str]]
) -> dict[str, float | None]:
    """What lists are like beside being relevant; None where nothing is known.

    Args:
        lists: shape (n_lists, k), see :meth:`Items.lists`.
        used: shape (n_items,): how often each recipe was used; all 0 where nothing was.
        contents: what each shown recipe contains, by its row; empty leaves the diversity out.
    """
    known = used if used.any() else None
    return {
        "coverage": coverage(lists, n_items=len(items)),
        "novelty_bits": None if known is None else novelty(lists, popularity=known),
        "diversity": mean_diversity(lists, contents) if contents else None,
        "gini_of_exposure": gini_of_exposure(lists, n_items=len(items)),
        "popularity_bias": None if known is None else popularity_bias(lists, popularity=known),
    }


def mean_diversity(lists: NDArray[np.int64], contents: Mapping[int, frozenset[str]]) -> float | None:
    """Mean of 1 - cosine between what two recipes of a list contain, 0 to 1; None without a list of two.

    Args:
        lists: shape (n_lists, k), -1 where empty.
        contents: concepts of each recipe in *lists*. One without any shares nothing with the others.
    """
    several = lists[(lists >= 0).sum(axis=1) >= 2]
    if not len(several):
        return None
    batches = [several[start : start + _BATCH] for start in range(0, len(several), _BATCH)]
    return float(np.average([_diversity(batch, contents) for batch in batches], weights=[len(one) for one in batches]))


def _diversity(lists: NDArray[np.int64], contents: Mapping[int, frozenset[str]]) -> float:
    shown = np.unique(lists[lists >= 0])
    parts = [contents[row] or frozenset({f"recipe {row}"}) for row in shown.tolist()]
    column = {concept: at for at, concept in enumerate(sorted(frozenset().union(*parts)))}
    vectors = np.zeros((len(shown), len(column)))
    for at, concepts in enumerate(parts):
        vectors[at, [column[concept] for concept in concepts]] = 1.0
    renumbered = np.where(lists >= 0, np.searchsorted(shown, lists), -1)
    return diversity(renumbered, vectors=vectors)
