"""Validation of data: every violation by row, column, rule and value; columns and rows say the same."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlops.errors import BadSchema, UnreadableData
from mlops.validation import checked_schema, load_schema, read_typed, validate_data
from mlops.validation.check import _of_table
from mlops.validation.columns import ColumnChecker
from mlops.validation.rows import as_row, row_violations

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def training_row(number=0, **changes):
    row = {
        "request_id": f"r{number // 3}",
        "user_id": None,
        "recipe_id": f"x{number % 3}",
        "position": number % 3 + 1,
        "features": {"semantic": 0.25, "words": 0.5},
        "propensity": 0.5,
        "label": number % 2,
        "shown_at": "2026-11-20T08:00:00+00:00",
    }
    return row | changes


def training_rows(n=60):
    return [training_row(number) for number in range(n)]


def training_table(n=60, **columns):
    table = pa.Table.from_pylist(training_rows(n))
    shown = pa.array([datetime(2026, 11, 20, 8, tzinfo=UTC)] * n, pa.timestamp("us", "UTC"))
    table = table.set_column(table.column_names.index("shown_at"), "shown_at", shown)
    for name, values in columns.items():
        column = values if isinstance(values, pa.Array) else pa.array(values)
        at = table.column_names.index(name) if name in table.column_names else None
        table = table.append_column(name, column) if at is None else table.set_column(at, name, column)
    return table


def recipe(**changes):
    return {"id": "1", "name": "Sopa", "ingredients": ["agua", "ajo"], "steps": ["Hervir."], "language": "es"} | changes


def found(data, part=None, **options):
    report = validate_data(data, part=part, now=NOW, **options)
    return [(one.row, one.column, one.rule, one.value) for one in report.violations]


def schema_of(properties, *, rules=None, **keywords):
    row = {"type": "object", "properties": properties, "x-data-rules": rules or {}} | keywords
    return checked_schema({"$defs": {"rows": row, "tag": {"type": "string", "maxLength": 2}}})


def test_the_schema_of_the_package_is_valid_json_schema():
    schema = load_schema()
    Draft202012Validator.check_schema(schema.document)
    assert schema.parts == ["recipes", "training_rows", "requests", "answers"]
    assert schema.document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("data", [training_rows(), training_table()])
def test_good_training_rows_have_no_violation(data):
    report = validate_data(data, now=NOW, tables={"recipes": {"recipe_id": ["x0", "x1", "x2"]}})
    assert report.valid
    assert (report.part, report.n_rows, report.unchecked) == ("training_rows", 60, [])
    assert report.sentence == "60 rows of training_rows, nothing wrong."


@pytest.mark.parametrize(
    ("changes", "violation"),
    [
        ({"position": 0}, ("position", "minimum", 0)),
        ({"position": "1"}, ("position", "type", "1")),
        ({"position": 1.5}, ("position", "type", 1.5)),
        ({"position": True}, ("position", "type", True)),
        ({"propensity": 0}, ("propensity", "exclusiveMinimum", 0)),
        ({"propensity": 1.01}, ("propensity", "maximum", 1.01)),
        ({"propensity": float("nan")}, ("propensity", "type", "nan")),
        ({"propensity": float("inf")}, ("propensity", "type", "inf")),
        ({"label": 2}, ("label", "maximum", 2)),
        ({"gain": -1}, ("gain", "minimum", -1)),
        ({"recipe_id": ""}, ("recipe_id", "minLength", "")),
        ({"recipe_id": None}, ("recipe_id", "type", None)),
        ({"shown_at": "2026-11-20T08:00:00"}, ("shown_at", "format", "2026-11-20T08:00:00")),
        ({"shown_at": "yesterday"}, ("shown_at", "format", "yesterday")),
        ({"features": {"semantic": "high"}}, ("features.semantic", "type", "high")),
        ({"feature_words": "many"}, ("feature_words", "type", "many")),
        ({"model_version": "newest"}, ("model_version", "pattern", "newest")),
    ],
)
def test_each_wrong_value_is_named(changes, violation):
    rows = training_rows(6)
    rows[4] |= changes
    assert found(rows, part="training_rows") == [(4, *violation)]


def test_a_missing_property_is_a_violation_of_its_own():
    rows = [{name: value for name, value in training_row().items() if name not in {"position", "propensity", "label"}}]
    assert [violation[:3] for violation in found(rows)] == [
        (0, "", "anyOf"),
        (0, "position", "required"),
        (0, "propensity", "required"),
    ]


def test_a_surplus_property_is_named():
    assert found([{"query": "sopa", "wish": "soup", "n": 3}]) == [(0, "wish", "additionalProperties", "soup")]


def test_nested_items_have_a_path():
    assert found([recipe(steps=["Hervir.", " "])]) == [(0, "steps[1]", "pattern", " ")]


def test_messages_say_what_would_be_right():
    rows = [training_row(position=0, shown_at="x", label="yes")]
    assert [one.message for one in validate_data(rows, part="training_rows", now=NOW).violations] == [
        "must be integer or boolean", "must be at least 1", "must be a date-time",
    ]  # fmt: skip


def test_long_values_are_shortened():
    report = validate_data([recipe(name="x" * 1_000)])
    assert len(report.violations[0].value) == 120


@pytest.mark.parametrize("n", [1, 2_500])
def test_columns_decide_and_the_wrong_rows_are_found_among_many(n):
    propensity = np.full(3_000, 0.5)
    propensity[:n] = 2.0
    violations = found(training_table(3_000, propensity=propensity))
    assert violations == [(row, "propensity", "maximum", 2.0) for row in range(n)]


def test_right_rows_of_a_table_are_not_looked_at_one_by_one():
    table = training_table(600, propensity=[2.0] + [0.5] * 599)
    schema = load_schema()
    certain = ColumnChecker(schema, table).certain_rows(schema.part("training_rows"))
    assert certain.tolist() == [False] + [True] * 599


def test_null_in_a_table_is_an_absent_property_unless_null_is_allowed():
    table = training_table(3, label=[None, 1, 0], user_id=pa.array([None, "u", None], pa.string()))
    assert [violation[:3] for violation in found(table)] == [(0, "", "anyOf")]
    lost = training_table(3, recipe_id=["a", None, "b"])
    assert found(lost) == [(1, "recipe_id", "required", None)]


def test_times_without_a_zone_are_no_times():
    table = training_table(2, shown_at=pa.array([datetime(2026, 11, 20)] * 2))  # noqa: DTZ001
    assert [violation[:3] for violation in found(table)] == [(0, "shown_at", "format"), (1, "shown_at", "format")]


def test_whole_floats_are_integers_and_text_is_not():
    assert found(training_table(3, position=[1.0, 2.0, 3.0])) == []
    assert [one[:3] for one in found(training_table(3, position=["1", "2", "3"]))] == [
        (row, "position", "type") for row in range(3)
    ]


def test_dictionaries_and_maps_are_read_as_what_they_hold():
    ids = pa.array(["x0", "x1", "x2"]).dictionary_encode()
    features = pa.array([[("semantic", 0.5)], [("semantic", 0.25)], []], pa.map_(pa.string(), pa.float64()))
    assert found(training_table(3, recipe_id=ids, features=features)) == []


def test_frames_are_tables():
    frame = pd.DataFrame({"query": ["sopa", ""], "n": [3, 30]})
    assert found(frame) == [(1, "n", "maximum", 30), (1, "query", "minLength", ""), (1, "query", "pattern", "")]


def test_a_frame_that_mixes_types_cannot_be_read():
    with pytest.raises(UnreadableData, match="mixes types"):
        validate_data(pd.DataFrame({"query": ["sopa", 3]}))


# One column for each way of being stored, with values on both sides of the limits.
_CELLS = {
    "whole": st.one_of(st.none(), st.integers(-3, 12), st.just(2**53 + 1)),
    "broken": st.one_of(st.none(), st.floats(-2, 3), st.sampled_from([float("nan"), float("inf"), 1.0, 2.0])),
    "name": st.one_of(st.none(), st.sampled_from(["", "a", "ab", "abc", "á\n", " ", "2026-01-01T00:00:00Z"])),
    "flag": st.one_of(st.none(), st.booleans()),
    "tags": st.one_of(st.none(), st.lists(st.sampled_from(["x", "yy", "zzz", None]), max_size=3)),
    "inner": st.one_of(
        st.none(),
        st.fixed_dictionaries({"low": st.one_of(st.none(), st.integers(0, 9)), "label": st.sampled_from("ab")}),
    ),
}
_TYPES = {
    "whole": pa.int64(), "broken": pa.float64(), "name": pa.string(), "flag": pa.bool_(), "tags": pa.list_(pa.string()),
    "inner": pa.struct([("low", pa.int64()), ("label", pa.string())]),
}  # fmt: skip
_DEFINITIONS = {
    "whole": [
        {"type": "integer", "minimum": 0, "maximum": 9}, {"type": ["integer", "null"], "enum": [1, 2, 3, None]},
        {"type": "number", "exclusiveMaximum": 9}, {"const": 1}, {"type": "string"}, {"multipleOf": 2}, True, False,
        {"anyOf": [{"type": "string"}, {"maximum": 4}]}, {"maximum": 2**53},
    ],
    "broken": [
        {"type": "number", "minimum": 0}, {"type": "integer"}, {"type": ["number", "null"], "exclusiveMinimum": 0},
        {"enum": [1, 2]}, {"allOf": [{"type": "number"}, {"maximum": 1}]}, {"not": {"minimum": 1}}, {"minLength": 2},
    ],
    "name": [
        {"type": "string", "minLength": 1, "maxLength": 2}, {"type": ["string", "null"], "pattern": "^\\w+$"},
        {"enum": ["a", None]}, {"type": "string", "format": "date-time"}, {"$ref": "#/$defs/tag"},
        {"$ref": "#/$defs/tag", "minLength": 1}, {"anyOf": [{"type": "null"}, {"const": "ab"}]}, {"minimum": 3},
    ],
    "flag": [{"type": "boolean"}, {"const": True}, {"enum": [1, False]}, {"type": "integer"},
             {"type": ["boolean", "null"]}],
    "tags": [
        {"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": ["array", "null"], "maxItems": 2},
        {"items": {"maxLength": 2}}, {"items": {"type": ["string", "null"]}}, {"uniqueItems": True},
        {"contains": {"const": "x"}},
    ],
    "inner": [
        {"type": "object", "properties": {"low": {"type": "integer", "maximum": 4}}},
        {"type": ["object", "null"], "required": ["low"]},
        {"type": "object", "properties": {"low": {"type": ["integer", "null"]}}, "additionalProperties": False},
        {"additionalProperties": {"type": ["string", "integer"]}, "minProperties": 2},
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"low": {"type": "integer"}}}]},
    ],
}  # fmt: skip


@given(st.data())
def test_columns_and_rows_find_the_same(data):
    names = data.draw(st.lists(st.sampled_from(sorted(_CELLS)), min_size=1, max_size=3, unique=True))
    properties = {name: data.draw(st.sampled_from(_DEFINITIONS[name])) for name in names}
    keywords = {
        "required": data.draw(st.lists(st.sampled_from(sorted(_CELLS)), max_size=2, unique=True)),
        "additionalProperties": data.draw(st.sampled_from([True, False, {"type": "string"}])),
    }
    if data.draw(st.booleans()):
        keywords["anyOf"] = [{"required": [name]} for name in names]
    schema = schema_of(properties, **keywords)
    stored = [*names, *data.draw(st.lists(st.sampled_from(sorted(_CELLS)), max_size=1))]
    n = data.draw(st.integers(0, 4))
    table = pa.table(
        {name: pa.array([data.draw(_CELLS[name]) for _ in range(n)], _TYPES[name]) for name in dict.fromkeys(stored)}
    )
    validator, definition = schema.validator("rows"), schema.part("rows")
    by_rows = [
        violation
        for number, cells in enumerate(table.to_pylist())
        for violation in row_violations(validator, as_row(cells, definition, schema), number=number)
    ]
    assert list(_of_table(table, schema, "rows")) == by_rows


def with_rule(rules, rows, **options):
    return validate_data(rows, schema=schema_of({}, rules=rules), part="rows", **options)


def test_rows_that_repeat_a_key_are_duplicates_and_nulls_are_not():
    rows = [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 1, "b": "x"}, {"a": None, "b": "x"}, {"a": None, "b": "x"}]
    report = with_rule({"unique": [["a", "b"]]}, rows)
    assert [(one.row, one.column, one.rule, one.value) for one in report.violations] == [(2, "a + b", "unique", "1, x")]


def test_duplicates_of_the_package_schema_are_found_in_tables_too():
    table = training_table(6, position=[1, 2, 3, 1, 1, 3])
    assert found(table) == [(4, "request_id + position", "unique", "r1, 1")]


@pytest.mark.parametrize(("limit", "n"), [(0.5, 0), (0.49, 1)])
def test_a_share_of_nulls_has_a_limit(limit, n):
    report = with_rule({"max_null_share": {"a": limit}}, [{"a": 1}, {"a": None}])
    assert [(one.row, one.column, one.value) for one in report.violations] == [(None, "a", 0.5)] * n


def test_a_soft_range_allows_exceptions():
    rows = [{"minutes": value} for value in [10, 20, 30, 5_000]]
    rules = {"minutes": {"minimum": 1, "maximum": 1_440, "max_share_outside": 0.25}}
    assert with_rule({"soft_ranges": rules}, rows).valid
    strict = with_rule({"soft_ranges": {"minutes": {"maximum": 1_440}}}, rows)
    assert [(one.row, one.value) for one in strict.violations] == [(None, 0.25)]


def test_references_are_looked_up_in_the_other_table():
    tables = {"recipes": pa.table({"recipe_id": ["x0", "x2"]})}
    assert found(training_rows(3), tables=tables) == [(1, "recipe_id", "references", "x1")]


def test_references_that_cannot_be_looked_up_are_reported_as_unchecked():
    report = validate_data(training_rows(3), now=NOW)
    assert report.unchecked[0] == "references: recipe_id was not looked up, since the table recipes was not given."
    other = validate_data(training_rows(3), now=NOW, tables={"recipes": {"id": ["x0"]}})
    assert other.unchecked[0] == "references: recipe_id was not looked up, since recipes has no column recipe_id."


@pytest.mark.parametrize("make", [list, pa.Table.from_pylist])
def test_old_data_and_rows_from_the_future_are_not_fresh(make):
    rules = {"freshness": {"column": "at", "max_age_days": 7, "max_future_minutes": 5}}
    rows = [{"at": (NOW - timedelta(days=8)).isoformat()}, {"at": (NOW - timedelta(days=20)).isoformat()}]
    old = with_rule(rules, make(rows), now=NOW)
    assert [(one.row, one.value) for one in old.violations] == [(None, "2026-11-16T12:00:00+00:00")]
    rows = [{"at": (NOW + timedelta(minutes=minutes)).isoformat()} for minutes in (4, 6)]
    early = with_rule(rules, make(rows), now=NOW)
    assert [(one.row, one.message) for one in early.violations] == [(1, "must not lie in the future")]


def test_freshness_needs_to_know_the_time():
    rules = {"freshness": {"column": "at", "max_age_days": 7}}
    report = with_rule(rules, [{"at": "2020-01-01T00:00:00+00:00"}])
    assert report.valid
    assert "the time of the check was not given" in report.unchecked[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_feature_that_knows_the_label_is_a_leak(sign):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 200)
    features = [
        {"leak": sign * (int(one) + 0.1), "honest": float(value)}
        for one, value in zip(label, rng.random(200), strict=True)
    ]
    violations = found(training_table(200, label=label, features=features))
    assert [violation[:3] for violation in violations] == [(None, "features.leak", "leakage")]
    assert max(violations[0][3], 1 - violations[0][3]) == 1.0


def test_leakage_of_a_label_that_is_always_the_same_cannot_be_told():
    report = validate_data(training_table(60, label=[0] * 60), now=NOW)
    assert "leakage: label has fewer than 10 rows of either kind." in report.unchecked


@pytest.mark.parametrize("rules", [{"uniqe": []}, {"unique": 5}, {"freshness": {"column": "a"}}, {"leakage": ["a"]}])
def test_a_rule_that_cannot_be_read_is_refused(rules):
    with pytest.raises(BadSchema, match=r"x-data-rules knows|cannot be read"):
        with_rule(rules, [{"a": 1}], now=NOW)


def test_after_enough_violations_the_rest_is_not_looked_at_and_the_report_says_so():
    report = validate_data([{"query": ""}] * 50, part="requests", max_violations=10)
    assert (len(report.violations), report.is_complete) == (10, False)
    assert report.sentence == "50 rows of requests: at least 10 violations in 5 rows."


def test_the_summary_counts_by_column_and_rule():
    report = validate_data([{"query": "sopa", "n": 0}, {"query": "", "n": 50}, {"query": "pan", "n": 0}])
    assert report.counts[("n", "minimum")] == 2
    plain = report.to_dict()
    assert plain["summary"][0] == {"column": "n", "rule": "minimum", "n": 2}
    assert json.loads(json.dumps(plain))["valid"] is False


def test_no_rows_are_valid():
    assert validate_data([], part="recipes").valid
    assert validate_data(training_table(3).slice(0, 0), part="training_rows", now=NOW).valid


def test_the_part_is_the_one_whose_columns_fit():
    assert validate_data([recipe()]).part == "recipes"
    assert validate_data([{"query": "sopa"}]).part == "requests"
    with pytest.raises(UnreadableData, match="name one of recipes, training_rows, requests, answers"):
        validate_data([{"colour": "red"}])


@pytest.mark.parametrize("data", [5, "text", ["a"], {"query": "sopa"}])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(UnreadableData, match="must be a table, a frame or a sequence of mappings"):
        validate_data(data)


def test_wrong_arguments_are_refused():
    with pytest.raises(BadSchema, match="asked for 'users'"):
        validate_data([recipe()], part="users")
    with pytest.raises(ValueError, match="max_violations must be at least 1, got 0"):
        validate_data([recipe()], max_violations=0)
    with pytest.raises(ValueError, match="now must have a time zone"):
        validate_data([recipe()], now=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"type": "wish"}, "is no JSON Schema"),
        ({"$defs": {"rows": {}}}, "describes no rows"),
        (True, "describes no rows"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "$defs": {"r": {"x-data-rules": {}}}}, "dialect"),
    ],
)
def test_what_is_no_schema_of_rows_is_refused(document, message):
    with pytest.raises(BadSchema, match=message):
        checked_schema(document)


def test_a_reference_to_nothing_is_refused():
    with pytest.raises(BadSchema, match="refers to '#/\\$defs/nothing'; known are #/\\$defs/rows"):
        schema_of({"a": {"items": [{"$ref": "#/$defs/nothing"}][0]}})


def test_a_schema_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "schema.json").write_text("{")
    with pytest.raises(BadSchema, match=r"schema\.json is not JSON"):
        load_schema(tmp_path / "schema.json")


def test_typed_files_are_read_as_they_are(tmp_path):
    rows = [{"query": "sopa", "n": 3}, {"query": "pan", "n": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "a.json").write_text(json.dumps(rows))
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    pyarrow.feather.write_feather(pa.Table.from_pylist(rows), tmp_path / "a.feather")
    assert read_typed(tmp_path / "a.jsonl") == read_typed(tmp_path / "a.json") == rows
    assert read_typed(tmp_path / "a.parquet").to_pylist() == read_typed(tmp_path / "a.feather").to_pylist() == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "query\nsopa", "has no types"),
        ("a.jsonl", '{"query": 1}\n{', "line 2 of a.jsonl is not JSON"),
        ("a.jsonl", "5", "row 0 of a.jsonl must be an object, got int"),
        ("a.parquet", "PAR", "a.parquet cannot be read as parquet"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableData, match=message):
        read_typed(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnreadableData, match="there is no file"):
        read_typed(tmp_path / "a.parquet")
