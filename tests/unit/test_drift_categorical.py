"""Categories and shares: against SciPy, and the traps of rare values."""

import numpy as np
import pyarrow as pa
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import DriftOptions
from mlops.drift.categorical import (
    bucketed,
    chi_square_p,
    compare_categories,
    jensen_shannon,
    new_values,
    pooled,
    summarise,
)
from mlops.drift.shares import cohens_h, compare_shares, share_p

OPTIONS = DriftOptions()
CELLS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=9).filter(
    lambda cells: all(map(sum, cells)) and all(sum(side) for side in zip(*cells, strict=True))
)


def summary_of(values, *, max_categories=10_000):
    return summarise(pa.array(values), max_categories=max_categories)


def drift_of(before, now):
    return compare_categories("c", summary_of(before), summary_of(now), options=OPTIONS)


@given(CELLS)
def test_p_is_that_of_scipy(cells):
    before, now = np.array(cells, dtype=float).T
    expected = scipy.stats.chi2_contingency([before, now], correction=False).pvalue
    assert chi_square_p(before, now) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(CELLS)
def test_the_distance_is_that_of_scipy(cells):
    before, now = np.array(cells, dtype=float).T
    expected = scipy.spatial.distance.jensenshannon(before, now, base=2)
    assert jensen_shannon(before, now) == pytest.approx(expected, abs=1e-7)


@given(CELLS)
def test_pooling_keeps_all_rows_and_leaves_no_rare_cell(cells):
    before, now = np.array(cells, dtype=float).T
    first, second = pooled(before, now)
    assert (first.sum(), second.sum()) == (before.sum(), now.sum())
    expected = (first + second) * min(before.sum(), now.sum()) / (before.sum() + now.sum())
    assert len(first) == 1 or (expected >= 5 - 1e-9).all()


def test_pooling_by_hand():
    first, second = pooled(np.array([50.0, 3.0, 40.0, 4.0, 3.0]), np.array([45.0, 2.0, 46.0, 3.0, 4.0]))
    assert first.tolist() == [50, 40, 10]
    assert second.tolist() == [45, 46, 9]


@given(st.integers(0, 20), st.integers(1, 40), st.integers(0, 20), st.integers(1, 40))
def test_small_counts_get_the_exact_p(first, n_first, second, n_second):
    first, second = min(first, n_first), min(second, n_second)
    total, n = first + second, n_first + n_second
    if min(total, n - total) * min(n_first, n_second) / n < 5:
        table = [[first, n_first - first], [second, n_second - second]]
        assert share_p(first, n_first, second, n_second) == pytest.approx(scipy.stats.fisher_exact(table).pvalue)


def test_large_counts_get_the_p_of_chi_square():
    table = [[300, 700], [350, 650]]
    expected = scipy.stats.chi2_contingency(table, correction=False).pvalue
    assert share_p(300, 1_000, 350, 1_000) == pytest.approx(expected)


@pytest.mark.parametrize(("first", "second", "expected"), [(0.5, 0.55, 0.1002), (0.0, 0.0025, 0.1000), (0.3, 0.3, 0)])
def test_effect_of_a_share_by_hand(first, second, expected):
    assert cohens_h(first, second) == pytest.approx(expected, abs=1e-4)


def test_empty_results_that_appear_are_drift():
    result = compare_shares("empty results", (2, 2_000), (40, 2_000), options=OPTIONS)
    assert result.drifted
    assert result.details == {"reference_share": 0.001, "current_share": 0.02}


def test_three_cases_more_are_chance():
    assert not compare_shares("empty results", (1, 100), (4, 100), options=OPTIONS).drifted


@pytest.mark.parametrize("side", [(-1, 100), (101, 100)])
def test_an_impossible_share_is_refused(side):
    with pytest.raises(ValueError, match="empty results: a count must be 0 to 100"):
        compare_shares("empty results", side, (1, 100), options=OPTIONS)


def test_a_share_of_few_is_not_judged():
    assert compare_shares("empty results", (0, 10), (9, 10), options=OPTIONS).verdict == "not enough data"


def test_a_mix_that_moved_is_drift():
    result = drift_of(["es"] * 700 + ["en"] * 300, ["es"] * 550 + ["en"] * 400 + ["fr"] * 50)
    assert result.drifted
    assert result.details["n_new_values"] == 1
    assert result.details["new_share"] == 0.05


def test_a_new_value_in_one_row_is_no_drift():
    before, now = summary_of(["es"] * 700 + ["en"] * 300), summary_of(["es"] * 699 + ["en"] * 300 + ["fr"])
    assert new_values(before, now) == ["fr"]
    assert not compare_categories("c", before, now, options=OPTIONS).drifted


def test_a_mix_of_a_million_rows_that_moved_by_half_a_percent_is_no_drift():
    before = summary_of(pa.array(["a"] * 500_000 + ["b"] * 500_000))
    now = summary_of(pa.array(["a"] * 505_000 + ["b"] * 495_000))
    result = compare_categories("c", before, now, options=OPTIONS)
    assert result.p < 1e-10
    assert not result.drifted


def test_identifiers_cannot_be_compared():
    result = drift_of([f"u{n}" for n in range(500)], [f"u{n}" for n in range(400, 900)])
    assert result.verdict == "not enough data"


def test_one_value_everywhere_has_not_drifted():
    assert drift_of(["a"] * 60, ["a"] * 60).verdict == "stable"


def test_one_value_that_became_another_has_drifted():
    result = drift_of(["a"] * 60, ["b"] * 60)
    assert result.score == 1.0
    assert result.drifted


def test_rare_values_do_not_alarm_without_drift():
    rng = np.random.default_rng(1)
    names = np.array([f"v{n}" for n in range(60)])
    weights = 1 / np.arange(1, 61) ** 1.3
    draws = rng.choice(names, size=(400, 2, 100), p=weights / weights.sum())
    alarms = [drift_of(before, now).drifted for before, now in draws]
    assert np.mean(alarms) <= 0.05 + 0.025


def test_summary_counts_nulls_and_orders_by_frequency_then_name():
    summary = summary_of(["b", None, "a", "c", "c"])
    assert list(summary.counts.items()) == [("c", 2), ("a", 1), ("b", 1)]
    assert (summary.n, summary.n_missing, summary.n_other, summary.n_distinct) == (4, 1, 0, 3)


def test_beyond_the_limit_values_are_counted_by_their_hash():
    summary = summary_of(list("aaabbcd"), max_categories=2)
    assert summary.counts == {"a": 3, "b": 2}
    assert (summary.n_other, summary.n_distinct) == (2, 4)
    assert bucketed(summary).tolist() == bucketed(summary_of(list("aaabbcd"))).tolist()
    assert bucketed(summary).sum() == 7


def test_values_kept_for_being_frequent_do_not_look_rarer_later():
    """Of 500 values alike, the 200 that a reference shows most often are not the 200 of the next day."""
    rng = np.random.default_rng(2)
    alarms = []
    for _ in range(60):
        before, now = (summary_of([f"v{n}" for n in rng.integers(0, 500, 5_000)], max_categories=200) for _ in "ab")
        alarms.append(compare_categories("c", before, now, options=DriftOptions(threshold=1e-9)).drifted)
    assert np.mean(alarms) <= 0.05 + 0.06


def test_a_mix_of_many_values_that_moved_is_seen_by_their_hashes():
    rng = np.random.default_rng(3)
    before = summary_of([f"v{n}" for n in rng.integers(0, 500, 5_000)], max_categories=200)
    now = summary_of([f"v{n}" for n in rng.integers(0, 250, 5_000)], max_categories=200)
    assert compare_categories("c", before, now, options=OPTIONS).drifted


def test_truth_values_and_dictionaries_are_categories():
    assert summary_of([True, False, True]).counts == {"true": 2, "false": 1}
    encoded = pa.array(["x", "y", "x", None]).dictionary_encode()
    summary = summarise(encoded, max_categories=10)
    assert (summary.counts, summary.n_missing) == ({"x": 2, "y": 1}, 1)
