"""The stop rules: exact against SciPy, never too eager however often one looks, and quick where it matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from mlops.rollout.means import Sums, mean_difference
from mlops.rollout.sequential import (
    LOG_ODDS,
    Block,
    Floats,
    log_evidence_above,
    log_evidence_worse,
    log_likelihood,
    odds_ratio_interval,
    p_value,
)

ALPHA = 0.05


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    n_challenger, n_champion = draw(st.integers(0, 30)), draw(st.integers(0, 60))
    return Block(
        n_challenger, draw(st.integers(0, n_challenger)), n_champion, draw(st.integers(0, n_champion))
    )  # fmt: skip


@given(blocks())
def test_the_likelihood_is_that_of_fishers_noncentral_hypergeometric(block: Block) -> None:
    found = log_likelihood(block)
    n_events = block.challenger + block.champion
    total = block.n_challenger + block.n_champion
    for i in (60, 200, 235):
        if block.n_challenger and block.n_champion:
            law = stats.nchypergeom_fisher(total, block.n_challenger, n_events, math.exp(LOG_ODDS[i]))
            central = stats.hypergeom(total, block.n_challenger, n_events)
            expected = law.logpmf(block.challenger) - central.logpmf(block.challenger)
            assert found[i] == pytest.approx(expected, abs=1e-6)
        else:
            assert found[i] == 0


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 12), st.floats(0, 0.6), st.booleans())
def test_the_expected_e_value_of_a_block_is_one_at_the_margin_and_no_more_below(
    n_challenger: int, n_champion: int, n_events: int, margin: float, higher_is_better: bool
) -> None:
    n_events = min(n_events, n_challenger + n_champion)
    support = range(max(0, n_events - n_champion), min(n_challenger, n_events) + 1)
    law = stats.hypergeom(n_challenger + n_champion, n_challenger, n_events)
    expected = sum(
        law.pmf(s)
        * math.exp(
            log_evidence_worse(
                log_likelihood(Block(n_challenger, s, n_champion, n_events - s)),
                margin=margin,
                higher_is_better=higher_is_better,
            )
        )
        for s in support
    )
    assert expected <= 1 + 1e-9
    if margin == 0:
        assert expected == pytest.approx(1)


def test_three_failures_of_a_challenger_with_one_request_in_twenty_are_strong_evidence() -> None:
    likelihood = 3 * log_likelihood(Block(1, 1, 19, 0))

    def ratio(x: float) -> float:
        return float((20 * math.exp(x) / (math.exp(x) + 19)) ** 3)

    assert likelihood[300] == pytest.approx(math.log(ratio(2)))
    # The mixture by integration: half-Cauchy of scale 0.5, cut at log odds of 4.
    prior = stats.halfcauchy(scale=0.5)
    mixture, _ = integrate.quad(lambda x: ratio(x) * prior.pdf(x) / prior.cdf(4), 0, 4)
    assert math.exp(log_evidence_worse(likelihood)) == pytest.approx(mixture, rel=0.03)
    assert p_value(log_evidence_worse(likelihood)) < ALPHA


def test_a_day_in_one_block_is_counted_as_exactly_as_a_second() -> None:
    block = Block(40_000, 5_200, 60_000, 7_200)
    law = stats.nchypergeom_fisher(100_000, 40_000, 12_400, math.exp(0.1))
    central = stats.hypergeom(100_000, 40_000, 12_400)
    assert log_likelihood(block)[205] == pytest.approx(law.logpmf(5_200) - central.logpmf(5_200), abs=1e-4)


def test_the_test_of_good_events_mirrors_that_of_bad_ones() -> None:
    bad, good = log_likelihood(Block(40, 12, 60, 5)), log_likelihood(Block(40, 28, 60, 55))
    assert log_evidence_worse(bad) == pytest.approx(log_evidence_worse(good, higher_is_better=True))
    assert log_evidence_worse(bad, margin=0.5) < log_evidence_worse(bad)


def test_no_data_is_no_evidence() -> None:
    nothing = log_likelihood(Block(0, 0, 500, 20))
    assert log_evidence_worse(nothing) == pytest.approx(0)
    assert odds_ratio_interval(nothing) == (0.0, math.inf)


@pytest.mark.parametrize(("margin", "higher_is_better"), [(-0.1, False), (math.nan, False), (1.0, True), (60.0, False)])
def test_a_margin_that_means_nothing_is_refused(margin: float, higher_is_better: bool) -> None:
    with pytest.raises(ValueError, match="margin"):
        log_evidence_worse(np.zeros_like(LOG_ODDS), margin=margin, higher_is_better=higher_is_better)


def test_more_events_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="champion must have between 0 and 3"):
        Block(1, 0, 3, 4)


# --- Continuous looking ---------------------------------------------------------------------------------------------


def _evidence_paths(rates: tuple[float, float], *, n_paths: int, n_blocks: int, size: int, margin: float) -> Floats:
    """Log e-values, shape (n_paths, n_blocks), of challenger and champion with *size* requests each in a block."""
    rng = np.random.default_rng(7)
    challenger = rng.binomial(size, rates[0], (n_paths, n_blocks))
    champion = rng.binomial(size, rates[1], (n_paths, n_blocks))
    table = {
        pair: log_likelihood(Block(size, pair[0], size, pair[1]))
        for pair in set(zip(challenger.ravel().tolist(), champion.ravel().tolist(), strict=True))
    }
    found = np.empty((n_paths, n_blocks))
    for i in range(n_paths):
        steps = [table[pair] for pair in zip(challenger[i].tolist(), champion[i].tolist(), strict=True)]
        found[i] = [log_evidence_worse(each, margin=margin) for each in np.cumsum(steps, axis=0)]
    return found


@pytest.mark.parametrize(("rates", "margin"), [((0.05, 0.05), 0.0), ((0.0735, 0.05), 0.5)])
def test_looking_after_every_block_raises_no_more_false_alarms_than_promised(
    rates: tuple[float, float], margin: float
) -> None:
    paths = _evidence_paths(rates, n_paths=200, n_blocks=40, size=20, margin=margin)
    alarms = (paths >= math.log(1 / ALPHA)).any(axis=1).mean()
    print(f"false alarms at {paths.shape[1]} looks: {alarms:.1%}")  # noqa: T201
    assert alarms <= ALPHA


def test_a_doubled_error_rate_is_nearly_always_found_and_soon() -> None:
    paths = _evidence_paths((0.10, 0.05), n_paths=80, n_blocks=60, size=20, margin=0.0)
    fired = paths >= math.log(1 / ALPHA)
    power = fired.any(axis=1).mean()
    median = 20 * (1 + np.median(np.where(fired.any(axis=1), fired.argmax(axis=1), 60)))
    print(f"5 % to 10 %, up to 1,200 requests an arm: power {power:.0%}, median {median:.0f}")  # noqa: T201
    assert power >= 0.95
    assert median <= 800


def test_the_interval_holds_the_odds_ratio_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(3)
    odds_ratio = (0.08 / 0.92) / (0.05 / 0.95)
    n_missed = 0
    for _ in range(150):
        total = np.zeros_like(LOG_ODDS)
        missed = False
        for _ in range(40):
            total += log_likelihood(Block(25, rng.binomial(25, 0.08), 50, rng.binomial(50, 0.05)))
            low, high = odds_ratio_interval(total)
            missed = missed or not low <= odds_ratio <= high
        n_missed += missed
    assert n_missed / 150 <= ALPHA
    assert 0.5 < low < odds_ratio < high < 4


def test_one_arm_against_a_line_is_no_more_eager_either() -> None:
    rng = np.random.default_rng(5)
    counts = rng.binomial(10, 0.05, (120, 40)).cumsum(axis=1).tolist()
    n_alarms = 0
    for row in counts:
        evidence = [log_evidence_above(events, 10 * n, line=0.05) for n, events in enumerate(row, start=1)]
        n_alarms += max(evidence) >= math.log(1 / ALPHA)
    assert n_alarms / 120 <= ALPHA
    assert log_evidence_above(6, 6, line=0.05) > math.log(100)
    assert log_evidence_above(0, 1_000, line=0.05) < 0


# --- Means ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-9, 9)), st.lists(st.integers(-9, 9)))
def test_sums_of_parts_add_up_to_those_of_the_whole(one: list[int], other: list[int]) -> None:
    def sums(values: list[int]) -> Sums:
        return Sums(len(values), sum(values), sum(value**2 for value in values))

    whole = sums(one) + sums(other)
    assert whole == sums(one + other)
    assert whole - sums(other) == sums(one)
    assert (whole.mean is None) == (whole.n == 0)
    assert whole.variance == pytest.approx(np.var(one + other) if whole.n else 0)


def test_the_interval_of_means_holds_the_difference_at_all_looks() -> None:
    rng = np.random.default_rng(11)
    values = rng.exponential(1.0, (300, 2, 2_000)) + np.array([0.3, 0.0])[None, :, None]
    totals, squares = values.cumsum(axis=2), (values**2).cumsum(axis=2)
    n_missed = 0
    for path in range(300):
        looks = [
            mean_difference(
                Sums(n, totals[path, 0, n - 1], squares[path, 0, n - 1]),
                Sums(n, totals[path, 1, n - 1], squares[path, 1, n - 1]),
            )
            for n in range(50, 2_000, 25)
        ]
        assert all(look is not None for look in looks)
        n_missed += any(not look.low <= 0.3 <= look.high for look in looks if look is not None)
    assert n_missed / 300 <= ALPHA
    assert looks[-1] is not None
    assert looks[-1].low > 0


def test_the_width_of_an_interval_of_means_is_the_papers() -> None:
    sums = Sums(500, 0.0, 500.0)
    found = mean_difference(sums, sums, n_tuned=1_000)
    # By hand: v = n (1/500 + 1/500) = 4; r = (-2 ln 0.05 + ln(-2 ln 0.05 + 1)) / 1000 = 0.0079371;
    # boundary = sqrt((7.9371 + 1) / (10^6 · 0.0079371) · ln(8.9371 / 0.0025)) = 0.095988.
    assert found is not None
    assert found.high == pytest.approx(2 * 0.095988, abs=1e-4)
    assert mean_difference(Sums(49), sums) is None
