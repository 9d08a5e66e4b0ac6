"""A small share of the answers is shown a little differently, with the probability of each position written down."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.exploration import EXPLORED_BELOW, Exploration

TIERS = st.lists(st.integers(0, 2), max_size=8).map(lambda tiers: sorted(tiers, reverse=True))


@pytest.mark.parametrize("tiers", [[3] * 8, [3, 3, 1, 1, 0], [2, 1, 1], [1, 1]])
def test_recipes_come_to_each_position_as_often_as_their_propensity_says(tiers: list[int]) -> None:
    exploration, n_asked = Exploration(0.4, seed=3), 20_000
    counts: Counter[tuple[int, int]] = Counter()
    said: dict[tuple[int, int], float] = {}
    for number in range(n_asked):
        for position, (place, propensity) in enumerate(exploration.arranged(tiers, n=3, request_id=f"{number}"), 1):
            counts[position, place] += 1
            assert said.setdefault((position, place), propensity) == propensity
    for seen, propensity in said.items():
        spread = (propensity * (1 - propensity) / n_asked) ** 0.5
        assert counts[seen] / n_asked == pytest.approx(propensity, abs=4.5 * spread + 1e-9)
    # Whatever can come to a position did: the probabilities of each add up to one.
    for position in range(1, min(3, len(tiers)) + 1):
        assert sum(value for (at, _), value in said.items() if at == position) == pytest.approx(1)


@given(TIERS, st.integers(1, 5), st.text(max_size=8), st.floats(0, 0.49))
def test_only_what_keeps_as_much_of_the_wishes_takes_a_place(
    tiers: list[int], n: int, request_id: str, share: float
) -> None:
    arranged = Exploration(share).arranged(tiers, n=n, request_id=request_id)
    places = [place for place, _ in arranged]
    assert len(set(places)) == len(places) == min(n, len(tiers))
    assert [tiers[place] for place in places] == tiers[: len(places)]
    for at, (place, propensity) in enumerate(arranged):
        assert 0 < propensity <= 1
        assert (propensity >= EXPLORED_BELOW) == (place == at)


def test_a_request_is_always_explored_in_the_same_way_and_others_under_another_seed() -> None:
    ids = [str(number) for number in range(200)]
    one, other = (
        [Exploration(0.4, seed=seed).arranged([1] * 8, n=3, request_id=name) for name in ids] for seed in (1, 2)
    )
    assert one == [Exploration(0.4, seed=1).arranged([1] * 8, n=3, request_id=name) for name in ids]
    assert one != other


def test_without_a_share_and_with_one_recipe_nothing_is_left_to_chance() -> None:
    assert Exploration(0.0).arranged([1] * 8, n=3, request_id="a") == [(0, 1.0), (1, 1.0), (2, 1.0)]
    assert Exploration(0.4).arranged([1] * 8, n=1, request_id="a") == [(0, 1.0)]
    with pytest.raises(ValueError, match=r"share must be from 0 to below 0\.5, got 0\.5"):
        Exploration(0.5)
