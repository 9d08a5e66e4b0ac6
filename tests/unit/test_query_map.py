"""The map of queries: the same for the same catalogue, coarse, quick, and without a word of what was asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.query_map import EDGE, FEWEST_RECIPES, QueryMap

DIMENSIONS = 16


def catalogue(seed: int = 0, n: int = 60) -> dict[int, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Vectors that differ most along their first two numbers."""
    rng = np.random.default_rng(seed)
    spread = np.array([3.0, 2.0, *[0.1] * (DIMENSIONS - 2)])
    rows = rng.normal(size=(n, DIMENSIONS)) * spread + 1.0
    return {10 + number: row.astype(np.float32) for number, row in enumerate(rows)}


LEARNED = QueryMap.learned("use", catalogue())


def test_the_same_catalogue_gives_the_same_map_in_whatever_order_it_comes() -> None:
    vectors = catalogue()
    one = QueryMap.learned("use", vectors)
    other = QueryMap.learned("use", dict(reversed(vectors.items())))
    assert one.to_json() == other.to_json()
    back = QueryMap.from_json("use", one.to_json())
    assert back.to_json() == one.to_json()
    assert [back.place(vector) for vector in vectors.values()] == [one.place(vector) for vector in vectors.values()]


def test_the_axes_are_those_along_which_recipes_differ_most() -> None:
    found = QueryMap.learned("use", catalogue())
    assert found.explained > 0.9
    shape = np.abs(found.axes) / np.linalg.norm(found.axes, axis=1, keepdims=True)
    assert shape[0, 0] > 0.99
    assert shape[1, 1] > 0.99
    # The first axis points where its number grows, and twice as far is twice as far.
    middle, unit = np.full(DIMENSIONS, 1.0, np.float32), np.eye(DIMENSIONS, dtype=np.float32)[0]
    xs = [found.place(middle + step * unit).x for step in (0, 1, 2)]
    assert xs[2] - xs[0] == pytest.approx(2 * (xs[1] - xs[0]), abs=2)
    assert xs[0] < xs[1] < xs[2]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=DIMENSIONS, max_size=DIMENSIONS))
def test_every_query_has_a_cell_on_the_map(values: list[float]) -> None:
    place = LEARNED.place(np.array(values, np.float32))
    assert place.query_map == "use"
    assert type(place.x) is type(place.y) is int
    assert max(abs(place.x), abs(place.y)) <= EDGE


def test_cells_are_so_coarse_that_many_queries_share_one() -> None:
    found = QueryMap.learned("use", catalogue())
    queries = catalogue(seed=9, n=20_000)
    cells = [found.place(vector)[1:] for vector in queries.values()]
    assert len(set(cells)) < len(cells) / 5


def test_landmarks_are_recipes_of_the_catalogue_far_apart() -> None:
    vectors = catalogue()
    found = QueryMap.learned("use", vectors)
    assert 8 <= len(found.landmarks) <= 13
    assert {number for number, _, _ in found.landmarks} <= vectors.keys()
    for number, x, y in found.landmarks:
        assert found.place(vectors[number])[1:] == (x, y)


def test_a_catalogue_that_gives_no_map_is_refused() -> None:
    with pytest.raises(ValueError, match="20 recipes"):
        QueryMap.learned("use", catalogue(n=FEWEST_RECIPES - 1))
    with pytest.raises(ValueError, match="differ"):
        QueryMap.learned("use", dict.fromkeys(range(30), np.ones(DIMENSIONS, np.float32)))
