"""The pool that is ranked: at least 100 candidates from vectors and words together, each with what is known of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe, RecipeText, StoredRecipe, starter_recipes
from recipes.constraints import Constraints, Filters, constraints_from
from recipes.encoder import UseEncoder
from recipes.encoder.base import Vectors, unit_length
from recipes.index import IndexBuilder, IndexLibrary, RecipeIndex
from recipes.index.document import Document, document_of
from recipes.index.items import content_mark
from recipes.lexicon import Lexicon
from recipes.query import understand
from recipes.terms import QueryTerms, query_terms
from recipes.text import Language, stems
from tests.twins import tiny_lexicon

LEXICON = tiny_lexicon()
NO_RULES = Constraints()
MEALS = (("breakfast",), ("dinner",), ("lunch", "dinner"), ())
POOL = 100


class ScatteringEncoder:
    """Equal texts have equal vectors; otherwise nothing is close to anything, least of all what shares words."""

    name = "scattering"
    dimensions = 48

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dimensions) for text in texts]
        return unit_length(np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions))


ENCODER = ScatteringEncoder()


@dataclass
class Shelf:
    """A catalogue of 420 recipes and its index."""

    index: RecipeIndex
    documents: dict[int, Document]
    hashes: dict[int, str]

    def number(self, name: str) -> int:
        return next(number for number, document in self.documents.items() if document.name == name)

    def keeping(self, rules: Constraints) -> set[int]:
        return {number for number, document in self.documents.items() if _keeps(document, rules)}


def _keeps(document: Document, rules: Constraints) -> bool:
    """The slow twin of the engine's filter."""
    if rules.exclude & {*document.contains} or rules.exclude_words & {*document.unknown}:
        return False
    if rules.max_minutes is not None and document.minutes_floor > rules.max_minutes:
        return False
    if not rules.strict:
        return True
    return {*rules.include} <= {*document.contains} and (not rules.meals or bool({*rules.meals} & {*document.meals}))


def _recipes() -> list[Recipe]:
    foods = ("tomato", "onion", "rice", "potato", "egg", "milk", "cheese", "chicken")
    made = []
    for number, (dish, food, other) in enumerate([*product(("soup", "salad", "cake"), foods, foods)] * 3):
        ingredients = (f"2 {food}", f"1 {other}")
        facts = {"minutes": (number % 9) * 10 or None, "meals": MEALS[number % 4]}
        description = "festive" if number % 4 == 0 else ""
        made.append(_recipe(f"{food} {dish} {number}", ingredients, description, **facts))
    return [*made[:417], _recipe("ajiaco", ("1 tomato",)), _recipe("plain", foods), _recipe("festive thing", foods)]


def _recipe(name: str, ingredients: tuple[str, ...], description: str = "", **facts: Any) -> Recipe:
    text = RecipeText(name, description, ingredients, ("Cook.",))
    return Recipe("test-" + name.replace(" ", "-"), "test", "en", {"en": text}, **facts)


@pytest.fixture(scope="module")
def shelf(make_quick_folder: Callable[[], Path]) -> Iterator[Shelf]:
    folder = make_quick_folder()
    database = Database(f"sqlite:///{folder}/state.db")
    database.upgrade(schema.MIGRATIONS)
    catalogue = Catalogue(database)
    catalogue.save(_recipes())
    library = IndexLibrary(folder / "index")
    IndexBuilder(catalogue, library, ENCODER, LEXICON).build()
    index = library.open(encoder_name=ENCODER.name)
    documents = {one.recipe_no: document_of(one, LEXICON) for batch in catalogue.walk() for one in batch}
    yield Shelf(index, documents, catalogue.content_hashes())
    index.close()
    database.close()


def _vector(text: str) -> np.ndarray:
    return ENCODER.encode([text])[0]


def _terms(text: str) -> QueryTerms:
    return query_terms(stems(text), LEXICON, "en")


RULES: dict[str, Constraints] = {
    "none": NO_RULES,
    "one food excluded": Constraints(exclude=frozenset({"egg"})),
    "most foods excluded": Constraints(exclude=frozenset({"animal_product", "tomato", "onion"})),
    "a word excluded": Constraints(exclude_words=frozenset({"ajiac"})),
    "little time": Constraints(max_minutes=20),
    "a wish": Constraints(include=("egg", "rice")),
    "a food as a rule": Constraints(include=("egg",), strict=True),
    "two foods as a rule": Constraints(include=("egg", "rice"), strict=True),
    "a meal as a rule": Constraints(meals=("breakfast",), strict=True),
    "several": Constraints(exclude=frozenset({"milk"}), max_minutes=50, meals=("dinner",), strict=True),
    "what nothing keeps": Constraints(include=("egg",), exclude=frozenset({"egg"}), strict=True),
}


@pytest.mark.parametrize("case", RULES)
@pytest.mark.parametrize("query", ["egg soup", "ajiaco", "something that no recipe names"])
def test_the_pool_has_a_hundred_that_keep_the_rules_where_there_are_so_many(
    case: str, query: str, shelf: Shelf
) -> None:
    keeping = shelf.keeping(RULES[case])
    pool = shelf.index.candidates(_vector(query), _terms(query), RULES[case])
    assert len(pool) >= min(POOL, len(keeping))
    assert {*pool.numbers.tolist()} <= keeping


def test_a_pool_holds_each_recipe_once(shelf: Shelf) -> None:
    numbers = shelf.index.candidates(_vector("egg soup"), _terms("egg soup"), RULES["a wish"]).numbers.tolist()
    assert len(numbers) == len(set(numbers))


def test_vectors_and_words_each_bring_what_the_other_does_not_see(shelf: Shelf) -> None:
    # The vector is that of a cake, the word that of the ajiaco.
    by_vector, by_words = shelf.number("egg cake 160"), shelf.number("ajiaco")
    pool = shelf.index.candidates(_vector("egg cake 160"), _terms("ajiaco"), NO_RULES)
    assert {by_vector, by_words} <= {*pool.numbers.tolist()}
    assert pool.numbers[pool.name_similarity.argmax()] == by_vector
    assert pool.numbers[pool.name_words.argmax()] == by_words


def test_ingredients_bring_candidates_by_vector_and_by_words(shelf: Shelf) -> None:
    everything = shelf.number("plain")
    foods = "tomato, onion, rice, potato, egg, milk, cheese, chicken"
    by_vector = shelf.index.candidates(_vector(foods), QueryTerms(), NO_RULES)
    assert by_vector.ingredients_similarity[by_vector.numbers == everything] == pytest.approx(1, abs=1e-3)
    by_words = shelf.index.candidates(None, _terms(foods), NO_RULES)
    assert by_words.body_words[by_words.numbers == everything] == pytest.approx(1)


def test_a_word_in_the_name_brings_a_recipe_however_many_have_it_elsewhere(shelf: Shelf) -> None:
    pool = shelf.index.candidates(None, _terms("festive"), NO_RULES)
    assert pool.numbers[pool.name_words.argmax()] == shelf.number("festive thing")
    assert len(pool) > 50


def test_without_a_vector_words_alone_find_candidates(shelf: Shelf) -> None:
    pool = shelf.index.candidates(None, _terms("ajiaco"), NO_RULES)
    assert pool.numbers.tolist() == [shelf.number("ajiaco")]
    assert pool.name_similarity.tolist() == pool.ingredients_similarity.tolist() == [0]


def test_without_a_vector_or_words_there_are_no_candidates(shelf: Shelf) -> None:
    pool = shelf.index.candidates(None, QueryTerms(), NO_RULES)
    assert len(pool) == 0
    assert pool.name_words.shape == (0,)


def test_what_is_known_of_each_candidate_does_not_depend_on_how_it_was_found(shelf: Shelf) -> None:
    query = "egg soup"
    pool = shelf.index.candidates(
        _vector(query), _terms(query), Constraints(include=("egg", "rice"), meals=("dinner",))
    )
    for place, number in enumerate(pool.numbers.tolist()):
        document = shelf.documents[number]
        assert pool.name_similarity[place] == pytest.approx(_vector(query) @ _vector(document.name), abs=2e-3)
        assert pool.ingredients_similarity[place] == pytest.approx(_vector(query) @ _vector(document.foods), abs=2e-3)
        assert pool.n_included[place] == len({"egg", "rice"} & {*document.contains})
        assert pool.content_marks[place] == content_mark(shelf.hashes[number])
        assert pool.minutes[place] == document.minutes
        assert pool.known_meal[place] == bool(document.meals)
        assert pool.right_meal[place] == ("dinner" in document.meals)


@pytest.mark.parametrize(
    ("query", "name", "share"),
    [
        ("egg", "plain", 1.0),
        ("egg ajiaco", "plain", 0.5),
        ("egg ajiaco", "ajiaco", 0.5),
        ("soup", "festive thing", 0.0),
        ("milk and cheese and quinoto", "plain", 2 / 3),
        ("with the of", "plain", 1.0),
    ],
)
def test_covered_is_the_share_of_the_things_asked_for_that_a_recipe_has(
    query: str, name: str, share: float, shelf: Shelf
) -> None:
    pool = shelf.index.candidates(_vector(name), _terms(query), NO_RULES)
    assert pool.covered[pool.numbers == shelf.number(name)] == pytest.approx(share)
    assert ((pool.covered >= 0) & (pool.covered <= 1)).all()


def test_of_more_things_than_fit_the_first_are_looked_at(shelf: Shelf) -> None:
    words = " ".join(f"xq{number:03}" for number in range(80))
    pool = shelf.index.candidates(_vector("plain"), _terms(f"egg {words}"), NO_RULES)
    assert pool.covered[pool.numbers == shelf.number("plain")] == pytest.approx(1 / 64)


def test_a_recipe_with_all_that_was_wished_for_is_in_the_pool_however_far_down_it_stands(shelf: Shelf) -> None:
    wish = Constraints(include=("tomato", "onion", "rice", "potato", "egg", "milk", "cheese", "chicken"))
    pool = shelf.index.candidates(_vector("salad"), _terms("salad"), wish)
    assert {*pool.numbers[pool.n_included == 8].tolist()} == {shelf.number("plain"), shelf.number("festive thing")}
    assert len(pool) >= POOL


def test_similar_recipes_are_the_nearest_others(shelf: Shelf) -> None:
    number = shelf.number("egg cake 160")
    twins = {
        other for other, document in shelf.documents.items()
        if document.foods == shelf.documents[number].foods and other != number
    }  # fmt: skip
    similar = shelf.index.similar(number, 5)
    assert len(similar) == 5
    assert number not in similar
    assert {*similar} & twins
    assert shelf.index.similar(99_999, 5) == []


# The catalogue and the encoder that ship


@pytest.fixture(scope="module")
def starter(
    copy_starter: Callable[[Path], Path], make_quick_folder: Callable[[], Path], use_encoder: UseEncoder
) -> Iterator[RecipeIndex]:
    """The index of the starter catalogue."""
    folder = copy_starter(make_quick_folder() / "data")
    index = IndexLibrary(folder / "var" / "index").open(encoder_name=use_encoder.name)
    yield index
    index.close()


@pytest.fixture(scope="module")
def starter_documents(lexicon: Lexicon) -> list[Document]:
    stored = [StoredRecipe(0, recipe, recipe.content_hash, 0, 0.0, {}) for recipe in starter_recipes()]
    return [document_of(one, lexicon) for one in stored]


ASKED: tuple[tuple[str, Language], ...] = (
    ("desayuno saludable sin huevo", "es"),
    ("cena vegana en menos de 30 minutos", "es"),
    ("arroz con pollo", "es"),
    ("something sweet without nuts", "en"),
    ("gluten free soup", "en"),
    ("ñandú a la zzxy", "es"),
    ("汉字", "es"),
)
FILTERS = {
    "no filter": Filters(),
    "little time": Filters(max_minutes=25),
    "vegan": Filters(diets=("vegan",)),
    "dinner": Filters(meals=("dinner",)),
}


@pytest.mark.parametrize(("query", "language"), ASKED, ids=[query for query, _ in ASKED])
@pytest.mark.parametrize("kind", FILTERS)
def test_every_question_has_a_hundred_candidates_where_so_many_keep_its_rules(
    query: str,
    language: Language,
    kind: str,
    starter: RecipeIndex,
    starter_documents: list[Document],
    use_encoder: UseEncoder,
    lexicon: Lexicon,
) -> None:
    understanding = understand(query, lexicon)
    rules = understanding.constraints.merged(constraints_from(FILTERS[kind], lexicon, language))
    vector = use_encoder.encode([understanding.free_text or query])[0]
    pool = starter.candidates(vector, query_terms(understanding.words, lexicon, understanding.language), rules)
    n_keeping = sum(_keeps(document, rules) for document in starter_documents)
    assert len(starter) == len(starter_documents) >= 160
    assert len(pool) >= min(POOL, n_keeping)
