"""``mlops drift``, ``mlops profile`` and ``mlops validate``: what is printed, what is written, and the exit code."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner

from mlops.cli.data import drift, profile, validate
from mlops.drift import check_drift
from mlops.drift.page import drift_page

app = typer.Typer()
for command in (drift, profile, validate):
    app.command()(command)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def table(seed, *, shift=0.0, n=500, n_columns=2):
    rng = np.random.default_rng(seed)
    columns = {f"x{number}": rng.normal(shift if number == 0 else 0, 1, n) for number in range(n_columns)}
    return pa.table(columns | {"idioma": rng.choice(["es", "en"], n)})


@pytest.fixture
def files(tmp_path):
    paths = {}
    for name, one in (
        ("reference", table(1)),
        ("same", table(2)),
        ("moved", table(3, shift=1)),
        ("few", table(4, n=9)),
    ):
        paths[name] = tmp_path / f"{name}.parquet"
        pyarrow.parquet.write_table(one, paths[name])
    return paths


@pytest.mark.parametrize(("current", "code", "words"), [
    ("same", 0, "Drift in none of 3 columns"),
    ("moved", 1, "Drift in 1 of 3 columns (500 rows against 500): x0."),
    ("few", 2, "not enough data"),
])  # fmt: skip
def test_the_exit_code_of_drift_says_what_was_found(files, current, code, words):
    done = run("drift", files["reference"], files[current])
    assert done.exit_code == code, done.output
    assert words in done.stdout


def test_drift_in_json_is_the_report(files):
    done = run("drift", files["reference"], files["moved"], "--json")
    report = json.loads(done.stdout)
    assert report["columns_with_drift"] == ["x0"]
    assert report["results"][0]["n_reference"] == 500


def test_drift_against_a_profile_needs_no_old_data(files, tmp_path):
    made = run("profile", files["reference"], tmp_path / "profile.json")
    assert made.exit_code == 0, made.output
    assert "500 rows, 3 columns" in made.stdout
    files["reference"].unlink()
    assert run("drift", "--profile", tmp_path / "profile.json", files["same"]).exit_code == 0
    assert run("drift", "--profile", tmp_path / "profile.json", files["moved"]).exit_code == 1


def test_the_options_of_drift_change_the_verdict(files):
    assert run("drift", files["reference"], files["moved"], "--threshold", 3).exit_code == 0
    assert run("drift", files["reference"], files["moved"], "--alpha", 1e-99).exit_code == 0
    assert run("drift", files["reference"], files["moved"], "--minimum-n", 501).exit_code == 2


def test_a_kind_can_be_given(tmp_path):
    for name in ("a", "b"):
        pyarrow.csv.write_csv(pa.table({"code": np.arange(200) % 4}), tmp_path / f"{name}.csv")
    done = run("drift", tmp_path / "a.csv", tmp_path / "b.csv", "--kind", "code=categorical", "--json")
    assert json.loads(done.stdout)["results"][0]["kind"] == "categorical"


def test_the_page_of_drift_stands_alone(files, tmp_path):
    page = tmp_path / "pages" / "drift.html"
    assert run("drift", files["reference"], files["moved"], "--report", page).exit_code == 1
    text = page.read_text()
    assert "Drift of moved.parquet" in text
    assert text.count("<figure") == 3
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|@import|url\(", text)


def test_the_page_of_fifty_columns_is_under_300_kb():
    report = check_drift(table(1, n_columns=49), table(2, shift=1, n_columns=49))
    page = drift_page(report)
    assert len(page.encode()) < 300_000
    assert page.count("<figure") == 50
    # What drifted comes first.
    assert page.index(">x0<") < page.index(">x1<")


def test_names_in_a_page_are_escaped():
    odd = {"<b>x</b>": np.arange(50.0)}
    assert "<b>x</b>" not in drift_page(check_drift(odd, odd))


@pytest.mark.parametrize("arguments", [["reference"], ["reference", "same", "moved"]])
def test_a_wrong_number_of_files_is_a_typing_error(files, arguments):
    done = run("drift", *(files[name] for name in arguments))
    assert done.exit_code == 2
    assert "give the reference and the current file" in done.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.parquet", None, "missing.parquet"),
        ("a.txt", "x", "must be one of"),
        ("a.parquet", "x", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(files, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    done = run("drift", files["reference"], tmp_path / name)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_profile_that_is_none_is_one_line(files, tmp_path):
    (tmp_path / "profile.json").write_text("{}")
    done = run("drift", "--profile", tmp_path / "profile.json", files["same"])
    assert done.exit_code == 2
    assert "the profile lacks the field 'schema_version'" in done.output


def test_options_that_make_no_sense_are_one_line(files):
    done = run("drift", files["reference"], files["same"], "--threshold", 0)
    assert done.exit_code == 2
    assert "threshold must be above 0" in done.output


def test_a_pair_that_is_none_is_a_typing_error(files):
    done = run("drift", files["reference"], files["same"], "--kind", "code")
    assert done.exit_code == 2
    assert "--kind must be two names" in done.output


def lines(path, *rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_good_data_ends_with_0(tmp_path):
    done = run("validate", lines(tmp_path / "a.jsonl", {"query": "sopa"}))
    assert done.exit_code == 0
    assert "1 row of requests, nothing wrong." in done.stdout


def test_violations_are_listed_with_row_column_rule_and_value(tmp_path):
    done = run("validate", lines(tmp_path / "a.jsonl", {"query": "sopa"}, {"query": "sopa", "n": 99}))
    assert done.exit_code == 1
    assert re.search(r"1\s+n\s+maximum\s+99\s+must be at most 20", done.stdout)
    assert "2 rows of requests: 1 violation in 1 row." in done.stdout


def test_many_violations_are_cut_in_the_table_and_not_in_json(tmp_path):
    path = lines(tmp_path / "a.jsonl", *[{"query": "sopa", "n": 99}] * 30)
    assert "… and 10 more" in run("validate", path).stdout
    assert json.loads(run("validate", path, "--json").stdout)["n_violations"] == 30
    assert json.loads(run("validate", path, "--json", "--limit", 5).stdout)["is_complete"] is False


def test_another_schema_and_part_can_be_given(tmp_path):
    schema = {"$defs": {"points": {"properties": {"x": {"type": "integer"}}, "x-data-rules": {}}}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    path = lines(tmp_path / "a.jsonl", {"x": "1"})
    assert run("validate", path, "--schema", tmp_path / "schema.json", "--part", "points").exit_code == 1
    other = run("validate", path, "--schema", tmp_path / "schema.json", "--part", "lines")
    assert other.exit_code == 2
    assert "has the parts points; asked for 'lines'" in other.output


def test_references_are_looked_up_in_a_file(tmp_path):
    row = {"request_id": "r", "recipe_id": "x", "position": 1, "propensity": 1.0, "label": 1}
    path = lines(tmp_path / "a.jsonl", row | {"shown_at": "2999-01-01T00:00:00Z"})
    recipes = lines(tmp_path / "recipes.jsonl", {"recipe_id": "y"})
    report = json.loads(run("validate", path, "--table", f"recipes={recipes}", "--json").stdout)
    assert {one["rule"] for one in report["violations"]} == {"references", "freshness"}
    assert "not checked: references" in run("validate", path).stdout


@pytest.mark.parametrize("name", ["a.csv", "missing.jsonl"])
def test_data_that_cannot_be_read_cannot_be_judged(tmp_path, name):
    (tmp_path / "a.csv").write_text("query\nsopa")
    done = run("validate", tmp_path / name)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
