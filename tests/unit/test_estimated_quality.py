"""Expected rates before labels: calibrated, banded, and compared with what was seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from mlops.monitoring.estimated_quality import RateEstimate, calibrate, estimate_rate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def shown(n: int, *, seed: int, lift: float = 1.0, top: float = 1.0) -> tuple[Floats, Floats, Ints, Ints]:
    """Scores, outcomes, positions, slates of *n* slates of three. The probability is lift times score² / position."""
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.random((n, 3)) * top, axis=1).ravel()
    positions = np.tile([1, 2, 3], n)
    outcomes = (rng.random(3 * n) < lift * scores**2 / positions).astype(np.float64)
    return scores, outcomes, positions, np.repeat(np.arange(n), 3)


def estimate(past: tuple[Floats, Floats, Ints, Ints], new: tuple[Floats, Floats, Ints, Ints]) -> RateEstimate:
    rng = np.random.default_rng(0)
    scores, outcomes, positions, slates = past
    return estimate_rate(
        scores, outcomes, positions, new[0], new[2], rng=rng, past_slates=slates, observed=new[1], n_resamples=40
    )


def test_calibration_is_isotonic_regression_with_ties_pooled() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 20, 400) / 20
    outcomes = (rng.random(400) < scores).astype(float)
    calibration = calibrate(scores, outcomes, np.ones(400, dtype=int))
    assert calibration is not None
    grid = np.linspace(-0.5, 1.5, 41)
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes).predict(grid)
    np.testing.assert_allclose(calibration.overall(grid), expected, atol=1e-12)


def test_each_position_has_a_curve_of_its_own_where_there_is_enough() -> None:
    scores, outcomes, positions, _ = shown(800, seed=2)
    calibration = calibrate(scores, outcomes, positions)
    assert calibration is not None
    assert set(calibration.by_position) == {1, 2, 3}
    first, third = calibration.probabilities(np.array([0.8, 0.8]), np.array([1, 3]))
    assert first == pytest.approx(0.64, abs=0.12)
    assert third == pytest.approx(0.64 / 3, abs=0.12)
    # No impression at position 9: that of all positions stands in.
    unknown = calibration.probabilities(np.array([0.8]), np.array([9]))
    assert unknown == calibration.overall(np.array([0.8]))


def test_the_estimate_of_better_and_worse_slates_is_what_their_labels_say() -> None:
    past = shown(1_500, seed=3)
    for top in (1.0, 0.6):
        found = estimate(past, shown(600, seed=4, top=top))
        assert found.rate is not None
        assert found.low is not None
        assert found.high is not None
        assert found.observed is not None
        assert found.low < found.observed < found.high
        assert (found.verdict, found.agrees, found.n, found.n_observed) == ("ok", True, 1_800, 1_800)
        assert found.high - found.low < 0.1
    assert found.rate < 0.15


def test_cooks_that_changed_are_told_by_the_real_rate_only() -> None:
    past, changed = shown(1_500, seed=3), shown(600, seed=5, lift=0.5)
    same = estimate(past, shown(600, seed=5))
    found = estimate(past, changed)
    assert found.rate == same.rate
    assert (same.agrees, found.agrees) == (True, False)


def test_the_band_holds_what_is_seen_about_as_often_as_it_says() -> None:
    holds = [estimate(shown(300, seed=100 + n), shown(100, seed=300 + n)).agrees for n in range(20)]
    # 95 % nominal; of 20 fewer than 16 would be a chance of one in four hundred.
    assert sum(bool(each) for each in holds) >= 16


def test_outcomes_that_are_not_known_yet_do_not_count() -> None:
    past, (scores, outcomes, positions, slates) = shown(300, seed=6), shown(100, seed=7)
    outcomes[30:] = np.nan
    found = estimate(past, (scores, outcomes, positions, slates))
    assert (found.n, found.n_observed, found.observed) == (300, 30, outcomes[:30].mean())
    blind = estimate(past, (scores, np.full(300, np.nan), positions, slates))
    assert (blind.observed, blind.n_observed, blind.agrees, blind.rate) == (None, 0, None, found.rate)


def test_below_the_floor_there_is_no_number() -> None:
    past, new = shown(300, seed=8), shown(100, seed=9)
    few = tuple(part[:199] for part in past)
    none_clicked = (past[0], np.zeros_like(past[1]), past[2], past[3])
    for earlier, later in [(few, new), (none_clicked, new), (past, tuple(part[:29] for part in new))]:
        found = estimate(earlier, later)  # type: ignore[arg-type]
        assert (found.verdict, found.rate, found.low, found.high) == ("not enough data", None, None, None)
        assert "it takes 30, 200, and 10 of either kind" in found.reason


@pytest.mark.parametrize(
    ("scores", "outcomes", "positions", "message"),
    [
        ([0.1, 0.2], [0], [1, 2], "shapes differ"),
        ([0.1], [0.5], [1], "outcomes must be 0 or 1"),
        ([float("nan")], [1], [1], "scores must be finite"),
        ([0.1], [1], [0], "positions must be whole numbers from 1"),
        ([0.1], [1], [1.5], "positions must be whole numbers from 1"),
    ],
)
def test_what_cannot_be_impressions_is_refused(
    scores: list[float], outcomes: list[float], positions: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibrate(scores, outcomes, positions)
