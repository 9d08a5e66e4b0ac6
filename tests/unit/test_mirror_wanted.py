"""What MLflow should hold of a version."""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.model_registry import Lineage, ModelMetadata, ModelVersion, Status
from mlops.model_registry.metadata import content_of
from mlops.tracking.wanted import content_digest, safe_names, version_file, version_tags, wanted_run

AT = datetime(2026, 11, 24, 9, 0, 0, 250_000, tzinfo=UTC)


def version(
    *,
    status: Status = "training",
    artefact: str | None = None,
    deployed_at: datetime | None = None,
    lineage: Lineage | None = None,
    number: str = "1.0.0",
    **fields: Any,
) -> ModelVersion:
    metadata = ModelMetadata("hybrid_ranker", number, timestamp=AT, **fields)
    content = content_of(metadata, lineage)
    return ModelVersion("hybrid_ranker", number, status, content, artefact, AT, deployed_at, 3)


def test_a_run_is_found_again_by_model_version_and_content() -> None:
    one = version(description="Primera")
    assert wanted_run(one).identity == {
        "mlops.model_id": "hybrid_ranker",
        "mlops.version": "1.0.0",
        "mlops.content": content_digest(one),
    }


def test_the_digest_of_the_content_is_the_sha_256_of_sorted_json() -> None:
    text = (
        '{"artefact":"abc","description":"d","lineage":null,"metrics":{"mrr":0.5},"model_type":"hybrid",'
        '"parameters":{},"parent_version":null,"tags":[]}'
    )
    one = version(artefact="abc", description="d", metrics={"mrr": 0.5})
    assert content_digest(one) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"artefact": "abc"},
        {"description": "other"},
        {"lineage": Lineage(seed=1)},
        {"metrics": {"mrr": 0.4}},
        {"model_type": "linear"},
        {"parameters": {"k": 1}},
        {"parent_version": "0.9.0"},
        {"tags": ["a"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_content_has_another_digest(change: dict[str, Any]) -> None:
    assert content_digest(version(**change)) != content_digest(version())


def test_the_digest_does_not_follow_the_status() -> None:
    assert content_digest(version(status="production", deployed_at=AT)) == content_digest(version())


def test_parameters_are_text_as_it_is_and_json_for_the_rest() -> None:
    run = wanted_run(version(parameters={"kind": "blend", "w": 0.7, "on": True, "none": None, "ks": [1, {"b": 2}]}))
    assert run.params == {"kind": "blend", "w": "0.7", "on": "true", "none": "null", "ks": '[1,{"b":2}]'}


def test_metrics_have_names_that_mlflow_takes_and_the_time_of_the_version() -> None:
    run = wanted_run(version(metrics={"ndcg@3": 0.63, "n": 7}))
    assert run.metrics == {"ndcg_at_3": 0.63, "n": 7.0}
    assert run.at_ms == 1_795_510_800_250


def test_where_a_version_came_from_is_in_its_tags() -> None:
    one = version(parent_version="0.9.0", artefact="abc", lineage=Lineage("data-1", "commit-1", 42))
    assert wanted_run(one).tags == {
        "mlops.model_type": "hybrid",
        "mlops.artefact": "abc",
        "mlops.parent_version": "0.9.0",
        "mlops.lineage.data_fingerprint": "data-1",
        "mlops.lineage.code_version": "commit-1",
        "mlops.lineage.seed": "42",
    }


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["nightly"], {"nightly": "true"}),
        ({"team": "search", "n": 5}, {"team": "search", "n": "5"}),
        ({"mlflow.a": 1, "tag.mlflow.a": 2}, {"tag.mlflow.a": "1", "tag.tag.mlflow.a": "2"}),
        ({"mlflow.runName": "x", "mlops.status": "y"}, {"tag.mlflow.runName": "x", "tag.mlops.status": "y"}),
    ],
)
def test_tags_of_the_owner_are_kept_and_cannot_take_the_place_of_ours(tags: Any, expected: dict[str, str]) -> None:
    one = version(tags=tags)
    assert expected.items() <= wanted_run(one).tags.items()
    assert expected.items() <= version_tags(one).items()
    assert version_tags(one)["mlops.status"] == "training"
    assert "mlflow.runName" not in wanted_run(one).tags


def test_the_version_tells_status_digest_and_when_it_was_deployed() -> None:
    tags = version_tags(version(status="production", artefact="abc", deployed_at=AT))
    assert (tags["mlops.status"], tags["mlops.artefact"]) == ("production", "abc")
    assert tags["mlops.deployed_at"] == "2026-11-24T09:00:00.250000+00:00"
    assert "mlops.deployed_at" not in version_tags(version())


def test_a_value_too_long_for_mlflow_is_cut_and_whole_in_the_file() -> None:
    one = version(parameters={"words": "x" * 6_001})
    cut = wanted_run(one).params["words"]
    assert len(cut) < 6_000
    assert cut == "x" * 5_000 + " … (cut; whole in version.json)"
    assert json.loads(version_file(one))["parameters"]["words"] == "x" * 6_001


def test_the_file_holds_what_was_registered_and_nothing_that_changes() -> None:
    metrics = {"ndcg@3": 0.63}
    one = version(status="production", deployed_at=AT, metrics=metrics, tags=["a"], lineage=Lineage(seed=1))
    fields = json.loads(version_file(one))
    assert fields == {name: one[name] for name in one if name not in {"status", "deployment_date"}}
    assert version_file(one) == version_file(version(metrics=metrics, tags=["a"], lineage=Lineage(seed=1)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ndcg@3"], ["ndcg_at_3"]),
        (["a@b", "a_at_b"], ["a_at_b_2", "a_at_b"]),
        (["a#", "a?", "a_"], ["a__2", "a__3", "a_"]),
        (["eval/ndcg", "/eval", "a//b", "..", "."], ["eval/ndcg", "_eval", "a__b", "__", "_"]),
        (["precisión p95"], ["precisión p95"]),
    ],
)
def test_names_that_mlflow_refuses_are_changed_as_little_as_can_be(names: list[str], expected: list[str]) -> None:
    assert [safe_names(names)[name] for name in names] == expected


@given(st.sets(st.text(st.sampled_from("a@_./# é\n:-2\u0301"), min_size=1, max_size=6), max_size=12))
def test_no_two_names_become_one_and_mlflow_takes_all(names: set[str]) -> None:
    found = safe_names(names)
    assert set(found) == names
    assert len(set(found.values())) == len(names)
    for name in found.values():
        # The two rules of MLflow's client.
        assert re.fullmatch(r"[/\w.\- :]+", name)
        assert posixpath.normpath(name) == name
        assert name != "."
        assert not name.startswith(("..", "/"))


@given(st.text(min_size=1, max_size=400))
def test_a_name_of_any_length_fits(name: str) -> None:
    assert 1 <= len(safe_names([name])[name]) <= 250


@given(st.sets(st.text(min_size=1, max_size=6)))
def test_the_order_of_names_changes_nothing(names: set[str]) -> None:
    assert safe_names(sorted(names)) == safe_names(sorted(names, reverse=True))


def test_curves_have_names_of_their_own_and_a_long_one_is_thinned_to_its_ends() -> None:
    long = [float(n) for n in range(10_001)]
    run = wanted_run(version(metrics={"loss@3": 0.5}), curves={"loss@3": [3.0, math.nan, 1.0], "long": long})
    assert run.metrics == {"loss_at_3": 0.5}
    assert run.curves["curves/loss_at_3"] == {0: 3.0, 2: 1.0}
    thinned = run.curves["curves/long"]
    assert len(thinned) <= 501
    assert (min(thinned), max(thinned)) == (0, 10_000)
    assert all(step == value for step, value in thinned.items())
