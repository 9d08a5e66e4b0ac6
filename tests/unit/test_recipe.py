"""A recipe is checked when it is made, and its hash tells contents apart."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import Recipe, RecipeText
from recipes.catalog.recipe import MAX_MINUTES, MAX_NAME_LENGTH, checked_language, clean
from recipes.errors import BadRecipe

SOUP = RecipeText("Tomato soup", "Warm.", ("4 tomatoes", "1 onion"), ("Chop.", "Cook."))
SOPA = RecipeText("Sopa de tomate", "Caliente.", ("4 tomates", "1 cebolla"), ("Pica.", "Cuece."))


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{"recipe_id": "soup", "source": "test", "language": "en", "texts": {"en": SOUP}, **changes})


@pytest.mark.parametrize(
    ("dirty", "tidy"),
    [
        ("  Rice &amp; peas \n", "Rice & peas"),
        ("<p>Mix <b>well</b></p>", "Mix well"),
        ("caf\u00e9\u200b con\u00a0leche\x00", "café con leche"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Soup", "alert(1) Soup"),
        ("Bake less if <5 lb, more if >7 lb", "Bake less if <5 lb, more if >7 lb"),
        ("half a \ud83c character", "half a character"),
        ("\u202eright to left", "right to left"),
        ("", ""),
    ],
)
def test_cleaning_leaves_one_line_of_plain_text(dirty: str, tidy: str) -> None:
    assert clean(dirty) == tidy


@given(st.text(st.characters()))
def test_a_clean_text_can_be_stored_anywhere(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert not {"\x00", "\n", "\r", "\t"} & set(cleaned)
    cleaned.encode()


def test_lines_without_text_are_left_out() -> None:
    text = RecipeText.checked(name="Soup", ingredients=["salt", " ", "<br>", "water"], steps=("Boil.", ""))
    assert (text.ingredients, text.steps, text.description) == (("salt", "water"), ("Boil.",), "")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", None, "is missing"),
        ("name", " <b></b> ", "is empty"),
        ("name", 7, "must be text, got int"),
        ("name", "x" * (MAX_NAME_LENGTH + 1), "has 301 characters; 300 is the most"),
        ("description", ["a"], "must be text, got list"),
        ("ingredients", None, "is missing"),
        ("ingredients", [], "is empty"),
        ("ingredients", ["", "\u200b"], "is empty"),
        ("ingredients", "salt", "must be a list of texts, got str"),
        ("ingredients", b"salt", "must be a list of texts, got bytes"),
        ("ingredients", {"salt": 1}, "must be a list of texts, got dict"),
        ("ingredients", 5, "must be a list of texts, got int"),
        ("ingredients", ["salt", None], "is missing"),
        ("steps", ["Boil.", 3], "must be text, got int"),
    ],
)
def test_words_that_are_no_recipe_are_refused_by_field(field: str, value: Any, reason: str) -> None:
    words = {"name": "Soup", "ingredients": ["salt"], "steps": ["Boil."], field: value}
    with pytest.raises(BadRecipe) as caught:
        RecipeText.checked(**words)
    assert (caught.value.field, caught.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("meals", {"meals": ("brunch",)}),
        ("diets", {"diets": ("paleo",)}),
        ("allergens", {"allergens": ("gluten", "milk", "corn")}),
        ("minutes", {"minutes": 0}),
        ("minutes", {"minutes": MAX_MINUTES + 1}),
        ("servings", {"servings": 0}),
        ("servings", {"servings": 1_001}),
        ("language", {"language": "es"}),
        ("id", {"recipe_id": ""}),
        ("id", {"recipe_id": "-soup"}),
        ("id", {"recipe_id": "a b"}),
        ("id", {"recipe_id": "../etc/passwd"}),
        ("id", {"recipe_id": "x" * 129}),
        ("id", {"recipe_id": "soup\n"}),
    ],
)
def test_facts_that_cannot_be_are_refused_by_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadRecipe) as caught:
        recipe(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize("value", ["es", "ES", "es-MX", "es_419", " es "])
def test_regions_and_case_do_not_hide_a_language(value: str) -> None:
    assert checked_language(value) == "es"


@pytest.mark.parametrize("value", ["fr", "est", "english!", "", None, {"@type": "Language"}, 5])
def test_other_languages_are_refused(value: Any) -> None:
    with pytest.raises(BadRecipe, match="is none of es, en"):
        checked_language(value)


CHANGES: list[dict[str, Any]] = [
    {"source": "other"},
    {"cuisine": "italian"},
    {"minutes": 30},
    {"servings": 2},
    {"meals": ("dinner",)},
    {"diets": ()},
    {"diets": ("vegan",)},
    {"allergens": ()},
    {"allergens": ("celery",)},
    {"tags": ("quick",)},
    {"texts": {"en": SOUP, "es": SOPA}},
    {"texts": {"en": SOUP, "es": SOPA}, "language": "es"},
    {"texts": {"en": dataclasses.replace(SOUP, name="Soup")}},
    {"texts": {"en": dataclasses.replace(SOUP, description="")}},
    {"texts": {"en": dataclasses.replace(SOUP, ingredients=("4 tomatoes", "1 onion", "salt"))}},
    {"texts": {"en": dataclasses.replace(SOUP, ingredients=("4 tomatoes 1 onion",))}},
    {"texts": {"en": dataclasses.replace(SOUP, steps=("Cook.", "Chop."))}},
]


def test_any_change_of_content_changes_the_hash() -> None:
    hashes = [recipe().content_hash, *(recipe(**changes).content_hash for changes in CHANGES)]
    assert len(set(hashes)) == len(CHANGES) + 1


def test_the_order_of_languages_does_not_change_the_hash() -> None:
    one, other = recipe(texts={"en": SOUP, "es": SOPA}), recipe(texts={"es": SOPA, "en": SOUP})
    assert one.content_hash == other.content_hash


def test_the_hash_stays_the_same_from_release_to_release() -> None:
    # It is stored: a hash that moved would make every import a change, and lose every translation.
    assert recipe(minutes=30).content_hash == "52ace5bbb36ab259dacec8be2e126dda"
