"""How well liked recipes are: shrunk to the mean, by as much as the ratings themselves ask for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recipes.popularity import Popularity

STARS = st.integers(1, 5)
RATED = st.dictionaries(st.integers(1, 60), st.lists(STARS, min_size=1, max_size=12), min_size=1, max_size=30)


def _popularity(stars: dict[int, Sequence[float]]) -> Popularity:
    """Of recipes and what each was given."""
    squares = sum(star**2 for given_ones in stars.values() for star in given_ones)
    totals = {number: (len(given_ones), float(sum(given_ones))) for number, given_ones in stars.items()}
    return Popularity.of(totals, sum_of_squares=float(squares))


def _score(popularity: Popularity, number: int) -> float:
    return float(popularity.scores(np.array([number]))[0])


# Conventions


def test_where_nobody_rated_anything_every_recipe_is_in_the_middle() -> None:
    popularity = Popularity.of({}, sum_of_squares=0.0)
    assert popularity.scores(np.array([1, 2])).tolist() == [0.5, 0.5]


def test_a_recipe_that_nobody_rated_has_the_mean() -> None:
    popularity = _popularity({1: [5, 4], 2: [3, 4]})
    assert _score(popularity, 99) == pytest.approx((4 - 1) / 4)


def test_no_recipes_have_no_scores() -> None:
    assert _popularity({1: [5]}).scores(np.array([], dtype=np.int64)).shape == (0,)


def test_an_average_is_the_mean_counted_as_often_as_the_prior_is_strong() -> None:
    popularity = _popularity({1: [5, 5], 2: [2, 4, 3]})
    # Two recipes do not tell how strong the prior must be: it counts for ten ratings of the mean, 3.8.
    assert popularity.strength == 10
    assert popularity.averages[1] == pytest.approx((10 * 3.8 + 10) / 12)
    assert _score(popularity, 2) == pytest.approx(((10 * 3.8 + 9) / 13 - 1) / 4)


# Laws


def test_one_five_does_not_beat_nine_hundred_of_four_point_nine() -> None:
    loved = [5.0] * 810 + [4.0] * 90
    popularity = _popularity({1: [5], 2: loved, 3: [3, 4, 4], **{number: [4, 5, 3, 4] for number in range(10, 40)}})
    assert sum(loved) / len(loved) == 4.9
    assert _score(popularity, 2) > _score(popularity, 1) > _score(popularity, 3)


@given(RATED)
def test_an_average_lies_between_the_recipes_own_mean_and_that_of_all(stars: dict[int, list[int]]) -> None:
    popularity = _popularity(stars)
    for number, given_ones in stars.items():
        low, high = sorted((sum(given_ones) / len(given_ones), popularity.mean))
        assert low - 1e-9 <= popularity.averages[number] <= high + 1e-9


@given(RATED)
def test_scores_are_from_zero_to_one(stars: dict[int, list[int]]) -> None:
    scores = _popularity(stars).scores(np.array([*stars, 999]))
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


@given(RATED)
def test_the_strength_stays_within_reason(stars: dict[int, list[int]]) -> None:
    assert 1 <= _popularity(stars).strength <= 100


@given(RATED, st.integers(1, 20), st.integers(1, 20))
def test_more_of_the_best_ratings_never_lower_a_recipe(stars: dict[int, list[int]], few: int, more: int) -> None:
    popularity = _popularity({**stars, 100: [5] * few, 101: [5] * (few + more)})
    assert popularity.averages[101] >= popularity.averages[100]


@given(RATED)
def test_the_order_of_recipes_does_not_matter(stars: dict[int, list[int]]) -> None:
    turned = dict(reversed(stars.items()))
    assert _popularity(turned).strength == pytest.approx(_popularity(stars).strength, rel=1e-6)


# The strength of the prior


def _slow_strength(stars: dict[int, Sequence[float]]) -> float:
    """One-way analysis of variance, from each rating."""
    ratings = [star for given_ones in stars.values() for star in given_ones]
    n, k, mean = len(ratings), len(stars), float(np.mean(ratings))
    within = sum(float(np.sum((np.array(ones) - np.mean(ones)) ** 2)) for ones in stars.values()) / (n - k)
    among = sum(len(ones) * (float(np.mean(ones)) - mean) ** 2 for ones in stars.values()) / (k - 1)
    typical = (n - sum(len(ones) ** 2 for ones in stars.values()) / n) / (k - 1)
    between = (among - within) / typical
    return float(np.clip(within / between, 1, 100)) if between > 0 else 100.0


@given(st.dictionaries(st.integers(1, 60), st.lists(STARS, min_size=2, max_size=12), min_size=10, max_size=30))
def test_the_strength_is_the_variance_within_over_the_variance_between(stars: dict[int, Sequence[float]]) -> None:
    assume(len({star for given_ones in stars.values() for star in given_ones}) > 1)
    assert _popularity(stars).strength == pytest.approx(_slow_strength(stars), rel=1e-6)


def test_the_strength_of_a_small_example_worked_by_hand() -> None:
    # Six recipes with 1, 3 and six with 3, 5: within 2 · 12 / 12 = 2; among 2 · 12 · 1² / 11 = 24 / 11; between
    # (24 / 11 - 2) / 2 = 1 / 11; so 22.
    stars: dict[int, Sequence[float]] = {number: [1, 3] if number % 2 else [3, 5] for number in range(12)}
    assert _popularity(stars).strength == pytest.approx(22)


def _simulated(*, within: float, between: float, n_recipes: int = 4_000) -> dict[int, Sequence[float]]:
    """Ratings whose recipes' true means and own scatter have these variances; most recipes have few."""
    rng = np.random.default_rng(7)
    counts = rng.geometric(0.12, size=n_recipes)
    truths = rng.normal(3, between**0.5, size=n_recipes)
    return {
        number: rng.normal(truth, within**0.5, size=count).tolist()
        for number, (truth, count) in enumerate(zip(truths, counts, strict=True))
    }


@pytest.mark.parametrize(("within", "between"), [(0.4, 0.02), (0.5, 0.1), (0.3, 0.15)])
def test_the_strength_finds_the_variances_that_ratings_were_made_with(within: float, between: float) -> None:
    assert _popularity(_simulated(within=within, between=between)).strength == pytest.approx(within / between, rel=0.1)


def test_recipes_that_do_not_differ_are_shrunk_as_far_as_allowed() -> None:
    alike: dict[int, Sequence[float]] = {number: [3, 5] for number in range(20)}
    assert _popularity(alike).strength == 100


def test_cooks_who_agree_about_each_recipe_are_believed_at_once() -> None:
    agreed: dict[int, Sequence[float]] = {number: [1 + number % 5] * 3 for number in range(20)}
    assert _popularity(agreed).strength == 1


@pytest.mark.parametrize(
    "stars",
    [
        {number: [1 + number % 5] * 9 for number in range(9)},
        {number: [1 + number % 5] for number in range(500)},
    ],
    ids=["nine recipes", "one rating each"],
)
def test_too_little_to_tell_leaves_the_usual_strength(stars: dict[int, Sequence[float]]) -> None:
    assert _popularity(stars).strength == 10


def test_a_rating_that_came_between_two_reads_does_no_harm() -> None:
    stars: dict[int, Sequence[float]] = {number: [1 + number % 5] * 3 for number in range(20)}
    totals = {number: (len(ones), float(sum(ones))) for number, ones in stars.items()}
    squares = sum(star**2 for ones in stars.values() for star in ones)
    assert Popularity.of(totals, sum_of_squares=squares - 25).strength == 1
