"""The starter catalogue is complete in both languages, and says the truth about diets and allergens."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from recipes.catalog import Recipe, starter_recipes
from recipes.catalog.recipe import ALLERGENS, DIETS, MEALS
from recipes.constraints import DIET_EXCLUDES
from recipes.contents import ALLERGEN_CONCEPTS, Contents, contents_of
from recipes.lexicon import Lexicon
from recipes.text import LANGUAGES, Language

RECIPES = list(starter_recipes())
TAGS = (
    "healthy", "quick", "economical", "festive", "kids", "spicy", "no_cook", "one_pot", "high_protein", "low_carb",
    "make_ahead", "light", "comfort",
)  # fmt: skip


def raw_entries() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of the file, entry) of every recipe as it is written."""
    for file in (resources.files("recipes") / "data" / "catalogue").iterdir():
        for entry in tomllib.loads(file.read_text("utf-8"))["recipe"]:
            yield file.name.removesuffix(".toml"), entry


# ---- Breadth


def test_there_are_recipes_enough_from_cuisines_enough() -> None:
    assert len(RECIPES) >= 160
    assert len({recipe.cuisine for recipe in RECIPES}) >= 20


@pytest.mark.parametrize(
    ("meal", "at_least"),
    [
        ("breakfast", 35), ("lunch", 100), ("dinner", 100), ("snack", 40), ("dessert", 20), ("drink", 8),
        ("starter", 30), ("side", 25),
    ],
)  # fmt: skip
def test_every_meal_is_well_covered(meal: str, at_least: int) -> None:
    assert sum(meal in recipe.meals for recipe in RECIPES) >= at_least


@pytest.mark.parametrize(
    ("diet", "at_least"),
    [
        ("vegan", 70), ("vegetarian", 110), ("pescatarian", 130), ("gluten_free", 120), ("dairy_free", 130),
        ("egg_free", 140), ("nut_free", 180),
    ],
)  # fmt: skip
def test_every_diet_is_well_covered(diet: str, at_least: int) -> None:
    assert sum(diet in (recipe.diets or ()) for recipe in RECIPES) >= at_least


@pytest.mark.parametrize("meal", MEALS)
def test_whoever_keeps_a_diet_finds_something_for_every_meal(meal: str) -> None:
    served = Counter(diet for recipe in RECIPES if meal in recipe.meals for diet in recipe.diets or ())
    assert {diet: served[diet] for diet in DIETS if served[diet] < 8} == {}


def test_who_is_in_a_hurry_finds_something() -> None:
    assert sum(recipe.minutes is not None and recipe.minutes <= 30 for recipe in RECIPES) >= 35


def test_the_lists_above_name_every_meal_and_diet() -> None:
    assert set(ALLERGEN_CONCEPTS) == set(ALLERGENS)
    assert set(DIET_EXCLUDES) == set(DIETS)


# ---- Form


def test_an_entry_has_these_keys_and_no_others_so_no_rating() -> None:
    keys = {"id", "cuisine", "meals", "minutes", "servings", "diets", "allergens", "tags", "es", "en"}
    words = {"name", "description", "ingredients", "steps"}
    for file, entry in raw_entries():
        assert set(entry) == keys, f"{file}: {entry.get('id')}"
        assert set(entry["es"]) == set(entry["en"]) == words, f"{file}: {entry['id']}"


def test_ids_and_names_are_unique_and_a_cuisine_is_the_name_of_its_file() -> None:
    entries = list(raw_entries())
    for names in (
        [entry["id"] for _, entry in entries],
        *([entry[language]["name"].casefold() for _, entry in entries] for language in LANGUAGES),
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [entry["id"] for file, entry in entries if entry["cuisine"] != file] == []
    assert [entry["id"] for _, entry in entries if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["id"])] == []


def test_every_recipe_is_complete_in_both_languages() -> None:
    for recipe in RECIPES:
        spanish, english = recipe.texts["es"], recipe.texts["en"]
        assert len(spanish.ingredients) == len(english.ingredients), recipe.recipe_id
        assert len(spanish.steps) == len(english.steps), recipe.recipe_id
        for text in (spanish, english):
            assert 60 <= len(text.description) <= 220, text.name
            assert 5 <= len(text.ingredients) <= 16, text.name
            assert 4 <= len(text.steps) <= 8, text.name
            assert all(step[-1] in ".!" for step in text.steps), text.name


def test_every_recipe_states_facts_from_the_lists() -> None:
    for recipe in RECIPES:
        assert recipe.meals, recipe.recipe_id
        assert recipe.minutes, recipe.recipe_id
        assert 1 <= (recipe.servings or 0) <= 24, recipe.recipe_id
        assert set(recipe.tags) <= set(TAGS), recipe.recipe_id
        for values in (recipe.meals, recipe.diets or (), recipe.allergens or (), recipe.tags):
            assert len(set(values)) == len(values), recipe.recipe_id


def test_every_ingredient_has_an_amount_in_metric_units() -> None:
    lines = [line for recipe in RECIPES for text in recipe.texts.values() for line in text.ingredients]
    amount = re.compile(r"\d|½|¼|al gusto|to taste|pizca|pinch")
    foreign = re.compile(r"\b(cups?|ounces?|oz|lbs?|pounds?|inch(es)?|tazas?|onzas?|libras?)\b|°F")
    assert [line for line in lines if not amount.search(line)] == []
    assert [line for line in lines if foreign.search(line)] == []


def test_both_languages_name_the_same_amounts_times_and_temperatures() -> None:
    for recipe in RECIPES:
        spanish, english = recipe.texts["es"], recipe.texts["en"]
        for one, other in (
            *zip(spanish.ingredients, english.ingredients, strict=True),
            *zip(spanish.steps, english.steps, strict=True),
        ):
            assert _numbers(one) == _numbers(other), f"{recipe.recipe_id}: {one} / {other}"


def _numbers(line: str) -> list[str]:
    line = re.sub(r"(?<=hora|oras|dita|rada) y media", " 1/2", line)
    for sign, digits in (("½", " 1/2"), ("¼", " 1/4"), ("¾", " 3/4")):
        line = line.replace(sign, digits)
    return sorted(re.findall(r"\d+(?:\.\d+)?(?:/\d+)?", re.sub(r"(?<=\d),(?=\d)", ".", line)))


def test_diets_and_allergens_do_not_contradict_each_other() -> None:
    ruled_out_by = {
        "gluten_free": {"gluten"}, "dairy_free": {"milk"}, "egg_free": {"egg"}, "nut_free": {"nuts", "peanut"},
    }  # fmt: skip
    for recipe in RECIPES:
        diets, allergens = set(recipe.diets or ()), set(recipe.allergens or ())
        if "vegan" in diets:
            assert {"vegetarian", "dairy_free", "egg_free"} <= diets, recipe.recipe_id
        if "vegetarian" in diets:
            assert "pescatarian" in diets, recipe.recipe_id
            assert not allergens & {"fish", "crustaceans", "molluscs"}, recipe.recipe_id
        for diet, ruled_out in ruled_out_by.items():
            assert (diet in diets) != bool(allergens & ruled_out), f"{recipe.recipe_id}: {diet}"


# ---- Truth: what is declared is what is read in the ingredients, in each language alone


def read_in(recipe: Recipe, language: Language, lexicon: Lexicon, *, steps: bool = False) -> Contents:
    """What the words of one language say, without what the recipe declares."""
    words = {language: recipe.texts[language]}
    declared = None if steps else ()
    return contents_of(dataclasses.replace(recipe, language=language, texts=words, allergens=declared), lexicon)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("allergen", ALLERGENS)
def test_a_declared_allergen_is_one_that_the_ingredients_hold(
    allergen: str, language: Language, lexicon: Lexicon
) -> None:
    concept = ALLERGEN_CONCEPTS[allergen]
    # A peanut is among the nuts of the lexicon, so whoever excludes nuts is safe from both.
    meant = {other for other in ALLERGENS if concept in lexicon.broader(ALLERGEN_CONCEPTS[other])}
    declared = {recipe.recipe_id for recipe in RECIPES if meant & set(recipe.allergens or ())}
    read = {recipe.recipe_id for recipe in RECIPES if concept in read_in(recipe, language, lexicon).concepts}
    assert read - declared == set(), "read in the words, and not declared"
    assert declared - read == set(), "declared, and not read in the words"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("diet", DIETS)
def test_a_declared_diet_is_one_that_the_ingredients_keep(diet: str, language: Language, lexicon: Lexicon) -> None:
    declared = {recipe.recipe_id for recipe in RECIPES if diet in (recipe.diets or ())}
    kept = {
        recipe.recipe_id for recipe in RECIPES if not read_in(recipe, language, lexicon).breaks(DIET_EXCLUDES[diet])
    }
    assert declared - kept == set(), "declared, and broken by the words"
    assert kept - declared == set(), "kept by the words, and not declared"


@pytest.mark.parametrize("language", LANGUAGES)
def test_reading_the_steps_too_hides_next_to_nothing(language: Language, lexicon: Lexicon) -> None:
    """Imported recipes declare nothing, so their steps are read. "Añade" once was a duck, and no recipe vegan."""
    wrong = {
        (recipe.recipe_id, diet)
        for recipe in RECIPES
        for diet in recipe.diets or ()
        if read_in(recipe, language, lexicon, steps=True).breaks(DIET_EXCLUDES[diet])
    }
    n_declared = sum(len(recipe.diets or ()) for recipe in RECIPES)
    assert len(wrong) <= 0.03 * n_declared, sorted(wrong)
