"""The catalogue means the same on SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Rating, Recipe, RecipeText, SaveCounts, starter_recipes
from recipes.errors import UnknownRecipe

MakeRecipe = Callable[..., Recipe]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOPA = RecipeText("Sopa de tomate", "", ("4 tomates", "1 cebolla"), ("Cuece todo.",))


@pytest.fixture
def both(emptied_database: Database) -> Catalogue:
    """An empty catalogue, on each kind of database."""
    return Catalogue(emptied_database)


def rating(rater: str, recipe_id: str, stars: float | None) -> Rating:
    return Rating(rater, recipe_id, stars, NOW)


def test_what_was_saved_comes_back_equal(both: Catalogue) -> None:
    recipes = list(starter_recipes())
    assert both.save(recipes) == SaveCounts(new=len(recipes))
    assert [stored.recipe for batch in both.walk() for stored in batch] == recipes
    assert all(stored.recipe.content_hash == stored.content_hash for batch in both.walk() for stored in batch)


def test_unknown_and_empty_declarations_stay_different(both: Catalogue, make_recipe: MakeRecipe) -> None:
    silent, declared = make_recipe("A"), make_recipe("B", diets=(), allergens=())
    both.save([silent, declared])
    assert (both.get("test-a").recipe, both.get("test-b").recipe) == (silent, declared)


def test_saving_counts_new_changed_and_unchanged(both: Catalogue, make_recipe: MakeRecipe) -> None:
    a, b = make_recipe("A"), make_recipe("B")
    assert both.save([a, b]) == SaveCounts(new=2)
    assert both.save([a, dataclasses.replace(b, minutes=5), make_recipe("C")]) == SaveCounts(1, 1, 1)
    assert both.save([]) == SaveCounts()
    assert both.count() == 3


def test_of_one_id_twice_the_last_is_kept(both: Catalogue, make_recipe: MakeRecipe) -> None:
    a = make_recipe("A")
    both.save([a, dataclasses.replace(a, minutes=5)])
    assert both.count() == 1
    assert both.get("test-a").recipe.minutes == 5


def test_an_unchanged_recipe_is_not_written_again(emptied_database: Database, make_recipe: MakeRecipe) -> None:
    for year in (2026, 2027):
        Catalogue(emptied_database, clock=lambda year=year: NOW.replace(year=year)).save([make_recipe("A")])
    with emptied_database.reading() as connection:
        written_at = connection.execute(sa.select(schema.recipes.c.updated_at)).scalar_one()
    assert written_at.replace(tzinfo=UTC).year == 2026


def test_a_change_keeps_number_and_ratings_and_loses_translations(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    both.save([recipe])
    before = both.get(recipe.recipe_id)
    both.rate([rating("ana", recipe.recipe_id, 4)])
    both.add_translation(before.recipe_no, "es", SOPA, of=before.content_hash)
    both.save([dataclasses.replace(recipe, minutes=5)])
    after = both.get(recipe.recipe_id)
    assert (after.recipe_no, after.mean_rating, dict(after.translations)) == (before.recipe_no, 4, {})
    assert after.recipe.texts == recipe.texts


def test_saving_the_same_again_keeps_translations(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    both.save([recipe])
    stored = both.get(recipe.recipe_id)
    assert both.add_translation(stored.recipe_no, "es", SOPA, of=stored.content_hash)
    both.save([recipe])
    again = both.get(recipe.recipe_id)
    assert again.text_in("es") == (SOPA, "es")
    assert again.text_in("en") == (recipe.original, "en")
    assert again.content_hash == stored.content_hash


def test_without_a_text_in_the_language_the_original_is_shown_and_named(
    both: Catalogue, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe()
    both.save([recipe])
    assert both.get(recipe.recipe_id).text_in("es") == (recipe.original, "en")


def test_a_translation_of_what_has_changed_since_is_refused(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    both.save([recipe])
    stored = both.get(recipe.recipe_id)
    both.save([dataclasses.replace(recipe, minutes=5)])
    assert not both.add_translation(stored.recipe_no, "es", SOPA, of=stored.content_hash)
    assert not both.add_translation(999, "es", SOPA, of=stored.content_hash)
    assert not both.get(recipe.recipe_id).translations


def test_a_translation_never_replaces_a_text_that_is_there(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    both.save([recipe])
    stored = both.get(recipe.recipe_id)
    other = dataclasses.replace(SOPA, name="Otra sopa")
    for text in (SOPA, other):
        both.add_translation(stored.recipe_no, "es", text, of=stored.content_hash)
    both.add_translation(stored.recipe_no, "en", other, of=stored.content_hash)
    again = both.get(recipe.recipe_id)
    assert again.text_in("es")[0] == SOPA
    assert again.text_in("en")[0] == recipe.original


def test_what_lacks_a_language_is_listed_in_order(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe(name) for name in "ABCD"])
    b = both.get("test-b")
    both.add_translation(b.recipe_no, "es", SOPA, of=b.content_hash)
    assert [stored.recipe.recipe_id for stored in both.untranslated("es")] == ["test-a", "test-c", "test-d"]
    assert [stored.recipe.recipe_id for stored in both.untranslated("es", after=b.recipe_no, limit=1)] == ["test-c"]
    assert (both.count_untranslated("es"), both.count_untranslated("en")) == (3, 0)


def test_an_unknown_id_is_an_error_and_an_unknown_number_is_left_out(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    number = both.get("test-a").recipe_no
    with pytest.raises(UnknownRecipe, match="no recipe has the id 'test-z'"):
        both.get("test-z")
    assert list(both.get_many([number, number + 1])) == [number]
    assert both.get_many([]) == {}


def test_walking_in_small_steps_visits_each_once(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe(f"Soup {number}") for number in range(7)])
    batches = list(both.walk(batch_size=3))
    numbers = [stored.recipe_no for batch in batches for stored in batch]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert numbers == sorted(set(numbers))
    assert [stored.recipe_no for batch in both.walk(after=numbers[4]) for stored in batch] == numbers[5:]


def test_more_recipes_than_a_statement_takes_variables(sqlite_database: Database, make_recipe: MakeRecipe) -> None:
    catalogue = Catalogue(sqlite_database)
    with sqlite_database.reading() as connection:
        # The pool keeps this connection and gives it out again.
        connection.connection.driver_connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # type: ignore[union-attr]
    recipes = [make_recipe("Soup", recipe_id=f"soup-{number}") for number in range(1_500)]
    catalogue.save(recipes)
    assert catalogue.save([dataclasses.replace(recipe, minutes=5) for recipe in recipes]) == SaveCounts(changed=1_500)
    assert catalogue.rate([rating("ana", recipe.recipe_id, 5) for recipe in recipes]) == []
    assert len(catalogue.get_many(list(catalogue.content_hashes()))) == len(catalogue.ratings()) == 1_500


def test_the_fingerprint_follows_content_only(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe("A")
    both.save([recipe])
    first = both.fingerprint()
    stored = both.get("test-a")
    both.rate([rating("ana", "test-a", 5)])
    both.add_translation(stored.recipe_no, "es", SOPA, of=stored.content_hash)
    assert both.fingerprint() == first
    both.save([dataclasses.replace(recipe, minutes=5)])
    changed = both.fingerprint()
    both.save([make_recipe("B")])
    assert len({first, changed, both.fingerprint()}) == 3


def test_the_latest_rating_of_each_rater_counts(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A"), make_recipe("B")])
    both.rate([rating("ana", "test-a", 1), rating("ana", "test-a", 5), rating("ben", "test-a", 3)])
    both.rate([rating("ben", "test-a", 4)])
    stored = both.get("test-a")
    assert (stored.n_ratings, stored.rating_sum, stored.mean_rating) == (2, 9, 4.5)
    assert both.get("test-b").mean_rating is None
    assert both.ratings() == {stored.recipe_no: (2, 9.0)}


def test_having_cooked_without_a_word_is_no_rating(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    both.rate([rating("ana", "test-a", None), rating("ben", "test-a", 2)])
    assert (both.get("test-a").n_ratings, both.get("test-a").mean_rating) == (1, 2)
    both.rate([rating("ben", "test-a", None)])
    assert (both.get("test-a").n_ratings, both.get("test-a").mean_rating) == (0, None)


def test_ratings_of_recipes_that_are_not_there_come_back(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    homeless = rating("ana", "test-z", 5)
    assert both.rate([rating("ana", "test-a", 5), homeless]) == [homeless]
    assert both.get("test-a").n_ratings == 1


@pytest.mark.parametrize("stars", [0, 0.5, 5.5, -1])
def test_a_rating_out_of_range_never_gets_in(stars: float, both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    with pytest.raises(sa.exc.IntegrityError):
        both.rate([rating("ana", "test-a", stars)])
    assert both.get("test-a").n_ratings == 0


def test_the_best_liked_come_first_and_then_the_oldest(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe(name) for name in "ABCD"])
    both.rate([rating("ana", "test-b", 1), rating("ana", "test-d", 5), rating("ben", "test-d", 5)])
    assert [stored.recipe.recipe_id for stored in both.popular(3)] == ["test-d", "test-a", "test-c"]


def test_a_failed_transaction_takes_recipes_and_ratings_back(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    with suppress(ZeroDivisionError), both.database.writing() as connection:
        both.save([make_recipe("B")], connection=connection)
        both.rate([rating("ana", "test-a", 5)], connection=connection)
        raise ZeroDivisionError
    assert (both.count(), both.get("test-a").n_ratings) == (1, 0)


_RATERS = st.sampled_from(["ana", "ben", "eva"])
_RATINGS = st.builds(
    rating,
    _RATERS,
    st.sampled_from(["test-a", "test-b", "test-c", "test-z"]),
    st.none() | st.sampled_from([1, 2.5, 4, 5]),
)


@given(batches=st.lists(st.lists(_RATINGS, max_size=8), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_totals_always_equal_a_recount(both: Catalogue, make_recipe: MakeRecipe, batches: list[list[Rating]]) -> None:
    both.save([make_recipe(name) for name in "ABC"])
    with both.database.writing() as connection:
        connection.execute(schema.ratings.delete())
        connection.execute(schema.recipes.update().values(n_ratings=0, rating_sum=0))
    opinions: dict[tuple[str, str], float | None] = {}
    for batch in batches:
        both.rate(batch)
        opinions |= {(given.rater, given.recipe_id): given.rating for given in batch}
    for recipe_id in ("test-a", "test-b", "test-c"):
        stars = [value for (_, rated), value in opinions.items() if rated == recipe_id and value is not None]
        stored = both.get(recipe_id)
        assert (stored.n_ratings, stored.rating_sum) == (len(stars), sum(stars))


def _started(work: Callable[[], Any]) -> Future[Any]:
    """*work*, begun in another thread and come as far as it can while the caller holds what it holds."""
    with_one_thread = ThreadPoolExecutor(1)
    future = with_one_thread.submit(work)
    with_one_thread.shutdown(wait=False)
    wait([future], timeout=0.5)
    return future


def test_two_raters_at_once_are_both_counted(both: Catalogue, make_recipe: MakeRecipe) -> None:
    both.save([make_recipe("A")])
    with both.database.writing() as connection:
        both.rate([rating("ana", "test-a", 5)], connection=connection)
        other = _started(lambda: both.rate([rating("ben", "test-a", 3)]))
    assert other.result() == []
    assert (both.get("test-a").n_ratings, both.get("test-a").rating_sum) == (2, 8)


def test_two_imports_of_the_same_new_recipe_at_once_both_succeed(both: Catalogue, make_recipe: MakeRecipe) -> None:
    later = make_recipe("A", minutes=5)
    with both.database.writing() as connection:
        both.save([make_recipe("A")], connection=connection)
        other = _started(lambda: both.save([later]))
    assert isinstance(other.result(), SaveCounts)
    assert both.get("test-a").recipe == later


def test_a_translation_that_meets_a_change_does_not_outlive_it(both: Catalogue, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe("A")
    both.save([recipe])
    before = both.get("test-a")
    with both.database.writing() as connection:
        both.save([dataclasses.replace(recipe, minutes=5)], connection=connection)
        other = _started(lambda: both.add_translation(before.recipe_no, "es", SOPA, of=before.content_hash))
    assert other.result() is False
    assert not both.get("test-a").translations
