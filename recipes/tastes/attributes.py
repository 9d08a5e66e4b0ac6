"""What recipes are like, as vectors: what they contain, their cuisine, meals, diets, tags and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from recipes.catalog import Recipe, StoredRecipe
from recipes.contents import contents_of
from recipes.index.items import Floats
from recipes.lexicon import Lexicon

N_DIMENSIONS = 48
_QUICK_MINUTES, _LONG_MINUTES = 30, 90
# An attribute of nearly all recipes, or of a single one, says nothing of taste.
_MOST_COMMON = 0.6
_FEWEST = 2


@dataclass(frozen=True)
class RecipeAttributes:
    """Vectors of the recipes *numbers*, which ascend: shape (n_recipes, n_dimensions), mean 0, mean length 1.

    They are the principal directions of the recipes' attributes, each attribute weighted by its rarity (IDF).
    """

    numbers: NDArray[np.int64]
    vectors: Floats

    @classmethod
    def of(
        cls, recipes: Iterable[StoredRecipe], lexicon: Lexicon, *, n_dimensions: int = N_DIMENSIONS
    ) -> RecipeAttributes:
        """Of *recipes*, in ascending order of their numbers. Fewer dimensions where there are too few recipes."""
        numbers: list[int] = []
        described: list[list[str]] = []
        for stored in recipes:
            numbers.append(stored.recipe_no)
            described.append(sorted(_attributes(stored.recipe, lexicon)))
        vectors = _directions(_weighted(described), n_dimensions)
        return cls(np.array(numbers, dtype=np.int64), vectors)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each of *numbers*, -1 for those that are not here."""
        if not len(self.numbers):
            return np.full(len(numbers), -1, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[found] == numbers, found, -1)


def _attributes(recipe: Recipe, lexicon: Lexicon) -> Iterator[str]:
    yield from contents_of(recipe, lexicon).concepts
    yield from (f"tag:{tag}" for tag in recipe.tags)
    yield from (f"meal:{meal}" for meal in recipe.meals)
    yield from (f"diet:{diet}" for diet in recipe.diets or ())
    if recipe.cuisine:
        yield f"cuisine:{recipe.cuisine}"
    if recipe.minutes is not None and recipe.minutes <= _QUICK_MINUTES:
        yield "time:quick"
    if recipe.minutes is not None and recipe.minutes > _LONG_MINUTES:
        yield "time:long"


def _weighted(described: list[list[str]]) -> sp.csr_array:
    """Recipes by attributes, each weighted by the square root of its IDF, so that a recipe's length counts it once."""
    counts = Counter(name for names in described for name in names)
    kept = sorted(name for name, count in counts.items() if _FEWEST <= count <= _MOST_COMMON * len(described))
    column = {name: place for place, name in enumerate(kept)}
    pairs = [(row, column[name]) for row, names in enumerate(described) for name in names if name in column]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    idf = np.log(max(1, len(described)) / np.array([counts[name] for name in kept] or [1]))
    return sp.csr_array((np.sqrt(idf)[columns], (rows, columns)), shape=(len(described), max(1, len(kept))))


def _directions(attributes: sp.csr_array, n_dimensions: int) -> Floats:
    k = min(n_dimensions, min(attributes.shape) - 1)
    if k < 1:
        return np.zeros((attributes.shape[0], 1), dtype=np.float32)
    # A fixed start, so that equal recipes give equal vectors.
    start = np.ones(min(attributes.shape))
    left, values, _ = scipy.sparse.linalg.svds(attributes, k=k, v0=start)
    vectors = left[:, ::-1] * values[::-1]
    centred = vectors - vectors.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=1).mean())
    return np.asarray(centred / (length or 1), dtype=np.float32)
