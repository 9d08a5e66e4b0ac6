"""The simulated world: seeded, the same for every arm, with the chances that it states."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.catalog import starter_recipes
from recipes.lexicon import cooking_lexicon
from recipes.simulate.behaviour import Draws, click_chance, look_chance, react
from recipes.simulate.chance import chance
from recipes.simulate.options import Options
from recipes.simulate.tastes import SHARE_THAT_TURNS
from recipes.simulate.visits import WEEKDAYS, Visit, Visits
from recipes.simulate.world import N_SHOWN, Request, World

RECIPES = list(starter_recipes())
IDS = [recipe.recipe_id for recipe in RECIPES]


def world(seed: int = 3, drift_day: int | None = 4, n_cooks: int = 60) -> World:
    options = Options(n_days=6, n_cooks=n_cooks, seed=seed, drift_day=drift_day, asks_per_day=0.5)
    return World(RECIPES, cooking_lexicon(), options)


@pytest.fixture(scope="module")
def same() -> World:
    return world()


def asked(of: World) -> list[tuple[str, str, float]]:
    requests = [of.request(day, visit) for day, visits in of.days() for visit in visits]
    return [(one.ask.query, one.ask.user_id or "", float(one.worths.sum())) for one in requests]


def test_the_same_seed_makes_the_same_cooks_and_questions_and_another_seed_others(same: World) -> None:
    first = asked(same)
    assert len(first) > 100
    assert asked(world()) == first
    assert asked(world(seed=4)) != first


def test_what_an_arm_shows_changes_nothing_of_what_cooks_ask_or_of_their_next_draws(same: World) -> None:
    """Common random numbers: an arm may ask for reactions to anything, in any order, as often as it likes."""
    day, visits = next(same.days())
    first, second = (same.request(day, visit) for visit in visits[:2])
    alone = same.reactions(second, IDS[10:13])
    for shown in (IDS[:3], IDS[50:53], IDS[:1]):
        same.reactions(first, shown)
    assert same.reactions(second, IDS[10:13]) == alone
    assert same.request(day, visits[1]).ask == second.ask


def test_a_recipe_worth_more_at_the_same_ask_is_clicked_wherever_one_worth_less_is() -> None:
    for number in range(200):
        draws = Draws.of(chance(0, "behaviour", 1, number))
        low, high = ({one.position for one in react(draws, [worth] * 3, [worth] * 3) if one.event == "click"}
                     for worth in (0.2, 0.7))  # fmt: skip
        assert low <= high


def test_positions_are_looked_at_and_recipes_clicked_as_often_as_the_model_says() -> None:
    n, worth = 6_000, 0.5
    clicks = np.zeros(N_SHOWN)
    for number in range(n):
        draws = Draws.of(chance(7, "behaviour", 0, number))
        for one in react(draws, [worth] * N_SHOWN, [worth] * N_SHOWN):
            clicks[one.position - 1] += one.event == "click"
    expected = np.array([look_chance(position) * click_chance(worth) for position in (1, 2, 3)])
    assert np.abs(clicks / n - expected).max() < 4 * np.sqrt(0.25 / n)
    # Hand-worked: 0.95 · 2^-0.55 · (0.03 + 0.67 · 0.5) = 0.2368.
    assert expected[1] == pytest.approx(0.2368, abs=1e-4)


@given(worths=st.lists(st.floats(0, 1), max_size=20), number=st.integers(0, 1_000))
def test_nobody_cooks_saves_or_rates_what_was_not_clicked_before(worths: list[float], number: int) -> None:
    reactions = react(Draws.of(chance(0, "behaviour", 0, number)), worths, worths)
    clicked = {one.position: one.after for one in reactions if one.event == "click"}
    assert sum(one.event == "cook" for one in reactions) <= 1
    for one in reactions:
        assert one.event in {"click", "dismiss"} or one.after > clicked[one.position]
        assert one.event != "dismiss" or one.position not in clicked
        assert (one.value is not None) == (one.event == "rating")
        assert one.value is None or 1 <= one.value <= 5
        assert one.after > timedelta(0)


def test_tastes_change_on_the_drift_day_and_on_no_other(same: World) -> None:
    tastes = same.tastes
    assert np.array_equal(tastes.liking(1), tastes.liking(3))
    assert np.array_equal(tastes.liking(4), tastes.liking(6))
    correlation = np.corrcoef(tastes.liking(3).ravel(), tastes.liking(4).ravel())[0, 1]
    assert 0.5 < correlation < 0.95
    never = world(drift_day=None).tastes
    assert np.array_equal(never.liking(6), tastes.liking(3))


def test_a_third_of_the_cooks_turn_to_another_kitchen() -> None:
    tastes = world(n_cooks=3_000).tastes
    changed = tastes.kitchen_of != tastes.next_kitchen_of
    assert np.array_equal(changed, tastes.turns)
    assert changed.mean() == pytest.approx(SHARE_THAT_TURNS, abs=0.03)


def test_a_recipe_that_breaks_the_rule_or_meets_no_wish_is_worth_nothing(same: World) -> None:
    requests = [same.request(day, visit) for day, visits in same.days() for visit in visits]
    vegan = [one for one in requests if one.ask.query.split()[-1] in {"vegano", "vegan"}]
    assert vegan
    for one in vegan:
        for row in np.flatnonzero(one.worths):
            assert not same.pantry.contents[row].breaks(["animal_product"])
    assert all(0 <= one.worths.min() <= one.worths.max() <= 1 for one in requests)


def one_with_choice(of: World) -> Request:
    """The first question that three recipes at least are worth something for."""
    requests = (of.request(day, visit) for day, visits in of.days() for visit in visits)
    return next(one for one in requests if np.sort(one.worths)[-N_SHOWN] > 0)


def test_the_best_slate_has_a_true_ndcg_of_one_and_its_reverse_less(same: World) -> None:
    request = one_with_choice(same)
    best = [IDS[row] for row in np.argsort(-request.worths, kind="stable")[:N_SHOWN]]
    reverse = same.ndcg(request, best[::-1])
    assert same.ndcg(request, best) == pytest.approx(1)
    assert reverse is not None
    assert reverse < 1
    assert same.ndcg(request, []) == 0


def test_true_ndcg_of_a_lone_second_best_is_its_worth_over_that_of_the_ideal_slate(same: World) -> None:
    request = one_with_choice(same)
    rows = np.argsort(-request.worths, kind="stable")[:3]
    one, two, three = (float(request.worths[row]) for row in rows)
    expected = two / (one + two * 0.63093 + three * 0.5)
    assert same.ndcg(request, [IDS[rows[1]]]) == pytest.approx(expected, abs=1e-4)


def test_saturdays_are_busier_than_tuesdays_by_as_much_as_stated() -> None:
    visits = Visits(Options(n_days=7, n_cooks=20_000, asks_per_day=0.5))
    counts = [len(day) for day in visits.by_day()]
    assert counts[5] / counts[1] == pytest.approx(WEEKDAYS[5] / WEEKDAYS[1], abs=0.06)
    assert sum(counts) / 7 / 20_000 == pytest.approx(0.5, abs=0.02)
    assert np.mean(WEEKDAYS) == pytest.approx(1)


def test_each_cook_counts_asks_from_zero_in_the_order_of_time(same: World) -> None:
    seen: dict[int, list[Visit]] = {}
    for _, visits in same.days():
        for visit in visits:
            seen.setdefault(visit.cook, []).append(visit)
    for visits in seen.values():
        assert [visit.number for visit in visits] == list(range(len(visits)))
        assert all(earlier.at < later.at for earlier, later in pairwise(visits))


@pytest.mark.parametrize(
    ("field", "value"), [("n_days", 0), ("n_cooks", 0), ("seed", -1), ("drift_day", 61), ("asks_per_day", 0)]
)
def test_options_out_of_range_are_refused_with_the_value(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        Options(**{field: value})  # type: ignore[arg-type]
