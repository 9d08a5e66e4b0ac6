"""The recipes of a simulation, with what tastes and questions are about: attributes, foods, kinds of dish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.catalog import Recipe
from recipes.contents import Contents, contents_of
from recipes.lexicon import Lexicon

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

QUICK_MINUTES, LONG_MINUTES = 30, 90
# A food is asked for where some recipes have it and most have not.
_RAREST, _MOST_COMMON = 0.02, 0.4
_RAREST_TASTE, _MOST_COMMON_TASTE = 0.05, 0.6
_UNUSUAL_TO_ASK_FOR = frozenset({"salt", "water", "oil", "black_pepper", "animal_product", "sulphite", "lactose"})


@dataclass(frozen=True)
class Pantry:
    """Recipes and who has what; every array of recipes follows the order of *recipes*.

    Attributes:
        columns: by attribute, such as ``tag:spicy``, which recipes have it, shape (n_recipes,).
        minutes: from start to table, 0 for unknown.
        contents: what each recipe contains.
        foods: food concepts that cooks ask for.
        dishes: kinds of dish that several recipes are.
    """

    recipes: Sequence[Recipe]
    columns: Mapping[str, Bools]
    minutes: NDArray[np.int32]
    contents: Sequence[Contents]
    foods: Sequence[str]
    dishes: Sequence[str]

    def __len__(self) -> int:
        return len(self.recipes)

    def attributes(self) -> Floats:
        """What tastes are about: shape (n_recipes, n_attributes), each column with mean 0 and variance 1.

        Those that 5 to 60 % of the recipes have: groups of foods such as legumes rather than the single lentil.
        """
        columns = [column for column in self.columns.values() if _RAREST_TASTE <= column.mean() <= _MOST_COMMON_TASTE]
        return standardised(np.column_stack(columns or [np.zeros(len(self), dtype=np.bool_)]).astype(np.float32))

    def has(self, attribute: str) -> Bools:
        """The recipes with *attribute*; none where no recipe has it."""
        return self.columns.get(attribute, np.zeros(len(self), dtype=np.bool_))

    def all_of(self, kind: str) -> list[str]:
        """Names of the attributes of *kind*, such as ``cuisine``, without the kind."""
        return [name.removeprefix(f"{kind}:") for name in self.columns if name.startswith(f"{kind}:")]


def pantry_of(recipes: Sequence[Recipe], lexicon: Lexicon) -> Pantry:
    """What is in *recipes*, at least two of them."""
    contents = [contents_of(recipe, lexicon) for recipe in recipes]
    counts = Counter(concept for each in contents for concept in each.concepts)
    known = sorted(name for name in counts if name in lexicon.concepts and name not in _UNUSUAL_TO_ASK_FOR)
    bounds = (max(2, _RAREST * len(recipes)), _MOST_COMMON * len(recipes))
    usual = [name for name in known if bounds[0] <= counts[name] <= bounds[1]]
    foods = [name for name in usual if lexicon.is_food(name)]
    dishes = [name for name in usual if lexicon.is_dish(name)]
    columns = _facts(recipes) | {
        f"{kind}:{name}": np.array([name in each.concepts for each in contents])
        for kind, names in (("food", foods), ("dish", dishes))
        for name in names
    }
    minutes = np.array([recipe.minutes or 0 for recipe in recipes], dtype=np.int32)
    columns["time:quick"] = (minutes > 0) & (minutes <= QUICK_MINUTES)
    columns["time:long"] = minutes > LONG_MINUTES
    kept = {name: column for name, column in columns.items() if column.any() and not column.all()}
    return Pantry(recipes, kept, minutes, contents, foods, dishes)


def _facts(recipes: Sequence[Recipe]) -> dict[str, Bools]:
    stated = [
        {f"cuisine:{recipe.cuisine}"} | {f"meal:{meal}" for meal in recipe.meals}
        | {f"diet:{diet}" for diet in recipe.diets or ()} | {f"tag:{tag}" for tag in recipe.tags}
        for recipe in recipes
    ]  # fmt: skip
    names = sorted(set().union(*stated) - {"cuisine:None"})
    return {name: np.array([name in each for each in stated]) for name in names}


def standardised(values: Floats) -> Floats:
    """*values* with mean 0 and variance 1 along the first axis; what does not vary becomes 0."""
    spread = values.std(axis=0)
    centred = values - values.mean(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, 1), dtype=np.float32)
