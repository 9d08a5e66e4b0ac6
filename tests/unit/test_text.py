"""Tokens and stems: what must fall together, and what must stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.text import fold, stem, stems, tokens


def test_folding_drops_case_and_accents_but_keeps_the_letter() -> None:
    assert fold("Piña COLADA con Jalapeño") == "pina colada con jalapeno"


@pytest.mark.parametrize("styled", ["𝐇𝐔𝐄𝐕𝐎", "ＨＵＥＶＯ", "ⓗⓤⓔⓥⓞ", "HÚEVO", "hue\u00advo"])
def test_letters_in_disguise_are_read(styled: str) -> None:
    assert tokens(styled) == ["huevo"]


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_case_never_changes_the_tokens_of_latin_letters(text: str) -> None:
    latin = "".join(letter for letter in text if letter.isascii() or letter in "áéíóúñüÁÉÍÓÚÑÜ")
    assert tokens(latin.upper()) == tokens(latin.lower())


def test_tokens_are_words_and_numbers_in_order() -> None:
    assert tokens("1,5 kg de patatas, pre-cocidas") == ["1", "5", "kg", "de", "patatas", "pre", "cocidas"]


@pytest.mark.parametrize("text", ["grandma's pie", "grandma’s pie", "grandmaʼs pie"])
def test_a_possessive_stays_with_its_word(text: str) -> None:
    assert tokens(text) == ["grandmas", "pie"]


@pytest.mark.parametrize("text", ["", "   ", "🍕🍕", "¿¡…!?", "\u200b"])
def test_text_without_words_has_no_tokens(text: str) -> None:
    assert tokens(text) == []


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("tomate", "tomates"), ("huevo", "huevos"), ("nuez", "nueces"), ("limón", "limones"), ("frijol", "frijoles"),
        ("champiñón", "champiñones"), ("pez", "peces"), ("arroz", "arroces"), ("maní", "maníes"), ("col", "coles"),
        ("berry", "berries"), ("leaf", "leaves"), ("egg", "eggs"), ("tomato", "tomatoes"), ("cookie", "cookies"),
        ("radish", "radishes"), ("half", "halves"), ("peach", "peaches"),
    ],
)  # fmt: skip
def test_singular_and_plural_have_one_stem(singular: str, plural: str) -> None:
    assert stems(singular) == stems(plural)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pez", "pepino"),
        ("pasta", "paste"),
        ("frito", "fritura"),
        ("ajo", "ají"),
        ("bake", "baking"),
        ("rice", "ricotta"),
    ],
)
def test_different_foods_keep_different_stems(one: str, other: str) -> None:
    assert stems(one) != stems(other)


def test_numbers_are_their_own_stem() -> None:
    assert [stem("1000"), stem("7")] == ["1000", "7"]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1))
def test_a_token_never_loses_its_stem(token: str) -> None:
    assert stem(token)
