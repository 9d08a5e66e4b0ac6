"""Champion against challenger: SciPy as oracle, calibration by simulation, verdicts."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.evaluation._resampling import bca_levels, bootstrap_means, randomisation_p_value
from mlops.evaluation.comparison import compare, compare_many, holm, smallest_detectable_effect
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite
from mlops.evaluation.ranking import evaluate_arrays

DIFFERENCES = st.lists(st.floats(-10, 10), min_size=2, max_size=10)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# The randomisation test


@given(DIFFERENCES)
def test_all_signs_agree_with_scipy(differences: list[float]) -> None:
    def mean(one: Any, other: Any, axis: int) -> Any:
        return np.mean(one - other, axis=axis)

    rounded = np.round(differences, 3)
    theirs = stats.permutation_test(
        (rounded, np.zeros(len(rounded))), mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    # SciPy doubles the smaller tail, ours counts both: the same for signs, whose distribution is symmetric.
    assert randomisation_p_value(rounded, n_resamples=100, rng=_rng()) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_three_differences_of_one_sign_have_a_p_of_a_quarter() -> None:
    assert randomisation_p_value(np.array([1.0, 2.0, 3.0]), n_resamples=100, rng=_rng()) == 2 / 8


def test_zero_differences_change_no_p_value() -> None:
    few, more = np.array([1.0, 2.0, -3.0, 5.0]), np.array([0.0, 1.0, 0.0, 2.0, -3.0, 5.0, 0.0])
    assert randomisation_p_value(few, n_resamples=9, rng=_rng()) == randomisation_p_value(
        more, n_resamples=9, rng=_rng()
    )


def test_without_any_difference_p_is_one() -> None:
    assert randomisation_p_value(np.zeros(50), n_resamples=100, rng=_rng()) == 1.0


def test_random_signs_come_close_to_the_t_test_of_many_normal_differences() -> None:
    differences = _rng(1).normal(0.15, 1, 300)
    ours = randomisation_p_value(differences, n_resamples=20_000, rng=_rng())
    assert ours == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.005)


def test_random_signs_never_give_a_p_of_zero() -> None:
    assert randomisation_p_value(np.ones(200), n_resamples=999, rng=_rng()) == 1 / 1000


# The bootstrap


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_agree_with_scipy_on_skewed_differences(method: Any) -> None:
    differences = _rng(2).exponential(1.0, 60) - 0.8
    result = compare(np.zeros(60), differences, method=method, n_resamples=20_000, seed=3)
    theirs = stats.bootstrap(
        (differences,), np.mean, method=method, n_resamples=20_000, rng=_rng(4)
    ).confidence_interval
    assert (result.low, result.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_the_two_methods_differ_where_differences_are_skewed() -> None:
    differences = _rng(2).exponential(1.0, 30) - 0.8
    percentile, bca = (compare(np.zeros(30), differences, method=method) for method in ("percentile", "bca"))
    assert bca.high > percentile.high
    assert bca.low > percentile.low


def test_bca_levels_agree_with_the_jackknife() -> None:
    values = _rng(5).exponential(1.0, 25)
    means = bootstrap_means(values, n_resamples=2_000, rng=_rng(6))
    left_out = np.array([np.delete(values, at).mean() for at in range(25)])
    distance = left_out.mean() - left_out
    acceleration = (distance**3).sum() / (6 * (distance**2).sum() ** 1.5)
    bias = stats.norm.ppf((means < values.mean()).mean())
    z = bias + stats.norm.ppf(np.array([0.025, 0.975]))
    expected = stats.norm.cdf(bias + z / (1 - acceleration * z))
    assert bca_levels(values, means, (0.025, 0.975)) == pytest.approx(tuple(expected), abs=1e-9)


def test_of_many_units_random_groups_are_resampled_with_the_same_spread() -> None:
    values = _rng(7).exponential(1.0, 40_003)
    means = bootstrap_means(values, n_resamples=1_000, rng=_rng())
    assert means.mean() == pytest.approx(values.mean(), abs=4 * values.std() / math.sqrt(40_003 * 1_000) + 1e-6)
    assert means.std() == pytest.approx(values.std() / math.sqrt(40_003), rel=0.1)


def test_equal_differences_have_an_interval_of_no_width() -> None:
    result = compare(np.zeros(30), np.full(30, 0.1))
    assert (result.effect, result.low, result.high) == pytest.approx((0.1, 0.1, 0.1), abs=1e-15)
    assert result.verdict == "better"


@given(DIFFERENCES, st.sampled_from(["percentile", "bca"]))
def test_an_interval_lies_among_the_differences(differences: list[float], method: Any) -> None:
    result = compare(np.zeros(len(differences)), differences, n_resamples=100, method=method)
    assert min(differences) <= result.low <= result.high <= max(differences)


# Figures


def test_effects_and_counts_are_of_the_paired_units() -> None:
    result = compare([0.5, 0.5, 0.5, 0.5], [0.7, 0.5, 0.4, 0.8], n_resamples=100)
    assert result.effect == pytest.approx(0.1)
    assert result.effect_relative == pytest.approx(0.2)
    assert (result.n_units, result.n_better, result.n_worse) == (4, 2, 1)


def test_an_effect_relative_to_nothing_is_left_out() -> None:
    assert compare([0.0, 0.0], [1.0, 0.0], n_resamples=100).effect_relative is None


def test_the_smallest_detectable_effect_worked_by_hand() -> None:
    # Standard deviation 2, 16 units: (1.959964 + 0.841621) · 2 / 4.
    differences = np.tile([-2.0, 2.0], 8) * math.sqrt(15 / 16)
    assert smallest_detectable_effect(differences) == pytest.approx(1.400793, abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    named = {str(at): p for at, p in enumerate(p_values)}
    for name, corrected in holm(named).items():
        assert named[name] <= corrected <= min(1.0, len(p_values) * named[name])


def test_holm_worked_by_hand() -> None:
    corrected = holm({"a": 0.04, "b": 0.01, "c": 0.03})
    assert corrected == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})


# Calibration


def _normal(rng: np.random.Generator, n_units: int) -> Any:
    return rng.normal(size=n_units)


def _mostly_equal(rng: np.random.Generator, n_units: int) -> Any:
    """As ranking metrics differ: mostly not at all, sometimes a lot; the mean is 0."""
    return rng.choice([0.0, -0.37, 0.76, -0.5, 0.24], n_units, p=[0.7, 0.1, 0.05, 0.05, 0.1])


def _share_of(
    verdict: str, *, n_units: int, n_runs: int, effect: float = 0.0, draw: Any = _normal, **options: Any
) -> float:
    rng = _rng(20_261_117)
    runs = (
        compare(np.zeros(n_units), effect + draw(rng, n_units), n_resamples=400, seed=run, **options)
        for run in range(n_runs)
    )
    return sum(result.verdict == verdict for result in runs) / n_runs


def _error(share: float, n_runs: int) -> float:
    return 3 * math.sqrt(share * (1 - share) / n_runs)


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("n_units", [20, 100])
@pytest.mark.parametrize("draw", [_normal, _mostly_equal])
@pytest.mark.parametrize("verdict", ["better", "worse"])
def test_without_a_difference_better_and_worse_are_rare(verdict: str, draw: Any, n_units: int, method: Any) -> None:
    share = _share_of(verdict, n_units=n_units, n_runs=500, draw=draw, method=method)
    assert share <= 0.05 + _error(0.05, 500)


def test_the_stated_power_is_reached() -> None:
    n_units, n_runs = 150, 600
    effect = (1.959964 + 0.841621) / math.sqrt(n_units)
    share = _share_of("better", effect=effect, n_units=n_units, n_runs=n_runs)
    assert share == pytest.approx(0.8, abs=_error(0.8, n_runs))


def test_several_challengers_without_a_difference_rarely_have_a_better_one() -> None:
    rng, n_runs, false_alarms = _rng(11), 300, 0
    for run in range(n_runs):
        challengers = {name: rng.normal(size=40) for name in "abcd"}
        results = compare_many(np.zeros(40), challengers, n_resamples=400, seed=run)
        false_alarms += any(one.verdict == "better" for one in results.values())
    assert false_alarms / n_runs <= 0.05 + _error(0.05, n_runs)


# Verdicts


def _shifted(shift: float, *, spread: float = 0.1, n_units: int = 200) -> Any:
    noise = _rng(8).normal(0, spread, n_units)
    return noise - noise.mean() + shift


@pytest.mark.parametrize(
    ("shift", "margin", "verdict"),
    [
        (0.05, 0.0, "better"),
        (-0.05, 0.0, "worse"),
        (0.0, 0.0, "cannot tell"),
        (0.0, 0.05, "not worse"),
        (-0.02, 0.05, "not worse"),
        (-0.05, 0.05, "worse"),
        (-0.005, 0.01, "cannot tell"),
    ],
)
def test_the_verdict_follows_from_interval_and_margin(shift: float, margin: float, verdict: str) -> None:
    result = compare(np.zeros(200), _shifted(shift), margin=margin)
    assert result.verdict == verdict
    assert result.sentence.lower().startswith(verdict)


def test_two_equal_versions_are_not_worse() -> None:
    values = _rng().random(50)
    assert compare(values, values).verdict == "not worse"


@pytest.mark.parametrize("by_result", [True, False])
def test_where_lower_is_better_the_verdict_turns_round(by_result: bool) -> None:
    options: dict[str, Any] = {} if by_result else {"higher_is_better": False}
    before, after = np.zeros(200), _shifted(-0.05)
    if by_result:
        result = evaluate_arrays(np.ones((200, 1)), np.ones((200, 1)), metrics=["mrr"])["mrr"]
        fields = {**vars(result), "higher_is_better": False}
        fields.pop("mean", None)
        before, after = (type(result)(**{**fields, "values": values}) for values in (before, after))  # type: ignore[assignment]
    result = compare(before, after, **options)
    assert (result.verdict, result.n_better > result.n_worse, result.effect < 0) == ("better", True, True)
    assert compare(after, before, **options).verdict == "worse"


def test_with_too_few_units_nobody_can_tell() -> None:
    few = compare(np.zeros(19), np.ones(19))
    assert few.verdict == "cannot tell"
    assert few.sentence == "Cannot tell: 19 units are too few to tell; 20 are needed."
    assert compare(np.zeros(19), np.ones(19), min_units=10).verdict == "better"
    assert compare([0.0], [1.0]).smallest_detectable is None


def test_the_correction_can_take_a_better_away() -> None:
    noise = {f"n{at}": _rng(at).normal(size=200) for at in range(30)}
    barely = _shifted(0.2, spread=1.0)
    alone = compare(np.zeros(200), barely)
    among_many = compare_many(np.zeros(200), {"barely": barely, **noise})["barely"]
    assert (alone.verdict, among_many.verdict) == ("better", "not worse")
    assert among_many.p_adjusted > among_many.p_value == alone.p_value


def test_challengers_with_too_few_units_have_no_part_in_the_correction() -> None:
    champion = dict.fromkeys(range(10), 0.0)
    results = compare_many(champion, {"a": dict.fromkeys(range(10), 1.0), "b": dict.fromkeys(range(10), -1.0)})
    assert [one.p_adjusted for one in results.values()] == [one.p_value for one in results.values()]
    assert {one.verdict for one in results.values()} == {"cannot tell"}


def test_the_sentence_has_the_figures_and_the_looks() -> None:
    sentence = compare(np.full(200, 0.5), 0.5 + _shifted(0.05), metric="ndcg@10", n_looks=3).sentence
    for words in ("Better: ndcg@10 0.5000 → 0.5500", "+0.0500 (+10.0%)", "95%", "200 units", "look number 3"):
        assert words in sentence


def test_a_sentence_that_cannot_tell_says_what_could_be_seen() -> None:
    assert "200 units show effects from 0.0" in compare(np.zeros(200), _shifted(0.0)).sentence


# Inputs


def test_units_are_paired_by_name_not_by_place() -> None:
    champion = {at: at / 100 for at in range(50)}
    challenger = {at: at / 100 + 0.01 for at in reversed(range(50))}
    result = compare(champion, challenger)
    assert (result.n_better, result.verdict) == (50, "better")
    assert result == compare(champion, dict(sorted(challenger.items())))


def test_results_bring_their_name_and_their_units() -> None:
    rng = _rng(12)
    relevance = rng.integers(0, 2, (60, 5))
    results = [evaluate_arrays(relevance, rng.random((60, 5)), metrics=["ndcg@3"])["ndcg@3"] for _ in range(2)]
    comparison = compare(*results)
    assert comparison.metric == "ndcg@3"
    assert comparison.n_units == len(results[0].values)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    values = _shifted(0.01)
    assert compare(np.zeros(200), values, seed=5) == compare(np.zeros(200), values, seed=5)
    assert compare(np.zeros(200), values, seed=5).low != compare(np.zeros(200), values, seed=6).low


def test_options_change_the_figures() -> None:
    values = _shifted(0.01)
    narrow, wide = (compare(np.zeros(200), values, alpha=alpha) for alpha in (0.2, 0.01))
    assert wide.low < narrow.low < narrow.high < wide.high
    detectable: list[Any] = [compare(np.zeros(200), values, power=one).smallest_detectable for one in (0.8, 0.9)]
    assert detectable[1] / detectable[0] == pytest.approx((1.959964 + 1.281552) / (1.959964 + 0.841621), rel=1e-5)


def test_a_comparison_can_be_written_as_json() -> None:
    written = json.loads(json.dumps(compare(np.zeros(30), np.ones(30)).to_dict()))
    assert (written["verdict"], written["n_units"]) == ("better", 30)


@pytest.mark.parametrize(
    ("champion", "challenger", "options", "error", "reason"),
    [
        ([], [], {}, EmptyInput, "champion is empty"),
        ({}, {}, {}, EmptyInput, "champion has no unit"),
        ([1.0], [1.0, 2.0], {}, LengthMismatch, "shape"),
        ({"a": 1.0}, {"b": 1.0}, {}, LengthMismatch, "only one of them has 'a', 'b'"),
        ({"a": 1.0}, [1.0], {}, BadInput, "both name their units"),
        ([math.nan], [1.0], {}, NotFinite, r"champion\[0\] is nan"),
        ({"a": 1.0}, {"a": math.inf}, {}, NotFinite, "challenger"),
        ([1e200], [1.0], {}, NotFinite, "too large"),
        ([1.0], [1.0], {"alpha": 0.0}, BadInput, "alpha must lie between 0 and 1"),
        ([1.0], [1.0], {"power": 1.0}, BadInput, "power"),
        ([1.0], [1.0], {"margin": -0.1}, BadInput, "margin must be 0 or more, got -0.1"),
        ([1.0], [1.0], {"margin": math.nan}, BadInput, "margin"),
        ([1.0], [1.0], {"n_resamples": 10}, BadInput, "n_resamples"),
        ([1.0], [1.0], {"method": "basic"}, BadInput, "'basic'"),
        ([1.0], [1.0], {"min_units": 1}, BadInput, "min_units"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    champion: Any, challenger: Any, options: Any, error: type[BadInput], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        compare(champion, challenger, **options)


def test_no_challenger_is_an_error() -> None:
    with pytest.raises(EmptyInput, match="challengers is empty"):
        compare_many([1.0], {})


def test_one_difference_has_no_detectable_effect() -> None:
    with pytest.raises(EmptyInput, match="two differences"):
        smallest_detectable_effect([1.0])
