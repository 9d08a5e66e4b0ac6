"""Which language a text is in, told by its small words."""

from __future__ import annotations

import pytest

from recipes.catalog import starter_recipes
from recipes.language import detect
from recipes.text import Language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("desayuno saludable sin huevo", "es"),
        ("algo rápido para cenar con pollo", "es"),
        ("champiñones", "es"),
        ("postre vegano", "es"),
        ("dinner without nuts", "en"),
        ("something quick with chicken and rice", "en"),
        ("QUICK VEGETARIAN LUNCH", "en"),
        ("healthy breakfast no eggs", "en"),
    ],
)
def test_small_words_tell_the_language(text: str, language: Language) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "pizza", "🍕", "42", "tiramisu lasagna"])
def test_where_nothing_tells_the_default_holds(text: str) -> None:
    assert (detect(text), detect(text, default="en")) == ("es", "en")


def test_whole_recipes_are_never_taken_for_the_other_language() -> None:
    wrong = [
        (recipe.recipe_id, language)
        for recipe in starter_recipes()
        for language, text in recipe.texts.items()
        if detect(" ".join((text.name, text.description, *text.ingredients))) != language
    ]
    assert wrong == []
