"""Numbers: our statistics against SciPy's, and the traps of p values and of PSI."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import DriftOptions
from mlops.drift.numeric import compare_numeric, ks_p, ks_statistic, summarise, wasserstein
from mlops.drift.psi import expected_psi, psi

OPTIONS = DriftOptions()
# Few different values, so that ties within a side and across both are common.
SAMPLES = st.lists(st.one_of(st.integers(-3, 3), st.floats(-1e6, 1e6)), min_size=3, max_size=60).map(
    lambda values: np.sort(np.array(values, dtype=np.float64))
)


def drift_of(before, now, *, options=OPTIONS):
    return compare_numeric(
        "x", summarise(np.asarray(before, float)), summarise(np.asarray(now, float)), options=options
    )


@given(SAMPLES, SAMPLES)
def test_d_is_that_of_scipy_with_ties_and_unequal_lengths(first, second):
    expected = scipy.stats.ks_2samp(first, second, method="asymp").statistic
    assert ks_statistic(first, second) == pytest.approx(expected, abs=1e-12)


@given(SAMPLES, SAMPLES)
def test_d_does_not_depend_on_the_order_of_the_sides(first, second):
    assert ks_statistic(first, second) == pytest.approx(ks_statistic(second, first), abs=1e-12)


@given(SAMPLES, SAMPLES)
def test_the_distance_is_that_of_scipy(first, second):
    expected = scipy.stats.wasserstein_distance(first, second)
    assert wasserstein(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_distance_is_exact_across_the_blocks_of_long_columns():
    rng = np.random.default_rng(1)
    first, second = np.sort(rng.normal(size=300_001)), np.sort(rng.exponential(size=299_000))
    assert wasserstein(first, second) == pytest.approx(scipy.stats.wasserstein_distance(first, second), rel=1e-9)


def test_d_and_distance_by_hand():
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 5.0])
    assert ks_statistic(first, second) == 0.5
    # Quantiles 1 2 3 4 against 3 3 5 5.
    assert wasserstein(first, second) == pytest.approx((2 + 1 + 2 + 1) / 4)


@pytest.mark.parametrize("n", [1_000, 20_000])
def test_p_is_that_of_scipy_for_many_values(n):
    rng = np.random.default_rng(n)
    first, second = np.sort(rng.normal(size=n)), np.sort(rng.normal(0.03, 1, size=n))
    expected = scipy.stats.ks_2samp(first, second, method="asymp").pvalue
    assert ks_p(ks_statistic(first, second), n, n) == pytest.approx(expected, rel=0.03)


def test_p_is_not_too_small_for_few_values():
    for n, d in ((30, 12 / 30), (40, 12 / 40), (100, 20 / 100)):
        exact = scipy.stats.kstwo.sf(d, n // 2)
        sample = np.arange(n, dtype=float)
        moved = sample + round(d * n)
        assert ks_statistic(sample, moved) == pytest.approx(d)
        assert ks_p(d, n, n) >= scipy.stats.ks_2samp(sample, moved, method="exact").pvalue * 0.9
        assert 0 < exact < 1


def test_a_tiny_shift_in_a_million_rows_is_significant_and_no_drift():
    rng = np.random.default_rng(2)
    result = drift_of(rng.normal(size=1_000_000), rng.normal(0.02, 1, size=1_000_000))
    assert result.p < 1e-20
    assert result.score < 0.03
    assert not result.drifted
    assert "too little to matter" in result.sentence


def test_a_large_effect_in_few_rows_is_no_drift_without_significance():
    rng = np.random.default_rng(3)
    result = drift_of(rng.normal(size=40), rng.normal(size=40))
    assert result.score >= result.threshold
    assert result.verdict == "stable"


def test_heavy_tails_do_not_hide_a_shift():
    rng = np.random.default_rng(4)
    before, now = rng.standard_cauchy(20_000), rng.standard_cauchy(20_000) + 0.5
    result = drift_of(before, now)
    assert result.details["normalised_wasserstein"] < 0.1
    assert result.drifted


def test_a_few_values_that_moved_far_are_seen_where_d_is_small():
    rng = np.random.default_rng(5)
    now = rng.normal(size=50_000)
    now[:1_500] += 20
    result = drift_of(rng.normal(size=50_000), now)
    assert result.details["ks"] < 0.1
    assert result.drifted


@pytest.mark.parametrize("n", [0, 1, 29])
def test_below_the_minimum_there_is_no_verdict(n):
    result = drift_of(np.arange(1_000), np.arange(n) + 5_000)
    assert result.verdict == "not enough data"
    assert result.score is None
    assert not result.drifted
    assert "not enough data" in result.sentence


def test_the_minimum_can_be_set():
    assert drift_of(range(1_000), [5_000] * 12, options=DriftOptions(minimum_n=10)).drifted


def test_what_is_no_number_is_counted_apart():
    summary = summarise(np.array([np.nan, 1.0, np.inf, -np.inf, 2.0, 1e300]))
    assert summary.points.tolist() == [1.0, 2.0]
    assert (summary.n, summary.n_missing) == (2, 4)
    assert (summary.mean, summary.sd) == (1.5, 0.5)


def test_two_equal_constants_have_not_drifted():
    result = drift_of([7.0] * 50, [7.0] * 50)
    assert (result.score, result.p, result.verdict) == (0.0, 1.0, "stable")


def test_a_constant_that_changed_has_drifted():
    result = drift_of([7.0] * 50, [8.0] * 50)
    assert result.score == 1.0
    assert result.drifted


def test_rounding_around_a_constant_is_no_deviation():
    noisy = np.full(1_000, 0.3)
    noisy[::2] = 0.1 + 0.2
    assert summarise(noisy).sd == 0.0


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=80))
def test_any_floats_give_a_finite_result(values):
    result = drift_of(values, list(range(40)), options=DriftOptions(minimum_n=2))
    if result.p is not None:
        assert np.isfinite([result.score, result.p, *result.details.values()]).all()


@given(SAMPLES, st.floats(0.01, 100), st.floats(-100, 100))
def test_the_effect_does_not_depend_on_unit_and_origin(sample, unit, origin):
    rng = np.random.default_rng(6)
    before, now = rng.normal(size=40), rng.normal(0.4, 1.5, size=50)
    one = drift_of(before, now)
    other = drift_of(before * unit + origin, now * unit + origin)
    assert other.score == pytest.approx(one.score, rel=1e-6)


def test_psi_by_hand():
    # (0.6 - 0.5) ln(1.2) + (0.4 - 0.5) ln(0.8)
    assert psi([50, 50], [60, 40]) == pytest.approx(0.0405465, abs=1e-7)


def test_an_empty_bin_counts_as_half_a_value():
    assert psi([50, 50], [100, 0]) == pytest.approx(0.5 * np.log(2) + (0.005 - 0.5) * np.log(0.01))


@pytest.mark.parametrize(("before", "now"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 1]), ([1, 1], [0, 0])])
def test_psi_of_nothing_is_refused(before, now):
    with pytest.raises(ValueError, match=r"psi needs|same bins"):
        psi(before, now)


def test_expected_psi_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="at least 1"):
        expected_psi(10, 0, 5)


@pytest.mark.parametrize(("n", "expected"), [(100, 0.19), (200, 0.09), (1_000, 0.018)])
def test_psi_without_drift_is_what_its_expectation_says(n, expected):
    rng = np.random.default_rng(n)
    results = [drift_of(rng.normal(size=n), rng.normal(size=n)) for _ in range(300)]
    found = np.array([result.details["psi"] for result in results])
    assert found.mean() == pytest.approx(expected, rel=0.15)
    assert np.mean([result.details["psi_excess"] for result in results]) == pytest.approx(0.0, abs=0.12 * expected)
    assert results[0].details["psi_expected_without_drift"] == pytest.approx(9 * 2 / n)


def test_the_usual_limit_of_psi_would_alarm_without_drift_and_we_do_not():
    rng = np.random.default_rng(7)
    results = [drift_of(rng.normal(size=100), rng.normal(size=100)) for _ in range(200)]
    assert np.mean([result.details["psi"] > 0.1 for result in results]) > 0.7
    assert np.mean([result.drifted for result in results]) <= 0.05 + 0.03
