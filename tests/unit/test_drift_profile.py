"""Reference profiles: small, mergeable, exact where they say so, and as good as the data in a check."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.drift import DriftOptions, ReferenceProfile, check_drift
from mlops.drift.categorical import bucketed
from mlops.drift.numeric import summarise
from mlops.drift.sketch import merged, shrunk
from mlops.errors import BadProfile, DriftError

NUMBERS = st.lists(st.one_of(st.integers(-2, 2), st.floats(-1e6, 1e6)), max_size=200).map(
    lambda values: np.array(values, dtype=np.float64)
)


def data_of(seed=1, *, n=2_000, shift=0.0):
    rng = np.random.default_rng(seed)
    score = rng.gamma(2, 1 + shift, n)
    score[: n // 50] = np.nan
    return {
        "minutes": rng.normal(30 + 10 * shift, 10, n),
        "score": score,
        "cuisine": rng.choice(["es", "it", "mx"], n, p=[0.5 - shift / 2, 0.3, 0.2 + shift / 2]),
        "is_new": rng.random(n) < 0.3,
    }


def rank_error_of(summary, values):
    """The largest distance of the sketch's distribution function from that of all values."""
    at = np.unique(np.concatenate([values, summary.points]))
    whole = np.searchsorted(np.sort(values), at, side="right") / len(values)
    sketched = np.searchsorted(summary.points, at, side="right") / len(summary.points)
    return np.abs(whole - sketched).max()


@given(NUMBERS, st.integers(5, 60))
def test_ranks_are_within_the_stated_error(values, size):
    summary = shrunk(summarise(values), size=size)
    assert len(summary.points) <= size
    if len(values):
        assert rank_error_of(summary, values) <= summary.rank_error + 1e-12
        assert summary.rank_error <= 0.5 / size


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.integers(5, 60))
def test_ranks_are_within_the_stated_error_after_merges(parts, size):
    summary = shrunk(summarise(parts[0]), size=size)
    for part in parts[1:]:
        summary = merged(summary, shrunk(summarise(part), size=size), size=size)
    values = np.concatenate(parts)
    assert summary.n == len(values)
    assert (np.diff(summary.points) >= 0).all()
    if len(values):
        assert rank_error_of(summary, values) <= summary.rank_error + 1e-9


@given(NUMBERS, NUMBERS)
def test_merged_moments_are_those_of_the_whole(first, second):
    whole = summarise(np.concatenate([first, second]))
    both = merged(summarise(first), summarise(second), size=50)
    assert (both.n, both.n_missing) == (whole.n, whole.n_missing)
    assert both.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert both.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-3)


def test_a_thousand_merges_stay_useful():
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(200, 500))
    summary = shrunk(summarise(parts[0]), size=256)
    for part in parts[1:]:
        summary = merged(summary, shrunk(summarise(part), size=256), size=256)
    assert rank_error_of(summary, parts.ravel()) < 0.02


def test_a_profile_is_small_whatever_the_number_of_rows():
    rng = np.random.default_rng(2)
    small, large = (ReferenceProfile.of({"x": rng.normal(size=n)}) for n in (1_000, 200_000))
    assert len(large.to_json()) == pytest.approx(len(small.to_json()), rel=0.05)
    assert len(large.to_json()) < 6_000
    vectors = ReferenceProfile.of({"vector": rng.normal(size=(2_000, 512))})
    assert len(vectors.to_json()) < 25_000


def test_a_profile_survives_json_exactly():
    data = data_of() | {"vector": np.random.default_rng(3).normal(size=(2_000, 5))}
    data["title"] = [f"una receta con número {n}" for n in range(2_000)]
    data["user"] = [f"u{n % 700}" for n in range(2_000)]
    profile = ReferenceProfile.of(data)
    again = ReferenceProfile.from_json(profile.to_json())
    assert again.to_dict() == profile.to_dict()
    assert json.loads(profile.to_json())["schema_version"] == 1
    assert check_drift(again, data).to_dict() == check_drift(profile, data).to_dict()


def test_a_profile_is_kept_in_a_file(tmp_path):
    profile = ReferenceProfile.of(data_of())
    profile.save(tmp_path / "profile.json")
    assert ReferenceProfile.load(tmp_path / "profile.json").to_dict() == profile.to_dict()


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_check_against_the_profile_finds_what_one_against_the_data_finds(shift):
    before, now = data_of(1), data_of(2, shift=shift)
    by_data, by_profile = check_drift(before, now), check_drift(ReferenceProfile.of(before), now)
    assert by_profile.columns_with_drift == by_data.columns_with_drift
    assert bool(by_data.columns_with_drift) == (shift > 0)
    for one, other in zip(by_data.results, by_profile.results, strict=True):
        assert (one.column, one.kind, one.verdict) == (other.column, other.kind, other.verdict)
        assert one.score == pytest.approx(other.score, abs=0.01)
        assert (one.n_reference, one.n_current) == (other.n_reference, other.n_current)


def test_the_data_of_a_profile_is_not_changed_and_not_needed():
    data = data_of()
    profile = ReferenceProfile.of(data)
    data["minutes"][:] = 0.0
    assert not check_drift(profile, data_of(2)).drifted


def test_the_error_of_the_sketch_does_not_become_significant_with_many_rows():
    rng = np.random.default_rng(4)
    profile = ReferenceProfile.of({"x": rng.normal(size=400_000)}, sketch_size=20)
    strict = DriftOptions(threshold=1e-9)
    alarms = [check_drift(profile, {"x": rng.normal(size=100_000)}, options=strict).drifted for _ in range(20)]
    assert not any(alarms)


def test_values_that_moved_far_are_seen_beyond_the_last_quantile():
    rng = np.random.default_rng(5)
    now = rng.normal(size=50_000)
    now[:200] += 200
    result = check_drift(ReferenceProfile.of({"x": rng.normal(size=50_000)}), {"x": now}).results[0]
    assert result.details["wasserstein"] == pytest.approx(0.8, abs=0.05)


def test_atoms_are_no_drift_against_a_profile():
    rng = np.random.default_rng(6)
    draw = lambda: np.where(rng.random(20_000) < 0.8, 0.0, rng.exponential(size=20_000))  # noqa: E731
    result = check_drift(ReferenceProfile.of({"x": draw()}), {"x": draw()}).results[0]
    assert result.details["ks"] < 0.02
    assert not result.drifted


@pytest.mark.parametrize(("shift", "drifted"), [(0.0, False), (0.5, True)])
def test_vectors_and_texts_are_compared_along_projections(shift, drifted):
    rng = np.random.default_rng(7)
    words = np.array(["sopa", "pan", "ajo", "uva", "miel", "sal", "apio", "col"])
    before = {
        "vector": rng.normal(size=(600, 16)),
        "title": [" ".join(rng.choice(words, 5)) for _ in range(600)],
    }
    now = {
        "vector": rng.normal(shift, 1, (600, 16)),
        "title": [" ".join(rng.choice(words[: 3 if drifted else 8], 5)) for _ in range(600)],
    }
    report = check_drift(ReferenceProfile.of(before), now)
    assert report.columns_with_drift == (["vector", "title"] if drifted else [])
    assert report.results[0].measure == "largest of Wasserstein / sd and KS D, over projections"


def test_merged_profiles_are_that_of_the_whole():
    parts = [data_of(seed, n=500) for seed in range(4)]
    whole = pa.concat_tables([pa.table(part) for part in parts])
    both = ReferenceProfile.of(parts[0])
    for part in parts[1:]:
        both = both.merge(ReferenceProfile.of(part))
    expected = ReferenceProfile.of(whole)
    assert both.n_rows == expected.n_rows == 2_000
    for name, column in expected.columns.items():
        assert both.columns[name].n_missing == column.n_missing
    assert both.columns["cuisine"].summary == expected.columns["cuisine"].summary
    assert both.columns["minutes"].summary.mean == pytest.approx(expected.columns["minutes"].summary.mean)
    assert not check_drift(both, whole).drifted


def test_merged_counts_stay_exact_where_not_all_values_are_kept():
    rng = np.random.default_rng(8)
    parts = [[f"v{n}" for n in rng.zipf(1.5, 3_000) % 300] for _ in range(3)]
    profiles = [ReferenceProfile.of({"tag": part}, kept_categories=50) for part in parts]
    merged_tag = profiles[0].merge(profiles[1]).merge(profiles[2]).columns["tag"].summary
    whole = ReferenceProfile.of({"tag": np.concatenate(parts)}).columns["tag"].summary
    assert bucketed(merged_tag).tolist() == bucketed(whole).tolist()
    assert (merged_tag.n, len(merged_tag.counts)) == (9_000, 50)
    top = next(iter(whole.counts))
    assert merged_tag.counts[top] == whole.counts[top]


@pytest.mark.parametrize("n_rows", [0, 7])
def test_a_part_without_values_adds_missing_rows_only(n_rows):
    profile = ReferenceProfile.of({"x": np.arange(50.0), "c": ["a", "b"] * 25})
    empty = ReferenceProfile.of({"x": pa.nulls(n_rows, pa.float64()), "c": pa.nulls(n_rows, pa.string())})
    for both in (profile.merge(empty), empty.merge(profile)):
        assert both.n_rows == 50 + n_rows
        for name, column in both.columns.items():
            assert column.n_missing == n_rows
            assert column.summary.n == profile.columns[name].summary.n


def test_profiles_of_different_tables_cannot_be_merged():
    one = ReferenceProfile.of({"x": np.arange(50.0)})
    with pytest.raises(DriftError, match="different columns cannot be merged: x, y"):
        one.merge(ReferenceProfile.of({"y": np.arange(50.0)}))
    with pytest.raises(DriftError, match="column x holds numbers and labels"):
        one.merge(ReferenceProfile.of({"x": ["a", "b"]}))
    vectors = [ReferenceProfile.of({"v": np.ones((40, n))}) for n in (3, 4)]
    with pytest.raises(DriftError, match="3 and 4 dimensions"):
        vectors[0].merge(vectors[1])


def test_findings_need_no_old_data_either():
    before = data_of(1)
    now = data_of(2) | {"minutes": ["long"] * 2_000, "extra": np.arange(2_000), "is_new": [True] * 2_000}
    del now["score"]
    report = check_drift(ReferenceProfile.of(before), now)
    assert {(one.column, one.kind) for one in report.findings} == {
        ("score", "missing column"),
        ("extra", "new column"),
        ("minutes", "type changed"),
        ("is_new", "became constant"),
    }


def broken(**changes):
    fields = json.loads(ReferenceProfile.of({"x": np.arange(50.0)}).to_json())
    return json.dumps(fields | changes)


def broken_column(**changes):
    fields = json.loads(broken())
    fields["columns"][0]["summary"] |= changes
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "not a profile"),
        ("{}", "lacks the field 'schema_version'"),
        (broken(schema_version=2), "version 1, got 2"),
        (broken(n_rows=-1), "whole number from 0, got -1"),
        (broken(n_rows=True), "whole number from 0, got True"),
        (broken(columns=[{"name": "x"}]), "lacks the field 'kind'"),
        (broken(columns=5), "not a profile"),
        (broken(sketch_size=2), "at least 10"),
        (broken_column(points=[2.0, 1.0]), "ascending"),
        (broken_column(points=[]), "50 values cannot have 0 points"),
        (broken_column(mean="high"), "must be finite, got 'high'"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(text, message):
    with pytest.raises(BadProfile, match=message):
        ReferenceProfile.from_json(text)


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="at least 10, got 5 and 200"):
        ReferenceProfile.of({"x": np.arange(9.0)}, sketch_size=5)


def test_sizes_are_kept_to():
    data = {"x": np.arange(5_000.0), "c": [f"v{n % 90}" for n in range(5_000)]}
    profile = ReferenceProfile.of(data, sketch_size=40, kept_categories=30)
    assert len(profile.columns["x"].summary.points) == 40
    assert len(profile.columns["c"].summary.counts) == 30
