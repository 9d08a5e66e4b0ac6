"""Figures of lists of recipes: how different their recipes are, with what they contain as the measure."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.evaluation import items as items_module
from recipes.evaluation.items import Items, list_figures, mean_diversity

SHELF = Items(np.array([3, 5, 8]), ["soup", "bread", "flan"], np.array([4.0, 0.0, 0.0]))
FOODS = st.frozensets(st.sampled_from(["egg", "milk", "flour", "rice"]))


def test_answers_become_rows_padded_and_unknown_recipes_are_dropped() -> None:
    lists = SHELF.lists([["flan", "soup"], ["gone", "bread"], []])
    assert lists.tolist() == [[2, 0], [1, -1], [-1, -1]]


def test_two_recipes_that_share_one_of_two_foods_each_are_half_alike() -> None:
    contents = {0: frozenset({"egg", "milk"}), 1: frozenset({"egg", "rice"})}
    assert mean_diversity(np.array([[0, 1]]), contents) == pytest.approx(0.5)


def test_recipes_without_any_known_food_share_nothing() -> None:
    assert mean_diversity(np.array([[0, 1]]), {0: frozenset(), 1: frozenset()}) == pytest.approx(1.0)


def test_there_is_no_diversity_without_a_list_of_two() -> None:
    assert mean_diversity(np.array([[0, -1]]), {0: frozenset({"egg"})}) is None


@given(
    contents=st.lists(FOODS, min_size=4, max_size=4), lists=st.lists(st.permutations(range(4)), min_size=1, max_size=9)
)
def test_diversity_is_the_mean_over_lists_of_the_mean_over_pairs(contents, lists) -> None:
    places = np.array([order[:3] for order in lists])

    def distance(one: int, other: int) -> float:
        both = len(contents[one]) * len(contents[other])
        return 1 - len(contents[one] & contents[other]) / np.sqrt(both) if both else 1.0

    slow = np.mean([[distance(*pair) for pair in combinations(row, 2)] for row in places.tolist()])
    assert mean_diversity(places, dict(enumerate(contents))) == pytest.approx(slow, abs=1e-9)


def test_batches_do_not_change_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    lists = np.array([rng.choice(20, 3, replace=False) for _ in range(31)])
    contents = {row: frozenset(rng.choice(list("abcdefg"), 3).tolist()) for row in range(20)}
    whole = mean_diversity(lists, contents)
    monkeypatch.setattr(items_module, "_BATCH", 7)
    assert mean_diversity(lists, contents) == pytest.approx(whole, abs=1e-12)


def test_popularity_says_nothing_where_nobody_rated() -> None:
    lists = np.array([[0, 1]])
    unrated = list_figures(lists, SHELF, used=np.zeros(3), contents={})
    assert (unrated["novelty_bits"], unrated["popularity_bias"], unrated["diversity"]) == (None, None, None)
    rated = list_figures(lists, SHELF, used=SHELF.n_ratings, contents={})
    assert rated["coverage"] == pytest.approx(2 / 3)
    # Mean popularity of those shown, 2, by that of the catalogue, 4/3.
    assert rated["popularity_bias"] == pytest.approx(1.5)
