"""The owner's rule: what a relative change of the mean is, for every column that one can think of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import mean_changes, relative_mean_change
from mlops.errors import DriftError

POSITIVE = st.lists(st.floats(1, 100), min_size=1, max_size=20)


def test_the_change_by_hand():
    assert relative_mean_change([10, 20], [18, 18]) == pytest.approx(0.2)
    assert relative_mean_change([-10, -20], [-18, -18]) == pytest.approx(0.2)


@given(POSITIVE, POSITIVE, st.floats(0.01, 100))
def test_the_change_does_not_depend_on_the_unit(before, now, unit):
    one = relative_mean_change(before, now)
    other = relative_mean_change(np.array(before) * unit, np.array(now) * unit)
    assert other == pytest.approx(one, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ([5, 5, 5], [5, 5], 0.0),
        ([5, 5, 5], [6, 6], 0.2),
        ([0, 0, 0], [0, 0], 0.0),
        ([0, 0, 0], [0, 1], np.inf),
        ([-1, 1], [0, 1], 0.5),
        ([0.1 + 0.2] * 3, [0.3] * 3, 0.0),
        ([1, np.nan, 3], [2, np.inf, 2], 0.0),
    ],
)
def test_constant_and_zero_mean_columns_have_a_defined_answer(before, now, change):
    assert relative_mean_change(before, now) == pytest.approx(change)


def test_standardised_columns_do_not_drift_because_their_mean_is_almost_zero():
    rng = np.random.default_rng(1)
    changes = [relative_mean_change(rng.normal(size=1_000), rng.normal(size=1_000)) for _ in range(50)]
    assert max(changes) < 0.2
    assert relative_mean_change(rng.normal(size=1_000), rng.normal(0.5, 1, 1_000)) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("before", "now", "side"), [([], [1], "baseline"), ([1], [np.nan], "current")])
def test_a_side_without_values_is_refused(before, now, side):
    with pytest.raises(ValueError, match=f"{side} has no finite value"):
        relative_mean_change(before, now)


def test_every_kind_of_column_gets_an_answer():
    before = {
        "price": [10.0, 10.0], "same": [1, 2], "cuisine": ["es", "it"], "gone": [1, 2], "typed": [1, 2],
        "emptied": [1, 2], "zero": [0, 0], "empty": [None, None],
    }  # fmt: skip
    now = {
        "price": [12.0, 12.0], "same": [2, 1], "cuisine": ["es", "es"], "typed": ["a", "b"], "emptied": [None, None],
        "zero": [0, 1], "empty": [1, 2], "new": [1, 2],
    }  # fmt: skip
    details = mean_changes(before, now)
    assert {name for name, fields in details.items() if fields["drifted"]} == {
        "price", "cuisine", "gone", "typed", "emptied", "zero",
    }  # fmt: skip
    assert details["price"]["change"] == pytest.approx(0.2)
    assert details["price"]["sentence"] == "The mean of price went from 10 to 12, a change of 20.0%."
    assert (details["price"]["baseline_mean"], details["price"]["current_mean"]) == (10.0, 12.0)
    assert details["cuisine"]["change"] == 0.5
    assert details["cuisine"]["method"] == "total_variation_distance"
    assert details["zero"]["change"] is None
    assert details["typed"]["sentence"] == "typed held numbers and now holds labels."


def test_a_change_of_exactly_the_threshold_is_none():
    before, now = {"x": [1.0, 1.0]}, {"x": [1.25, 1.25]}
    assert not mean_changes(before, now, threshold=0.25)["x"]["drifted"]
    assert mean_changes(before, now, threshold=0.24)["x"]["drifted"]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="threshold must be 0 or more, got -1"):
        mean_changes({"x": [1]}, {"x": [1]}, threshold=-1)
    with pytest.raises(DriftError, match="must be a table"):
        mean_changes([1], [1])
