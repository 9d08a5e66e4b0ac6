"""Answers of a real service against the data schema and the rules of an answer; the starter recipes as well."""

from __future__ import annotations

import httpx
import pytest

from mlops.validation import validate_answer, validate_data
from recipes.catalog import starter_recipes

ASKED = [
    ({"query": "desayuno saludable sin huevo"}, {}),
    ({"query": "soup", "idioma": "en", "n": 5}, {}),
    ({"query": "cena", "filtros": {"tiempo": 30}, "explica": True}, {"30 minutes": lambda item: item["minutos"] <= 30}),
    ({"query": "postre", "filtros": {"dieta": "vegano"}}, {"no egg": lambda item: "egg" not in item["alérgenos"]}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "constraints"), ASKED)
def test_an_answer_fits_the_schema_and_keeps_its_promises(live_server, body, constraints):
    answer = httpx.post(f"{live_server}/recommend", json=body, timeout=30).json()
    assert validate_data([body], part="requests").violations == []
    assert validate_data([answer], part="answers").violations == []
    language = body.get("idioma", "es")
    assert validate_answer(answer, n_items=body.get("n", 3), language=language, constraints=constraints) == []


def test_the_starter_recipes_fit_the_schema():
    rows = [
        {
            "recipe_id": recipe.recipe_id, "source": recipe.source, "language": recipe.language,
            "name": recipe.original.name, "description": recipe.original.description,
            "ingredients": list(recipe.original.ingredients), "steps": list(recipe.original.steps),
            "minutes": recipe.minutes, "servings": recipe.servings, "cuisine": recipe.cuisine,
            "meals": list(recipe.meals), "tags": list(recipe.tags),
            "diets": None if recipe.diets is None else list(recipe.diets),
            "allergens": None if recipe.allergens is None else list(recipe.allergens),
        }
        for recipe in starter_recipes()
    ]  # fmt: skip
    report = validate_data(rows)
    assert (report.part, report.violations) == ("recipes", [])
