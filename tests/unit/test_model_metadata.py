"""What may be said of a version: checked field by field, kept as it is, equal where it says the same."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops import Lineage, ModelMetadata
from mlops.errors import InvalidMetadata, RegistryError
from mlops.model_registry.metadata import content_of, evidence_text

BAD_VALUES = [
    *(("model_id", value) for value in ["", "_ranker", "ranker 2", "a/b", "á", "x" * 129, "ranker\n", ".x", None, 7]),
    *(("version", value) for value in ["1.0", "v1.0.0", None, 1.0]),
    *(("status", value) for value in ["staging", "", "Production", None]),
    *(("model_type", value) for value in [None, 3, b"hybrid"]),
    *(("description", value) for value in [None, 3, ["text"]]),
    *(("parent_version", value) for value in ["1.0", "", 1.0, "ranker_1.0.0"]),
    *(("timestamp", value) for value in ["yesterday", "", 1_700_000_000, date(2026, 1, 1), "2026-13-01"]),
    *(("deployment_date", value) for value in ["soon", 5]),
    *(("metrics", value) for value in [None, [0.5], 0.5, {1: 0.5}, {"": 0.5}]),
    *(("parameters", value) for value in [None, [1], "lr=1", {1: 2}, {"": 2}]),
    *(("tags", value) for value in [None, "first", 3, [1, 2], {3: "x"}, {"": "x"}, b"ab", {"a", "b"}]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_bad_value_is_refused_with_the_name_of_its_field(field: str, value: Any) -> None:
    fields: dict[str, Any] = {"model_id": "ranker", "version": "1.0.0", field: value}
    with pytest.raises(InvalidMetadata) as caught:
        ModelMetadata(**fields)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert isinstance(caught.value, RegistryError | ValueError)


@pytest.mark.parametrize(
    "value", ["high", None, [0.5], {}, 1j, math.nan, math.inf, -math.inf, np.float64("nan"), "nan"]
)
def test_a_metric_that_is_no_finite_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidMetadata, match=r"must be a (finite )?number, got ") as caught:
        ModelMetadata("ranker", "1.0.0", metrics={"mrr": 0.5, "ndcg@10": value})
    assert caught.value.field == "metrics.ndcg@10"


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**64, -(2**63) - 1])
def test_a_metric_that_is_too_large_to_keep_is_refused_by_name(value: int) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        ModelMetadata("ranker", "1.0.0", metrics={"n": value})
    assert caught.value.field == "metrics.n"


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))]
)
def test_a_time_before_all_times_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        ModelMetadata("ranker", "1.0.0", timestamp=value)
    assert caught.value.field == "timestamp"


@pytest.mark.parametrize("model_id", ["r", "hybrid_ranker", "A.b-c_9", "9", "x" * 128])
def test_these_are_names_of_models(model_id: str) -> None:
    assert ModelMetadata(model_id, "1.0.0").model_id == model_id


def test_only_a_name_and_a_version_are_needed() -> None:
    before = datetime.now(UTC)
    metadata = ModelMetadata("ranker", "1.0.0")
    assert (metadata.model_type, metadata.description, metadata.status) == ("hybrid", "", "training")
    assert (metadata.metrics, metadata.parameters, metadata.tags) == ({}, {}, [])
    assert (metadata.parent_version, metadata.deployment_date) == (None, None)
    assert before <= metadata.registered_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    "timestamp",
    [
        datetime(2026, 11, 17, 9, 30),  # noqa: DTZ001
        "2026-11-17T09:30:00",
        "2026-11-17 09:30",
        datetime(2026, 11, 17, 9, 30, tzinfo=UTC),
        "2026-11-17T09:30:00Z",
        datetime(2026, 11, 17, 10, 30, tzinfo=timezone(timedelta(hours=1))),
        "2026-11-17T04:30:00-05:00",
    ],
)
def test_times_are_kept_aware_and_in_utc_and_without_a_zone_they_are_utc(timestamp: Any) -> None:
    kept = ModelMetadata("ranker", "1.0.0", timestamp=timestamp, deployment_date=timestamp)
    assert kept.registered_at.isoformat() == "2026-11-17T09:30:00+00:00"
    assert kept.deployment_date == kept.registered_at


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(0.25), 0.25), (np.float32(0.25), 0.25), (np.int64(3), 3.0), (np.array(0.5), 0.5), (7, 7),
        (0.1, 0.1), (True, 1.0), (2**63, 2**63),
    ],
)  # fmt: skip
def test_numbers_of_every_kind_are_kept_as_plain_ones(value: Any, kept: float) -> None:
    metrics = ModelMetadata("ranker", "1.0.0", metrics={"x": value}).metrics
    assert metrics == {"x": kept}
    assert type(metrics["x"]) is type(kept)


def test_numpy_values_may_be_parameters() -> None:
    metadata = ModelMetadata("ranker", "1.0.0", parameters={"depth": np.int64(3), "grid": np.array([0.5, 1.0])})
    assert orjson.loads(content_of(metadata, Lineage(seed=np.int64(7))))["parameters"] == {  # type: ignore[arg-type]
        "depth": 3,
        "grid": [0.5, 1.0],
    }


@pytest.mark.parametrize("tags", [["a", "b"], ("a", "b"), []])
def test_tags_may_be_names(tags: Any) -> None:
    assert ModelMetadata("ranker", "1.0.0", tags=tags).tags == list(tags)


def test_tags_may_be_values_by_name() -> None:
    assert ModelMetadata("ranker", "1.0.0", tags=MappingProxyType({"team": "search"})).tags == {"team": "search"}


def test_metadata_cannot_be_changed_and_are_not_those_that_were_handed_in() -> None:
    metrics = {"ndcg": 0.5}
    metadata = ModelMetadata("ranker", "1.0.0", metrics=metrics)
    metrics["ndcg"] = 0.9
    assert metadata.metrics == {"ndcg": 0.5}
    with pytest.raises(FrozenInstanceError):
        metadata.version = "1.0.1"  # type: ignore[misc]


def test_the_same_as_another_version_has_all_else_in_common() -> None:
    metadata = ModelMetadata("ranker", "1.0.0", metrics={"ndcg": 0.5}, timestamp="2026-01-01", tags=["x"])
    following = metadata.with_version("1.0.1")
    assert following.version == "1.0.1"
    assert following.with_version("1.0.0") == metadata


# --- Content --------------------------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.dictionaries(st.text(min_size=1, max_size=5), PLAIN, max_size=4)


def _turned_round(value: Any) -> Any:
    """*value* with the keys of each mapping in the opposite order."""
    if isinstance(value, dict):
        return {name: _turned_round(value[name]) for name in reversed(value)}
    return [_turned_round(each) for each in value] if isinstance(value, list) else value


@given(parameters=NAMED, tags=NAMED)
def test_the_order_of_names_is_no_matter(parameters: dict[str, Any], tags: dict[str, Any]) -> None:
    one = ModelMetadata("ranker", "1.0.0", parameters=parameters, tags=tags)
    other = ModelMetadata("ranker", "1.0.0", parameters=_turned_round(parameters), tags=_turned_round(tags))
    assert content_of(one, None) == content_of(other, None)


@given(parameters=NAMED)
def test_content_gives_back_what_was_said(parameters: dict[str, Any]) -> None:
    assert (
        orjson.loads(content_of(ModelMetadata("ranker", "1.0.0", parameters=parameters), None))["parameters"]
        == parameters
    )


@given(one=NAMED, other=NAMED)
def test_other_parameters_are_other_content(one: dict[str, Any], other: dict[str, Any]) -> None:
    contents = {content_of(ModelMetadata("ranker", "1.0.0", parameters=each), None) for each in (one, other)}
    assert (len(contents) == 1) == (
        orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    )


BASE = ModelMetadata(
    "ranker", "1.0.0", metrics={"ndcg": 0.5}, parameters={"depth": 3}, tags=["x"], timestamp="2026-01-01"
)


@pytest.mark.parametrize(
    "changes",
    [{"timestamp": "2026-06-01"}, {"status": "production"}, {"deployment_date": "2026-06-01"}, {"version": "1.0.1"}],
    ids=lambda changes: next(iter(changes)),
)
def test_when_it_was_made_and_where_it_stands_are_no_content(changes: dict[str, str]) -> None:
    fields = {name: getattr(BASE, name) for name in BASE.__dataclass_fields__}
    assert content_of(ModelMetadata(**{**fields, **changes}), None) == content_of(BASE, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"ndcg": 0.51}}, {"parameters": {"depth": 4}}, {"tags": ["y"]}, {"tags": {"x": None}},
        {"description": "new"}, {"model_type": "linear"}, {"parent_version": "0.9.0"},
    ],
    ids=str,
)  # fmt: skip
def test_everything_else_is(changes: dict[str, Any]) -> None:
    fields = {name: getattr(BASE, name) for name in BASE.__dataclass_fields__}
    assert content_of(ModelMetadata(**{**fields, **changes}), None) != content_of(BASE, None)


@pytest.mark.parametrize("lineage", [Lineage(), Lineage("abc"), Lineage(code_version="abc"), Lineage(seed=0)], ids=str)
def test_lineage_is_content(lineage: Lineage) -> None:
    assert content_of(BASE, lineage) != content_of(BASE, None)


@pytest.mark.parametrize("field", ["parameters", "tags"])
@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", {1: 2}, 2**64, "\ud800", 1j, math.nan, [{"deep": -math.inf}], np.array([np.nan])],
    ids=lambda value: "an object" if type(value) is object else str(value),
)
def test_what_json_cannot_hold_is_refused_with_the_name_of_the_field(field: str, value: Any) -> None:
    metadata = ModelMetadata("ranker", "1.0.0", **{field: {"fine": 1, "odd": value}})
    with pytest.raises(InvalidMetadata) as caught:
        content_of(metadata, None)
    assert caught.value.field == field


def test_a_seed_that_json_cannot_hold_is_refused_with_the_name_of_the_field() -> None:
    with pytest.raises(InvalidMetadata) as caught:
        content_of(BASE, Lineage(seed=2**64))
    assert caught.value.field == "lineage"


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(InvalidMetadata, match=r"^parameters: "):
        content_of(ModelMetadata("ranker", "1.0.0", parameters=endless), None)


def test_what_is_large_belongs_into_the_artefact() -> None:
    metadata = ModelMetadata("ranker", "1.0.0", parameters={"weights": "x" * 1_000_000})
    with pytest.raises(InvalidMetadata, match="longer than 1000000 bytes; large things belong into the artefact"):
        content_of(metadata, None)


# --- Evidence -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    difference: float

    def to_dict(self) -> dict[str, float]:
        return {"difference": self.difference}


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (None, None), ({"b": 1, "a": [0.5]}, '{"a":[0.5],"b":1}'), ("seen on a slide", '"seen on a slide"'),
        (Comparison(0.021), '{"difference":0.021}'), ({"p": np.float64(0.5)}, '{"p":0.5}'), ([], "[]"), (0, "0"),
    ],
)  # fmt: skip
def test_evidence_is_kept_as_json(evidence: Any, text: str | None) -> None:
    assert evidence_text(evidence) == text


def test_evidence_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidMetadata, match=r"^evidence: "):
        evidence_text({"model": object()})
