"""Sample ratio, interleaving and off-policy estimates: laws, hand-worked values, known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.errors import TooLittleOverlap
from mlops.rollout.interleaving import Draft, credit, preference, team_draft
from mlops.rollout.off_policy import off_policy_estimate
from mlops.rollout.sample_ratio import Split, check_sample_ratio, log_evidence_mismatch

# --- Sample ratio ---------------------------------------------------------------------------------------------------


def test_the_evidence_of_a_mismatch_is_a_beta_binomial_against_a_binomial() -> None:
    found = log_evidence_mismatch([Split(0.25, 40, 60), Split(0.5, 10, 9)])
    expected = (
        stats.betabinom(100, 25, 75).logpmf(40) - stats.binom(100, 0.25).logpmf(40)
        + stats.betabinom(19, 50, 50).logpmf(10) - stats.binom(19, 0.5).logpmf(10)
    )  # fmt: skip
    assert found == pytest.approx(expected)


def test_a_fair_split_is_seldom_called_a_mismatch_however_often_one_looks() -> None:
    arrivals = (np.random.default_rng(1).random((400, 2_000)) < 0.05).cumsum(axis=1)
    looks = range(19, 2_000, 20)
    n_void = sum(
        any(check_sample_ratio([[Split(0.05, int(row[n]), n + 1 - int(row[n]))]], alpha=0.05).mismatch for n in looks)
        for row in arrivals
    )
    assert n_void / 400 <= 0.05


def test_a_lost_tenth_of_an_arm_is_found() -> None:
    found = check_sample_ratio([[Split(0.5, 4_500, 5_000)]])
    assert found.mismatch
    assert found.expected_challenger == 4_750
    assert not check_sample_ratio([[Split(0.5, 4_980, 5_020)]]).mismatch


def test_workers_are_looked_at_apart_since_they_may_see_the_same_users() -> None:
    one = [Split(0.5, 560, 440)]
    alone, many = check_sample_ratio([one]), check_sample_ratio([one] * 10)
    assert many.p_value == pytest.approx(10 * alone.p_value)
    assert check_sample_ratio([]).p_value == 1.0


@pytest.mark.parametrize("share", [0.0, 1.0, math.nan])
def test_a_share_of_all_or_nobody_has_no_sample_ratio(share: float) -> None:
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        Split(share, 1, 1)


# --- Interleaving ---------------------------------------------------------------------------------------------------

rankings = st.lists(st.integers(0, 20), unique=True, max_size=12)


@given(rankings, rankings, st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_a_draft_is_fair_complete_and_the_same_for_a_seed(
    champion: list[int], challenger: list[int], k: int, seed: int
) -> None:
    draft = team_draft(champion, challenger, k=k, rng=np.random.default_rng(seed))
    assert draft == team_draft(champion, challenger, k=k, rng=np.random.default_rng(seed))
    assert len(draft.items) == len(set(draft.items)) == min(k, len({*champion, *challenger}))
    for team, ranking in (("champion", champion), ("challenger", challenger)):
        own = [item for item, of in zip(draft.items, draft.teams, strict=True) if of == team]
        assert own == [item for item in ranking if item in own]
    if champion == challenger:
        # Both teams pick by turns, and neither is ever ahead by more than the one who picks first.
        ahead = np.cumsum([1 if team == "champion" else -1 for team in draft.teams])
        assert np.abs(ahead).max(initial=0) <= 1


def test_each_picks_its_best_item_that_is_left() -> None:
    draft = team_draft("abcd", "bxay", k=4, rng=np.random.default_rng(0))
    # The generator's first coins are 0.637 and 0.270: the challenger picks first, then the champion.
    assert draft == Draft(("b", "a", "c", "x"), ("challenger", "champion", "champion", "challenger"))


def test_credit_goes_to_the_team_of_the_clicked_item_once() -> None:
    draft = Draft(("a", "b", "c"), ("champion", "challenger", "challenger"))
    assert credit(draft, ["b", "b", "c", "a"]) == 1
    assert credit(draft, ["a", "unseen"]) == -1
    assert credit(draft, ["a", "b"]) == 0
    assert credit(draft, []) == 0


def test_the_preference_is_a_beta_binomial_against_a_fair_coin() -> None:
    found = preference([1] * 9 + [-1] + [0] * 5)
    # By hand: e = B(10, 2) · 2^10 = 1024 / 110.
    assert found.p_value == pytest.approx(110 / 1024)
    assert (found.n_challenger, found.n_champion, found.n_ties, found.share) == (9, 1, 5, 0.9)
    assert found.verdict == "cannot tell"
    assert preference([1] * 30 + [-1] * 5).verdict == "challenger"
    assert preference([-1] * 30 + [1] * 5).verdict == "champion"
    assert preference([0, 0]).share is None


def test_equal_rankers_are_seldom_told_apart_however_often_one_looks() -> None:
    steps = np.random.default_rng(2).choice([-1, 1], (200, 300))
    n_told = sum(
        any(preference(row[:n]).verdict != "cannot tell" for n in range(10, 300, 10)) for row in steps.tolist()
    )
    assert n_told / 200 <= 0.05


# --- Off-policy -----------------------------------------------------------------------------------------------------


def _logged(n: int) -> dict[str, np.ndarray]:
    """Choices between two actions that pay 0.2 and 0.6; logged half and half, the target takes the second at 0.9."""
    rng = np.random.default_rng(4)
    action = rng.integers(0, 2, n)
    pays = np.array([0.2, 0.6])
    return {
        "rewards": (rng.random(n) < pays[action]).astype(float),
        "propensities": np.full(n, 0.5),
        "target": np.array([0.1, 0.9])[action],
        "predicted_logged": pays[action] + 0.1,
        "predicted_target": np.full(n, 0.1 * 0.2 + 0.9 * 0.6 + 0.1),
    }


@pytest.mark.parametrize("method", ["ips", "snips", "dr"])
def test_every_estimator_finds_what_the_policy_would_have_earned(method: str) -> None:
    found = off_policy_estimate(**_logged(20_000), method=method)  # type: ignore[arg-type]
    low, high = found.interval
    assert low <= 0.56 <= high
    assert high - low < 0.03
    assert found.logged == pytest.approx(0.4, abs=0.02)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_the_logging_policy_itself_is_worth_what_it_earned(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rewards, propensities = rng.random(n), rng.uniform(0.1, 1, n)
    found = off_policy_estimate(rewards, propensities, propensities, floor=1)
    assert found.value == pytest.approx(found.logged)
    assert found.effective_sample_size == pytest.approx(n)


def test_weights_and_effective_sample_size_are_those_worked_by_hand() -> None:
    found = off_policy_estimate([1, 0, 1], [0.5, 0.25, 0.1], [0.5, 0.5, 0.4], floor=0, clip=3)
    # Weights 1, 2 and 4, the last clipped to 3: (1 + 2 + 3)² / (1 + 4 + 9); (1 + 3) / 6.
    assert found.effective_sample_size == pytest.approx(36 / 14)
    assert found.value == pytest.approx(4 / 6)
    assert (found.n_clipped, found.largest_weight, found.share_of_largest) == (1, 3, 0.5)
    ips = off_policy_estimate([1, 0, 1], [0.5, 0.25, 0.1], [0.5, 0.5, 0.4], floor=0, method="ips")
    assert ips.value == pytest.approx((1 + 4) / 3)


def test_no_number_is_given_below_the_floor() -> None:
    rewards, propensities, target = np.ones(1_000), np.full(1_000, 0.001), np.zeros(1_000)
    target[:3] = 1
    with pytest.raises(TooLittleOverlap, match=r"as 3\.0 choices of its own, and 100 are needed"):
        off_policy_estimate(rewards, propensities, target)
    with pytest.raises(TooLittleOverlap):
        off_policy_estimate(rewards, propensities, np.zeros(1_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensities": np.array([0.0, 0.5])}, "propensities must be more than 0"),
        ({"target": np.array([0.5])}, "target must have the shape of rewards"),
        ({"rewards": np.array([1.0, math.nan])}, "rewards must be finite"),
        ({"clip": 0.0}, "clip must be more than 0"),
        ({"method": "dr"}, "dr needs predicted_logged"),
    ],
)
def test_what_cannot_be_estimated_from_is_refused(change: dict[str, object], message: str) -> None:
    arguments = {"rewards": [1, 0], "propensities": [0.5, 0.5], "target": [0.5, 0.5], "floor": 0, **change}
    with pytest.raises(ValueError, match=message):
        off_policy_estimate(**arguments)  # type: ignore[arg-type]
