"""Appeal and personal tastes: recovered where they were planted, blind to what is not there, the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import StoredRecipe, starter_recipes
from recipes.lexicon import cooking_lexicon
from recipes.tastes import Appeal, Encounters, Personal, PersonalLearner, RecipeAttributes
from recipes.tastes.encounters import MATCHING

RECIPES = [
    StoredRecipe(number, recipe, recipe.content_hash, 0, 0.0, {}) for number, recipe in enumerate(starter_recipes(), 1)
]
NUMBERS = np.array([one.recipe_no for one in RECIPES])


@pytest.fixture(scope="module")
def attributes() -> RecipeAttributes:
    return RecipeAttributes.of(RECIPES, cooking_lexicon())


def encounters(n: int = 4_000, *, n_cooks: int = 80, seed: int = 0) -> Encounters:
    """Cooks see recipes at random, and look at one half of second places."""
    rng = np.random.default_rng(seed)
    return Encounters(
        cooks=[f"cook-{number}" for number in range(n_cooks)],
        cook=rng.integers(0, n_cooks, n),
        number=rng.choice(NUMBERS, n),
        position=rng.integers(1, 3, n),
        liking=np.zeros(n),
        age_days=np.sort(rng.uniform(0, 30, n))[::-1],
        matching=rng.uniform(0, 1, (n, len(MATCHING))),
    )


def liked(seen: Encounters, wants: np.ndarray, *, seed: int = 1) -> Encounters:  # type: ignore[type-arg]
    """A click with the probability *wants*, half of it at the second position."""
    draws = np.random.default_rng(seed).random(len(seen))
    return replace(seen, liking=(draws < wants / seen.position).astype(float))


def rows_of(seen: Encounters, rows: np.ndarray) -> Encounters:  # type: ignore[type-arg]
    columns = ("cook", "number", "position", "liking", "age_days", "matching")
    return replace(seen, **{name: getattr(seen, name)[rows] for name in columns})


def test_a_recipe_liked_more_where_it_is_shown_appeals_more_however_seldom_it_is_shown() -> None:
    seen = encounters(16_000)
    good = np.isin(seen.number, NUMBERS[:40])
    # The good ones are shown at a quarter of the times.
    kept = np.flatnonzero(~good | (np.random.default_rng(2).random(len(seen)) < 0.25))
    seen = liked(rows_of(seen, kept), np.where(good[kept], 0.7, 0.3))
    appeal = Appeal.of(seen).scores(NUMBERS)
    assert appeal[:40].mean() > appeal[40:].mean() + 0.05
    reactions = np.bincount(seen.number, seen.liking, minlength=len(NUMBERS) + 1)[1:]
    assert reactions[:40].mean() < reactions[40:].mean()


def test_appeal_follows_a_change_and_forgets_what_was_before() -> None:
    seen = encounters(8_000)
    first, second = np.isin(seen.number, NUMBERS[:50]), np.isin(seen.number, NUMBERS[50:100])
    turned = liked(seen, np.where(np.where(seen.age_days > 10, first, second), 0.8, 0.2))
    quick, slow = (Appeal.of(turned, half_life_days=days).scores(NUMBERS) for days in (3.0, 300.0))
    assert quick[50:100].mean() > quick[:50].mean() + 0.05
    assert slow[:50].mean() > slow[50:100].mean()


def test_a_planted_taste_is_recovered_and_a_cook_without_one_stays_in_the_middle(attributes: RecipeAttributes) -> None:
    seen = encounters(12_000)
    mexican = np.array([one.recipe.cuisine in {"mexican", "salvadoran", "guatemalan"} for one in RECIPES])
    fond = seen.cook < 40
    learned = PersonalLearner(attributes).learn(liked(seen, np.where(fond & mexican[seen.number - 1], 0.9, 0.3)))
    leads = np.array([lead_of(learned, cook, mexican) for cook in range(80)])
    assert (leads[:40] > leads[40:].max()).mean() > 0.8
    assert np.abs(leads[40:]).mean() < leads[:40].mean() / 3


def lead_of(learned: Personal, cook: int, group: np.ndarray) -> float:  # type: ignore[type-arg]
    scores = learned.scores(f"cook-{cook}", NUMBERS)
    assert scores is not None
    return float(scores[group].mean() - scores[~group].mean())


def test_what_a_cook_did_with_a_recipe_counts_for_this_recipe(attributes: RecipeAttributes) -> None:
    seen = encounters()
    taken = (seen.cook == 0) & (seen.number == NUMBERS[7])
    seen = replace(seen, number=np.where((seen.cook == 0) & (np.arange(len(seen)) % 4 == 0), NUMBERS[7], seen.number))
    taken = (seen.cook == 0) & (seen.number == NUMBERS[7])
    assert taken.sum() > 5
    scores = PersonalLearner(attributes).learn(replace(seen, liking=taken.astype(float))).scores("cook-0", NUMBERS)
    assert scores is not None
    assert np.argmax(scores) == 7


@given(st.integers(0, 1_000))
def test_scores_are_from_zero_to_one_and_unknown_recipes_are_in_the_middle(seed: int) -> None:
    seen = encounters(200, n_cooks=5, seed=seed)
    seen = replace(seen, liking=np.random.default_rng(seed).choice([-1.0, 0.0, 1.0, 2.5], len(seen)))
    learned = PersonalLearner(SMALL).learn(seen)
    scores = learned.scores("cook-3", np.array([*NUMBERS, 10**6]))
    assert scores is not None
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores[-1] == 0.5
    assert Appeal.of(seen).scores(np.array([10**6]))[0] == 0.5


SMALL = RecipeAttributes.of(RECIPES[:60], cooking_lexicon(), n_dimensions=4)


def test_an_unknown_cook_has_no_taste_and_too_little_gives_none_at_all(attributes: RecipeAttributes) -> None:
    learner = PersonalLearner(attributes)
    assert learner.learn(encounters()).scores("somebody", NUMBERS) is None
    assert learner.learn(encounters(10)).scores("cook-0", NUMBERS) is None
    nobody = replace(encounters(), cook=np.full(4_000, -1))
    assert learner.learn(nobody).scores("cook-0", NUMBERS) is None


def test_the_same_encounters_give_the_same_tastes_whatever_cooks_are_called(attributes: RecipeAttributes) -> None:
    seen = liked(encounters(), np.full(4_000, 0.4))
    one = PersonalLearner(attributes).learn(seen).scores("cook-5", NUMBERS)
    turned = np.random.default_rng(0).permutation(80)
    renamed = replace(seen, cook=turned[seen.cook], cooks=[f"x{number}" for number in range(80)])
    other = PersonalLearner(attributes).learn(renamed).scores(f"x{turned[5]}", NUMBERS)
    assert one is not None
    assert other is not None
    assert np.allclose(one, other, atol=1e-5)


def test_a_surprise_is_what_position_and_matching_do_not_explain() -> None:
    seen = encounters(2_000)
    explained = replace(seen, liking=0.6 / seen.position + 0.3 * seen.matching[:, 0])
    assert np.abs(explained.surprise()).max() < 0.05
    odd = explained.liking.copy()
    odd[100] += 1
    assert replace(explained, liking=odd).surprise()[100] == pytest.approx(1, abs=0.05)


def test_vectors_of_alike_recipes_lie_closer_than_those_of_others(attributes: RecipeAttributes) -> None:
    dessert = np.array(["dessert" in one.recipe.meals for one in RECIPES])
    unit = attributes.vectors / np.linalg.norm(attributes.vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[np.ix_(dessert, dessert)].mean() > likeness[np.ix_(dessert, ~dessert)].mean() + 0.2
    assert np.array_equal(attributes.vectors, RecipeAttributes.of(RECIPES, cooking_lexicon()).vectors)
    assert attributes.rows(np.array([NUMBERS[3], 10**6])).tolist() == [3, -1]
