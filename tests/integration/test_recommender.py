"""One request, from the question to the answer, with all its parts and with some of them missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.errors import StoreUnavailable
from recipes.answer import Answer, Ask, Mode
from recipes.answer_check import violations_of
from recipes.catalog import Catalogue, Rating, Recipe, starter_recipes
from recipes.catalog.recipe import MEALS
from recipes.constraints import DIET_EXCLUDES, Filters
from recipes.contents import contents_of
from recipes.encoder import UseEncoder
from recipes.errors import IndexUnavailable
from recipes.index.search import RecipeIndex
from recipes.lexicon import Lexicon
from recipes.notices import sentences
from recipes.ranker import FEATURES
from recipes.recommender import Recommender
from recipes.service import Service
from tests.twins import Switch

STARTERS = {recipe.recipe_id: recipe for recipe in starter_recipes()}
QUERIES = ("cena rápida", "algo dulce", "sopa", "breakfast with eggs", "pollo con arroz", "pan", "salad", "汉字")
FOODS = (
    "huevo", "leche", "queso", "ajo", "cebolla", "tomate", "harina", "pollo", "cerdo", "pescado", "marisco", "nueces",
    "gluten", "lácteos", "carne", "arroz", "azúcar", "aceite de oliva", "garlic", "butter", "nuts", "soy", "wheat",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    copy_starter: Callable[[Path], Path],
    use_encoder: UseEncoder,
    make_settings: Any,
) -> Iterator[Service]:
    """A service over the starter catalogue that nobody changes."""
    folder = copy_starter(tmp_path_factory.mktemp("recommender") / "data")
    service = Service(make_settings(folder), encoder=use_encoder, records=False)
    service.prepare()
    assert service.check() == {}
    yield service
    service.close()


@pytest.fixture
def switch(use_encoder: UseEncoder) -> Switch:
    return Switch(use_encoder)


@pytest.fixture
def make_recommender(service: Service, switch: Switch, lexicon: Lexicon) -> Callable[..., Recommender]:
    """Makes recommenders over the service's catalogue; ``mode`` says how much of it works."""

    def make(mode: Mode = "full", **parts: Any) -> Recommender:
        switch.is_on = mode == "full"
        index = None if mode == "popular" else service.recommender.index
        made = Recommender(
            **{"catalogue": service.catalogue, "encoder": switch, "lexicon": lexicon, "index": index, **parts}
        )
        made.refresh()
        return made

    return make


@pytest.fixture(scope="module")
def by_mode(service: Service, use_encoder: UseEncoder, lexicon: Lexicon) -> dict[Mode, Recommender]:
    """One recommender that works fully, one without an encoder, one without an index."""
    broken = Switch(use_encoder)
    broken.is_on = False
    index = service.recommender.index
    parts: dict[Mode, Any] = {
        "full": {"encoder": use_encoder, "index": index},
        "words_only": {"encoder": broken, "index": index},
        "popular": {"encoder": use_encoder, "index": None},
    }
    made = {mode: Recommender(catalogue=service.catalogue, lexicon=lexicon, **part) for mode, part in parts.items()}
    for recommender in made.values():
        recommender.refresh()
    return made


def concepts(food: str, lexicon: Lexicon) -> tuple[str, ...]:
    found = lexicon.find(food, "es") or lexicon.find(food, "en")
    assert found, food
    return found


def ids(answer: Answer) -> list[str]:
    return [shown.stored.recipe.recipe_id for shown in answer.shown]


# --- The whole path -------------------------------------------------------------------------------------------------


def test_an_answer_says_what_was_shown_where_and_why(make_recommender: Callable[..., Recommender]) -> None:
    answer = make_recommender().answer(Ask("desayuno saludable sin huevo"))
    assert [shown.position for shown in answer.shown] == [1, 2, 3]
    assert (answer.mode, answer.model_id, answer.model_version) == ("full", "hybrid_ranker", "1.0.0")
    assert answer.n_candidates >= 50
    for shown in answer.shown:
        assert set(shown.features) == set(FEATURES)
        expected = 0.7 * shown.features["semantic"] + 0.3 * shown.features["popularity"]
        assert shown.score == pytest.approx(expected, abs=1e-5)
        assert shown.propensity == 1.0
    assert list(answer.stage_ms) == ["parse", "encode", "retrieve", "rank", "load"]
    assert answer.latency_ms == pytest.approx(sum(answer.stage_ms.values()))


def test_every_answer_is_handed_on_once_under_an_id_of_its_own(make_recommender: Callable[..., Recommender]) -> None:
    noted: list[Answer] = []
    recommender = make_recommender(on_answer=noted.append)
    given = [recommender.answer(Ask("sopa")) for _ in range(3)]
    assert noted == given
    assert len({answer.request_id for answer in given}) == 3


def test_a_recipe_opened_by_its_link_is_an_answer_of_its_own(
    make_recommender: Callable[..., Recommender], service: Service
) -> None:
    noted: list[Answer] = []
    stored = service.catalogue.get("pan-con-tomate")
    answer = make_recommender(on_answer=noted.append).shown_directly(stored, user_id="ana")
    assert noted == [answer]
    assert (ids(answer), answer.mode, answer.ask.user_id) == (["pan-con-tomate"], "direct", "ana")


def test_similar_recipes_are_others(make_recommender: Callable[..., Recommender], service: Service) -> None:
    stored = service.catalogue.get("pan-con-tomate")
    similar = make_recommender().similar(stored, 5)
    assert len({other.recipe_no for other in similar} - {stored.recipe_no}) == 5
    assert make_recommender("popular").similar(stored, 5) == []


@given(
    query=st.sampled_from(QUERIES),
    foods=st.lists(st.sampled_from(FOODS), max_size=4),
    diets=st.lists(st.sampled_from(sorted(DIET_EXCLUDES)), max_size=2),
    max_minutes=st.none() | st.integers(5, 120),
    n=st.integers(1, 20),
    mode=st.sampled_from(["full", "words_only", "popular"]),
)
@settings(max_examples=150, deadline=None)
def test_no_answer_breaks_a_rule_whatever_works(
    by_mode: dict[Mode, Recommender],
    service: Service,
    lexicon: Lexicon,
    query: str,
    foods: list[str],
    diets: list[str],
    max_minutes: int | None,
    n: int,
    mode: Mode,
) -> None:
    filters = Filters(max_minutes=max_minutes, diets=diets, exclude=foods)
    answer = by_mode[mode].answer(Ask(query, n=n, filters=filters))
    excluded = {concept for food in foods for concept in concepts(food, lexicon)}
    excluded |= {concept for diet in diets for concept in DIET_EXCLUDES[diet]}
    assert len(answer.shown) <= n
    assert len(set(ids(answer))) == len(answer.shown)
    for shown in answer.shown:
        recipe = shown.stored.recipe
        assert contents_of(recipe, lexicon).concepts.isdisjoint(excluded), recipe.recipe_id
        assert set(diets) <= set(recipe.diets or ()), recipe.recipe_id
        assert max_minutes is None or (recipe.minutes or 0) <= max_minutes
    assert ("nothing_left" in answer.notices) == (not answer.shown)
    # What looks once more at live answers has nothing to say.
    assert violations_of(answer, catalogue=service.catalogue, lexicon=lexicon) == []


@given(
    include=st.sampled_from(["huevo", "arroz", "garbanzos", "pollo"]),
    meals=st.lists(st.sampled_from(MEALS), min_size=1, max_size=2),
    mode=st.sampled_from(["full", "words_only", "popular"]),
)
@settings(max_examples=40, deadline=None)
def test_what_a_filter_asks_for_is_there(
    by_mode: dict[Mode, Recommender], service: Service, lexicon: Lexicon, include: str, meals: list[str], mode: Mode
) -> None:
    answer = by_mode[mode].answer(Ask("algo rico", n=20, filters=Filters(include=[include], meals=meals)))
    wanted = concepts(include, lexicon)[0]
    for shown in answer.shown:
        assert wanted in contents_of(shown.stored.recipe, lexicon).concepts
        assert not set(meals).isdisjoint(shown.stored.recipe.meals)
    assert violations_of(answer, catalogue=service.catalogue, lexicon=lexicon) == []


@given(query=st.text(min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_gets_an_answer(by_mode: dict[Mode, Recommender], query: str) -> None:
    for recommender in by_mode.values():
        assert len(recommender.answer(Ask(query)).shown) <= 3


def test_nothing_is_shown_where_nothing_is_left_and_it_says_so(make_recommender: Callable[..., Recommender]) -> None:
    answer = make_recommender().answer(Ask("tortilla", filters=Filters(include=["huevo"], exclude=["huevo"])))
    assert answer.shown == ()
    assert answer.notices == ("nothing_left",)
    assert sentences(answer) == ["Ninguna receta cumple todo lo que pides. Prueba a quitar alguna condición."]


def test_a_word_that_nobody_knows_is_taken_literally_and_named(make_recommender: Callable[..., Recommender]) -> None:
    recommender = make_recommender()
    in_filter = recommender.answer(Ask("sopa", filters=Filters(exclude=["zarandajas"])))
    in_query = recommender.answer(Ask("sopa sin zarandajas"))
    for answer in (in_filter, in_query):
        assert "unknown_word" in answer.notices
        assert answer.understanding.unknown_exclusions == ("zarandajas",)
        assert "«zarandajas»" in sentences(answer)[0]


# --- A catalogue that moved on --------------------------------------------------------------------------------------


@pytest.fixture
def own_service(starter_copy: Any, use_encoder: UseEncoder, make_settings: Any) -> Iterator[Service]:
    """A service over a starter catalogue of the test's own."""
    service = Service(make_settings(starter_copy), encoder=use_encoder, records=False)
    service.prepare()
    yield service
    service.close()


def test_a_recipe_that_got_an_egg_after_it_was_indexed_is_not_shown_to_who_eats_none(own_service: Service) -> None:
    ask = Ask("desayuno sin huevo", n=5)
    before = own_service.recommender.answer(ask)
    own_service.catalogue.save([_with_egg(shown.stored.recipe) for shown in before.shown])
    after = own_service.recommender.answer(ask)
    assert set(ids(before)).isdisjoint(ids(after))
    assert len(after.shown) == 5


def _with_egg(recipe: Recipe) -> Recipe:
    egg = {"es": "2 huevos", "en": "2 eggs"}
    texts = {
        language: dataclasses.replace(text, ingredients=(*text.ingredients, egg[language]))
        for language, text in recipe.texts.items()
    }
    return dataclasses.replace(recipe, texts=texts, diets=None, allergens=None)


def test_a_recipe_that_got_slower_after_it_was_indexed_is_not_shown_to_who_has_no_time(own_service: Service) -> None:
    ask = Ask("cena en menos de 30 minutos", n=5)
    before = own_service.recommender.answer(ask)
    own_service.catalogue.save([dataclasses.replace(each.stored.recipe, minutes=240) for each in before.shown])
    assert set(ids(before)).isdisjoint(ids(own_service.recommender.answer(ask)))


def test_new_ratings_lift_a_recipe_after_a_refresh(own_service: Service) -> None:
    first, *_, last = ids(own_service.recommender.answer(Ask("sopa", n=10)))
    for recipe_id, stars in ((first, 1), (last, 5)):
        own_service.catalogue.rate([Rating(f"cook-{number}", recipe_id, stars, None) for number in range(200)])
    own_service.recommender.refresh()
    answer = own_service.recommender.answer(Ask("sopa", n=10))
    assert ids(answer)[0] == last
    assert answer.shown[0].stored.mean_rating == 5


# --- Parts missing --------------------------------------------------------------------------------------------------


def test_without_an_encoder_words_alone_find_recipes_and_the_answer_says_so(
    make_recommender: Callable[..., Recommender],
) -> None:
    answer = make_recommender("words_only").answer(Ask("sopa de ajo"))
    assert (answer.mode, ids(answer)[0]) == ("words_only", "sopa-de-ajo")
    assert "words_only" in answer.notices


def test_without_an_encoder_and_without_a_known_word_popular_recipes_are_the_answer(
    make_recommender: Callable[..., Recommender],
) -> None:
    answer = make_recommender("words_only").answer(Ask("汉字"))
    assert (answer.mode, len(answer.shown)) == ("popular", 3)


def test_without_an_index_popular_recipes_that_keep_the_rules_are_the_answer(
    make_recommender: Callable[..., Recommender],
) -> None:
    answer = make_recommender("popular").answer(Ask("cena vegana sin ajo", n=5))
    assert answer.mode == "popular"
    assert "popular" in answer.notices
    assert len(answer.shown) == 5
    assert all("vegan" in (STARTERS[recipe_id].diets or ()) for recipe_id in ids(answer))


def test_the_best_liked_recipe_leads_where_nothing_can_be_searched(own_service: Service) -> None:
    own_service.catalogue.rate([Rating(f"cook-{number}", "sopa-de-ajo", 5, None) for number in range(50)])
    own_service.recommender.refresh()
    own_service.recommender.index = None
    assert ids(own_service.recommender.answer(Ask("cualquier cosa")))[0] == "sopa-de-ajo"


def test_a_popular_recipe_of_unknown_meal_is_for_who_says_a_meal_but_not_for_who_filters_by_it(
    own_service: Service, make_recipe: Callable[..., Recipe]
) -> None:
    own_service.catalogue.save([make_recipe("Zzyzx stew", recipe_id="zzyzx-stew")])
    own_service.catalogue.rate([Rating(f"cook-{number}", "zzyzx-stew", 5, None) for number in range(50)])
    own_service.recommender.refresh()
    own_service.recommender.index = None
    said = own_service.recommender.answer(Ask("algo para cenar"))
    filtered = own_service.recommender.answer(Ask("algo", filters=Filters(meals=["dinner"])))
    assert ids(said)[0] == "zzyzx-stew"
    assert "zzyzx-stew" not in ids(filtered)


def test_with_nothing_at_all_the_reason_is_the_answer(catalogue: Catalogue, switch: Switch, lexicon: Lexicon) -> None:
    recommender = Recommender(catalogue=catalogue, encoder=switch, lexicon=lexicon, index=None)
    with pytest.raises(IndexUnavailable, match="run: recipes index"):
        recommender.answer(Ask("sopa"))


def test_an_encoder_that_failed_is_left_alone_for_a_while(
    make_recommender: Callable[..., Recommender], switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.recommender.REST_SECONDS", 3_600)
    recommender = make_recommender("words_only")
    answers = [recommender.answer(Ask("sopa")) for _ in range(5)]
    assert {answer.mode for answer in answers} == {"words_only"}
    assert switch.n_calls == 1
    assert recommender.problems == {"encoder": "it is switched off"}


def test_an_encoder_that_works_again_is_used_again(
    make_recommender: Callable[..., Recommender], switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.recommender.REST_SECONDS", 0)
    recommender = make_recommender("words_only")
    recommender.answer(Ask("sopa"))
    switch.is_on = True
    assert recommender.answer(Ask("sopa")).mode == "full"
    assert recommender.problems == {}


def test_an_index_that_fails_is_named_and_its_recovery_noticed(
    make_recommender: Callable[..., Recommender], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.recommender.REST_SECONDS", 0)
    recommender = make_recommender()
    good, recommender.index = recommender.index, _closed_index(service)
    assert recommender.answer(Ask("sopa")).mode == "popular"
    assert list(recommender.problems) == ["index"]
    recommender.index = good
    assert recommender.answer(Ask("sopa")).mode == "full"
    assert recommender.problems == {}


def _closed_index(service: Service) -> RecipeIndex:
    index = service.library.open(encoder_name=UseEncoder.name)
    index.close()
    return index


def test_a_refresh_that_fails_leaves_what_was_known(own_service: Service) -> None:
    path = own_service.settings.var_dir / "state.db"
    path.rename(path.with_name("away.db"))
    with pytest.raises(StoreUnavailable):
        own_service.recommender.refresh()
    answer = own_service.recommender.answer(Ask("desayuno sin huevo"))
    assert (answer.mode, len(answer.shown)) == ("popular", 3)
    assert all("egg" not in (STARTERS[recipe_id].allergens or ()) for recipe_id in ids(answer))
