"""What the HTTP service takes for a question or for feedback, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recipes.answer import Ask
from recipes.api.requests import DIET_NAMES, MEAL_NAMES, FeedbackRequest, RecommendRequest
from recipes.catalog.recipe import DIETS, MEALS


def ask(**body: Any) -> Ask:
    return RecommendRequest.model_validate({"query": "cena", **body}).ask()


def reason(model: type[RecommendRequest | FeedbackRequest], body: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    return str(refused.value)


def test_a_query_alone_asks_for_three_recipes_in_spanish() -> None:
    assert ask() == Ask("cena", n=3, language="es")


@pytest.mark.parametrize(
    ("spanish", "english"),
    [
        ({"usuario": "ana"}, {"user_id": "ana"}),
        ({"idioma": "en"}, {"language": "en"}),
        ({"filtros": {"tiempo": 20}}, {"filters": {"time": 20}}),
        ({"filtros": {"dieta": ["vegano", "sin_gluten"]}}, {"filters": {"diet": ["vegan", "gluten_free"]}}),
        ({"filtros": {"incluir": ["arroz"]}}, {"filters": {"include": ["arroz"]}}),
        ({"filtros": {"excluir": ["arroz"]}}, {"filters": {"exclude": ["arroz"]}}),
        ({"filtros": {"comida": ["cena"]}}, {"filters": {"meal": ["dinner"]}}),
    ],
)
def test_spanish_and_english_names_ask_for_the_same(spanish: dict[str, Any], english: dict[str, Any]) -> None:
    assert ask(**spanish) == ask(**english) != ask()


def test_explica_has_an_english_name_too() -> None:
    assert RecommendRequest.model_validate({"query": "pan", "explain": True}).explica


def test_every_diet_and_meal_can_be_asked_for() -> None:
    assert set(DIET_NAMES.values()) == set(DIETS)
    assert set(MEAL_NAMES.values()) == set(MEALS)


@pytest.mark.parametrize("name", ["Sin Gluten", "sin-gluten", "SIN_GLUTEN", " sin gluten "])
def test_a_diet_is_recognised_however_it_is_spelt(name: str) -> None:
    assert ask(filtros={"dieta": name}).filters.diets == ("gluten_free",)


def test_accents_do_not_matter_in_names() -> None:
    assert ask(filtros={"comida": "guarnición"}).filters.meals == ("side",)
    assert ask(filtros={"dieta": "sin lácteos"}).filters.diets == ("dairy_free",)


def test_one_word_may_stand_for_a_list() -> None:
    assert ask(filtros={"excluir": "huevo"}) == ask(filtros={"excluir": ["huevo"]})


@given(n=st.integers(1, 20), language=st.sampled_from(["es", "en"]), minutes=st.integers(1, 10_080))
def test_what_is_within_bounds_is_asked_for_as_said(n: int, language: str, minutes: int) -> None:
    asked = ask(n=n, idioma=language, filtros={"tiempo": minutes})
    assert (asked.n, asked.language, asked.filters.max_minutes) == (n, language, minutes)


@given(query=st.text(max_size=500))
def test_a_query_is_taken_without_its_margins_or_refused(query: str) -> None:
    try:
        taken = RecommendRequest.model_validate({"query": query}).query
    except ValidationError:
        return
    assert taken
    assert taken == taken.strip()
    assert any(letter.isalnum() for letter in taken)
    assert not any(letter in taken for letter in "\0\x07\x1b\x7f\n\t")


@pytest.mark.parametrize("excluded", ["花生", "🥜", " ", "…"])
def test_an_exclusion_that_cannot_be_read_is_refused_and_never_passed_over(excluded: str) -> None:
    assert "excluir" in reason(RecommendRequest, {"query": "cena", "filtros": {"excluir": [excluded]}})


def test_an_unknown_diet_is_answered_with_the_known_ones_and_without_an_echo_of_any_length() -> None:
    said = reason(RecommendRequest, {"query": "cena", "filtros": {"dieta": "k" * 60_000}})
    assert "vegano" in said
    assert "k" * 100 not in said.split("input_value")[0]


FEEDBACK = {"request_id": "0" * 32, "recipe_id": "pan-con-tomate", "evento": "click"}


@pytest.mark.parametrize("valor", [1, 5, 4.5])
def test_a_rating_brings_its_stars(valor: float) -> None:
    body = {**FEEDBACK, "evento": "rating", "valor": valor}
    assert FeedbackRequest.model_validate(body).feedback().value == valor


@pytest.mark.parametrize("valor", [0, 0.99, 5.01, 6, -1, True, "5", float("nan"), float("inf"), [5]])
def test_stars_are_a_number_from_one_to_five(valor: object) -> None:
    assert "valor" in reason(FeedbackRequest, {**FEEDBACK, "evento": "rating", "valor": valor})


def test_a_rating_without_stars_and_stars_without_a_rating_are_refused() -> None:
    assert "valor goes with" in reason(FeedbackRequest, {**FEEDBACK, "evento": "rating"})
    assert "valor goes with" in reason(FeedbackRequest, {**FEEDBACK, "evento": "click", "valor": 3})


@pytest.mark.parametrize("field", ["request_id", "recipe_id", "event_id"])
@pytest.mark.parametrize("value", ["", "a\0b", "a\nb", "\x1b[31m", "x" * 200, 5])
def test_identities_are_short_text_without_control_characters(field: str, value: object) -> None:
    assert field in reason(FeedbackRequest, {**FEEDBACK, field: value})


@pytest.mark.parametrize("event", ["click", "cook", "save", "dismiss"])
def test_every_event_but_a_rating_goes_without_stars(event: str) -> None:
    taken = FeedbackRequest.model_validate({**FEEDBACK, "evento": event, "event_id": "e-1"}).feedback()
    assert (taken.event, taken.value, taken.event_id) == (event, None, "e-1")
