"""Appeal and personal tastes: recovered where they were planted, blind to what is not there, the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import StoredRecipe, starter_recipes
from recipes.lexicon import cooking_lexicon
from recipes.tastes import Appeal, Encounters, Personal, PersonalLearner, RecipeAttributes, learned
from recipes.tastes.asked import Asked
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
        answer=np.arange(n),
        question=rng.integers(0, 20, n),
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


def test_a_recipe_liked_more_where_it_is_shown_appeals_more_however_seldom_it_is_shown() -> None:
    seen = encounters(16_000)
    good = np.isin(seen.number, NUMBERS[:40])
    # The good ones are shown at a quarter of the times.
    kept = ~good | (np.random.default_rng(2).random(len(seen)) < 0.25)
    seen = liked(seen.where(kept), np.where(good[kept], 0.7, 0.3))
    appeal = Appeal.of(seen, seen.surprise()).scores(NUMBERS)
    assert appeal[:40].mean() > appeal[40:].mean() + 0.05
    reactions = np.bincount(seen.number, seen.liking, minlength=len(NUMBERS) + 1)[1:]
    assert reactions[:40].mean() < reactions[40:].mean()


def test_appeal_follows_a_change_and_forgets_what_was_before() -> None:
    seen = encounters(8_000)
    first, second = np.isin(seen.number, NUMBERS[:50]), np.isin(seen.number, NUMBERS[50:100])
    turned = liked(seen, np.where(np.where(seen.age_days > 10, first, second), 0.8, 0.2))
    quick, slow = (Appeal.of(turned, turned.surprise(), half_life_days=days).scores(NUMBERS) for days in (3.0, 300.0))
    assert quick[50:100].mean() > quick[:50].mean() + 0.05
    assert slow[:50].mean() > slow[50:100].mean()


def test_a_planted_taste_is_recovered_as_what_a_cook_likes_more_than_others_do(attributes: RecipeAttributes) -> None:
    seen = encounters(12_000)
    mexican = np.array([one.recipe.cuisine in {"mexican", "salvadoran", "guatemalan"} for one in RECIPES])
    fond = seen.cook < 40
    learned = learn(attributes, liked(seen, np.where(fond & mexican[seen.number - 1], 0.9, 0.3)))
    leads = np.array([lead_of(learned, cook, mexican) for cook in range(80)])
    assert (leads[:40] > np.quantile(leads[40:], 0.95)).mean() > 0.8
    # A taste is what a cook likes more than cooks do on average.
    assert leads[:40].mean() > 0.05
    assert leads[40:].mean() < -0.05
    assert abs(leads.mean()) < 0.03


def learn(attributes: RecipeAttributes, seen: Encounters) -> Personal:
    return PersonalLearner(attributes).learn(seen, seen.surprise())


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
    scores = learn(attributes, replace(seen, liking=taken.astype(float))).scores("cook-0", NUMBERS)
    assert scores is not None
    assert np.argmax(scores) == 7


@given(st.integers(0, 1_000))
def test_scores_are_from_zero_to_one_and_unknown_recipes_are_in_the_middle(seed: int) -> None:
    seen = encounters(200, n_cooks=5, seed=seed)
    seen = replace(seen, liking=np.random.default_rng(seed).choice([-1.0, 0.0, 1.0, 2.5], len(seen)))
    learned = learn(SMALL, seen)
    scores = learned.scores("cook-3", np.array([*NUMBERS, 10**6]))
    assert scores is not None
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores[-1] == 0.5
    assert Appeal.of(seen, seen.surprise()).scores(np.array([10**6]))[0] == 0.5


SMALL = RecipeAttributes.of(RECIPES[:60], cooking_lexicon(), n_dimensions=4)


def test_an_unknown_cook_has_no_taste_and_too_little_gives_none_at_all(attributes: RecipeAttributes) -> None:
    assert learn(attributes, encounters()).scores("somebody", NUMBERS) is None
    nobody = replace(encounters(), cook=np.full(4_000, -1))
    for seen in (encounters(10), encounters(0), nobody):
        known = learned(seen, PersonalLearner(attributes))
        assert known.taste("cook-0", NUMBERS) is None
        assert known.personal.explained(seen).tolist() == [0.0] * len(seen)
        assert np.isfinite(known.appeal(NUMBERS)).all()


def test_the_same_encounters_give_the_same_tastes_whatever_cooks_are_called(attributes: RecipeAttributes) -> None:
    seen = liked(encounters(), np.full(4_000, 0.4))
    one = learn(attributes, seen).scores("cook-5", NUMBERS)
    turned = np.random.default_rng(0).permutation(80)
    renamed = replace(seen, cook=turned[seen.cook], cooks=[f"x{number}" for number in range(80)])
    other = learn(attributes, renamed).scores(f"x{turned[5]}", NUMBERS)
    assert one is not None
    assert other is not None
    assert np.allclose(one, other, atol=1e-5)


MEXICAN = np.array([one.recipe.cuisine in {"mexican", "salvadoran", "guatemalan"} for one in RECIPES])


def asking(seen: Encounters, *, share: float) -> Encounters:
    """Those of cooks 0 to 39 ask what Mexican recipes are shown for, with the probability *share*; others as often not.

    Questions 0 to 9 are about Mexican recipes, 10 to 19 about others.
    """
    rng = np.random.default_rng(4)
    wants = rng.random(len(seen)) < np.where(seen.cook < 40, share, 1 - share)
    shown = np.where(wants, rng.choice(NUMBERS[MEXICAN], len(seen)), rng.choice(NUMBERS[~MEXICAN], len(seen)))
    return replace(seen, question=rng.integers(0, 10, len(seen)) + np.where(wants, 0, 10), number=shown)


def test_what_cooks_ask_for_tells_of_their_tastes_where_they_ask_for_what_they_like(
    attributes: RecipeAttributes,
) -> None:
    seen = asking(encounters(6_000), share=0.7)
    fond = seen.cook < 40
    seen = liked(seen, np.where(fond == MEXICAN[seen.number - 1], 0.6, 0.3))
    known = learn(attributes, seen)
    # The same in all but what was asked: each question its own, so that no other cook's answers tell what it is about.
    alone = learn(attributes, replace(seen, question=np.arange(len(seen))))
    far, near = (
        np.array([lead_of(one, cook, MEXICAN) for cook in range(80)]) * np.where(np.arange(80) < 40, 1, -1)
        for one in (known, alone)
    )
    assert far.mean() / far.std() > 1.3 * near.mean() / near.std()


def test_questions_that_tell_nothing_of_tastes_are_not_listened_to(attributes: RecipeAttributes) -> None:
    seen = asking(encounters(6_000), share=0.5)
    weights = np.random.default_rng(5).normal(0, 0.1, (80, attributes.vectors.shape[1]))
    vectors = attributes.vectors[attributes.rows(seen.number)].astype(float)
    asked = Asked.of(seen, vectors, np.ones(len(seen)))
    assert asked.pull(weights) < 1
    assert asked.pull(np.zeros_like(weights)) == 0
    # Made to be asked for by these weights, it is found again, a standard error below.
    about = np.einsum("ni,ij->nj", weights, asked.covariance) * asked.counts[:, None]
    assert 4 < replace(asked, sums=5 * about).pull(weights) < 5


def test_what_was_shown_to_a_cook_alone_does_not_tell_what_the_cook_asked_for(attributes: RecipeAttributes) -> None:
    seen = encounters(600)
    vectors = attributes.vectors[attributes.rows(seen.number)].astype(float)
    assert np.abs(Asked.of(seen, vectors, np.ones(600)).sums).max() > 1e-3
    alone = replace(seen, question=seen.cook)
    assert np.abs(Asked.of(alone, vectors, np.ones(600)).sums).max() < 1e-12


def test_a_recipe_that_only_those_see_who_like_its_kind_does_not_appeal_to_all(attributes: RecipeAttributes) -> None:
    seen = encounters(20_000)
    fond = seen.cook < 40
    # One Mexican recipe is shown to those alone who are fond of Mexican ones; to all cooks it is like the others.
    chosen = int(NUMBERS[MEXICAN][0])
    seen = seen.where(fond | (seen.number != chosen))
    fond = seen.cook < 40
    seen = liked(seen, np.where(MEXICAN[seen.number - 1], np.where(fond, 0.8, 0.1), 0.45))
    known = learned(seen, PersonalLearner(attributes))
    by_itself = Appeal.of(seen, seen.surprise())
    place = np.array([chosen])
    assert 0 < known.appeal_of.points_of(place)[0] < 0.7 * by_itself.points_of(place)[0]


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
