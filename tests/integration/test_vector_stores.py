"""The vector store protocol, kept by Qdrant's engine in the process and by qdrant-client, with its own engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from recipes.constraints import WORD_MARK, Constraints
from recipes.errors import IndexUnavailable
from recipes.index.edge import EdgeStore, FolderInUse
from recipes.index.server import QdrantStore, connect
from recipes.index.store import DenseField, DenseSearch, IndexPoint, Search, VectorStore, WordSearch

DIMENSIONS = 4
KINDS = ("edge", "server")
NO_RULES = Constraints()

Reopen = Callable[[], VectorStore]


def _vector(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


UP, RIGHT, DIAGONAL = _vector(1, 0, 0, 0), _vector(0, 1, 0, 0), _vector(1, 1, 0, 0)


def _point(number: int, **parts: Any) -> IndexPoint:
    """A recipe of which only *parts* are said."""
    blank: dict[str, Any] = {
        "content_hash": f"hash {number}", "name": UP, "ingredients": RIGHT, "name_words": ["c:soup"],
        "body_words": ["c:tomato"], "contains": [], "unknown": [], "minutes_floor": 0, "meals": [],
    }  # fmt: skip
    return IndexPoint(recipe_no=number, **{**blank, **parts})


def _make(kind: str, folder: Path) -> tuple[VectorStore, Reopen]:
    """A new store, and what opens it again."""
    if kind == "edge":
        return EdgeStore.create(folder, dimensions=DIMENSIONS), lambda: EdgeStore.open(folder)
    host = f":memory:{uuid.uuid4()}"
    store = QdrantStore.create(connect(host, api_key=None), "things", dimensions=DIMENSIONS)
    return store, lambda: QdrantStore.open(connect(host, api_key=None), "things")


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest, quick_path: Path) -> Iterator[tuple[VectorStore, Reopen]]:
    store, reopen = _make(request.param, quick_path / "store")
    yield store, reopen
    store.close()


@pytest.fixture
def store(made: tuple[VectorStore, Reopen]) -> VectorStore:
    return made[0]


def _numbers(store: VectorStore, search: Search, rules: Constraints = NO_RULES) -> list[int]:
    [hits] = store.search([search], rules)
    return [number for number, _ in hits]


def _all(store: VectorStore, rules: Constraints, **asked: Any) -> list[int]:
    """Every number that a vector search gives, which must be what a word search gives."""
    by_vector = sorted(_numbers(store, DenseSearch("name", UP, 1_000, **asked), rules))
    by_words = sorted(_numbers(store, WordSearch("name_words", ["c:soup"], 1_000, **asked), rules))
    assert by_vector == by_words
    return by_vector


# Adding and counting


def test_a_new_store_is_empty(store: VectorStore) -> None:
    assert store.count() == 0
    assert store.known([1, 2]) == {}
    assert _all(store, NO_RULES) == []


def test_added_points_are_counted_and_found(store: VectorStore) -> None:
    store.upsert([_point(3), _point(7)])
    store.upsert([_point(5)])
    assert store.count() == 3
    assert _all(store, NO_RULES) == [3, 5, 7]


def test_adding_nothing_changes_nothing(store: VectorStore) -> None:
    store.upsert([])
    assert store.count() == 0


def test_a_point_replaces_the_one_with_its_number(store: VectorStore) -> None:
    store.upsert([_point(1, name=UP, name_words=["c:soup"], contains=["egg"]), _point(2, name=DIAGONAL)])
    store.upsert([_point(1, content_hash="new", name=RIGHT, name_words=["c:cake"])])
    assert store.count() == 2
    assert store.known([1])[1].content_hash == "new"
    assert _numbers(store, DenseSearch("name", RIGHT, 2)) == [1, 2]
    assert _numbers(store, WordSearch("name_words", ["c:cake"], 5)) == [1]
    assert _numbers(store, WordSearch("name_words", ["c:soup"], 5)) == [2]
    assert 1 in _numbers(store, DenseSearch("name", UP, 5), Constraints(exclude=frozenset({"egg"})))


def test_more_points_than_one_batch_holds_all_arrive(store: VectorStore) -> None:
    store.upsert([_point(number) for number in range(1, 1_203)])
    store.finish()
    assert store.count() == 1_202
    assert len(_numbers(store, WordSearch("name_words", ["c:soup"], 2_000))) == 1_202


def test_what_is_known_are_the_vectors_and_what_they_were_made_from(store: VectorStore) -> None:
    store.upsert([_point(1), _point(2, content_hash="abc", name=DIAGONAL, ingredients=_vector(0, 0, 3, 4))])
    known = store.known([2, 99])
    assert list(known) == [2]
    assert known[2].content_hash == "abc"
    assert known[2].name == pytest.approx([0.7071, 0.7071, 0, 0], abs=1e-3)
    assert known[2].ingredients == pytest.approx([0, 0, 0.6, 0.8], abs=1e-3)


def test_of_no_numbers_nothing_is_known(store: VectorStore) -> None:
    store.upsert([_point(1)])
    assert store.known([]) == {}


def test_known_vectors_can_be_added_again_without_loss(store: VectorStore) -> None:
    store.upsert([_point(1, name=_vector(0.123, 0.456, 0.789, 0.1))])
    once = store.known([1])[1].name
    store.upsert([_point(1, name=once)])
    assert (store.known([1])[1].name == once).all()


# Searching by vector


@pytest.mark.parametrize("field", ["name", "ingredients"])
def test_the_nearest_come_first_with_their_cosine(field: DenseField, store: VectorStore) -> None:
    store.upsert([_point(1, **{field: RIGHT}), _point(2, **{field: UP}), _point(3, **{field: DIAGONAL})])
    [hits] = store.search([DenseSearch(field, UP, 10)], NO_RULES)
    assert [number for number, _ in hits] == [2, 3, 1]
    assert [score for _, score in hits] == pytest.approx([1, 0.7071, 0], abs=1e-3)


def test_a_limit_is_kept(store: VectorStore) -> None:
    store.upsert([_point(number, name=_vector(10 - number, number, 0, 0)) for number in range(1, 10)])
    assert _numbers(store, DenseSearch("name", UP, 3)) == [1, 2, 3]
    assert len(_numbers(store, WordSearch("name_words", ["c:soup"], 3))) == 3


def test_a_recipe_without_a_meaning_is_far_from_everything(store: VectorStore) -> None:
    store.upsert([_point(1, ingredients=np.zeros(DIMENSIONS, dtype=np.float32)), _point(2, ingredients=DIAGONAL)])
    assert _numbers(store, DenseSearch("ingredients", UP, 5)) == [2, 1]


def test_a_search_among_numbers_finds_only_those(store: VectorStore) -> None:
    store.upsert([_point(number, name=_vector(10 - number, number, 0, 0)) for number in range(1, 10)])
    assert _numbers(store, DenseSearch("name", UP, 10, among=[7, 2, 5, 99])) == [2, 5, 7]


def test_a_search_among_no_numbers_finds_nothing(store: VectorStore) -> None:
    store.upsert([_point(1)])
    assert _numbers(store, DenseSearch("name", UP, 10, among=[])) == []


def test_a_search_among_numbers_keeps_the_rules_too(store: VectorStore) -> None:
    store.upsert([_point(1), _point(2, contains=["egg"]), _point(3)])
    among = DenseSearch("name", UP, 10, among=[1, 2])
    assert _numbers(store, among, Constraints(exclude=frozenset({"egg"}))) == [1]


# Searching by words


def test_words_find_what_has_them_in_that_field(store: VectorStore) -> None:
    store.upsert([_point(1, name_words=["c:soup"], body_words=["c:rice"]), _point(2, name_words=["c:rice"])])
    assert _numbers(store, WordSearch("name_words", ["c:rice"], 5)) == [2]
    assert _numbers(store, WordSearch("body_words", ["c:rice"], 5)) == [1]


def test_more_of_the_words_is_better(store: VectorStore) -> None:
    store.upsert(
        [_point(1, name_words=["c:soup", "c:rice"]), _point(2, name_words=["c:soup"]), _point(3, name_words=["w:x"])]
    )
    assert _numbers(store, WordSearch("name_words", ["c:soup", "c:rice"], 5)) == [1, 2]


def test_a_rare_word_counts_more_than_a_common_one(store: VectorStore) -> None:
    store.upsert([_point(number, name_words=["c:soup"]) for number in range(1, 9)])
    store.upsert([_point(9, name_words=["w:ajiaco"])])
    assert _numbers(store, WordSearch("name_words", ["c:soup", "w:ajiaco"], 5))[0] == 9


def test_a_short_text_with_the_word_is_better_than_a_long_one(store: VectorStore) -> None:
    store.upsert(
        [_point(1, name_words=["c:soup", *(f"w:{n}" for n in range(20))]), _point(2), _point(3, name_words=[])]
    )
    assert _numbers(store, WordSearch("name_words", ["c:soup"], 5)) == [2, 1]


@pytest.mark.parametrize("terms", [["w:nobody"], []])
def test_words_that_nothing_has_find_nothing(terms: list[str], store: VectorStore) -> None:
    store.upsert([_point(1)])
    assert _numbers(store, WordSearch("name_words", terms, 5)) == []


# Several searches


def test_several_searches_are_answered_in_their_order(store: VectorStore) -> None:
    store.upsert([_point(1, name=UP, name_words=["c:soup"]), _point(2, name=RIGHT, name_words=["c:cake"])])
    searches = [WordSearch("name_words", ["c:cake"], 1), DenseSearch("name", UP, 1), DenseSearch("name", RIGHT, 1)]
    assert [[number for number, _ in hits] for hits in store.search(searches, NO_RULES)] == [[2], [1], [2]]


def test_no_search_has_no_answer(store: VectorStore) -> None:
    assert store.search([], NO_RULES) == []


def test_threads_may_search_at_once(store: VectorStore) -> None:
    store.upsert([_point(number, name=_vector(10 - number, number, 0, 0)) for number in range(1, 10)])
    search = DenseSearch("name", UP, 4)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _numbers(store, search), range(40)))
    assert answers == [[1, 2, 3, 4]] * 40


# Rules


MENU = (
    _point(1, contains=["egg", "rice"], unknown=["dijon"], minutes_floor=10, meals=["breakfast"]),
    _point(2, contains=["rice"], unknown=[], minutes_floor=30, meals=["lunch", "dinner"]),
    _point(3, contains=["milk", "dairy"], unknown=["dijon", "xyz"], minutes_floor=31, meals=["dinner"]),
    _point(4, contains=[], unknown=["xyz"], minutes_floor=0, meals=[]),
)
RULES: dict[str, tuple[Constraints, list[int]]] = {
    "none": (NO_RULES, [1, 2, 3, 4]),
    "an excluded food": (Constraints(exclude=frozenset({"egg"})), [2, 3, 4]),
    "any of two excluded foods": (Constraints(exclude=frozenset({"egg", "dairy"})), [2, 4]),
    "a food that nothing contains": (Constraints(exclude=frozenset({"lupin"})), [1, 2, 3, 4]),
    "an excluded word": (Constraints(exclude_words=frozenset({"xyz"})), [1, 2]),
    "any of two excluded words": (Constraints(exclude_words=frozenset({"xyz", "dijon"})), [2]),
    "a time that is just kept; unknown is not too long": (Constraints(max_minutes=30), [1, 2, 4]),
    "a short time": (Constraints(max_minutes=9), [4]),
    "no time at all": (Constraints(max_minutes=0), [4]),
    "a wish for a food is no rule": (Constraints(include=("rice",)), [1, 2, 3, 4]),
    "a food as a rule": (Constraints(include=("rice",), strict=True), [1, 2]),
    "two foods as a rule": (Constraints(include=("rice", "egg"), strict=True), [1]),
    "an unknown word as a rule": (Constraints(include=(WORD_MARK + "dijon",), strict=True), [1, 3]),
    "a food and an unknown word as a rule": (Constraints(include=("egg", WORD_MARK + "dijon"), strict=True), [1]),
    "a wish for a meal is no rule": (Constraints(meals=("dinner",)), [1, 2, 3, 4]),
    "a meal as a rule": (Constraints(meals=("dinner",), strict=True), [2, 3]),
    "one of two meals as a rule": (Constraints(meals=("dinner", "breakfast"), strict=True), [1, 2, 3]),
    "all together": (
        Constraints(frozenset({"egg"}), frozenset({"dijon"}), 30, ("rice",), ("lunch",), strict=True),
        [2],
    ),
    "what nothing keeps": (Constraints(frozenset({"rice", "milk"}), frozenset({"xyz"}), max_minutes=20), []),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def menu(request: pytest.FixtureRequest, make_quick_folder: Callable[[], Path]) -> Iterator[VectorStore]:
    """A store that tests only search."""
    store, _ = _make(request.param, make_quick_folder() / "store")
    store.upsert(MENU)
    store.finish()
    yield store
    store.close()


@pytest.mark.parametrize("case", RULES)
def test_rules_are_kept_by_every_kind_of_search(case: str, menu: VectorStore) -> None:
    rules, expected = RULES[case]
    assert _all(menu, rules) == expected


def test_a_search_may_insist_on_foods(menu: VectorStore) -> None:
    assert _all(menu, NO_RULES, include=["rice"]) == [1, 2]
    assert _all(menu, NO_RULES, include=["rice", "egg"]) == [1]
    assert _all(menu, Constraints(exclude=frozenset({"egg"})), include=["rice"]) == [2]


def test_one_search_of_several_may_insist(menu: VectorStore) -> None:
    searches = [DenseSearch("name", UP, 9, include=["milk"]), DenseSearch("name", UP, 9)]
    insisting, free = menu.search(searches, NO_RULES)
    assert [number for number, _ in insisting] == [3]
    assert len(free) == 4


FOODS, WORDS, MEALS = ["egg", "milk", "rice"], ["dijon", "xyz"], ["breakfast", "dinner"]


def _subsets(values: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True).map(tuple)


POINTS = st.builds(
    _point, st.just(0), contains=_subsets(FOODS), unknown=_subsets(WORDS), minutes_floor=st.integers(0, 4),
    meals=_subsets(MEALS),
)  # fmt: skip
ANY_RULES = st.builds(
    Constraints, _subsets(FOODS).map(frozenset), _subsets(WORDS).map(frozenset), st.none() | st.integers(1, 4),
    _subsets([*FOODS, WORD_MARK + "xyz"]), _subsets(MEALS), st.booleans(),
)  # fmt: skip


def _keeps(point: IndexPoint, rules: Constraints) -> bool:
    """The rules in plain words."""
    if rules.exclude & {*point.contains} or rules.exclude_words & {*point.unknown}:
        return False
    if rules.max_minutes is not None and point.minutes_floor > rules.max_minutes:
        return False
    if not rules.strict:
        return True
    here = {*point.contains, *(WORD_MARK + word for word in point.unknown)}
    return {*rules.include} <= here and (not rules.meals or bool({*rules.meals} & {*point.meals}))


@pytest.fixture(scope="module", params=KINDS)
def scratch(request: pytest.FixtureRequest, make_quick_folder: Callable[[], Path]) -> Iterator[VectorStore]:
    """A store whose points 1 to 6 each example replaces."""
    store, _ = _make(request.param, make_quick_folder() / "store")
    yield store
    store.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=st.lists(POINTS, min_size=6, max_size=6), rules=st.lists(ANY_RULES, min_size=5, max_size=5))
def test_any_rules_mean_what_they_say(points: list[IndexPoint], rules: list[Constraints], scratch: VectorStore) -> None:
    numbered = {number: _renumbered(point, number) for number, point in enumerate(points, start=1)}
    scratch.upsert(list(numbered.values()))
    for some in rules:
        assert _all(scratch, some) == [number for number, point in numbered.items() if _keeps(point, some)]


def _renumbered(point: IndexPoint, number: int) -> IndexPoint:
    return _point(
        number, contains=point.contains, unknown=point.unknown, minutes_floor=point.minutes_floor, meals=point.meals
    )


# Closing and opening


def test_everything_is_there_again_after_closing(made: tuple[VectorStore, Reopen]) -> None:
    store, reopen = made
    store.upsert(MENU)
    store.finish()
    before = store.known([1])[1]
    store.close()
    again = reopen()
    assert again.count() == 4
    assert (again.known([1])[1].name == before.name).all()
    assert _all(again, Constraints(exclude=frozenset({"egg"}))) == [2, 3, 4]
    again.close()


def test_a_store_can_grow_after_it_was_opened_again(made: tuple[VectorStore, Reopen]) -> None:
    store, reopen = made
    store.upsert(MENU)
    store.close()
    again = reopen()
    again.upsert([_point(5), _point(1)])
    assert again.count() == 5
    assert _all(again, Constraints(exclude=frozenset({"egg"}))) == [1, 2, 3, 4, 5]
    again.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_store_answers_with_a_typed_error(kind: str, quick_path: Path) -> None:
    store: VectorStore = (
        EdgeStore.create(quick_path / "store", dimensions=DIMENSIONS)
        if kind == "edge"
        else QdrantStore.create(QdrantClient(":memory:"), "things", dimensions=DIMENSIONS)
    )
    store.close()
    for ask in (
        store.count,
        lambda: store.known([1]),
        lambda: store.upsert([_point(1)]),
        lambda: store.search([DenseSearch("name", UP, 1)], NO_RULES),
    ):
        with pytest.raises(IndexUnavailable):
            ask()


def test_a_missing_folder_is_a_typed_error(quick_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="cannot be opened"):
        EdgeStore.open(quick_path / "nothing")


def test_a_folder_that_is_open_says_so(quick_path: Path) -> None:
    store = EdgeStore.create(quick_path / "store", dimensions=DIMENSIONS)
    with pytest.raises(FolderInUse):
        EdgeStore.open(quick_path / "store")
    store.close()
    EdgeStore.open(quick_path / "store").close()


def test_a_missing_collection_is_a_typed_error() -> None:
    client = QdrantClient(":memory:")
    with pytest.raises(IndexUnavailable, match="no collection 'nothing'; run: recipes index"):
        QdrantStore.open(client, "nothing")
    client.close()


def test_making_a_collection_that_is_there_keeps_what_is_in_it() -> None:
    host = f":memory:{uuid.uuid4()}"
    QdrantStore.create(connect(host, api_key=None), "things", dimensions=DIMENSIONS).upsert(MENU)
    assert QdrantStore.create(connect(host, api_key=None), "things", dimensions=DIMENSIONS).count() == 4


def test_a_server_that_is_not_there_is_a_typed_error() -> None:
    client = connect("127.0.0.1:1", api_key=None)
    with pytest.raises(IndexUnavailable, match="the Qdrant server does not answer"):
        QdrantStore.open(client, "things")
    client.close()
