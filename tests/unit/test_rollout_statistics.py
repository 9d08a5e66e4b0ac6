"""Sample ratio and off-policy estimates: laws, hand-worked values, known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.errors import TooLittleOverlap
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
