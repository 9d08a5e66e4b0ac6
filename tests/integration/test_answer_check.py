"""A sample of the answers is looked at once more: what is wrong is caught, and no request ever waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import StoreUnavailable
from mlops.store import Database
from recipes.answer import Answer, Ask, Shown
from recipes.answer_check import AnswerCheck, is_sampled, violations_of
from recipes.api import create_app
from recipes.catalog import Catalogue, Recipe, RecipeText, StoredRecipe
from recipes.config import Settings
from recipes.constraints import Constraints
from recipes.encoder import UseEncoder
from recipes.lexicon import cooking_lexicon
from recipes.query import Understanding
from recipes.recommender import Recommender
from recipes.service import Service
from tests.conftest import OUR_TABLES

LEXICON = cooking_lexicon()
NO_EGG = Constraints(exclude=frozenset({"egg"}))


@pytest.fixture
def catalogue(tmp_path: Path, make_recipe: Callable[..., Recipe]) -> Iterator[Catalogue]:
    """Soup, bread and flan (with eggs, 90 minutes, a dessert)."""
    database = Database(f"sqlite:///{tmp_path}/state.db")
    database.upgrade(*OUR_TABLES)
    made = Catalogue(database)
    flan = make_recipe("Flan", ingredients=("4 eggs", "milk"), minutes=90, meals=("dessert",))
    made.save([make_recipe("Soup", minutes=20), make_recipe("Bread", ingredients=("flour",), minutes=30), flan])
    yield made
    database.close()


Make = Callable[..., Answer]


@pytest.fixture
def make(catalogue: Catalogue) -> Make:
    """Makes answers to an English question that show recipes by id, or as they are given."""
    numbers = iter(range(1, 1_000_000))

    def made(*shown: str | StoredRecipe, n: int | None = None, language: Any = "en", **fields: Any) -> Answer:
        recipes = [catalogue.get(f"test-{one}") if isinstance(one, str) else one for one in shown]
        query = "something secret"
        usual: dict[str, Any] = {
            "request_id": f"{next(numbers):032x}", "answered_at": datetime(2026, 11, 17, 9, tzinfo=UTC),
            "ask": Ask(query, n=n or len(shown), language=language, user_id="ana"),
            "understanding": Understanding("en", Constraints(), query, ()), "constraints": Constraints(),
            "shown": tuple(Shown(place, one, 1 / place, {}) for place, one in enumerate(recipes, start=1)),
            "notices": (), "mode": "full", "model_id": "hybrid_ranker", "model_version": "1.0.0",
            "n_candidates": 3, "stage_ms": {},
        }  # fmt: skip
        return Answer(**{**usual, **fields})

    return made


@pytest.fixture
def kinds(catalogue: Catalogue) -> Callable[[Answer], set[tuple[str, str]]]:
    """The kinds of fault of an answer."""
    return lambda answer: {
        (one.column, one.rule) for one in violations_of(answer, catalogue=catalogue, lexicon=LEXICON)
    }


Kinds = Callable[[Answer], set[tuple[str, str]]]

# --- What is wrong --------------------------------------------------------------------------------------------------


def test_a_right_answer_has_nothing_wrong(make: Make, kinds: Kinds) -> None:
    assert kinds(make("soup", "bread", constraints=replace(NO_EGG, max_minutes=30))) == set()


@pytest.mark.parametrize(("rules", "fault"), [
    (NO_EGG, "exclusions"),
    (Constraints(exclude=frozenset({"animal_product"})), "exclusions"),
    (Constraints(max_minutes=89), "time limit"),
    (Constraints(include=("tomato",), strict=True), "filters"),
    (Constraints(meals=("breakfast",), strict=True), "filters"),
])  # fmt: skip
def test_a_recipe_that_breaks_a_rule_is_caught(make: Make, kinds: Kinds, rules: Constraints, fault: str) -> None:
    assert kinds(make("flan", constraints=rules)) == {(fault, "constraint")}


@pytest.mark.parametrize("rules", [
    Constraints(include=("tomato",)), Constraints(meals=("breakfast",)), Constraints(max_minutes=90),
    Constraints(include=("egg",), meals=("dessert",), strict=True),
])  # fmt: skip
def test_what_may_be_relaxed_and_what_is_kept_are_no_faults(make: Make, kinds: Kinds, rules: Constraints) -> None:
    assert kinds(make("flan", constraints=rules)) == set()


def test_a_word_that_the_lexicon_does_not_know_is_excluded_too(
    make: Make, kinds: Kinds, catalogue: Catalogue, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue.save([make_recipe("Stew", ingredients=("1 zorblax",))])
    rules = Constraints(exclude_words=frozenset({"zorblax"}))
    assert kinds(make("stew", constraints=rules)) == {("exclusions", "constraint")}
    assert kinds(make("soup", constraints=rules)) == set()


def test_the_stored_recipe_counts_and_not_what_the_answer_takes_it_for(
    make: Make, kinds: Kinds, catalogue: Catalogue
) -> None:
    soup, flan = catalogue.get("test-soup"), catalogue.get("test-flan")
    harmless = replace(flan, recipe=replace(soup.recipe, recipe_id="test-flan"))
    assert kinds(make(harmless, constraints=NO_EGG)) == {("exclusions", "constraint")}


def test_a_recipe_that_has_gone_is_judged_as_it_was_shown(
    make: Make, kinds: Kinds, catalogue: Catalogue, make_recipe: Callable[..., Recipe]
) -> None:
    gone = replace(catalogue.get("test-flan"), recipe=make_recipe("Gone", ingredients=("2 eggs",)))
    assert kinds(make(gone, constraints=NO_EGG)) == {("exclusions", "constraint")}


def test_too_few_without_a_notice_too_many_and_the_same_twice_are_caught(make: Make, kinds: Kinds) -> None:
    assert kinds(make("soup", n=3)) == {("recetas", "number")}
    assert kinds(make("soup", n=3, notices=("fewer_than_asked",))) == set()
    assert kinds(make(n=3)) == {("recetas", "number")}
    assert kinds(make(n=3, notices=("nothing_left",))) == set()
    assert kinds(make("soup", "bread", n=1)) == {("recetas", "number")}
    assert kinds(make("soup", "soup")) == {("id", "distinct"), ("nombre", "distinct")}


@pytest.mark.parametrize(("shown", "notice"), [
    (["soup"], "words_only"), (["soup"], "nothing_left"), ([], "fewer_than_asked"), ([], "popular"),
])  # fmt: skip
def test_a_notice_of_something_else_does_not_excuse_too_few(
    make: Make, kinds: Kinds, shown: list[str], notice: str
) -> None:
    assert kinds(make(*shown, n=3, notices=(notice,))) == {("recetas", "number")}


def test_a_meal_that_only_the_name_tells_is_kept_as_the_index_keeps_it(
    make: Make, kinds: Kinds, catalogue: Catalogue, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue.save([make_recipe("Beef stew", ingredients=("beef",)), make_recipe("Zorblax", ingredients=("beef",))])
    for_dinner = Constraints(meals=("dinner",), strict=True)
    assert kinds(make("beef-stew", constraints=for_dinner)) == set()
    assert kinds(make("beef-stew", constraints=replace(for_dinner, meals=("breakfast",)))) == {
        ("filters", "constraint")
    }
    assert kinds(make("zorblax", constraints=for_dinner)) == {("filters", "constraint")}


def test_a_food_that_only_the_translation_names_is_excluded_for_who_reads_it(
    make: Make, kinds: Kinds, catalogue: Catalogue
) -> None:
    with_eggs = RecipeText("Sopa", "", ("4 tomates", "2 huevos"), ("Cocer los tomates con los huevos.",))
    translated = replace(catalogue.get("test-soup"), translations={"es": with_eggs})
    assert kinds(make(translated, language="es", constraints=NO_EGG)) == {("exclusions", "constraint")}
    assert kinds(make(translated, language="en", constraints=NO_EGG)) == set()


def test_a_translation_that_was_never_translated_is_caught(
    make: Make, kinds: Kinds, catalogue: Catalogue, make_recipe: Callable[..., Recipe]
) -> None:
    catalogue.save([make_recipe("Stew", steps=("Add the onion and cook it with the tomatoes.",))])
    stew = catalogue.get("test-stew")
    untranslated = replace(stew, translations={"es": stew.recipe.original})
    assert kinds(make(untranslated, language="es")) == {("language", "constraint")}
    assert kinds(make(untranslated, language="en")) == set()


def test_a_score_that_is_no_number_is_caught(make: Make, kinds: Kinds, catalogue: Catalogue) -> None:
    shown = (Shown(1, catalogue.get("test-soup"), float("nan"), {}),)
    assert kinds(make("soup", shown=shown)) == {("puntuación", "score")}


def test_another_language_is_right_where_there_is_no_text_in_the_one_asked_for(make: Make, kinds: Kinds) -> None:
    assert kinds(make("soup", language="es")) == set()


def test_another_language_is_wrong_where_there_is_a_translation(
    make: Make, kinds: Kinds, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sopa = RecipeText("Sopa", "", ("4 tomates",), ("Cocer.",))
    translated = replace(catalogue.get("test-soup"), translations={"es": sopa})
    assert kinds(make(translated, language="es")) == set()
    monkeypatch.setattr(StoredRecipe, "text_in", lambda self, language: (self.recipe.original, self.recipe.language))
    assert kinds(make(translated, language="es")) == {("language", "constraint")}
    # It says Spanish, and is not.
    monkeypatch.setattr(StoredRecipe, "text_in", lambda self, language: (self.recipe.original, language))
    assert kinds(make(translated, language="es")) == {("language", "constraint")}


# --- The sample -----------------------------------------------------------------------------------------------------


@given(request_id=st.text(), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_a_larger_sample_holds_the_smaller_one(request_id: str, shares: list[float]) -> None:
    assert is_sampled(request_id, shares[0]) <= is_sampled(request_id, shares[1])
    assert is_sampled(request_id, 1.0)
    assert not is_sampled(request_id, 0.0)


def test_the_sample_has_about_its_share_of_the_answers() -> None:
    n = sum(is_sampled(f"{number:032x}", 0.05) for number in range(20_000))
    # Binomial: 1,000 expected, a standard deviation of 31.
    assert 877 < n < 1_123


@pytest.mark.parametrize(("values", "name"), [
    ({"share": 1.01}, "share"), ({"share": float("nan")}, "share"), ({"share": 1, "buffer_size": 0}, "buffer_size"),
])  # fmt: skip
def test_a_share_or_a_buffer_out_of_range_is_refused(catalogue: Catalogue, values: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        AnswerCheck(catalogue, LEXICON, **values)


# --- Off the request path -------------------------------------------------------------------------------------------


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def check(catalogue: Catalogue) -> Iterator[AnswerCheck]:
    made = AnswerCheck(catalogue, LEXICON, share=1.0, buffer_size=3)
    yield made
    made.stop()


def test_a_fault_is_counted_each_time_and_logged_once_without_the_query(
    check: AnswerCheck, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    check.start()
    with caplog.at_level(logging.WARNING, "recipes.answer_check"):
        for number, answer in enumerate((make("flan", constraints=NO_EGG), make("flan", constraints=NO_EGG)), start=1):
            check.record(answer)
            wait_until(lambda number=number: check.n_checked == number)
        check.record(make("soup"))
        wait_until(lambda: check.n_checked == 3)
    told = check.to_dict()
    sentence = "exclusions of recipe 1: must keep exclusions (constraint; hybrid_ranker 1.0.0, full)"
    assert told == {
        "share": 1.0, "checked": 3, "invalid": 2, "dropped": 0, "findings": {"exclusions constraint": 2},
        "last_finding": sentence,
    }  # fmt: skip
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(sentence)
    assert not any(word in caplog.text for word in ("secret", "ana"))


def test_a_full_queue_drops_and_counts_and_the_request_path_never_waits(
    check: AnswerCheck, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow(answer: Answer, **parts: Any) -> list[Any]:
        looking.set()
        assert go_on.wait(20)
        return []

    monkeypatch.setattr("recipes.answer_check.violations_of", slow)
    check.start()
    check.record(make("soup"))
    assert looking.wait(20)
    # One is being looked at, three wait.
    since = time.monotonic()
    for _ in range(10):
        check.record(make("soup"))
    assert time.monotonic() - since < 1
    assert (check.n_checked, check.n_dropped) == (0, 7)
    go_on.set()
    wait_until(lambda: check.n_checked == 4)


def test_an_answer_that_cannot_be_read_is_a_finding_and_the_thread_goes_on(check: AnswerCheck, make: Make) -> None:
    check.start()
    check.record(replace(make("soup"), shown=(None,)))  # type: ignore[arg-type]
    check.record(make("soup"))
    wait_until(lambda: check.n_checked == 2)
    assert (check.n_invalid, dict(check.findings)) == (1, {"answer unreadable": 1})


def test_without_the_database_an_answer_is_dropped_and_no_fault(
    check: AnswerCheck, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(recipe_id: str) -> StoredRecipe:
        raise StoreUnavailable("it is away")

    answer = make("soup")
    monkeypatch.setattr(check._catalogue, "get", away)
    check.start()
    check.record(answer)
    wait_until(lambda: check.n_dropped == 1)
    assert (check.n_checked, check.last_finding) == (0, None)


def test_it_stops_while_it_waits_and_starts_again(check: AnswerCheck, make: Make) -> None:
    for number in (1, 2):
        check.start()
        check.record(make("soup"))
        wait_until(lambda number=number: check.n_checked == number)
        check.stop()
    assert "answer-check" not in {thread.name for thread in threading.enumerate()}


# --- In the service -------------------------------------------------------------------------------------------------


def test_a_recommender_that_forgets_exclusions_is_seen_in_health(
    starter_copy: Path,
    make_settings: Callable[..., Settings],
    use_encoder: UseEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(starter_copy, answer_check_share=1.0)
    service = Service(settings, encoder=use_encoder)
    service.start()
    try:
        for query in ("desayuno sin huevo", "sopa de ajo", "vegan dinner", "cena en 20 minutos"):
            service.recommender.answer(Ask(query))
        wait_until(lambda: service.answer_check.n_checked == 4)
        assert service.answer_check.to_dict()["invalid"] == 0, service.answer_check.last_finding

        right = Recommender._ranked

        def forgetful(self: Recommender, ask: Ask, read: Any, rules: Constraints, *rest: Any) -> Any:
            return right(self, ask, read, Constraints(), *rest)

        monkeypatch.setattr(Recommender, "_ranked", forgetful)
        service.recommender.answer(Ask("tortilla de patatas sin huevo", n=20))
        wait_until(lambda: service.answer_check.n_checked == 5)
    finally:
        service.stop()
    told = service.answer_check.to_dict()
    assert told["invalid"] == 1
    assert "exclusions constraint" in told["findings"]


@pytest.mark.anyio
async def test_health_tells_of_the_check(starter_copy: Path, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(starter_copy, answer_check_share=0.25)
    service = Service(settings)
    transport = httpx.ASGITransport(app=create_app(settings, service=service))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        told = (await client.get("/health")).json()["answer_check"]
    service.close()
    assert told == {
        "share": 0.25, "checked": 0, "invalid": 0, "dropped": 0, "findings": {}, "last_finding": None,
    }  # fmt: skip
