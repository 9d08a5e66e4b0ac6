"""Anomalies in a list and degradation of measures: hand-worked values, SciPy, and simulated false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops import anomaly_detector
from mlops.monitoring.anomalies import fewest_for, robust_scores
from mlops.monitoring.degradation import degradation, lower_is_better

SMALL_FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False)


def test_the_robust_score_is_the_deviation_from_the_median_in_mads() -> None:
    # Median 5, deviations 4 2 1 0 1 2 95: MAD 2. 0.6745 * 95 / 2 = 32.03875.
    scores = robust_scores(np.array([1.0, 3, 4, 5, 6, 7, 100]))
    assert scores[-1] == pytest.approx(32.03875)
    assert scores[0] == pytest.approx(-1.349)
    result = anomaly_detector.detect_anomalies([1, 3, 4, 5, 6, 7, 100])
    assert (result["anomalies"], result["anomaly_indices"], result["anomaly_count"]) == ([100.0], [6], 1)
    assert result["anomaly_rate"] == pytest.approx(1 / 7)
    assert (result["method"], result["verdict"]) == ("robust", "anomalies")


def test_where_most_values_are_equal_a_small_difference_is_no_anomaly_and_a_large_one_is() -> None:
    # MAD 0. Mean deviation 10/21, times 1.2533: 0.5968; 1 % of the median is 1.0, which is more. Score 10.
    far = anomaly_detector.detect_anomalies([100.0] * 20 + [110.0])
    assert far["scores"] == [pytest.approx(10.0)]
    assert anomaly_detector.detect_anomalies([100.0] * 20 + [100.5])["verdict"] == "ok"
    assert anomaly_detector.detect_anomalies([0.0] * 20)["verdict"] == "ok"
    # Median 0: only the mean deviation is left, 1/21 * 1.2533; the score is 21 / 1.2533.
    assert anomaly_detector.detect_anomalies([0.0] * 20 + [1.0])["scores"] == [pytest.approx(21 / 1.2533)]


def test_outliers_do_not_hide_each_other_from_the_robust_score_but_do_from_the_z_score() -> None:
    values = [10.0, 11, 9, 10, 12, 8, 10, 11, 9, 10, 11, 9, 100, 110, 105]
    assert anomaly_detector.detect_anomalies(values)["anomaly_indices"] == [12, 13, 14]
    assert anomaly_detector.detect_anomalies(values, method="zscore")["anomaly_count"] == 0


@pytest.mark.parametrize("n", range(3, 11))
def test_up_to_ten_values_no_z_score_can_exceed_three_and_that_is_said(n: int) -> None:
    values = [0.0] * (n - 1) + [1e9]
    result = anomaly_detector.detect_anomalies(values, method="zscore")
    assert (result["verdict"], result["anomaly_count"]) == ("not enough data", 0)
    assert "that takes at least 11" in result["reason"]
    assert np.abs(stats.zscore(values, ddof=1)).max() <= 3


def test_eleven_values_are_enough_for_a_z_score_above_three() -> None:
    result = anomaly_detector.detect_anomalies([0.0] * 10 + [1.0], method="zscore")
    assert result["scores"] == [pytest.approx(10 / 11**0.5)]


@given(st.floats(0.5, 8))
def test_the_fewest_values_for_a_z_score_are_the_fewest_that_can_reach_it(threshold: float) -> None:
    n = fewest_for("zscore", threshold)
    assert (n - 1) / n**0.5 > threshold
    assert n == 3 or (n - 2) / (n - 1) ** 0.5 <= threshold


@given(st.lists(SMALL_FLOATS, min_size=7, max_size=60), st.sampled_from([2.0, 1024.0]), st.sampled_from([1, -1]))
def test_the_unit_of_the_values_does_not_matter(values: list[float], factor: float, sign: int) -> None:
    before = anomaly_detector.detect_anomalies(values)
    after = anomaly_detector.detect_anomalies(np.array(values) * factor * sign)
    assert before["anomaly_indices"] == after["anomaly_indices"]


def test_what_is_not_finite_is_left_out_and_counted_and_positions_are_those_of_the_input() -> None:
    result = anomaly_detector.detect_anomalies([float("nan"), 1, 2, 1, 2, 1, 2, float("inf"), 1, 90])
    assert (result["anomaly_indices"], result["n"], result["n_ignored"]) == ([9], 8, 2)
    assert anomaly_detector.detect_anomalies([])["verdict"] == "not enough data"


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([[1.0]], {}, "one dimension"),
        ([1.0], {"threshold": 0}, "threshold must be above 0, got 0"),
        ([1.0], {"method": "iqr"}, "method must be robust or zscore, got 'iqr'"),
    ],
)
def test_arguments_that_make_no_sense_are_named(values: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        anomaly_detector.detect_anomalies(values, **options)  # type: ignore[arg-type]


# --- Degradation ----------------------------------------------------------------------------------------------------


def test_a_fall_is_told_with_the_interval_of_welch() -> None:
    before, now = np.array([0.90, 0.92, 0.91, 0.89, 0.93]), np.array([0.70, 0.72, 0.74, 0.71, 0.73])
    result = degradation(np.concatenate([before, now]), higher_is_better=True, window_size=5)
    assert (result["verdict"], result["change"]) == ("degraded", pytest.approx(0.72 / 0.91 - 1))
    # Each sample has the variance 0.00025. Taken as shares of 0.91, with 0.72/0.91 for what is divided by.
    ratio = 0.72 / 0.91
    share_now, share_before = 0.00005 / 0.91**2, 0.00005 / 0.91**2 * ratio**2
    freedom = (share_now + share_before) ** 2 / (share_now**2 / 4 + share_before**2 / 4)
    reach = stats.t.ppf(0.975, freedom) * (share_now + share_before) ** 0.5
    assert result["interval"] == pytest.approx((result["change"] - reach, result["change"] + reach))


def test_noise_that_could_be_a_fall_is_no_verdict() -> None:
    series = [1.0, 0.2, 1.8, 0.1, 1.9, 0.5, 1.5, 0.3, 1.7, 1.0] * 2
    result = anomaly_detector.detect_performance_degradation([*series, *([0.1, 1.5] * 5)])
    assert (result["verdict"], result["degradation_detected"]) == ("cannot tell", False)


def test_which_way_is_worse_is_told_by_the_name_or_the_caller() -> None:
    rising = [*([1.0, 1.1] * 5), *([2.0, 2.1] * 5)]
    for name, is_worse in [("api_latency_ms", True), ("error_rate", True), ("accuracy", False), ("ndcg@10", False)]:
        result = anomaly_detector.detect_performance_degradation({name: rising})
        assert (result["degraded"] == [name]) is is_worse
    flipped = anomaly_detector.detect_performance_degradation({"cost": rising}, higher_is_better={"cost": False})
    assert flipped["degradation_detected"]
    assert lower_is_better("rmse")
    assert not lower_is_better("terms")


def test_rows_with_several_measures_are_read_by_name() -> None:
    rows = [{"accuracy": 0.9 + n % 2 / 100, "latency_ms": 20 + n % 3} for n in range(12)]
    rows += [{"accuracy": 0.7 + n % 2 / 100, "latency_ms": 20 + n % 3} for n in range(10)]
    result = anomaly_detector.detect_performance_degradation([*rows, {"accuracy": None}])
    assert (result["degraded"], result["verdict"]) == (["accuracy"], "degraded")
    assert result["metrics"]["latency_ms"]["verdict"] == "ok"
    # Two intervals that hold together are wider than one.
    assert result["metrics"]["accuracy"]["confidence"] == pytest.approx(0.975)


def test_too_few_values_and_a_mean_of_zero_are_not_enough_data() -> None:
    short = anomaly_detector.detect_performance_degradation([0.9] * 19)
    assert (short["verdict"], short["reason"]) == ("not enough data", "there are 19 values, and it takes 20")
    assert degradation(np.zeros(30), higher_is_better=True)["verdict"] == "not enough data"
    constant = anomaly_detector.detect_performance_degradation([0.8] * 10 + [0.6] * 10)
    assert (constant["verdict"], constant["change"]) == ("degraded", pytest.approx(-0.25))


def test_steady_measures_are_rarely_called_degraded() -> None:
    rng = np.random.default_rng(5)
    found = [degradation(rng.normal(1.0, 0.3, 40), higher_is_better=True)["degradation_detected"] for _ in range(400)]
    assert np.mean(found) < 0.05


def test_what_is_no_series_is_refused() -> None:
    for metrics in ("abc", 3.0, ["a", "b"], {"accuracy": 0.9}):
        with pytest.raises(ValueError, match="must be"):
            anomaly_detector.detect_performance_degradation(metrics)
    with pytest.raises(ValueError, match="window_size must be at least 2, got 1"):
        anomaly_detector.detect_performance_degradation([1.0], window_size=1)
