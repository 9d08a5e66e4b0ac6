"""``POST /recommend`` and ``POST /feedback`` of a real service process, as a program that calls them sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from recipes.catalog import starter_recipes
from recipes.catalog.recipe import DIETS

STARTERS = {recipe.recipe_id: recipe for recipe in starter_recipes()}


@pytest.fixture(scope="module")
def api(live_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server, timeout=30) as client:
        yield client


def recommend(api: httpx.Client, query: str = "cena", **body: Any) -> dict[str, Any]:
    response = api.post("/recommend", json={"query": query, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [recipe["id"] for recipe in answer["recetas"]]


# --- The answer -----------------------------------------------------------------------------------------------------


def test_the_owner_s_question_has_the_owner_s_answer(api: httpx.Client) -> None:
    response = api.post("/recommend", json={"query": "desayuno saludable sin huevo"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    answer = response.json()
    assert 1 <= len(answer["recetas"]) <= 3
    assert re.fullmatch("[0-9a-f]{32}", answer["request_id"])
    assert answer["modelo"] == {"id": "hybrid_ranker", "version": "1.0.0"}
    assert answer["aviso"] is None
    for recipe in answer["recetas"]:
        written = STARTERS[recipe["id"]].texts["es"]
        assert recipe["nombre"] == written.name
        assert recipe["descripción"] == written.description
        assert recipe["ingredientes"] == list(written.ingredients)
        assert recipe["instrucciones"] == list(written.steps)
        assert "breakfast" in recipe["comidas"]
        assert "egg" not in recipe["alérgenos"]


def test_a_recipe_that_nobody_rated_has_no_average(api: httpx.Client) -> None:
    [recipe] = [each for each in recommend(api, "ajiaco", n=20)["recetas"] if not each["valoraciones"]][:1]
    assert recipe["calificación_promedio"] is None


def test_the_answer_tells_what_it_understood(api: httpx.Client) -> None:
    understood = recommend(api, "cena con garbanzos sin huevo en menos de 30 minutos")["entendido"]
    assert understood["excluye"] == ["huevo"]
    assert understood["incluye"] == ["garbanzo"]
    assert understood["minutos_max"] == 30
    assert understood["comidas"] == ["dinner"]


@pytest.mark.parametrize("n", [1, 2, 20])
def test_n_recipes_come_at_their_positions(api: httpx.Client, n: int) -> None:
    recipes = recommend(api, "cena", n=n)["recetas"]
    assert [recipe["posición"] for recipe in recipes] == list(range(1, n + 1))
    assert len({recipe["id"] for recipe in recipes}) == n


def test_three_recipes_come_where_nobody_says_how_many(api: httpx.Client) -> None:
    assert len(recommend(api)["recetas"]) == 3


def test_more_recipes_begin_with_the_fewer(api: httpx.Client) -> None:
    assert ids(recommend(api, "sopa", n=10))[:3] == ids(recommend(api, "sopa"))


def test_the_answer_comes_in_the_language_asked_for(api: httpx.Client) -> None:
    spanish, english = recommend(api, "sopa de ajo"), recommend(api, "sopa de ajo", idioma="en")
    assert ids(spanish) == ids(english)
    for recipe in english["recetas"]:
        assert (recipe["nombre"], recipe["idioma"]) == (STARTERS[recipe["id"]].texts["en"].name, "en")
    assert {recipe["idioma"] for recipe in spanish["recetas"]} == {"es"}


def test_an_english_question_finds_the_same_dish(api: httpx.Client) -> None:
    assert "sopa-de-ajo" in ids(recommend(api, "garlic soup"))


def test_explica_says_of_each_recipe_why(api: httpx.Client) -> None:
    for recipe in recommend(api, "cena sin gluten", explica=True)["recetas"]:
        why = recipe["explicación"]
        assert set(why["características"]) >= {"semantic", "popularity"}
        assert why["respeta"]["excluye"] == ["gluten"]
        assert why["modelo"] == "hybrid_ranker 1.0.0"
    assert all("explicación" not in recipe for recipe in recommend(api, "cena sin gluten")["recetas"])


def test_the_same_question_has_the_same_answer_however_many_ask(api: httpx.Client) -> None:
    queries = ["sopa", "cena vegana", "postre sin huevo", "pan"] * 6
    expected = {query: ids(recommend(api, query, n=10)) for query in set(queries)}
    with ThreadPoolExecutor(8) as cooks:
        given = list(cooks.map(lambda query: ids(recommend(api, query, n=10)), queries))
    assert given == [expected[query] for query in queries]


# --- Filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spanish", "english"),
    [
        ({"tiempo": 20}, {"time": 20}),
        ({"dieta": "vegano"}, {"diet": "vegan"}),
        ({"incluir": "arroz"}, {"include": "rice"}),
        ({"excluir": ["ajo", "cebolla"]}, {"exclude": ["garlic", "onion"]}),
        ({"comida": "postre"}, {"meal": "dessert"}),
    ],
)
def test_filters_have_spanish_and_english_names(
    api: httpx.Client, spanish: dict[str, Any], english: dict[str, Any]
) -> None:
    in_spanish = recommend(api, "algo rico", n=10, filtros=spanish)
    in_english = recommend(api, "algo rico", n=10, filters=english)
    assert ids(in_spanish) == ids(in_english)
    assert in_spanish["entendido"] == in_english["entendido"]
    assert ids(in_spanish) != ids(recommend(api, "algo rico", n=10))


def test_a_time_filter_is_kept(api: httpx.Client) -> None:
    recipes = recommend(api, "cena", n=20, filtros={"tiempo": 25})["recetas"]
    assert recipes
    assert max(recipe["minutos"] for recipe in recipes) <= 25


@pytest.mark.parametrize("diet", DIETS)
def test_a_diet_is_kept(api: httpx.Client, diet: str) -> None:
    recipes = recommend(api, "algo rico", n=20, filtros={"dieta": diet})["recetas"]
    assert len(recipes) >= 10
    assert all(diet in recipe["dietas"] for recipe in recipes)


def test_several_diets_are_kept_together(api: httpx.Client) -> None:
    recipes = recommend(api, "cena", n=20, filtros={"dieta": ["vegano", "sin gluten"]})["recetas"]
    assert recipes
    assert all({"vegan", "gluten_free"} <= set(recipe["dietas"]) for recipe in recipes)


def test_a_meal_filter_is_kept(api: httpx.Client) -> None:
    recipes = recommend(api, "algo con chocolate", n=20, filtros={"comida": ["postre", "bebida"]})["recetas"]
    assert recipes
    assert all({"dessert", "drink"} & set(recipe["comidas"]) for recipe in recipes)


def test_what_is_to_be_in_it_is_in_it(api: httpx.Client) -> None:
    recipes = recommend(api, "algo rico", n=20, filtros={"incluir": ["garbanzos"]})["recetas"]
    assert recipes
    assert all("garbanzo" in " ".join(recipe["ingredientes"]).lower() for recipe in recipes)


EXCLUSIONS = [
    ("sin huevo", {"egg"}),
    ("sin lácteos", {"milk"}),
    ("sin leche", {"milk"}),
    ("sin gluten", {"gluten"}),
    ("sin pescado ni marisco", {"fish", "crustaceans", "molluscs"}),
    ("sin frutos secos", {"nuts"}),
    ("without nuts", {"nuts"}),
    ("no eggs", {"egg"}),
    ("gluten-free", {"gluten"}),
    ("dairy free", {"milk"}),
    ("sin soja", {"soy"}),
    ("vegano", {"egg", "milk", "fish", "crustaceans", "molluscs"}),
    ("soy alérgico a los cacahuetes", {"peanut"}),
]


@pytest.mark.parametrize("dish", ["cena", "postre", "breakfast", "salsa"])
@pytest.mark.parametrize(("rule", "allergens"), EXCLUSIONS)
def test_no_recipe_breaks_an_exclusion(api: httpx.Client, dish: str, rule: str, allergens: set[str]) -> None:
    for recipe in recommend(api, f"{dish} {rule}", n=20)["recetas"]:
        assert allergens.isdisjoint(recipe["alérgenos"]), recipe["nombre"]


@pytest.mark.parametrize(
    ("word", "label"),
    [("huevo", "huevo"), ("queso", "queso"), ("trigo", "trigo"), ("perejil", "perejil"), ("onion", "cebolla")],
)
def test_no_recipe_breaks_an_exclusion_by_filter(api: httpx.Client, word: str, label: str) -> None:
    told = recommend(api, "comida", n=20, filtros={"excluir": [word]})
    assert told["entendido"]["excluye"] == [label]
    for recipe in told["recetas"]:
        ingredients = " ".join(recipe["ingredientes"]).lower().replace(f"sin {label}", "")
        assert label not in re.findall(r"\w+", ingredients), recipe["nombre"]


def test_where_nothing_is_left_nothing_is_shown_and_the_answer_says_so(api: httpx.Client) -> None:
    impossible = {"incluir": ["huevo"], "excluir": ["huevo"]}
    answer = recommend(api, "tortilla", filtros=impossible)
    assert answer["recetas"] == []
    assert "Ninguna receta" in answer["aviso"]
    assert answer["request_id"]
    assert "No recipe" in recommend(api, "tortilla", filtros=impossible, idioma="en")["aviso"]


def test_where_little_is_left_it_is_not_filled_up(api: httpx.Client) -> None:
    answer = recommend(api, "cena", n=20, filtros={"incluir": ["garbanzos"], "dieta": "vegano"})
    assert 0 < len(answer["recetas"]) < 20
    assert "Solo estas recetas" in answer["aviso"]


def test_an_excluded_word_that_nobody_knows_is_named(api: httpx.Client) -> None:
    assert "«zarandajas»" in recommend(api, "sopa", filtros={"excluir": ["zarandajas"]})["aviso"]


# --- Feedback -------------------------------------------------------------------------------------------------------


def send(api: httpx.Client, answer: dict[str, Any], place: int = 0, **event: Any) -> httpx.Response:
    shown = {"request_id": answer["request_id"], "recipe_id": answer["recetas"][place]["id"]}
    return api.post("/feedback", json={**shown, "evento": "click", **event})


def test_an_event_is_new_once(api: httpx.Client) -> None:
    answer = recommend(api, "sopa de pollo")
    first, again = (send(api, answer, event_id=f"e-{answer['request_id']}") for _ in range(2))
    assert (first.status_code, first.json()["nuevo"]) == (201, True)
    assert (again.status_code, again.json()["nuevo"]) == (200, False)
    assert again.json()["event_id"] == f"e-{answer['request_id']}"


@pytest.mark.parametrize("event", ["click", "cook", "save", "dismiss"])
def test_every_event_is_taken(api: httpx.Client, event: str) -> None:
    response = send(api, recommend(api, "arroz"), evento=event)
    assert response.status_code == 201
    assert response.json()["event_id"]


def test_a_rating_shows_in_the_next_answer_and_a_second_one_replaces_it(api: httpx.Client) -> None:
    query = "tres leches"
    recipe_id = ids(recommend(api, query, usuario="ana"))[0]
    for stars in (2, 5):
        answer = recommend(api, query, usuario="ana")
        told = send(api, answer, ids(answer).index(recipe_id), evento="rating", valor=stars).json()
        assert (told["calificación_promedio"], told["valoraciones"]) == (stars, 1)
    somebody_else = recommend(api, query, user_id="luis")
    send(api, somebody_else, ids(somebody_else).index(recipe_id), evento="rating", valor=4)
    [rated] = [recipe for recipe in recommend(api, query)["recetas"] if recipe["id"] == recipe_id]
    assert (rated["calificación_promedio"], rated["valoraciones"]) == (4.5, 2)


def test_the_same_event_sent_many_times_at_once_is_new_once_and_never_an_error(api: httpx.Client) -> None:
    answer = recommend(api, "empanadas")
    with ThreadPoolExecutor(8) as senders:
        sent = list(senders.map(lambda _: send(api, answer, event_id=f"d-{answer['request_id']}"), range(16)))
    assert sorted(response.status_code for response in sent) == [200] * 15 + [201]


@pytest.mark.parametrize(
    "wrong", [{"request_id": "0" * 32}, {"request_id": "nobody-asked"}, {"recipe_id": "no-such-recipe"}]
)
def test_feedback_on_what_was_not_shown_is_not_found(api: httpx.Client, wrong: dict[str, str]) -> None:
    response = send(api, recommend(api), **wrong)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert next(iter(wrong.values())) in response.json()["detail"]


# --- Health ---------------------------------------------------------------------------------------------------------


def test_a_healthy_service_says_so(api: httpx.Client) -> None:
    assert api.get("/health/live").json() == {"status": "ok"}
    assert api.get("/health/ready").json() == {"status": "ok", "problems": {}}
    health = api.get("/health").json()
    assert (health["status"], health["problems"], health["answers"]["dropped"]) == ("ok", {}, 0)
    assert health["index"]["recipes"] == len(STARTERS)
