import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import DriftOptions, check_drift
from mlops.drift.correction import benjamini_hochberg

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(PROBABILITIES)
def test_adjusted_p_is_that_of_scipy(p):
    assert benjamini_hochberg(p) == pytest.approx(scipy.stats.false_discovery_control(p, method="bh"), abs=1e-12)


def test_adjusted_p_by_hand():
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])


def test_no_tests_give_none():
    assert benjamini_hochberg([]).tolist() == []


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg(p)


def test_columns_that_were_not_judged_are_no_part_of_the_family():
    rng = np.random.default_rng(1)
    few = np.full(500, np.nan)
    few[:5] = 1.0
    before = {"x": rng.normal(size=500), "few": few}
    now = {"x": rng.normal(0.2, 1, size=500), "few": few}
    x, missing, unjudged = check_drift(before, now).results
    assert unjudged.adjusted_p is None
    assert missing.p == 1.0
    assert x.adjusted_p == pytest.approx(2 * x.p)


def test_raw_p_is_kept_and_the_correction_can_be_left_out():
    rng = np.random.default_rng(2)
    before, now = ({f"c{n}": rng.normal(size=200) for n in range(5)} for _ in range(2))
    plain = check_drift(before, now, options=DriftOptions(correction="none")).results
    adjusted = check_drift(before, now).results
    assert [one.p for one in plain] == [one.p for one in adjusted] == [one.adjusted_p for one in plain]
    assert all(one.adjusted_p >= one.p for one in adjusted)
    assert any(one.adjusted_p > one.p for one in adjusted)


def test_twenty_healthy_columns_alarm_in_one_check_of_twenty_at_most():
    """Effects are let through, so that only significance is tested: uncorrected, 64 % of these checks would alarm."""
    rng = np.random.default_rng(3)
    lines = {"threshold": 1e-9}
    n_alarms = {"benjamini-hochberg": 0, "none": 0}
    for _ in range(150):
        before, now = ({f"c{n}": rng.normal(size=300) for n in range(20)} for _ in range(2))
        for correction in n_alarms:
            n_alarms[correction] += check_drift(
                before, now, options=DriftOptions(correction=correction, **lines)
            ).drifted
    assert n_alarms["benjamini-hochberg"] / 150 <= 0.05 + 0.035
    assert n_alarms["none"] / 150 > 0.4
