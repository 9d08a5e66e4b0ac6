"""The starter catalogue that ships with the package: readable TOML files, one per cuisine."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from recipes.catalog.recipe import Recipe, RecipeText
from recipes.text import LANGUAGES

SOURCE = "starter"


def starter_recipes() -> Iterator[Recipe]:
    """Every recipe of the starter catalogue, in Spanish and English, the order the same each time.

    Raises:
        BadRecipe: a file of the package is damaged.
    """
    folder = resources.files("recipes") / "data" / "catalogue"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            for entry in tomllib.loads(file.read_text("utf-8"))["recipe"]:
                yield _recipe(entry)


def _recipe(entry: Mapping[str, Any]) -> Recipe:
    return Recipe(
        recipe_id=entry["id"],
        source=SOURCE,
        language="es",
        texts={language: RecipeText.checked(**entry[language]) for language in LANGUAGES},
        cuisine=entry["cuisine"],
        minutes=entry["minutes"],
        servings=entry["servings"],
        meals=tuple(entry["meals"]),
        diets=tuple(entry["diets"]),
        allergens=tuple(entry["allergens"]),
        tags=tuple(entry["tags"]),
    )
