"""False alarms and power, counted: checks of windows with no drift, and with one that is known."""

import numpy as np
import pyarrow as pa
import pytest

from mlops.drift import DriftOptions, ReferenceProfile, check_drift

CUISINES = pa.array(["es", "it", "mx", "jp", "fr", "in", "gr", "pe"])
SHARES = np.array([30, 20, 15, 12, 10, 8, 4, 1]) / 100
# No floor under the effect: what is counted is significance alone. With the floor there are fewer alarms still.
SIGNIFICANCE = DriftOptions(threshold=1e-9)


def window(rng, n, *, shift=0.0):
    """Bell-shaped, skewed, mostly zero, few steps, categories, and one column with missing values."""
    zeros = rng.random(n) < 0.7
    gappy = rng.normal(size=n)
    gappy[rng.random(n) < 0.05] = np.nan
    return {
        "normal": rng.normal(shift, 1, n),
        "skewed": rng.lognormal(0, 1, n),
        "mostly_zero": np.where(zeros, 0.0, rng.exponential(size=n)),
        "stars": rng.integers(1, 6, n),
        "cuisine": CUISINES.take(rng.choice(8, n, p=SHARES)),
        "gappy": gappy,
    }


@pytest.mark.parametrize(("n", "n_checks"), [(100, 300), (1_000, 300), (100_000, 30)])
@pytest.mark.parametrize("options", [DriftOptions(), SIGNIFICANCE])
def test_without_drift_one_check_in_twenty_alarms_at_most(n, n_checks, options):
    rng = np.random.default_rng(n)
    alarms = [check_drift(window(rng, n), window(rng, n), options=options).drifted for _ in range(n_checks)]
    # Two standard errors of a count of so many checks.
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n_checks)


@pytest.mark.parametrize(("n", "n_checks"), [(100, 200), (1_000, 200), (100_000, 20)])
def test_without_drift_a_profile_does_not_alarm_more_often(n, n_checks):
    rng = np.random.default_rng(n + 1)
    alarms = []
    for _ in range(n_checks):
        profile = ReferenceProfile.of(window(rng, n))
        alarms.append(check_drift(profile, window(rng, n), options=SIGNIFICANCE).drifted)
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(alarms))


def test_windows_of_very_different_length_do_not_alarm_more_often():
    rng = np.random.default_rng(5)
    alarms = [check_drift(window(rng, 5_000), window(rng, 80), options=SIGNIFICANCE).drifted for _ in range(200)]
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(("n", "shift", "power"), [(100, 0.8, 0.95), (1_000, 0.3, 0.95), (100_000, 0.12, 1.0)])
def test_a_shift_that_counts_is_found(n, shift, power):
    """The power that docs/drift.md states, for one shifted column among six."""
    rng = np.random.default_rng(n + 2)
    n_checks = 10 if n == 100_000 else 100
    found = [
        "normal" in check_drift(window(rng, n), window(rng, n, shift=shift)).columns_with_drift for _ in range(n_checks)
    ]
    assert np.mean(found) >= power


def test_a_shift_below_the_floor_is_not_reported_however_many_rows_there_are():
    rng = np.random.default_rng(6)
    report = check_drift({"x": rng.normal(size=500_000)}, {"x": rng.normal(0.02, 1, 500_000)})
    assert report.results[0].p < 1e-9
    assert report.verdict == "no drift"
