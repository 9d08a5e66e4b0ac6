"""Coverage, novelty, diversity, exposure and popularity bias of lists."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite
from mlops.evaluation.lists import (
    coverage,
    diversity,
    gini_of_exposure,
    list_quality,
    novelty,
    popularity_bias,
)

N_ITEMS = 8
LISTS = st.lists(st.permutations([*range(N_ITEMS), -1, -1]).map(lambda order: order[:4]), min_size=1, max_size=10)
COUNTS = st.lists(st.integers(0, 50), min_size=N_ITEMS, max_size=N_ITEMS).map(
    lambda counts: [counts[0] + 1, *counts[1:]]
)


def test_coverage_counts_each_item_once_and_no_empty_place() -> None:
    assert coverage([[0, 1, -1], [1, 0, 2]], n_items=4) == 0.75


def test_novelty_is_the_mean_self_information_in_bits() -> None:
    # With one added to each: 8 of 16 is 1 bit, 4 of 16 is 2 bits, 3 bits for the others.
    popularity = [7, 3, 1, 1]
    assert novelty([[0, 1, 2], [0, -1, -1]], popularity=popularity) == pytest.approx((1 + 2 + 3 + 1) / 4)


def test_items_that_nobody_used_have_a_finite_novelty() -> None:
    assert novelty([[1]], popularity=[2, 0]) == 2.0


def test_popularity_bias_compares_with_the_catalogue() -> None:
    assert popularity_bias([[0, 1]], popularity=[6, 4, 1, 1]) == pytest.approx(5 / 3)
    assert popularity_bias([[0, 1, 2, 3]], popularity=[6, 4, 1, 1]) == 1.0


def test_gini_is_zero_for_equal_exposure_and_largest_for_one_item() -> None:
    assert gini_of_exposure([[0, 1], [2, 3]], n_items=4) == 0.0
    assert gini_of_exposure([[0], [0]], n_items=4) == 0.75


def test_gini_worked_by_hand() -> None:
    # Exposures 0, 1, 1, 2: absolute differences of all 16 pairs sum to 12; 12 / 16 / (2 · 1).
    assert gini_of_exposure([[1, 3], [2, 3]], n_items=4) == pytest.approx(12 / 16 / 2)


def test_diversity_is_the_mean_distance_of_pairs_then_of_lists() -> None:
    vectors = [[1, 0], [0, 2], [-3, 0], [5, 0]]
    # 0 and 1: 1; 0 and 2: 2; 1 and 2: 1. The other list: 0.
    assert diversity([[0, 1, 2], [0, 3, -1]], vectors=vectors) == pytest.approx((4 / 3 + 0) / 2)


def test_lists_of_one_item_have_no_part_in_diversity() -> None:
    vectors = [[1, 0], [0, 2]]
    assert diversity([[0, 1], [0, -1]], vectors=vectors) == pytest.approx(1.0)
    with pytest.raises(EmptyInput, match="two items"):
        diversity([[0, -1]], vectors=vectors)


@given(LISTS)
def test_gini_is_half_the_relative_mean_difference(lists: list[list[int]]) -> None:
    counts = [sum(row.count(item) for row in lists) for item in range(N_ITEMS)]
    difference = sum(abs(one - other) for one in counts for other in counts) / N_ITEMS**2
    assert gini_of_exposure(lists, n_items=N_ITEMS) == pytest.approx(difference / (2 * sum(counts) / N_ITEMS))


@given(LISTS, st.integers(0, 2**32 - 1))
def test_diversity_agrees_with_a_loop_over_pairs(lists: list[list[int]], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 3))

    def distance(one: int, other: int) -> float:
        lengths = np.linalg.norm(vectors[one]) * np.linalg.norm(vectors[other])
        return 1 - float(vectors[one] @ vectors[other] / lengths)

    means = [np.mean([distance(*pair) for pair in combinations([i for i in row if i >= 0], 2)]) for row in lists]
    assert diversity(lists, vectors=vectors) == pytest.approx(float(np.mean(means)), abs=1e-12)


def test_long_diversity_goes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lists = [rng.permutation(20)[:5].tolist() for _ in range(9)]
    vectors = rng.normal(size=(20, 4))
    whole = diversity(lists, vectors=vectors)
    monkeypatch.setattr("mlops.evaluation.lists._CHUNK", 40)
    assert diversity(lists, vectors=vectors) == pytest.approx(whole, abs=1e-12)


@given(LISTS, COUNTS)
def test_all_figures_at_once_are_those_of_each_function(lists: list[list[int]], counts: list[int]) -> None:
    vectors = np.eye(N_ITEMS)
    quality = list_quality(lists, n_items=N_ITEMS, popularity=counts, vectors=vectors)
    assert quality.coverage == coverage(lists, n_items=N_ITEMS)
    assert quality.novelty == novelty(lists, popularity=counts)
    assert quality.popularity_bias == popularity_bias(lists, popularity=counts)
    assert quality.gini == gini_of_exposure(lists, n_items=N_ITEMS)
    assert quality.diversity == pytest.approx(1.0)
    assert quality.n_lists == len(lists)
    assert quality.n_shown == sum(item >= 0 for row in lists for item in row)


def test_figures_that_need_more_than_lists_are_left_out_without_it() -> None:
    quality = list_quality([[0, 1]], n_items=2)
    assert (quality.novelty, quality.diversity, quality.popularity_bias) == (None, None, None)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_long_and_very_short_vectors_have_a_direction(scale: float) -> None:
    assert diversity([[0, 1]], vectors=[[scale, 0], [scale, scale]]) == pytest.approx(1 - math.sqrt(0.5))


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda: coverage([], n_items=3), BadInput, "n_lists, k"),
        (lambda: coverage([[-1]], n_items=3), EmptyInput, "no item"),
        (lambda: coverage([[3]], n_items=3), BadInput, "right are -1 to 2"),
        (lambda: coverage([[-2, 1]], n_items=3), BadInput, "right are -1 to 2"),
        (lambda: coverage([[1, 1]], n_items=3), BadInput, "list 0 holds an item twice"),
        (lambda: coverage([[0.5]], n_items=3), BadInput, "item numbers"),
        (lambda: novelty([[0]], popularity=[0, 0]), BadInput, "above 0"),
        (lambda: novelty([[0]], popularity=[-1, 2]), BadInput, "0 or more"),
        (lambda: novelty([[0]], popularity=[math.nan, 2]), NotFinite, "nan"),
        (lambda: list_quality([[0]], n_items=3, popularity=[1, 1]), LengthMismatch, "2 items, the catalogue 3"),
        (lambda: diversity([[0, 1]], vectors=[[0.0], [1.0]]), BadInput, r"vectors\[0\] is all zeros"),
        (lambda: diversity([[0, 1]], vectors=[0.0, 1.0]), BadInput, "n_dimensions"),
        (lambda: diversity([[0, 1]], vectors=[[math.inf], [1.0]]), NotFinite, "inf"),
    ],
)
def test_lists_that_cannot_be_judged_are_refused(call: Any, error: type[BadInput], reason: str) -> None:
    with pytest.raises(error, match=reason):
        call()
