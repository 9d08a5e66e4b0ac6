"""What a recipe is taken to contain: the ground of every exclusion."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recipes.catalog import Recipe
from recipes.constraints import DIET_EXCLUDES
from recipes.contents import ALLERGEN_CONCEPTS, contents_of, foods_in
from recipes.index.document import PREPARATIONS
from recipes.index.store import BROAD_CONCEPTS
from recipes.lexicon import Concept, Lexicon, LexiconError, read_concepts
from recipes.meals import DISH_CONCEPTS
from recipes.query import EXCLUDABLE_WORDS
from recipes.text import stems

MakeRecipe = Callable[..., Recipe]


def _has(line: str, language: str, lexicon: Lexicon) -> set[str]:
    return foods_in(lexicon.read(stems(line), language), lexicon)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "language", "concept"),
    [
        ("1/2 cup butter, softened", "en", "dairy"),
        ("1 (8 ounce) package cream cheese", "en", "dairy"),
        ("1 cup plain yogurt", "en", "dairy"),
        ("1 (10.75 ounce) can cream of mushroom soup", "en", "dairy"),
        ("1 cup buttermilk baking mix", "en", "gluten"),
        ("2 tablespoons Worcestershire sauce", "en", "fish"),
        ("1 package ladyfingers", "en", "egg"),
        ("1/2 cup mayonnaise", "en", "egg"),
        ("3 egg whites", "en", "egg"),
        ("1 cup all-purpose flour", "en", "gluten"),
        ("2 tablespoons soy sauce", "en", "gluten"),
        ("1 package fettuccine", "en", "gluten"),
        ("1/2 cup chopped pecans", "en", "nut"),
        ("1/4 cup peanut butter", "en", "nut"),
        ("1 package lime gelatin", "en", "animal_product"),
        ("4 slices bacon", "en", "pork"),
        ("2 cups chicken broth", "en", "meat"),
        ("1/2 cup dry white wine", "en", "alcohol"),
        ("2 eggs, free range", "en", "egg"),
        ("200 g de mantequilla", "es", "dairy"),
        ("1 taza de nata para montar", "es", "dairy"),
        ("150 g de queso rallado", "es", "dairy"),
        ("2 claras", "es", "egg"),
        ("200 g de harina", "es", "gluten"),
        ("1 hoja de hojaldre", "es", "gluten"),
        ("100 g de manteca", "es", "animal_fat"),
        ("un puñado de nueces", "es", "nut"),
        ("12 gambas peladas", "es", "shellfish"),
        ("leche sin lactosa", "es", "dairy"),
    ],
)
def test_an_ingredient_counts_with_all_that_it_is_made_of(
    line: str, language: str, concept: str, lexicon: Lexicon
) -> None:
    assert concept in _has(line, language, lexicon)


@pytest.mark.parametrize(
    ("line", "language", "concept"),
    [
        ("1 can coconut milk", "en", "dairy"),
        ("1/4 teaspoon cream of tartar", "en", "dairy"),
        ("1 cup almond milk", "en", "dairy"),
        ("2 tablespoons peanut butter", "en", "dairy"),
        ("1 cup vegan butter", "en", "dairy"),
        ("1 cup rice flour", "en", "gluten"),
        ("1/2 cup cornstarch", "en", "gluten"),
        ("8 ounces rice noodles", "en", "gluten"),
        ("1 cup buckwheat flour", "en", "gluten"),
        ("2 cups gluten-free all-purpose flour", "en", "gluten"),
        ("1 eggplant, cubed", "en", "egg"),
        ("1/2 teaspoon nutmeg", "en", "nut"),
        ("1 butternut squash", "en", "nut"),
        ("1 cup flaked coconut", "en", "nut"),
        ("2 cups vegetable broth", "en", "meat"),
        ("1 pound oyster mushrooms", "en", "shellfish"),
        ("400 ml de leche de coco", "es", "dairy"),
        ("1 cucharadita de crémor tártaro", "es", "dairy"),
        ("200 g de harina de arroz", "es", "gluten"),
        ("2 cucharadas de maicena", "es", "gluten"),
        ("una pizca de nuez moscada", "es", "nut"),
        ("leche sin lactosa", "es", "lactose"),
        ("500 ml de caldo de verduras", "es", "meat"),
    ],
)
def test_a_compound_is_not_its_parts(line: str, language: str, concept: str, lexicon: Lexicon) -> None:
    assert concept not in _has(line, language, lexicon)


def test_the_butter_for_the_tin_counts(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    recipe = make_recipe("Rice cake", ingredients=("2 cups rice",), steps=("Grease a tin with butter.",))
    assert "dairy" in contents_of(recipe, lexicon).concepts


def test_milk_in_a_step_means_the_coconut_milk_of_the_ingredients(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    recipe = make_recipe("Rice", ingredients=("1 can coconut milk", "rice"), steps=("Stir in the milk.",))
    assert "dairy" not in contents_of(recipe, lexicon).concepts


def test_steps_are_not_read_where_allergens_are_declared(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    recipe = make_recipe("Rice", ingredients=("rice",), steps=("Serve with butter or without.",), allergens=())
    assert "dairy" not in contents_of(recipe, lexicon).concepts


def test_a_declared_allergen_counts_without_any_word(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    recipe = make_recipe("Secret bars", ingredients=("a secret",), allergens=("milk",))
    assert {"dairy", "lactose"} - {"lactose"} <= contents_of(recipe, lexicon).concepts


def test_a_food_that_only_the_name_says_counts_unless_the_name_rules_it_out(
    make_recipe: MakeRecipe, lexicon: Lexicon
) -> None:
    assert "egg" in contents_of(make_recipe("Egg surprise", ingredients=("salt",)), lexicon).concepts
    assert "egg" not in contents_of(make_recipe("Eggless cake", ingredients=("salt",)), lexicon).concepts
    assert "cheese" not in contents_of(make_recipe("Vegan cheese", ingredients=("salt",)), lexicon).concepts


def test_an_english_pan_is_no_bread(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    recipe = make_recipe("Rice", ingredients=("rice",), steps=("Heat a pan.",))
    assert "gluten" not in contents_of(recipe, lexicon).concepts


def test_unknown_words_are_kept_for_literal_exclusion(make_recipe: MakeRecipe, lexicon: Lexicon) -> None:
    contents = contents_of(make_recipe("Soup", ingredients=("2 zorblaxes",)), lexicon)
    assert contents.breaks((), stems("zorblax"))


def test_a_lexicon_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(LexiconError, match="'a' names 'b', which is not defined"):
        Lexicon([Concept("a", "x", ("a",), (), ("b",), ())])
    with pytest.raises(LexiconError, match="'a' is defined twice"):
        Lexicon([Concept("a", "x", ("a",), (), (), ()), Concept("a", "y", ("b",), (), (), ())])
    with pytest.raises(LexiconError, match="unknown keys"):
        list(read_concepts('a = {es = ["a"], kind = "b"}', group="x"))


def test_the_shipped_lexicon_has_forms_for_every_concept_and_no_food_without_both_languages(lexicon: Lexicon) -> None:
    assert len(lexicon.concepts) > 3_000
    for concept in lexicon.concepts.values():
        assert concept.es or concept.en, concept.name
        if concept.group == "roots":
            assert concept.es, concept.name


def test_no_food_is_every_food(lexicon: Lexicon) -> None:
    """A slip in `is` or `contains` that made onions an animal product would hide half the catalogue."""
    for plant in ("onion", "rice", "tomato", "chickpea", "olive_oil", "potato", "apple", "lentil", "banana"):
        assert lexicon.made_of(plant).isdisjoint({"animal_product", "gluten", "nut", "alcohol"}), plant


def test_every_concept_that_code_names_is_in_the_lexicon(lexicon: Lexicon) -> None:
    """A concept that the lexicon renames would silently switch a rule off."""
    diets = {concept for excluded in DIET_EXCLUDES.values() for concept in excluded}
    named = {*ALLERGEN_CONCEPTS.values(), *diets, *DISH_CONCEPTS, *PREPARATIONS, *EXCLUDABLE_WORDS, *BROAD_CONCEPTS}
    assert named - set(lexicon.concepts) == set()
