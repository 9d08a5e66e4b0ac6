"""Lists of two rankings: fair to both, the same for a request, sooner sure than whole lists, seldom wrong."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rollout.interleaving import (
    Draft,
    _drafted,
    credit,
    keyed_draft,
    log_evidence_losing,
    preference,
    preference_of,
    team_draft,
)
from tests.interleaved_traffic import interleaved_until, kitchen, split_until

rankings = st.lists(st.integers(0, 20), unique=True, max_size=12)
orders = st.permutations(range(6))


@given(rankings, rankings, st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_a_draft_is_complete_keeps_both_orders_and_is_the_same_for_a_seed(
    champion: list[int], challenger: list[int], k: int, seed: int
) -> None:
    draft = team_draft(champion, challenger, k=k, rng=np.random.default_rng(seed))
    assert draft == team_draft(champion, challenger, k=k, rng=np.random.default_rng(seed))
    assert len(draft.items) == len(set(draft.items)) == min(k, len({*champion, *challenger}))
    for team, ranking in (("champion", champion), ("challenger", challenger)):
        own = [item for item, of in zip(draft.items, draft.teams, strict=True) if of in (team, "both")]
        assert own == [item for item in ranking if item in own]
    if champion == challenger:
        assert set(draft.teams) <= {"both"}
        assert draft.items == tuple(champion[:k])


@given(orders, orders, st.integers(1, 6))
def test_each_position_is_either_teams_as_often_and_propensities_are_those_of_the_coins(
    champion: list[int], challenger: list[int], k: int
) -> None:
    drafts = [_drafted(champion, challenger, k, iter(coins)) for coins in itertools.product((True, False), repeat=k)]
    for at in range(k):
        teams = [draft.teams[at] for draft in drafts]
        assert teams.count("champion") == teams.count("challenger")
        for draft in drafts:
            share = sum(each.items[at] == draft.items[at] for each in drafts) / len(drafts)
            assert draft.propensities[at] == share


def test_each_picks_its_best_item_that_is_left_and_what_both_would_pick_is_nobodys() -> None:
    draft = team_draft("abcd", "bxay", k=4, rng=np.random.default_rng(0))
    # The generator's first coins are 0.637 and 0.270: the challenger picks first, then the champion.
    assert draft == Draft(tuple("bacx"), ("challenger", "champion", "champion", "challenger"), (0.5,) * 4)
    draft = team_draft("abcd", "acbd", k=3, rng=np.random.default_rng(0))
    assert draft == Draft(("a", "b", "c"), ("both", "champion", "challenger"), (1.0, 0.5, 0.5))


def test_the_coins_of_a_request_are_fair_and_those_of_another_key_are_others() -> None:
    def first(request: int, key: bytes) -> str:
        return keyed_draft("ab", "ba", k=2, request_id=str(request), key=key).items[0]

    drawn = {key: [first(n, key) for n in range(2_000)] for key in (b"one", b"two")}
    assert drawn[b"one"] == [first(n, b"one") for n in range(2_000)]
    for values in drawn.values():
        assert values.count("a") == pytest.approx(1_000, abs=100)
    agree = sum(one == other for one, other in zip(*drawn.values(), strict=True))
    assert agree == pytest.approx(1_000, abs=100)


def test_credit_goes_to_the_team_of_the_clicked_item_once() -> None:
    draft = Draft(tuple("abcd"), ("champion", "challenger", "challenger", "both"), (0.5, 0.5, 1.0, 1.0))
    assert credit(draft, ["b", "b", "c", "a"]) == 1
    assert credit(draft, ["a", "unseen"]) == -1
    assert credit(draft, ["a", "b", "d"]) == 0
    assert credit(draft, ["d"]) == 0
    assert credit(draft, []) == 0


def test_the_preference_is_a_beta_binomial_against_a_fair_coin() -> None:
    found = preference([1] * 9 + [-1] + [0] * 5)
    # By hand: e = B(10, 2) · 2^10 = 1024 / 110.
    assert found.p_value == pytest.approx(110 / 1024)
    assert (found.n_challenger, found.n_champion, found.n_ties, found.share) == (9, 1, 5, 0.9)
    assert found.verdict == "cannot tell"
    assert preference_of(30, 5, 0).verdict == "challenger"
    assert preference_of(5, 30, 0).verdict == "champion"
    assert preference_of(0, 0, 2).share is None


def test_equal_rankers_are_seldom_told_apart_however_often_one_looks() -> None:
    steps = np.random.default_rng(2).choice([-1, 1], (200, 300))
    n_told = sum(
        any(preference(row[:n]).verdict != "cannot tell" for n in range(10, 300, 10)) for row in steps.tolist()
    )
    assert n_told / 200 <= 0.05


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 9), (40, 31)])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_the_evidence_is_a_half_cauchy_mixture_of_likelihood_ratios(won: int, lost: int, margin: float) -> None:
    # The slow twin: a sum over the log odds, of losing, above those at the margin.
    line = -math.log(1 - margin)

    def share_lost(log_odds: float) -> float:
        return 1 / (1 + math.exp(-log_odds))

    def ratio(shift: float) -> float:
        one, null = share_lost(line + shift), share_lost(line)
        return (one / null) ** lost * ((1 - one) / (1 - null)) ** won

    weights = {n / 50: 1 / (1 + (n / 25) ** 2) for n in range(1, 201)}
    total = sum(weight * ratio(shift) for shift, weight in weights.items())
    expected = math.log(total / sum(weights.values()))
    assert log_evidence_losing(won, lost, margin=margin) == pytest.approx(expected, abs=1e-9)


def test_a_challenger_that_is_as_good_is_seldom_taken_back_however_often_one_looks() -> None:
    rng, as_good = np.random.default_rng(11), kitchen(noise=0.1, challenger_noise=0.1)
    taken_back = [interleaved_until(as_good, n=800, every=10, alpha=0.05, rng=rng) > 0 for _ in range(200)]
    assert np.mean(taken_back) <= 0.05


def test_lists_of_both_show_a_harm_after_fewer_requests_than_whole_lists_of_either() -> None:
    rng, worse = np.random.default_rng(12), kitchen(noise=0.1, challenger_noise=0.2)
    before, after = worse.click_rates
    assert 0.85 < after / before < 0.9
    n, n_rollouts = 4_000, 40
    interleaved = [interleaved_until(worse, n=n, every=40, alpha=0.05, rng=rng) for _ in range(n_rollouts)]
    split = [split_until(worse, n=n, every=40, alpha=0.05, rng=rng) for _ in range(n_rollouts)]
    assert np.mean(np.array(interleaved) > 0) >= 0.95
    assert np.median([at or n for at in interleaved]) < 0.5 * np.median([at or n for at in split])
