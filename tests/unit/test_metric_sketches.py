"""Sketches of values against NumPy on the values themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.monitoring.sketch import LARGEST, MAX_BINS, RELATIVE_ERROR, SMALLEST, Sketch, codes_of, merged, values_of

SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)
RNG = np.random.default_rng(20_261_125)
HOSTILE = {
    "one point": np.array([145.5]),
    "two far apart": np.array([1e-9, 1e9]),
    "constant": np.full(1000, 0.1),
    "bimodal": np.concatenate([RNG.normal(10, 0.1, 5000), RNG.normal(5000, 10, 5000)]),
    "heavy tail": RNG.pareto(0.5, 50_000) + 1e-3,
    "lognormal": RNG.lognormal(3, 2, 50_000),
    "negatives": -RNG.lognormal(0, 3, 10_000),
    "zeros and ones": (RNG.random(10_000) < 0.05).astype(float),
    "tiny": RNG.random(1000) * 1e-100,
    "huge": RNG.random(1000) * 1e100,
    "bin edges": np.exp(np.arange(-500, 500) * math.log(1.01 / 0.99)),
    "whole numbers": RNG.integers(0, 5, 10_000).astype(float),
}
finite = st.floats(-1e100, 1e100)


def assert_as_numpy(sketch: Sketch, values: np.ndarray) -> None:
    assert sketch.count == len(values)
    assert (sketch.low, sketch.high) == (values.min(), values.max())
    largest = np.abs(values).max()
    assert sketch.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-12 * largest)
    assert sketch.std == pytest.approx(values.std(), rel=1e-6, abs=1e-9 * largest)
    lower, higher = (np.quantile(values, SHARES, method=method) for method in ("lower", "higher"))
    bound = RELATIVE_ERROR * np.maximum(np.abs(lower), np.abs(higher))
    # Where both neighbours have one sign, the bound is the error relative to NumPy's own answer.
    exact = np.quantile(values, SHARES)
    same_sign = lower * higher > 0
    bound[same_sign] = RELATIVE_ERROR * np.abs(exact[same_sign])
    # What is below SMALLEST counts as zero.
    assert (np.abs(np.array(sketch.quantiles(SHARES)) - exact) <= bound * (1 + 1e-9) + SMALLEST).all()


@pytest.mark.parametrize("name", HOSTILE)
def test_quantiles_are_within_one_percent_and_all_else_is_exact(name: str) -> None:
    assert_as_numpy(Sketch.of(HOSTILE[name]), HOSTILE[name])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_merge_of_parts_is_as_good_as_the_whole(name: str) -> None:
    values = HOSTILE[name]
    parts = [part for part in np.array_split(RNG.permutation(values), 7) if len(part)]
    whole, joined = Sketch.of(values), merged([Sketch.of(part) for part in parts])
    assert_as_numpy(joined, values)
    np.testing.assert_array_equal(joined.codes, whole.codes)
    np.testing.assert_array_equal(joined.counts, whole.counts)


@given(st.lists(finite, min_size=1, max_size=30))
def test_any_few_values_are_within_the_bound(values: list[float]) -> None:
    assert_as_numpy(Sketch.of(np.array(values)), np.array(values))


@given(*[st.lists(finite, min_size=1, max_size=20)] * 3)
def test_merging_depends_on_no_order_or_grouping(first: list[float], second: list[float], third: list[float]) -> None:
    a, b, c = (Sketch.of(np.array(part)) for part in (first, second, third))
    one, other = merged([merged([a, b]), c]), merged([c, merged([b, a])])
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.counts, other.counts)
    assert (one.count, one.low, one.high) == (other.count, other.low, other.high)
    assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-9 * max(map(abs, first + second + third)))


@given(st.floats(1e-139, 1e139), st.sampled_from([1, -1]))
def test_the_value_of_a_bin_is_within_one_percent_of_all_in_it(size: float, sign: int) -> None:
    value = np.array([sign * size])
    assert abs(values_of(codes_of(value))[0] - value[0]) <= RELATIVE_ERROR * size


def test_bins_are_bounded_and_those_nearest_to_zero_go() -> None:
    values = np.concatenate([np.geomspace(1e-30, 1e30, 20_000), -np.geomspace(1e-30, 1e30, 20_000)])
    sketch = Sketch.of(values)
    assert len(sketch.codes) == MAX_BINS
    assert int(sketch.counts.sum()) == len(values)
    for share in (0.01, 0.05, 0.95, 0.99):
        assert sketch.quantiles([share])[0] == pytest.approx(np.quantile(values, share), rel=RELATIVE_ERROR)
    assert sketch.quantiles([0.5])[0] == 0.0


def test_bins_of_values_within_seventeen_decades_are_never_too_many() -> None:
    sketch = Sketch.of(np.geomspace(1e-8, 1e9, 100_000))
    assert len(sketch.codes) <= MAX_BINS
    assert sketch.codes.min() > 0


def test_the_largest_values_stay_finite_together() -> None:
    sketch = merged([Sketch.of(np.array([LARGEST / 2, -LARGEST / 2])), Sketch.of(np.full(1000, LARGEST / 2))])
    assert all(map(math.isfinite, (sketch.mean, sketch.std, sketch.total, *sketch.quantiles(SHARES))))


def test_a_hand_worked_quantile_lies_between_its_neighbours() -> None:
    # Rank 0.95 × 3 = 2.85 lies between 30 and 40.
    sketch = Sketch.of(np.array([10.0, 20.0, 30.0, 40.0]))
    assert sketch.quantiles([0.95])[0] == pytest.approx(38.5, rel=0.01)
    assert sketch.std == pytest.approx(math.sqrt(125))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_counts_up_to_an_edge_are_right_but_for_the_edges_own_bin(values: list[float]) -> None:
    edges = np.array([0.5, 10.0, 100.0, 5000.0])
    counts = Sketch.of(np.array(values)).n_up_to(edges)
    array = np.array(values)
    for count, edge in zip(counts, edges, strict=True):
        assert (array <= edge / 1.021).sum() <= count <= (array <= edge * 1.021).sum()
