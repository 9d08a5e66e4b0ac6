"""Popularity from the ratings in the database, and against real ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlops.store import Database
from recipes.catalog import Catalogue, Rating, Recipe
from recipes.popularity import Popularity

DATA = Path(os.environ.get("RECIPES_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
RATINGS = DATA / "foodcom" / "interactions_dense.parquet"

MakeRecipe = Callable[..., Recipe]


def test_squares_are_summed_over_all_ratings_and_none_is_counted_twice(
    database: Database, make_recipe: MakeRecipe
) -> None:
    catalogue = Catalogue(database)
    assert catalogue.sum_of_squared_ratings() == 0
    catalogue.save([make_recipe("soup"), make_recipe("cake")])
    catalogue.rate([Rating("ana", "test-soup", 4.5, None), Rating("ana", "test-cake", 2, None)])
    assert catalogue.sum_of_squared_ratings() == pytest.approx(4.5**2 + 4)
    catalogue.rate([Rating("ana", "test-cake", 5, None), Rating("bea", "test-cake", None, None)])
    assert catalogue.sum_of_squared_ratings() == pytest.approx(4.5**2 + 25)


def test_the_catalogues_ratings_make_the_popularity_that_each_rating_would(
    catalogue: Catalogue, make_recipe: MakeRecipe
) -> None:
    rng = np.random.default_rng(3)
    catalogue.save([make_recipe(f"soup {number}") for number in range(30)])
    stars = {number: rng.integers(1 + number % 4, 6, size=5).tolist() for number in range(30)}
    catalogue.rate(
        [
            Rating(f"cook {cook}", f"test-soup-{number}", star, None)
            for number, given_ones in stars.items()
            for cook, star in enumerate(given_ones)
        ]
    )
    popularity = Popularity.of(catalogue.ratings(), sum_of_squares=catalogue.sum_of_squared_ratings())
    all_stars = np.array(list(stars.values()), dtype=np.float64)
    within = all_stars.var(axis=1, ddof=1).mean()
    between = all_stars.mean(axis=1).var(ddof=1) - within / 5
    assert popularity.mean == pytest.approx(all_stars.mean())
    assert popularity.strength == pytest.approx(within / between)


@pytest.mark.skipif(not RATINGS.exists(), reason=f"the real ratings are not at {RATINGS}")
def test_the_strength_predicts_held_out_ratings_nearly_as_well_as_the_best_one() -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(RATINGS, columns=["recipe_id", "rating"])
    ids, stars = table["recipe_id"].to_numpy(), table["rating"].to_numpy().astype(np.float64)
    _, items = np.unique(ids[stars > 0], return_inverse=True)
    stars = stars[stars > 0]
    is_train = np.random.default_rng(1).random(len(stars)) < 0.5
    counts = np.bincount(items[is_train], minlength=items.max() + 1)
    sums = np.bincount(items[is_train], weights=stars[is_train], minlength=items.max() + 1)
    rated = np.flatnonzero(counts)
    totals = {int(item): (int(counts[item]), float(sums[item])) for item in rated}
    mean = stars[is_train].mean()

    def error(strength: float) -> float:
        predicted = (strength * mean + sums) / (strength + counts)
        return float(np.mean(np.square(stars[~is_train] - predicted[items[~is_train]])))

    estimated = Popularity.of(totals, sum_of_squares=float(np.sum(np.square(stars[is_train])))).strength
    errors = {strength: error(strength) for strength in range(1, 101)}
    least = min(errors.values())
    gain_of_shrinking = error(0.01) - least
    assert error(estimated) - least < 0.02 * gain_of_shrinking
