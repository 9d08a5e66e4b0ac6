"""The arrays that the ranker looks things up in mean what dictionaries would."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog.recipe import MEALS
from recipes.index.document import Document, meal_bits
from recipes.index.items import ItemTable, ItemTableWriter, TermMatrix

Weights = dict[str, float]

WEIGHT = st.floats(0.125, 1, width=32)
ITEMS = st.lists(st.dictionaries(st.sampled_from("abcdef"), WEIGHT, max_size=6), min_size=1, max_size=8)
QUERY = st.dictionaries(st.sampled_from("abcdefxy"), WEIGHT, max_size=6)


def _matrix(items: Sequence[Mapping[str, float]]) -> TermMatrix:
    vocabulary = list(dict.fromkeys(term for item in items for term in item))
    return TermMatrix(
        vocabulary,
        np.cumsum([0, *(len(item) for item in items)], dtype=np.int64),
        np.array([vocabulary.index(term) for item in items for term in item], dtype=np.int32),
        np.array([weight for item in items for weight in item.values()], dtype=np.float32),
    )


# The slow twin


def _idf(items: Sequence[Weights], term: str) -> float:
    frequency = sum(term in item for item in items)
    return math.log(1 + (len(items) - frequency + 0.5) / (frequency + 0.5))


def _is_known(items: Sequence[Weights], term: str) -> bool:
    return any(term in item for item in items)


def _unseen(items: Sequence[Weights], query: Weights) -> float:
    """What the query's terms that no item has count for together."""
    strangers = [weight for term, weight in query.items() if not _is_known(items, term)]
    return 0.5 * math.log(1 + len(items) + 0.5) * math.hypot(*strangers)


def _cosine(items: Sequence[Weights], query: Weights, item: Weights) -> float:
    weighted = {term: weight * _idf(items, term) for term, weight in item.items()}
    asked = {term: weight * _idf(items, term) for term, weight in query.items() if _is_known(items, term)}
    lengths = math.hypot(*weighted.values()) * math.hypot(*asked.values(), _unseen(items, query))
    return sum(weighted.get(term, 0.0) * weight for term, weight in asked.items()) / lengths if lengths else 0.0


def _coverage(items: Sequence[Weights], query: Weights, item: Weights) -> float:
    worth = {term: weight * _idf(items, term) for term, weight in query.items() if _is_known(items, term)}
    total = sum(worth.values()) + _unseen(items, query)
    return sum(value for term, value in worth.items() if term in item) / total if total else 0.0


@st.composite
def _items_and_rows(draw: st.DrawFn) -> tuple[list[Weights], list[int]]:
    """Items, some without any term, and rows of them in any order, some twice."""
    items = draw(ITEMS)
    return items, draw(st.lists(st.integers(0, len(items) - 1), max_size=10))


def _rows(rows: Sequence[int]) -> np.ndarray:
    return np.array(rows, dtype=np.intp)


@given(_items_and_rows(), QUERY)
def test_cosine_equals_its_slow_twin(drawn: tuple[list[Weights], list[int]], query: Weights) -> None:
    items, rows = drawn
    found = _matrix(items).cosine(query, _rows(rows))
    assert found.shape == (len(rows),)
    assert found.tolist() == pytest.approx([_cosine(items, query, items[row]) for row in rows], abs=1e-5)


@given(_items_and_rows(), QUERY)
def test_coverage_equals_its_slow_twin(drawn: tuple[list[Weights], list[int]], query: Weights) -> None:
    items, rows = drawn
    found = _matrix(items).coverage(query, _rows(rows))
    assert found.shape == (len(rows),)
    assert found.tolist() == pytest.approx([_coverage(items, query, items[row]) for row in rows], abs=1e-5)


@given(_items_and_rows(), st.lists(st.sampled_from("abcdefxy"), max_size=4))
def test_has_equals_its_slow_twin(drawn: tuple[list[Weights], list[int]], terms: list[str]) -> None:
    items, rows = drawn
    found = _matrix(items).has(terms, _rows(rows))
    assert found.dtype == np.bool_
    assert found.tolist() == [bool({*terms} & {*items[row]}) for row in rows]


@given(_items_and_rows(), st.lists(st.lists(st.sampled_from("abcdefxy"), max_size=4), max_size=64))
def test_which_tells_of_each_group_whether_a_row_has_any_of_it(
    drawn: tuple[list[Weights], list[int]], groups: list[list[str]]
) -> None:
    items, rows = drawn
    found = _matrix(items).which(groups, _rows(rows)).tolist()
    expected = [[not items[row].keys().isdisjoint(terms) for terms in groups] for row in rows]
    assert [[bool(bits >> place & 1) for place in range(len(groups))] for bits in found] == expected
    assert all(bits < 1 << len(groups) for bits in found)


@given(ITEMS)
def test_the_terms_of_a_row_are_those_it_was_made_of(items: list[Weights]) -> None:
    matrix = _matrix(items)
    assert [matrix.of(row) for row in range(len(items))] == [list(item) for item in items]


# Laws, and values that only the right formula gives


@given(ITEMS)
def test_a_row_is_its_own_best_match(items: list[Weights]) -> None:
    matrix = _matrix(items)
    everything = _rows(range(len(items)))
    for row, item in enumerate(items):
        if not item:
            continue
        similar = matrix.cosine(item, everything)
        assert similar[row] == pytest.approx(1, abs=1e-5)
        assert similar.max() <= 1 + 1e-5
        assert matrix.coverage(item, everything)[row] == pytest.approx(1, abs=1e-5)


@given(_items_and_rows(), QUERY)
def test_a_stranger_among_the_words_never_helps(drawn: tuple[list[Weights], list[int]], query: Weights) -> None:
    items, rows = drawn
    matrix = _matrix(items)
    with_a_stranger = {**query, "stranger": 1.0}
    assert (matrix.cosine(with_a_stranger, _rows(rows)) <= matrix.cosine(query, _rows(rows)) + 1e-6).all()
    assert (matrix.coverage(with_a_stranger, _rows(rows)) <= matrix.coverage(query, _rows(rows)) + 1e-6).all()


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), WEIGHT, min_size=1), min_size=2, max_size=8))
def test_a_word_that_nothing_has_counts_less_than_the_rarest_that_something_has(items: list[Weights]) -> None:
    matrix = _matrix([*items, {"rare": 1.0}])
    last = _rows([len(items)])
    assert matrix.coverage({"rare": 1.0, "stranger": 1.0}, last)[0] > 0.5


def test_the_rarer_of_two_words_counts_more_by_bm25s_idf() -> None:
    matrix = _matrix([{"soup": 1.0, "ajiaco": 1.0}, {"soup": 1.0}, {"soup": 1.0}, {}])
    covered = matrix.coverage({"soup": 1.0, "ajiaco": 1.0}, _rows([0, 1, 3]))
    # ln(1 + 1.5/3.5) = 0.35667 and ln(1 + 3.5/1.5) = 1.20397
    assert covered.tolist() == pytest.approx([1, 0.35667 / 1.56065, 0], abs=1e-4)


def test_cosine_is_one_over_root_two_for_one_of_two_equal_words() -> None:
    matrix = _matrix([{"a": 1.0, "b": 1.0}, {"c": 1.0}, {"d": 0.4}])
    assert matrix.cosine({"a": 1.0}, _rows([0]))[0] == pytest.approx(0.70711, abs=1e-5)


@pytest.mark.parametrize("items", [[], [{}], [{}, {}]])
def test_a_matrix_without_terms_matches_nothing(items: list[Weights]) -> None:
    matrix, rows = _matrix(items), _rows(range(len(items)))
    zeros = [0.0] * len(items)
    assert matrix.cosine({"a": 1.0}, rows).tolist() == zeros
    assert matrix.coverage({"a": 1.0}, rows).tolist() == zeros
    assert matrix.has(["a"], rows).tolist() == [False] * len(items)


def test_an_empty_query_matches_nothing() -> None:
    matrix = _matrix([{"a": 1.0}, {}])
    assert matrix.cosine({}, _rows([0, 1])).tolist() == [0, 0]
    assert matrix.coverage({}, _rows([0, 1])).tolist() == [0, 0]
    assert matrix.has([], _rows([0, 1])).tolist() == [False, False]


# The table, written and read


def _document(number: int, **parts: object) -> Document:
    blank: dict[str, object] = {
        "content_hash": "",
        "made_from": "", "name": "", "foods": "", "name_terms": {}, "body_terms": {}, "contains": (), "unknown": (),
        "minutes": 0, "minutes_floor": 0, "meals": (),
    }  # fmt: skip
    return Document(recipe_no=number, **{**blank, **parts})  # type: ignore[arg-type]


def _written(path: Path, *documents: Document) -> ItemTable:
    writer = ItemTableWriter()
    for document in documents:
        writer.add(document)
    writer.write(path)
    return ItemTable.read(path)


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    table = _written(
        tmp_path / "items.npz",
        _document(
            4, name_terms={"c:soup": 1.0, "w:ñandú": 0.5}, minutes=20, minutes_floor=20, meals=("lunch", "dinner")
        ),
        _document(
            9, body_terms={"c:egg": 0.4}, contains=("egg", "animal_product"), unknown=("dijon",), minutes_floor=45
        ),
        _document(12),
    )
    everything = _rows(range(3))
    assert len(table) == 3
    assert table.numbers.tolist() == [4, 9, 12]
    assert table.minutes.tolist() == [20, 0, 0]
    assert table.minutes_floor.tolist() == [20, 45, 0]
    assert table.meals.tolist() == [meal_bits(("lunch", "dinner")), 0, 0]
    assert table.name_terms.of(0) == ["c:soup", "w:ñandú"]
    assert table.body_terms.has(["c:egg"], everything).tolist() == [False, True, False]
    assert table.contains.has(["egg"], everything).tolist() == [False, True, False]


def test_a_food_and_an_unknown_word_of_the_same_letters_are_different_things(tmp_path: Path) -> None:
    table = _written(tmp_path / "items.npz", _document(1, contains=("mint",)), _document(2, unknown=("mint",)))
    assert table.contains.has(["mint"], _rows([0, 1])).tolist() == [True, False]
    assert table.contains.has(["~mint"], _rows([0, 1])).tolist() == [False, True]


def test_a_table_of_nothing_can_be_written_and_read(tmp_path: Path) -> None:
    table = _written(tmp_path / "items.npz")
    assert len(table) == 0
    assert table.rows([]).tolist() == []


def test_rows_are_found_by_number_in_any_order(tmp_path: Path) -> None:
    table = _written(tmp_path / "items.npz", *(_document(number) for number in (3, 5, 40, 41)))
    assert table.rows([41, 3, 40]).tolist() == [3, 0, 2]


def test_each_meal_has_a_bit_of_its_own() -> None:
    assert sorted(meal_bits([meal]) for meal in MEALS) == [1 << place for place in range(len(MEALS))]
    assert meal_bits(MEALS) == 2 ** len(MEALS) - 1
    assert meal_bits([]) == 0


@given(ITEMS, st.data())
def test_likeness_is_the_cosine_with_the_weighted_sum_of_what_was_liked(
    items: list[Weights], data: st.DataObject
) -> None:
    rows = st.integers(0, len(items) - 1)
    liked = data.draw(st.lists(st.tuples(rows, st.sampled_from([-1.0, 1.0, 3.0])), max_size=4))
    profile: Weights = {}
    for row, weight in liked:
        length = math.sqrt(sum((value * _idf(items, term)) ** 2 for term, value in items[row].items()))
        for term, value in items[row].items():
            profile[term] = profile.get(term, 0.0) + weight * value * _idf(items, term) / length
    found = _matrix(items).likeness(
        np.array([row for row, _ in liked], np.intp), np.array([weight for _, weight in liked], np.float32),
        np.arange(len(items)),
    )  # fmt: skip
    for item, value in zip(items, found.tolist(), strict=True):
        weighted = {term: amount * _idf(items, term) for term, amount in item.items()}
        lengths = math.hypot(*profile.values()) * math.hypot(*weighted.values())
        dot = sum(amount * profile.get(term, 0.0) for term, amount in weighted.items())
        if lengths > 1e-4:
            assert value == pytest.approx(dot / lengths, abs=1e-4)
        assert -1.001 <= value <= 1.001
