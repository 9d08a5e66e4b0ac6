"""Records of the registry: mappings of plain values that stand still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import orjson
import pytest

from mlops.model_registry import Approval, Freeze, Lineage, ModelMetadata, ModelSummary, ModelVersion, Move
from mlops.model_registry.metadata import content_of

MADE = datetime(2026, 11, 17, 9, 30, 0, 123456, tzinfo=UTC)
DEPLOYED = datetime(2026, 11, 18, tzinfo=UTC)
CONTENT = content_of(
    ModelMetadata("ranker", "1.0.0", metrics={"ndcg": 0.5}, parameters={"depth": 3}, tags=["first"]),
    Lineage(data_fingerprint="abc", seed=7),
)


def _version(**changes: object) -> ModelVersion:
    fields = {
        "model_id": "ranker", "version": "1.0.0", "status": "production", "content": CONTENT, "artefact": "a" * 64,
        "registered_at": MADE, "deployed_at": DEPLOYED, "generation": 3,
    }  # fmt: skip
    return ModelVersion(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_version_is_a_mapping_of_everything_that_was_said_of_it() -> None:
    assert isinstance(_version(), Mapping)
    assert dict(_version()) == {
        "model_id": "ranker",
        "version": "1.0.0",
        "status": "production",
        "artefact": "a" * 64,
        "model_type": "hybrid",
        "description": "",
        "metrics": {"ndcg": 0.5},
        "parameters": {"depth": 3},
        "parent_version": None,
        "tags": ["first"],
        "lineage": {"data_fingerprint": "abc", "code_version": None, "seed": 7},
        "timestamp": "2026-11-17T09:30:00.123456+00:00",
        "deployment_date": "2026-11-18T00:00:00+00:00",
    }


def test_its_length_its_names_and_its_values_agree() -> None:
    version = _version()
    assert len(version) == len(list(version)) == len(set(version)) == len(version.to_dict())
    assert all(version[name] == value for name, value in version.items())


def test_it_holds_plain_values_only() -> None:
    assert orjson.loads(orjson.dumps(_version().to_dict())) == _version().to_dict()


def test_a_version_that_never_served_has_no_deployment_date() -> None:
    assert _version(deployed_at=None)["deployment_date"] is None


def test_an_unknown_name_is_a_key_error_and_no_part_of_it() -> None:
    version = _version()
    assert "nonsense" not in version
    assert version.get("nonsense", "x") == "x"
    with pytest.raises(KeyError, match="nonsense"):
        version["nonsense"]


def test_its_name_and_its_short_form() -> None:
    assert _version().name == "ranker_1.0.0"
    assert repr(_version()) == "<ranker_1.0.0 production>"


def test_equal_versions_are_equal_and_another_status_makes_another() -> None:
    assert _version() == _version()
    assert _version() != _version(status="archived")


def test_it_has_the_content_and_the_files_that_it_was_registered_with() -> None:
    version = _version()
    assert version.has_content(CONTENT, "a" * 64)
    assert not version.has_content(CONTENT, "b" * 64)
    assert not version.has_content(CONTENT, None)
    assert not version.has_content(CONTENT.replace("0.5", "0.6"), "a" * 64)


MOVE = Move(5, "ranker", "1.0.0", "moved", "validation", "production", "done", MADE, "ana", False, "better", {"p": 0.1})
APPROVAL = Approval(2, "ranker", "1.0.0", None, "pending", MADE, "ana", "better", None, None, None, None)
FREEZE = Freeze("*", MADE, "ana", "holidays")
SUMMARY = ModelSummary("ranker", "1.0.0", "1.1.0", 2, 9, MADE, is_frozen=True)


@pytest.mark.parametrize("record", [MOVE, APPROVAL, FREEZE, SUMMARY], ids=lambda record: type(record).__name__)
def test_other_records_give_plain_values_by_the_names_of_their_fields(
    record: Move | Approval | Freeze | ModelSummary,
) -> None:
    plain = record.to_dict()
    assert list(plain) == list(type(record).__slots__)
    assert orjson.loads(orjson.dumps(plain)) == plain
    assert MADE.isoformat() in plain.values()


@pytest.mark.parametrize("record", [MOVE, APPROVAL, FREEZE, SUMMARY], ids=lambda record: type(record).__name__)
def test_other_records_cannot_be_changed(record: Move | Approval | Freeze | ModelSummary) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(record, type(record).__slots__[0], "other")
