"""Translators, and what keeps their work off the requests: in the background, once, and kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe, RecipeText, StoredRecipe
from recipes.config import load_settings
from recipes.errors import TranslatorUnavailable
from recipes.openai_client import OpenAIClient
from recipes.text import Language
from recipes.translation import BackgroundTranslation, OpenAITranslator, Translator, translator_for
from recipes.translation.batch import MAX_FAILURES_IN_A_ROW, translate_all
from tests.twins import DictionaryTranslator, OpenAIStub, chat_answer

KEY = "sk-very-secret-0123456789"
WORDS = {"tomato": "tomate", "soup": "sopa", "onion": "cebolla", "chop": "picar", "cook": "cocer", "rice": "arroz"}
SOUP = RecipeText('Tomato "soup"', "", ("2 tomato", "1 onion", "30 g rice"), ("Chop onion", "Cook 20 min"))

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def endpoint() -> Iterator[OpenAIStub]:
    stub = OpenAIStub(DictionaryTranslator(WORDS))
    yield stub
    stub.close()


@pytest.fixture
def remote(endpoint: OpenAIStub) -> Iterator[OpenAITranslator]:
    client = OpenAIClient(base_url=endpoint.base_url, api_key=KEY, sleep=lambda seconds: None)
    translator = OpenAITranslator(client, model="chat-1")
    yield translator
    translator.close()


@pytest.fixture(params=["dictionary", "openai"])
def translator(request: pytest.FixtureRequest) -> Translator:
    """The twin for tests, and the one that ships."""
    if request.param == "openai":
        return request.getfixturevalue("remote")  # type: ignore[no-any-return]
    return DictionaryTranslator(WORDS)


# What every translator must keep


def test_a_recipe_is_translated_part_by_part(translator: Translator) -> None:
    translated = translator.translate(SOUP, source="en", target="es")
    assert translated.name == 'tomate "soup"'
    assert translated.ingredients == ("2 tomate", "1 cebolla", "30 g arroz")
    assert translated.steps == ("picar cebolla", "cocer 20 min")


def test_a_long_recipe_keeps_the_number_and_order_of_its_lines(translator: Translator) -> None:
    lines = tuple(f"{number} onion" for number in range(1, 80))
    translated = translator.translate(replace(SOUP, ingredients=lines, steps=lines), source="en", target="es")
    assert translated.ingredients == translated.steps == tuple(f"{number} cebolla" for number in range(1, 80))


def test_the_original_stays_as_it_is(translator: Translator) -> None:
    before = replace(SOUP)
    translator.translate(SOUP, source="en", target="es")
    assert before == SOUP


# The endpoint


def test_the_request_carries_key_model_languages_and_the_recipe_as_data(
    endpoint: OpenAIStub, remote: OpenAITranslator
) -> None:
    remote.translate(SOUP, source="en", target="es")
    [received] = endpoint.received
    system, user = received.body["messages"]
    assert (received.path, received.authorization) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert (received.body["model"], received.body["response_format"]) == ("chat-1", {"type": "json_object"})
    assert "from English to Spanish" in system["content"]
    assert SOUP.name not in system["content"]
    assert json.loads(user["content"])["name"] == SOUP.name


def test_a_refused_key_is_final_and_kept_secret(endpoint: OpenAIStub, remote: OpenAITranslator) -> None:
    endpoint.script = [(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    with pytest.raises(TranslatorUnavailable, match="HTTP 401") as caught:
        remote.translate(SOUP, source="en", target="es")
    assert len(endpoint.received) == 1
    assert KEY not in f"{caught.value} {caught.value.__cause__}"


def test_a_passing_failure_is_tried_again(endpoint: OpenAIStub, remote: OpenAITranslator) -> None:
    endpoint.script = [(500, b"oops"), (429, b"slow down")]
    assert remote.translate(SOUP, source="en", target="es").ingredients[1] == "1 cebolla"
    assert len(endpoint.received) == 3


def test_nobody_at_the_address_is_a_typed_error_without_the_key() -> None:
    client = OpenAIClient(base_url="http://127.0.0.1:1/v1", api_key=KEY, sleep=lambda seconds: None)
    with pytest.raises(TranslatorUnavailable, match="ConnectError") as caught:
        OpenAITranslator(client, model="chat-1").translate(SOUP, source="en", target="es")
    client.close()
    assert KEY not in str(caught.value)


def _said(**changes: object) -> dict[str, object]:
    recipe = {"name": "Sopa", "description": "", "ingredients": ["a", "b", "c"], "steps": ["d", "e"]}
    return chat_answer({**recipe, **changes})


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        None,
        [],
        {},
        {"choices": []},
        {"choices": [{"message": {"content": None}}]},
        chat_answer("I cannot do that."),
        chat_answer("[]"),
        chat_answer("null"),
        _said(name=None),
        _said(name=" "),
        _said(name=3),
        _said(name="x" * 301),
        _said(ingredients="a, b, c"),
        _said(ingredients=["a", "b"]),
        _said(ingredients=["a", "b", "c", "d"]),
        _said(ingredients=["a", "", "c"]),
        _said(ingredients=["a", {"b": 1}, "c"]),
        _said(steps=None),
        _said(steps=["all in one"]),
    ],
    ids=lambda answer: str(answer)[-60:],
)
def test_an_answer_that_is_no_such_recipe_is_a_typed_error(
    answer: object, endpoint: OpenAIStub, remote: OpenAITranslator
) -> None:
    endpoint.script = [lambda body: (200, answer)]
    with pytest.raises(TranslatorUnavailable):
        remote.translate(SOUP, source="en", target="es")


def test_mark_up_and_control_characters_of_the_answer_are_cleaned_away(
    endpoint: OpenAIStub, remote: OpenAITranslator
) -> None:
    endpoint.script = [(200, _said(name="<b>Sopa</b>\u0000 de tomate"))]
    assert remote.translate(SOUP, source="en", target="es").name == "Sopa de tomate"


def test_without_a_key_there_is_no_translator() -> None:
    assert translator_for(load_settings()) is None


def test_a_key_makes_a_translator(monkeypatch: pytest.MonkeyPatch, endpoint: OpenAIStub) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
    monkeypatch.setenv("OPENAI_TRANSLATION_MODEL", "chat-2")
    made = translator_for(load_settings())
    assert isinstance(made, OpenAITranslator)
    made.translate(SOUP, source="en", target="es")
    made.close()
    assert endpoint.received[0].body["model"] == "chat-2"


# In the background


class Watched(DictionaryTranslator):
    """A dictionary that can be held up, made to fail, or made to do something first."""

    def __init__(self) -> None:
        super().__init__(WORDS)
        self.asked: list[str] = []
        self.busy = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.first: list[Callable[[], None]] = []
        self.threads: set[int] = set()

    def translate(self, text: RecipeText, *, source: Language, target: Language) -> RecipeText:
        self.threads.add(threading.get_ident())
        self.busy.set()
        assert self.may_go_on.wait(30)
        self.asked.append(text.name)
        if self.first:
            self.first.pop(0)()
        return super().translate(text, source=source, target=target)


def _fail() -> None:
    raise TranslatorUnavailable("the endpoint is down")


def _crash() -> None:
    raise RuntimeError("a bug in somebody's translator")


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def start(catalogue: Catalogue, watched: Watched) -> Iterator[Callable[..., BackgroundTranslation]]:
    """Starts background translations that end with the test."""
    started: list[BackgroundTranslation] = []

    def make(*, pause_seconds: float = 0, max_waiting: int = 50) -> BackgroundTranslation:
        background = BackgroundTranslation(catalogue, watched, pause_seconds=pause_seconds, max_waiting=max_waiting)
        background.start()
        started.append(background)
        return background

    yield make
    watched.may_go_on.set()
    for background in started:
        background.stop()


@pytest.fixture
def saved(catalogue: Catalogue, make_recipe: MakeRecipe) -> Callable[[int], list[StoredRecipe]]:
    """Saves so many English recipes."""

    def save(n_recipes: int) -> list[StoredRecipe]:
        recipes = [make_recipe(f"soup {number:02d}") for number in range(n_recipes)]
        catalogue.save(recipes)
        return [catalogue.get(recipe.recipe_id) for recipe in recipes]

    return save


Save = Callable[[int], list[StoredRecipe]]
Start = Callable[..., BackgroundTranslation]


def _spanish_names(catalogue: Catalogue, recipes: Sequence[StoredRecipe]) -> list[str | None]:
    """The Spanish name of each of *recipes*, None where it has none."""
    texts = [catalogue.get(stored.recipe.recipe_id).text_in("es") for stored in recipes]
    return [text.name if language == "es" else None for text, language in texts]


def test_what_was_shown_in_another_language_is_translated_and_kept(
    catalogue: Catalogue, saved: Save, start: Start
) -> None:
    recipes = saved(2)
    background = start()
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == ["sopa 00", "sopa 01"]
    assert (background.n_translated, background.n_failed) == (2, 0)


def test_a_recipe_is_translated_once_however_often_it_is_shown(watched: Watched, saved: Save, start: Start) -> None:
    shown_before_it_was_translated = saved(1)
    background = start()
    for _ in range(3):
        background.want(shown_before_it_was_translated, "es")
        background.want(shown_before_it_was_translated, "es")
        background.wait_until_idle()
    assert watched.asked == ["soup 00"]
    assert background.n_translated == 1


def test_a_recipe_that_has_the_language_is_left_alone(watched: Watched, saved: Save, start: Start) -> None:
    background = start()
    background.want(saved(2), "en")
    background.wait_until_idle()
    assert watched.asked == []


def test_wanting_a_translation_never_waits_for_it(watched: Watched, saved: Save, start: Start) -> None:
    watched.may_go_on.clear()
    background = start()
    background.want(saved(3), "es")
    # Here the request is answered, while the first translation still hangs.
    assert watched.busy.wait(30)
    assert background.n_translated == 0
    watched.may_go_on.set()
    background.wait_until_idle()
    assert background.n_translated == 3
    assert threading.get_ident() not in watched.threads


def test_a_full_queue_leaves_recipes_for_the_next_time_they_are_shown(
    watched: Watched, saved: Save, start: Start
) -> None:
    recipes = saved(8)
    watched.may_go_on.clear()
    background = start(max_waiting=3)
    background.want(recipes[:1], "es")
    assert watched.busy.wait(30)
    background.want(recipes[1:], "es")
    watched.may_go_on.set()
    background.wait_until_idle()
    assert watched.asked == ["soup 00", "soup 01", "soup 02", "soup 03"]
    background.want(recipes[4:7], "es")
    background.wait_until_idle()
    assert watched.asked[4:] == ["soup 04", "soup 05", "soup 06"]


def test_a_recipe_that_is_shown_again_while_it_waits_takes_no_second_place(
    catalogue: Catalogue, watched: Watched, saved: Save, start: Start
) -> None:
    recipes = saved(3)
    watched.may_go_on.clear()
    background = start(max_waiting=2)
    for _ in range(5):
        background.want(recipes[:2], "es")
        assert watched.busy.wait(30)
    background.want(recipes[2:], "es")
    watched.may_go_on.set()
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == ["sopa 00", "sopa 01", "sopa 02"]


@pytest.mark.parametrize("trouble", [_fail, _crash])
def test_it_survives_a_translator_that_fails_and_tries_again_when_asked(
    trouble: Callable[[], None], catalogue: Catalogue, watched: Watched, saved: Save, start: Start
) -> None:
    recipes = saved(3)
    watched.first = [trouble]
    background = start()
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == [None, "sopa 01", "sopa 02"]
    assert (background.n_translated, background.n_failed) == (2, 1)
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes)[0] == "sopa 00"


def test_it_survives_a_database_that_fails(
    catalogue: Catalogue, sqlite_database: Database, watched: Watched, saved: Save, start: Start
) -> None:
    recipes = saved(2)
    background = start()
    with sqlite_database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE recipe_texts RENAME TO away"))
    background.want(recipes[:1], "es")
    background.wait_until_idle()
    with sqlite_database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO recipe_texts"))
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == ["sopa 00", "sopa 01"]
    assert background.n_failed == 1


def test_after_a_failure_it_pauses_and_still_stops_at_once(watched: Watched, saved: Save, start: Start) -> None:
    watched.first = [_fail]
    background = start(pause_seconds=3_600)
    background.want(saved(2), "es")
    while background.n_failed == 0:
        time.sleep(0.005)
    background.stop()
    assert not any(thread.name == "translation" for thread in threading.enumerate())
    assert background.n_translated == 0


def test_a_recipe_that_changed_in_the_meantime_keeps_no_translation_of_its_old_words(
    catalogue: Catalogue, make_recipe: MakeRecipe, watched: Watched, start: Start
) -> None:
    catalogue.save([make_recipe("old soup", recipe_id="one")])
    recipes = [catalogue.get("one")]
    watched.first = [lambda: catalogue.save([make_recipe("new soup", recipe_id="one")]) and None]
    background = start()
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == [None]
    assert background.n_translated == 0
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == ["new sopa"]


def test_a_changed_recipe_loses_its_translation_and_gets_a_new_one(
    catalogue: Catalogue, make_recipe: MakeRecipe, start: Start
) -> None:
    background = start()
    for name, spanish in (("old soup", "old sopa"), ("new soup", "new sopa")):
        catalogue.save([make_recipe(name, recipe_id="one")])
        shown = [catalogue.get("one")]
        assert _spanish_names(catalogue, shown) == [None]
        background.want(shown, "es")
        background.wait_until_idle()
        assert _spanish_names(catalogue, shown) == [spanish]


def test_a_recipe_that_went_away_is_passed_over(
    catalogue: Catalogue, sqlite_database: Database, saved: Save, start: Start
) -> None:
    recipes = saved(2)
    with sqlite_database.writing() as connection:
        connection.execute(schema.recipes.delete().where(schema.recipes.c.recipe_no == recipes[0].recipe_no))
    background = start()
    background.want(recipes, "es")
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes[1:]) == ["sopa 01"]


def test_stopping_finishes_the_recipe_in_hand_and_starting_again_takes_up_the_others(
    catalogue: Catalogue, watched: Watched, saved: Save, start: Start
) -> None:
    recipes = saved(3)
    watched.may_go_on.clear()
    background = start()
    background.want(recipes, "es")
    assert watched.busy.wait(30)
    stopping = threading.Thread(target=background.stop)
    stopping.start()
    stopping.join(0.2)
    watched.may_go_on.set()
    stopping.join()
    assert _spanish_names(catalogue, recipes) == ["sopa 00", None, None]
    background.start()
    background.wait_until_idle()
    assert _spanish_names(catalogue, recipes) == ["sopa 00", "sopa 01", "sopa 02"]


# All at once, by hand


@pytest.fixture
def shelf(database: Database, make_recipe: MakeRecipe) -> Catalogue:
    """Seven English recipes and a Spanish one, on each kind of database."""
    catalogue = Catalogue(database)
    catalogue.save([make_recipe(f"soup {number}") for number in range(7)])
    catalogue.save([make_recipe("Sopa de ajo", language="es")])
    return catalogue


def test_everything_without_a_text_in_the_language_is_translated(shelf: Catalogue, watched: Watched) -> None:
    steps: list[int] = []
    assert translate_all(shelf, watched, "es", on_progress=steps.append) == (7, 0)
    assert shelf.count_untranslated("es") == 0
    assert shelf.get("test-soup-3").text_in("es")[0].name == "sopa 3"
    assert steps == [1, 2, 3, 4, 5, 6, 7]
    assert "Sopa de ajo" not in watched.asked


def test_translating_everything_again_asks_for_nothing(shelf: Catalogue, watched: Watched) -> None:
    translate_all(shelf, watched, "es")
    assert translate_all(shelf, watched, "es") == (0, 0)
    assert len(watched.asked) == 7


def test_a_limit_ends_it_and_the_next_run_goes_on_there(shelf: Catalogue, watched: Watched) -> None:
    assert translate_all(shelf, watched, "es", limit=3) == (3, 0)
    assert shelf.count_untranslated("es") == 4
    assert translate_all(shelf, watched, "es") == (4, 0)
    assert len(set(watched.asked)) == len(watched.asked) == 7


def test_a_recipe_that_fails_is_counted_and_the_others_are_translated(shelf: Catalogue, watched: Watched) -> None:
    few = MAX_FAILURES_IN_A_ROW - 1
    watched.first = [*[_fail] * few, lambda: None, *[_fail] * (6 - few)]
    assert translate_all(shelf, watched, "es") == (1, 6)
    assert shelf.count_untranslated("es") == 6
    assert translate_all(shelf, watched, "es") == (6, 0)


def test_an_endpoint_that_is_down_ends_it_and_what_was_done_is_kept(shelf: Catalogue, watched: Watched) -> None:
    watched.first = [lambda: None, *[_fail] * MAX_FAILURES_IN_A_ROW]
    with pytest.raises(TranslatorUnavailable, match="down"):
        translate_all(shelf, watched, "es")
    assert shelf.count_untranslated("es") == 6


def test_an_interrupted_run_goes_on_where_it_stopped(shelf: Catalogue, watched: Watched) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    watched.first = [lambda: None, lambda: None, interrupt]
    with pytest.raises(KeyboardInterrupt):
        translate_all(shelf, watched, "es")
    assert translate_all(shelf, watched, "es") == (5, 0)


def test_a_recipe_that_changes_while_it_is_translated_is_not_counted(
    shelf: Catalogue, watched: Watched, make_recipe: MakeRecipe
) -> None:
    changed = make_recipe("soup 0", steps=("Cook it twice.",))
    watched.first = [lambda: shelf.save([changed]) and None]
    assert translate_all(shelf, watched, "es") == (6, 0)
    assert shelf.count_untranslated("es") == 1
