"""What `verify` finds: each thing that can be wrong, by name, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops import schema
from mlops.artefacts import DiskArtefacts
from mlops.errors import ArtefactRefused
from mlops.model_registry import ModelMetadata, ModelRegistry
from mlops.model_registry.verify import Finding, findings, sign_artefacts
from mlops.store import Database


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ModelRegistry]:
    """ranker 1.0.0 archived, 1.1.0 in production with files, 1.2.0 in training with others."""
    database = Database(f"sqlite:///{tmp_path}/state.db", tables=(schema.MIGRATIONS,))
    made = ModelRegistry(
        database, artefacts=DiskArtefacts(tmp_path / "artifacts"), view_path=tmp_path / "registry.json", actor="ana"
    )
    for version, status, files in (
        ("1.0.0", "production", None), ("1.1.0", "production", b"[1]"), ("1.2.0", "training", b"[2]")
    ):  # fmt: skip
        metadata = ModelMetadata("ranker", version, status=status)
        made.register(metadata, artefact=None if files is None else {"weights.json": files})
    made.close()  # its thread must not write over what a test spoils
    yield made
    database.close()


def found(registry: ModelRegistry) -> list[Finding]:
    return findings(registry, view_patience_seconds=0)


def folder_of(registry: ModelRegistry, version: str) -> Path:
    one = registry.get_model("ranker", version)
    assert one is not None
    assert one.artefact is not None
    assert isinstance(registry.artefacts, DiskArtefacts)
    return registry.artefacts.folder / one.artefact


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def with_key(registry: ModelRegistry, key: bytes) -> ModelRegistry:
    assert isinstance(registry.artefacts, DiskArtefacts)
    artefacts = DiskArtefacts(registry.artefacts.folder, signing_key=key)
    return ModelRegistry(registry.database, artefacts=artefacts)


def test_nothing_is_found_where_all_is_well(registry: ModelRegistry) -> None:
    assert found(registry) == []


def test_an_empty_registry_without_a_view_is_well(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db", tables=(schema.MIGRATIONS,))
    assert found(ModelRegistry(database, view_path=tmp_path / "none.json")) == []
    database.close()


def test_a_missing_artefact_is_found_with_its_version(registry: ModelRegistry) -> None:
    folder_of(registry, "1.1.0").rename(folder_of(registry, "1.1.0").with_name("moved"))
    (finding,) = found(registry)
    assert (finding.kind, finding.is_fault, finding.model_id, finding.version) == (
        "artefact_missing", True, "ranker", "1.1.0",
    )  # fmt: skip
    assert finding.message.startswith("ranker 1.1.0: artefact ")


def test_a_changed_file_is_found(registry: ModelRegistry) -> None:
    overwrite(folder_of(registry, "1.2.0") / "weights.json", b"[9]")
    assert [(finding.kind, finding.version) for finding in found(registry)] == [("artefact_damaged", "1.2.0")]


def test_an_unsigned_artefact_is_foreign_where_there_is_a_key_until_it_is_signed(registry: ModelRegistry) -> None:
    signing = with_key(registry, b"ours")
    assert [(f.kind, f.version) for f in found(signing)] == [
        ("artefact_foreign", "1.2.0"), ("artefact_foreign", "1.1.0"),
    ]  # fmt: skip
    overwrite(folder_of(registry, "1.2.0") / "weights.json", b"[9]")
    assert sign_artefacts(signing) == [folder_of(registry, "1.1.0").name]
    assert [(f.kind, f.version) for f in found(signing)] == [("artefact_foreign", "1.2.0")]
    assert sign_artefacts(signing) == []


def test_another_key_makes_everything_foreign_until_it_is_signed_anew(registry: ModelRegistry) -> None:
    sign_artefacts(with_key(registry, b"old"))
    renewed = with_key(registry, b"new")
    assert {finding.kind for finding in found(renewed)} == {"artefact_foreign"}
    assert len(sign_artefacts(renewed)) == 2
    assert found(renewed) == []


def test_without_a_key_nothing_is_signed(registry: ModelRegistry) -> None:
    with pytest.raises(ArtefactRefused, match="ARTIFACT_SIGNING_KEY is not set"):
        sign_artefacts(registry)


def test_an_artefact_that_no_version_names_is_worth_knowing_and_no_fault(registry: ModelRegistry) -> None:
    assert registry.artefacts is not None
    digest = registry.artefacts.put({"left.json": b"[3]"})
    (finding,) = found(registry)
    assert (finding.kind, finding.is_fault) == ("artefact_unnamed", False)
    assert digest in finding.message


@pytest.mark.parametrize("content", [b"{}", None])
def test_a_view_that_is_not_what_the_database_has_is_found(registry: ModelRegistry, content: bytes | None) -> None:
    assert registry.view_path is not None
    if content is None:
        registry.view_path.unlink()
    else:
        registry.view_path.write_bytes(content)
    assert [finding.kind for finding in found(registry)] == ["view_differs"]


def test_a_view_that_follows_within_the_time_allowed_is_well(registry: ModelRegistry) -> None:
    following = ModelRegistry(registry.database, artefacts=registry.artefacts, view_path=registry.view_path)
    following.archive("ranker", "1.2.0", because="old")
    assert findings(following, view_patience_seconds=5) == []
    following.close()


def test_a_status_that_no_move_leads_to_is_found(registry: ModelRegistry) -> None:
    with registry.database.writing() as connection:
        connection.execute(sa.text("UPDATE model_versions SET status = 'validation' WHERE version = '1.2.0'"))
    (finding, view) = found(registry)
    assert finding.kind == "moves_lead_elsewhere"
    assert finding.message == "ranker 1.2.0: its status is validation, and its moves lead to training"
    assert view.kind == "view_differs"


def test_a_move_that_is_missing_in_the_middle_is_found(registry: ModelRegistry) -> None:
    with registry.database.writing() as connection:
        connection.execute(sa.text("DELETE FROM moves WHERE version = '1.1.0' AND to_status = 'validation'"))
    assert "begins at validation, and the one before it led to training" in found(registry)[0].message


def test_two_versions_in_production_are_found_though_the_database_forbids_them(registry: ModelRegistry) -> None:
    with registry.database.writing() as connection:
        connection.execute(sa.text("DROP INDEX one_production_version"))
        connection.execute(sa.text("UPDATE model_versions SET status = 'production' WHERE version = '1.0.0'"))
    messages = [finding.message for finding in found(registry) if finding.kind == "several_in_production"]
    assert messages == ["ranker has 2 versions in production: 1.0.0, 1.1.0"]
