"""The whole check: tables of any make, findings, verdicts."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops.drift import Checker, DriftOptions, ReferenceProfile, check_drift
from mlops.errors import DriftError

N = 400


def columns(seed=1, *, shift=0.0, n=N):
    rng = np.random.default_rng(seed)
    return {
        "minutes": rng.normal(30 + shift, 10, n),
        "cuisine": rng.choice(["es", "it", "mx"], n),
        "vector": rng.normal(shift / 10, 1, (n, 6)),
    }


def as_mapping(data):
    return data


def as_pandas(data):
    return pd.DataFrame({name: list(values) if values.ndim > 1 else values for name, values in data.items()})


def as_arrow(data):
    return pa.table({name: list(values) if values.ndim > 1 else values for name, values in data.items()})


def check(before, now, **lines):
    """With fewer permutations than by default: a tenth of a second for each column of vectors."""
    return check_drift(before, now, options=DriftOptions(**{"n_permutations": 199} | lines))


def findings_of(before, now, **lines):
    report = check(before, now, **lines)
    return {(finding.column, finding.kind) for finding in report.findings}


@pytest.mark.parametrize("make", [as_mapping, as_pandas, as_arrow])
def test_tables_of_any_make_give_the_same_report(make):
    expected = check(columns(1), columns(2, shift=6))
    report = check(make(columns(1)), make(columns(2, shift=6)))
    assert report.to_dict() == expected.to_dict()
    assert report.columns_with_drift == ["minutes", "vector"]
    assert report.verdict == "drift"


@pytest.mark.parametrize("make", [as_mapping, as_pandas, as_arrow])
def test_the_data_is_left_as_it_was(make):
    before, now = make(columns(1)), make(columns(2))
    first, second = pd.DataFrame(as_pandas(columns(1))), pd.DataFrame(as_pandas(columns(2)))
    check(before, now)
    for data, copy in ((before, first), (now, second)):
        assert np.asarray(data["minutes"]).tolist() == copy["minutes"].tolist()


def test_no_drift_says_so():
    report = check(columns(1), columns(2))
    assert (report.verdict, report.drifted, report.columns_with_drift) == ("no drift", False, [])
    assert report.sentence == "Drift in none of 3 columns (400 rows against 400)."
    assert [result.kind for result in report.results] == ["numeric", "categorical", "embedding"]


def test_a_column_that_is_missing_is_told_apart_from_those_that_drifted():
    before, now = columns(1), columns(2, shift=20)
    report = check({**before, "gone": np.ones(400)}, now)
    assert (report.drifted_columns, report.problem_columns) == (["minutes", "vector"], ["gone"])
    assert report.columns_with_drift == ["minutes", "vector", "gone"]
    rows = "(400 rows against 400)"
    assert report.sentence == f"Drift in 2 of 3 columns {rows}: minutes, vector; missing or of another form: gone."
    alone = check({**before, "gone": np.ones(400)}, columns(2))
    assert alone.sentence == f"Drift in none of 3 columns {rows}; missing or of another form: gone."
    assert alone.verdict == "drift"


def test_a_column_that_is_compared_in_two_ways_counts_once():
    before, now = np.arange(400.0), np.arange(400.0) + 300
    now[::2] = np.nan
    report = check({"minutes": before}, {"minutes": now})
    assert [result.drifted for result in report.results] == [True, True]
    assert (report.drifted_columns, report.compared_columns) == (["minutes"], ["minutes"])
    assert report.sentence.startswith("Drift in 1 of 1 columns ")


def test_a_table_compared_with_itself_has_not_drifted():
    data = columns(1)
    assert all(result.score == pytest.approx(0, abs=1e-6) for result in check(data, data).results)


def test_with_too_few_rows_nothing_is_said():
    report = check(columns(1), columns(2, shift=50, n=10))
    assert report.verdict == "not enough data"
    assert not report.drifted
    assert "not enough data" in report.sentence


def test_an_empty_window_is_not_enough_data():
    empty = {name: values[:0] for name, values in columns(1).items()}
    for before, now in ((columns(1), empty), (empty, columns(1)), (empty, empty)):
        assert check(before, now).verdict == "not enough data"


def test_missing_and_new_columns_are_findings_and_only_the_first_is_a_problem():
    before, now = columns(1), columns(2)
    now["price"] = now.pop("minutes")
    report = check(before, now)
    assert {(one.column, one.kind, one.is_problem) for one in report.findings} == {
        ("minutes", "missing column", True),
        ("price", "new column", False),
    }
    assert report.columns_with_drift == ["minutes"]


@pytest.mark.parametrize(
    ("before", "now", "types"),
    [
        (np.arange(50.0), [str(n) for n in range(50)], ("numbers", "labels")),
        ([True, False] * 25, ["yes", "no"] * 25, ("truth values", "labels")),
        (["a", "b"] * 25, np.arange(50.0), ("labels", "numbers")),
        (np.arange(50.0), [1.0, "two"] * 25, ("numbers", "mixed types")),
        (np.ones((50, 3)), [[1.0], [1.0, 2.0]] * 25, ("vectors", "vectors of different lengths")),
        (np.arange(50.0), [{"a": 1}] * 50, ("numbers", "struct<a: int64>")),
    ],
)
def test_a_changed_type_is_a_finding_and_nothing_is_converted(before, now, types):
    report = check({"x": before}, {"x": now})
    assert [finding.kind for finding in report.findings] == ["type changed"]
    assert report.findings[0].sentence == f"x held {types[0]} and now holds {types[1]}."
    assert report.columns_with_drift == ["x"]


def test_whole_and_broken_numbers_are_the_same_type():
    assert findings_of({"x": np.arange(100)}, {"x": np.arange(100) + 0.5}) == set()


@pytest.mark.parametrize("values", [np.full(N, 3.0), ["it"] * N])
def test_a_column_that_became_constant_is_a_problem(values):
    name = "minutes" if isinstance(values, np.ndarray) else "cuisine"
    assert (name, "became constant") in findings_of(columns(1), columns(2) | {name: values})


def test_a_rare_value_that_is_absent_by_chance_does_not_make_a_column_constant():
    before = np.zeros(10_000)
    before[:20] = 1.0
    assert findings_of({"flag": before}, {"flag": np.zeros(200)}) == set()
    assert findings_of({"flag": before}, {"flag": np.zeros(10_000)}) == {("flag", "became constant")}


def test_a_column_that_was_constant_all_along_is_none():
    assert findings_of({"x": np.ones(60)}, {"x": np.ones(60)}) == set()


@pytest.mark.parametrize("nothing", [np.full(N, np.nan), [None] * N])
def test_a_column_without_values_is_a_problem(nothing):
    report = check(columns(1), columns(2) | {"minutes": nothing})
    assert ("minutes", "no values") in {(one.column, one.kind) for one in report.findings}
    assert "minutes" in report.columns_with_drift


@pytest.mark.parametrize("nothing", [np.full(N, np.nan), [None] * N])
def test_a_column_that_never_had_values_is_no_problem(nothing):
    report = check({"x": nothing}, {"x": np.arange(float(N))})
    assert not any(finding.is_problem for finding in report.findings)


def test_a_share_of_missing_values_that_rose_is_drift():
    before, now = columns(1), columns(2)
    now["minutes"][: N // 20] = np.nan
    report = check(before, now)
    missing = next(result for result in report.results if result.kind == "missing")
    assert missing.drifted
    assert missing.details == {"reference_share": 0.0, "current_share": 0.05}
    assert missing.n_current == N


def test_nulls_of_labels_are_missing_values_too():
    now = columns(2)
    now["cuisine"] = [None if n % 10 == 0 else value for n, value in enumerate(now["cuisine"].tolist())]
    report = check(columns(1), now)
    assert report.columns_with_drift == ["cuisine"]
    assert [result.kind for result in report.results if result.drifted] == ["missing"]


def test_columns_without_missing_values_are_not_tested_for_them():
    assert {result.kind for result in check(columns(1), columns(2)).results} == {
        "numeric", "categorical", "embedding",
    }  # fmt: skip


def test_new_values_are_named():
    now = columns(2)
    now["cuisine"] = np.where(np.arange(N) < 4, "jp", now["cuisine"])
    report = check(columns(1), now)
    assert [finding.sentence for finding in report.findings] == ["cuisine has a new value in 1.00% of the rows: jp."]
    assert not report.drifted


def test_frames_may_have_numbers_for_names():
    rng = np.random.default_rng(1)
    before, now = pd.DataFrame(rng.normal(size=(100, 2))), pd.DataFrame(rng.normal([0, 2], 1, (100, 2)))
    assert check(before, now).columns_with_drift == ["1"]


def test_numbers_that_are_times_can_be_left_out():
    before, now = {"at": np.arange(100.0)}, {"at": np.arange(500.0, 600.0)}
    assert findings_of(before, now, kinds={"at": "time"}) == {("at", "not judged")}


def test_times_are_not_judged():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    before = {"at": [start + timedelta(hours=n) for n in range(50)]}
    now = {"at": [start + timedelta(days=90, hours=n) for n in range(50)]}
    assert findings_of(before, now) == {("at", "not judged")}


def test_numbers_that_are_codes_can_be_judged_as_categories():
    rng = np.random.default_rng(1)
    before, now = {"code": rng.integers(0, 3, 500)}, {"code": rng.integers(0, 3, 500)}
    result = check(before, now, kinds={"code": "categorical"}).results[0]
    assert result.kind == "categorical"
    assert result.details["n_cells"] == 3


def test_texts_are_told_from_labels():
    rng = np.random.default_rng(1)
    words = np.array(["sopa", "crema", "calabaza", "arroz", "pollo", "limón", "queso", "tomate"])
    before = {"title": [" ".join(rng.choice(words, 5)) for _ in range(200)]}
    now = {"title": [" ".join(rng.choice(words[:4], 9)) for _ in range(200)]}
    report = check(before, now)
    assert [(result.column, result.kind, result.drifted) for result in report.results] == [
        ("title", "text", True),
        ("title (words)", "numeric", True),
    ]


def test_the_same_seed_gives_the_same_report():
    before, now = columns(1, n=3_000), columns(2, n=3_000)
    options = DriftOptions(max_rows=200)
    assert check_drift(before, now, options=options) == check_drift(before, now, options=options)
    other = check(before, now, max_rows=200, seed=1)
    assert other.results[2].p != check_drift(before, now, options=options).results[2].p


def test_a_vector_column_among_many_can_still_be_significant():
    """999 permutations give p = 0.001 at best; over 200 columns that would be 0.2."""
    rng = np.random.default_rng(1)
    before, now = ({f"c{n}": rng.normal(size=60) for n in range(200)} for _ in "ab")
    before["vector"], now["vector"] = rng.normal(size=(60, 2)), rng.normal(3, 1, (60, 2))
    options = DriftOptions(n_permutations=99)
    assert check_drift(before, now, options=options).columns_with_drift == ["vector"]


def test_vectors_of_another_length_cannot_be_compared():
    with pytest.raises(DriftError, match="vector has 6 dimensions before and 4 now"):
        check({"vector": np.ones((40, 6))}, {"vector": np.ones((40, 4))})


@pytest.mark.parametrize("data", [5, "text", [1, 2, 3], np.ones((3, 2))])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(DriftError, match="data must be a table"):
        check(data, columns(1))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(DriftError, match="a 3, b 4"):
        check({"a": np.arange(3), "b": np.arange(4)}, columns(1))


def test_two_columns_of_one_name_are_refused():
    twice = pd.DataFrame(np.ones((3, 2)), columns=["a", "a"])
    with pytest.raises(DriftError, match="'a' twice"):
        check(twice, columns(1))


def test_a_kind_for_an_unknown_column_is_refused():
    with pytest.raises(DriftError, match="'colour'"):
        check(columns(1), columns(2), kinds={"colour": "categorical"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threshold": 0}, "threshold must be above 0, got 0"),
        ({"threshold": float("nan")}, "threshold"),
        ({"alpha": 1}, "alpha must be between 0 and 1, got 1"),
        ({"minimum_n": 1}, "minimum_n must be at least 2, got 1"),
        ({"n_permutations": 0}, "n_permutations"),
        ({"max_rows": 1}, "max_rows"),
        ({"correction": "bonferroni"}, "benjamini-hochberg, none, got 'bonferroni'"),
        ({"kinds": {"a": "colour"}}, "the kind of column a must be one of numeric"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        DriftOptions(**wrong)


def test_threshold_and_alpha_change_the_verdict():
    before, now = columns(1), columns(2, shift=6)
    assert check(before, now, threshold=3.0).columns_with_drift == []
    assert check(before, now, alpha=1e-40).columns_with_drift == []


def test_a_report_becomes_plain_data():
    report = check(columns(1), columns(2, shift=6)).to_dict()
    assert report["schema_version"] == 1
    assert report["drift_detected"] is True
    assert report["results"][0]["column"] == "minutes"
    assert set(report["results"][0]) >= {"score", "threshold", "p", "adjusted_p", "n_reference", "verdict", "sentence"}


def test_a_checker_keeps_its_options_and_encoder():
    checker = Checker(options=DriftOptions(minimum_n=500), encode=lambda texts: np.ones((len(texts), 2)))
    assert checker.check(columns(1), columns(2, shift=9)).verdict == "not enough data"


def test_an_encoder_that_gives_no_vectors_is_refused():
    texts = {"title": [f"una frase distinta {n}" for n in range(40)]}
    with pytest.raises(DriftError, match="must give 40 vectors of finite numbers, got shape"):
        check_drift(texts, texts, encode=lambda texts: np.ones(len(texts)))


def test_importing_it_needs_neither_pandas_nor_arrow():
    code = "import sys, mlops.drift; print({'pandas', 'pyarrow', 'scipy.stats', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_public_names_are_all_there():
    import mlops.drift

    assert sorted(mlops.drift.__all__) == mlops.drift.__all__
    assert all(hasattr(mlops.drift, name) for name in mlops.drift.__all__)
    assert ReferenceProfile in vars(mlops.drift).values()
