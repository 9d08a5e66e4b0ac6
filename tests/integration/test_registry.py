"""The registry on each kind of database: versions, moves, going back, refusal, approval, freeze, what served when."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mlops import Lineage, ModelMetadata, ModelRegistry, ModelVersion, schema
from mlops.artefacts import DiskArtefacts, MemoryArtefacts
from mlops.config import Settings
from mlops.errors import (
    ApprovalRefused,
    ApprovalRequired,
    ArtefactDamaged,
    ArtefactError,
    ArtefactMissing,
    ArtefactRefused,
    Conflict,
    Frozen,
    IllegalMove,
    InvalidMetadata,
    NothingToRollBackTo,
    RegistryError,
    UnknownModel,
    UnknownVersion,
    VersionExists,
)
from mlops.model_registry import ApprovalPolicy, open_registry
from mlops.model_registry.document import registry_document, to_bytes
from mlops.store import Database

NINE = datetime(2026, 11, 17, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FILES = {"weights.json": b"[0.7, 0.3]"}


class StepClock:
    """Goes on by a minute with each question; may be set."""

    def __init__(self) -> None:
        self.time = NINE

    def __call__(self) -> datetime:
        self.time += MINUTE
        return self.time


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


MakeRegistry = Callable[..., ModelRegistry]


@pytest.fixture
def make_registry(emptied_database: Database, clock: StepClock) -> MakeRegistry:
    """Makes registries on the same database; say only what matters."""

    def make(**options: Any) -> ModelRegistry:
        defaults = {"artefacts": MemoryArtefacts(), "actor": "ana", "clock": clock}
        return ModelRegistry(emptied_database, **{**defaults, **options})

    return make


@pytest.fixture
def registry(make_registry: MakeRegistry) -> ModelRegistry:
    return make_registry()


def _register(registry: ModelRegistry, *versions: str, model_id: str = "ranker", **fields: Any) -> None:
    for version in versions:
        registry.register(ModelMetadata(model_id, version, **fields))


def _serve(registry: ModelRegistry, *versions: str, model_id: str = "ranker", **fields: Any) -> None:
    """Register and promote each of *versions*, in this order."""
    for version in versions:
        _register(registry, version, model_id=model_id, **fields)
        registry.promote(model_id, version, because=f"{version} is next")


def _statuses(registry: ModelRegistry, model_id: str = "ranker") -> dict[str, str]:
    return {one.version: one.status for one in registry.list_models(model_id)}


def _champion(registry: ModelRegistry, model_id: str = "ranker") -> str | None:
    one = registry.get_production_model(model_id)
    return None if one is None else one.version


def _path(registry: ModelRegistry, version: str, model_id: str = "ranker") -> list[str]:
    """Where the moves of a version led, failed ones in brackets."""
    return [
        f"{move.kind} {move.to_status}" if move.outcome == "done" else f"({move.kind} {move.to_status})"
        for move in registry.moves(model_id, version)
    ]


# --- Registering ----------------------------------------------------------------------------------------------------


def test_registering_gives_the_name_of_the_version(registry: ModelRegistry) -> None:
    assert registry.register_model(ModelMetadata("hybrid_ranker", "1.0.1")) == "hybrid_ranker_1.0.1"


def test_what_was_registered_is_what_is_found(registry: ModelRegistry) -> None:
    metadata = ModelMetadata(
        "ranker", "1.0.0", model_type="linear", timestamp=NINE, description="Primera versión ñ 日本",
        metrics={"ndcg": 0.5}, parameters={"depth": 3, "deep": {"b": [1, None]}}, parent_version="0.9.0",
        tags={"team": "search"},
    )  # fmt: skip
    given = registry.register(metadata, lineage=Lineage("data", "code", 7), artefact=FILES)
    found = registry.get_model("ranker", "1.0.0")
    assert found is not None
    assert found == given
    assert dict(found) == {
        "model_id": "ranker", "version": "1.0.0", "status": "training", "model_type": "linear",
        "timestamp": NINE.isoformat(), "description": "Primera versión ñ 日本", "metrics": {"ndcg": 0.5},
        "parameters": {"depth": 3, "deep": {"b": [1, None]}}, "parent_version": "0.9.0", "tags": {"team": "search"},
        "deployment_date": None, "lineage": {"data_fingerprint": "data", "code_version": "code", "seed": 7},
        "artefact": found.artefact,
    }  # fmt: skip
    assert dict(registry.files(found)) == FILES


def test_the_same_again_changes_nothing(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0", metrics={"a": 1.0, "b": 2.0}, timestamp=NINE)
    before = registry_document(registry.database)
    _register(registry, "1.0.0", metrics={"b": 2.0, "a": 1.0}, timestamp=NINE + MINUTE)
    assert registry_document(registry.database) == before


def test_the_same_again_leaves_a_version_where_it_stands(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    for version in ("1.0.0", "1.1.0"):
        _register(registry, version, status="production")
    assert _statuses(registry) == {"1.1.0": "production", "1.0.0": "archived"}


@pytest.mark.parametrize(
    "changes",
    [{"metrics": {"a": 2.0}}, {"parameters": {"x": 1}}, {"description": "other"}, {"tags": ["x"]}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_same_version_with_other_content_is_refused(registry: ModelRegistry, changes: dict[str, Any]) -> None:
    _register(registry, "1.0.0", metrics={"a": 1.0})
    before = registry_document(registry.database)
    with pytest.raises(VersionExists, match=r"ranker 1\.0\.0 is registered with other content"):
        registry.register(ModelMetadata("ranker", "1.0.0", **{"metrics": {"a": 1.0}, **changes}))
    assert registry_document(registry.database) == before


@pytest.mark.parametrize(
    "options", [{"artefact": {"a.json": b"1"}}, {}, {"artefact": FILES, "lineage": Lineage(seed=1)}]
)
def test_other_files_or_another_lineage_are_other_content(registry: ModelRegistry, options: dict[str, Any]) -> None:
    registry.register(ModelMetadata("ranker", "1.0.0"), artefact=FILES)
    with pytest.raises(VersionExists):
        registry.register(ModelMetadata("ranker", "1.0.0"), **options)


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ("training", ["registered training"]),
        ("validation", ["registered training", "moved validation"]),
        ("production", ["registered training", "moved validation", "moved production"]),
        ("archived", ["registered training", "moved archived"]),
    ],
)
def test_a_version_is_taken_to_the_status_of_its_metadata(
    registry: ModelRegistry, status: str, path: list[str]
) -> None:
    assert registry.register(ModelMetadata("ranker", "1.0.0", status=status)).status == status
    assert _path(registry, "1.0.0") == path


def test_registering_into_production_archives_the_one_that_was(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0")
    _register(registry, "1.1.0", status="production")
    assert _statuses(registry) == {"1.1.0": "production", "1.0.0": "archived"}


def test_a_folder_may_be_the_artefact(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "made" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "deep" / "weights.json").write_bytes(b"[1]")
    one = registry.register(ModelMetadata("ranker", "1.0.0"), artefact=tmp_path / "made")
    assert dict(registry.files(one)) == {"deep/weights.json": b"[1]"}


def test_a_folder_that_is_not_there_registers_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        registry.register(ModelMetadata("ranker", "1.0.0"), artefact=tmp_path / "nowhere")
    assert registry.list_models() == []


def test_an_artefact_that_is_refused_registers_nothing(registry: ModelRegistry) -> None:
    with pytest.raises(ArtefactRefused, match=r"model\.pkl"):
        registry.register(ModelMetadata("ranker", "1.0.0"), artefact={"model.pkl": b""})
    assert registry.list_models() == []
    assert registry.models() == []


def test_without_a_place_for_artefacts_files_are_refused_and_versions_are_not(make_registry: MakeRegistry) -> None:
    registry = make_registry(artefacts=None)
    with pytest.raises(ArtefactMissing, match="no place for artefacts"):
        registry.register(ModelMetadata("ranker", "1.0.0"), artefact=FILES)
    _serve(registry, "1.0.0")
    with pytest.raises(ArtefactMissing, match=r"ranker_1\.0\.0 was registered without files"):
        registry.files(_found(registry, "1.0.0"))


def _found(registry: ModelRegistry, version: str, model_id: str = "ranker") -> ModelVersion:
    one = registry.get_model(model_id, version)
    assert one is not None
    return one


# --- Reading --------------------------------------------------------------------------------------------------------


def test_an_empty_registry_knows_nothing(registry: ModelRegistry) -> None:
    assert registry.get_model("ranker", "1.0.0") is None
    assert registry.get_production_model("ranker") is None
    assert registry.at("ranker", NINE) is None
    assert registry.generation("ranker") == 0
    for listed in (registry.list_models(), registry.models(), registry.get_version_history("ranker"),
                   registry.moves("ranker"), registry.approvals(), registry.freezes()):  # fmt: skip
        assert len(listed) == 0


def test_ids_are_exact_and_never_prefixes(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", model_id="ranker")
    _serve(registry, "2.0.0", model_id="ranker_2")
    assert [one.name for one in registry.list_models("ranker")] == ["ranker_1.0.0"]
    assert [one["version"] for one in registry.get_version_history("ranker_2")] == ["2.0.0"]
    assert (_champion(registry, "ranker"), _champion(registry, "ranker_2")) == ("1.0.0", "2.0.0")
    assert registry.get_model("rank", "1.0.0") is None
    assert registry.get_model("ranker", "1.0") is None
    assert registry.moves("ranke%") == []
    registry.archive_model("ranker", "1.0.0")
    assert _champion(registry, "ranker_2") == "2.0.0"


def test_ids_differ_by_case(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", model_id="Ranker")
    assert registry.get_production_model("ranker") is None


def test_versions_are_listed_newest_first_whatever_their_numbers(registry: ModelRegistry) -> None:
    _register(registry, "1.10.0", "1.9.0")
    _register(registry, "0.0.1", model_id="other")
    assert [one.name for one in registry.list_models()] == ["other_0.0.1", "ranker_1.9.0", "ranker_1.10.0"]
    assert [one["version"] for one in registry.get_version_history("ranker")] == ["1.9.0", "1.10.0"]


def test_versions_are_listed_by_status(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.2.0")
    _serve(registry, "5.0.0", model_id="other")
    assert [one.name for one in registry.list_models(status="production")] == ["other_5.0.0", "ranker_1.1.0"]
    assert [one.version for one in registry.list_models("ranker", "archived")] == ["1.0.0"]
    with pytest.raises(InvalidMetadata, match="status: must be one of"):
        registry.list_models(status="staging")


def test_a_history_has_the_moves_of_each_version(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    history = registry.get_version_history("ranker")
    assert json.loads(json.dumps(history)) == history
    assert [[move["to_status"] for move in each["moves"]] for each in history] == [
        ["training", "validation", "production"],
        ["training", "validation", "production", "archived"],
    ]


def test_each_model_has_one_line(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.0.1")
    _register(registry, "3.0.0", model_id="another")
    registry.freeze("ranker", because="holidays")
    lines = [
        (each.model_id, each.production, each.newest, each.n_versions, each.is_frozen) for each in registry.models()
    ]
    assert lines == [("another", None, "3.0.0", 1, False), ("ranker", "1.1.0", "1.0.1", 3, True)]


def test_every_change_counts_one_generation_more_and_reading_none(registry: ModelRegistry) -> None:
    changes: list[Callable[[], object]] = [
        lambda: _register(registry, "1.0.0"),
        lambda: _register(registry, "1.1.0"),
        lambda: registry.validate("ranker", "1.0.0", because="x"),
        lambda: registry.promote("ranker", "1.0.0", because="x"),
        lambda: registry.promote("ranker", "1.1.0", because="x"),
        lambda: registry.rollback("ranker", because="x"),
        lambda: registry.archive("ranker", "1.0.0", because="x"),
        lambda: registry.freeze("ranker", because="x"),
        lambda: registry.unfreeze("ranker", because="x"),
        lambda: registry.freeze(because="x"),
    ]
    for number, change in enumerate(changes, start=1):
        change()
        registry.list_models()
        assert registry.generation("ranker") == number


def test_one_models_changes_are_not_anothers(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", model_id="other")
    before = registry.generation("other")
    _serve(registry, "1.0.0", "1.1.0")
    assert registry.generation("other") == before


def test_the_next_version(registry: ModelRegistry) -> None:
    assert registry.next_version("ranker") == "1.0.0"
    _register(registry, "1.0.0", "1.9.0", "1.10.0", "2.3.4")
    assert registry.next_version("ranker") == "2.3.5"
    registry.promote("ranker", "1.9.0", because="x")
    assert [registry.next_version("ranker", bump) for bump in ("patch", "minor", "major")] == [
        "1.9.1",
        "1.11.0",
        "3.0.0",
    ]
    assert registry.next_version("ranker", "minor", base="2.3.4") == "2.4.0"
    with pytest.raises(UnknownVersion, match=r"ranker has no version 7\.0\.0"):
        registry.next_version("ranker", base="7.0.0")
    with pytest.raises(InvalidMetadata, match="bump"):
        registry.next_version("ranker", "huge")  # type: ignore[arg-type]


# --- Promotion ------------------------------------------------------------------------------------------------------


def test_promoting_from_training_passes_through_validation_and_records_both(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    promoted = registry.promote("ranker", "1.0.0", because="better", evidence={"p": 0.01}, actor="bea")
    assert promoted.status == "production"
    moves = registry.moves("ranker")
    assert [(move.from_status, move.to_status) for move in moves] == [
        (None, "training"), ("training", "validation"), ("validation", "production"),
    ]  # fmt: skip
    assert {(move.actor, move.because, str(move.evidence)) for move in moves[1:]} == {("bea", "better", "{'p': 0.01}")}
    assert all(move.outcome == "done" and not move.automatic for move in moves)


def test_promoting_archives_the_one_that_was_at_the_same_instant(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    assert _statuses(registry) == {"1.1.0": "production", "1.0.0": "archived"}
    assert registry.moves("ranker", "1.0.0")[-1].at == registry.moves("ranker", "1.1.0")[-1].at


def test_promoting_again_changes_nothing(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0")
    before = registry_document(registry.database)
    assert registry.promote("ranker", "1.0.0", because="again").status == "production"
    assert registry_document(registry.database) == before


@pytest.mark.parametrize(("model_id", "version", "error"), [
    ("ranker", "9.9.9", UnknownVersion), ("nobody", "1.0.0", UnknownModel), ("rank", "1.0.0", UnknownModel),
])  # fmt: skip
@pytest.mark.parametrize("act", ["promote", "archive", "validate", "approve", "refuse"])
def test_an_unknown_version_is_named_and_leaves_the_champion_alone(
    registry: ModelRegistry, act: str, model_id: str, version: str, error: type[Exception]
) -> None:
    _serve(registry, "1.0.0")
    before = registry_document(registry.database)
    with pytest.raises(error, match=model_id):
        getattr(registry, act)(model_id, version, because="x")
    assert registry_document(registry.database) == before


def test_an_unknown_version_names_the_newest_that_are_there(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0", "1.1.0", "1.2.0", "1.3.0")
    with pytest.raises(UnknownVersion, match=r"has no version 2\.0\.0; the newest are 1\.3\.0, 1\.2\.0, 1\.1\.0$"):
        registry.promote("ranker", "2.0.0", because="x")


def test_an_archived_version_is_not_promoted(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    with pytest.raises(IllegalMove, match=r"ranker_1\.0\.0 cannot move from archived to production"):
        registry.promote("ranker", "1.0.0", because="x")
    assert _champion(registry) == "1.1.0"


@pytest.mark.parametrize("expected", [None, "1.0.0", "9.9.9"])
def test_a_promotion_that_was_decided_on_another_champion_is_a_conflict(
    registry: ModelRegistry, expected: str | None
) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.2.0")
    before = registry_document(registry.database)
    with pytest.raises(Conflict, match=r"ranker 1\.1\.0 is in production"):
        registry.promote("ranker", "1.2.0", because="x", expected=expected)
    assert registry_document(registry.database) == before


def test_a_promotion_that_was_decided_on_this_champion_goes_through(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0", "1.1.0")
    registry.promote("ranker", "1.0.0", because="x", expected=None)
    registry.promote("ranker", "1.1.0", because="x", expected="1.0.0")
    assert _champion(registry) == "1.1.0"


def _meanwhile(registry: ModelRegistry, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make *change* happen after the registry has looked at a version, and before it moves it."""
    check = registry._check_files

    def check_and_change(one: ModelVersion) -> None:
        monkeypatch.undo()
        check(one)
        change()

    monkeypatch.setattr(registry, "_check_files", check_and_change)


def test_a_champion_that_changes_while_a_promotion_is_on_its_way_is_a_conflict(
    registry: ModelRegistry, make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(registry, "1.0.0")
    _register(registry, "1.1.0", "1.2.0")
    other = make_registry()
    _meanwhile(registry, lambda: other.promote("ranker", "1.1.0", because="first"), monkeypatch)
    with pytest.raises(Conflict):
        registry.promote("ranker", "1.2.0", because="second")
    assert _statuses(registry) == {"1.2.0": "training", "1.1.0": "production", "1.0.0": "archived"}


def test_a_version_that_is_archived_while_its_promotion_is_on_its_way_stays_archived(
    registry: ModelRegistry, make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(registry, "1.0.0")
    other = make_registry()
    _meanwhile(registry, lambda: other.archive("ranker", "1.0.0", because="no"), monkeypatch)
    with pytest.raises(Conflict, match=r"ranker_1\.0\.0 is not in training any more"):
        registry.promote("ranker", "1.0.0", because="yes")
    assert _path(registry, "1.0.0") == ["registered training", "moved archived"]


def test_a_version_whose_files_are_gone_is_not_promoted(make_registry: MakeRegistry, tmp_path: Path) -> None:
    registry = make_registry(artefacts=DiskArtefacts(tmp_path / "artifacts"))
    _serve(registry, "1.0.0")
    one = registry.register(ModelMetadata("ranker", "1.1.0"), artefact=FILES)
    _spoil(registry, one)
    with pytest.raises(ArtefactDamaged, match=r"weights\.json"):
        registry.promote("ranker", "1.1.0", because="x")
    assert _statuses(registry) == {"1.1.0": "training", "1.0.0": "production"}


def _spoil(registry: ModelRegistry, one: ModelVersion) -> None:
    assert isinstance(registry.artefacts, DiskArtefacts)
    path = registry.artefacts.folder / str(one.artefact) / "weights.json"
    path.chmod(0o644)
    path.write_bytes(b"[]")


@pytest.mark.parametrize("evidence", [{"b": [1, 2.5], "a": None}, "a slide", [1], 0, None])
def test_evidence_is_kept_as_it_was(registry: ModelRegistry, evidence: Any) -> None:
    _register(registry, "1.0.0")
    registry.promote("ranker", "1.0.0", because="x", evidence=evidence)
    assert registry.moves("ranker")[-1].evidence == evidence


def test_evidence_that_cannot_be_kept_moves_nothing(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    with pytest.raises(InvalidMetadata, match="evidence"):
        registry.promote("ranker", "1.0.0", because="x", evidence=object())
    assert _statuses(registry) == {"1.0.0": "training"}


def test_the_deployment_date_is_that_of_the_last_promotion(registry: ModelRegistry, clock: StepClock) -> None:
    _serve(registry, "1.0.0")
    first = clock.time
    _serve(registry, "1.1.0")
    assert _found(registry, "1.0.0").deployed_at == first
    registry.rollback("ranker", because="x")
    assert _found(registry, "1.0.0").deployed_at == clock.time > first


# --- The owner's functions ------------------------------------------------------------------------------------------


def test_update_model_status_says_whether_there_is_such_a_version(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    assert registry.update_model_status("ranker", "1.0.0", "production") is True
    assert registry.update_model_status("ranker", "2.0.0", "production") is False
    assert registry.update_model_status("nobody", "1.0.0", "archived") is False
    assert _statuses(registry) == {"1.0.0": "production"}


def test_update_model_status_to_where_it_is_changes_no_status(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    for status in ("training", "validation", "production", "archived"):
        assert registry.update_model_status("ranker", "1.0.0", status) is True
        n_moves = len(registry.moves("ranker"))
        assert registry.update_model_status("ranker", "1.0.0", status) is True
        assert len(registry.moves("ranker")) == n_moves
        assert _statuses(registry) == {"1.0.0": status}


def test_update_model_status_refuses_what_is_no_status_or_no_move(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0")
    with pytest.raises(InvalidMetadata, match="staging"):
        registry.update_model_status("ranker", "1.0.0", "staging")
    with pytest.raises(IllegalMove, match="from production to training"):
        registry.update_model_status("ranker", "1.0.0", "training")


def test_archive_model_says_whether_there_is_such_a_version(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    assert registry.archive_model("ranker", "1.0.0") is True
    assert registry.archive_model("ranker", "1.0.0") is True
    assert registry.archive_model("ranker", "2.0.0") is False
    assert _path(registry, "1.0.0") == ["registered training", "moved archived"]


def test_only_a_version_in_training_is_validated(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    assert registry.validate("ranker", "1.0.0", because="passed", evidence={"n": 5}).status == "validation"
    assert registry.moves("ranker")[-1].evidence == {"n": 5}
    registry.promote("ranker", "1.0.0", because="x")
    with pytest.raises(IllegalMove, match="from production to validation"):
        registry.validate("ranker", "1.0.0", because="x")


# --- Who, and why ---------------------------------------------------------------------------------------------------


def test_the_actor_is_the_calls_or_the_registrys_or_the_user_of_the_process(make_registry: MakeRegistry) -> None:
    _register(make_registry(actor=None), "1.0.0")
    make_registry(actor="ana").validate("ranker", "1.0.0", because="x")
    make_registry(actor="ana").promote("ranker", "1.0.0", because="x", actor="bea")
    assert [move.actor for move in make_registry().moves("ranker")] == [getpass.getuser(), "ana", "bea"]


def test_a_programs_move_is_marked_as_such(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    registry.promote("ranker", "1.0.0", because="x", automatic=True)
    assert [move.automatic for move in registry.moves("ranker")] == [False, True, True]


@pytest.mark.parametrize("because", ["ñandú 日本 🍲", "'; DROP TABLE moves; --", "two\nlines", ""])
def test_a_reason_is_kept_as_it_was(registry: ModelRegistry, because: str) -> None:
    _register(registry, "1.0.0")
    registry.promote("ranker", "1.0.0", because=because)
    assert registry.moves("ranker")[-1].because == because


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 5, b"text"])
@pytest.mark.parametrize("field", ["because", "actor"])
def test_a_reason_or_actor_that_no_database_can_keep_is_refused_by_name(
    registry: ModelRegistry, field: str, value: Any
) -> None:
    _register(registry, "1.0.0")
    for act in (registry.promote, registry.archive, registry.approve, registry.reject):
        with pytest.raises(InvalidMetadata, match=f"^{field}: must be text"):
            act("ranker", "1.0.0", **{"because": "x", field: value})
    for act in (registry.freeze, registry.unfreeze):
        with pytest.raises(InvalidMetadata, match=f"^{field}: must be text"):
            act("ranker", **{"because": "x", field: value})
    assert _path(registry, "1.0.0") == ["registered training"]


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", "x" * 10_000, "'; --"])
def test_what_can_be_no_name_is_found_nowhere(registry: ModelRegistry, name: str) -> None:
    _serve(registry, "1.0.0")
    assert registry.get_model(name, "1.0.0") is None
    assert registry.get_model("ranker", name) is None
    assert registry.get_production_model(name) is None
    assert registry.at(name, NINE) is None
    assert registry.generation(name) == 0
    assert registry.next_version(name) == "1.0.0"
    for listed in (
        registry.list_models(name),
        registry.get_version_history(name),
        registry.moves(name),
        registry.moves("ranker", name),
        registry.approvals(name),
        registry.approvals(state=name),
    ):
        assert len(listed) == 0
    assert not registry.update_model_status(name, "1.0.0", "archived")
    for act in (registry.promote, registry.archive):
        with pytest.raises(UnknownModel):
            act(name, "1.0.0", because="x")
        with pytest.raises(UnknownVersion):
            act("ranker", name, because="x")
    for scoped in (registry.rollback, registry.freeze):
        with pytest.raises(UnknownModel):
            scoped(name, because="x")
    assert registry.unfreeze(name, because="x") is None


# --- What served when -----------------------------------------------------------------------------------------------


def test_at_every_instant_the_version_that_served_then_is_found(registry: ModelRegistry, clock: StepClock) -> None:
    expected: list[tuple[datetime, str | None]] = [(NINE - 1000 * MINUTE, None)]

    def note() -> None:
        expected.append((clock.time, _champion(registry)))

    _register(registry, "1.0.0", "1.1.0", "1.2.0", "1.3.0")
    acts: list[Callable[[], object]] = [
        lambda: registry.promote("ranker", "1.0.0", because="x"),
        lambda: registry.promote("ranker", "1.1.0", because="x"),
        lambda: registry.validate("ranker", "1.2.0", because="x"),
        lambda: registry.rollback("ranker", because="x"),
        lambda: registry.archive("ranker", "1.0.0", because="x"),
        lambda: registry.archive("ranker", "1.3.0", because="x"),
        lambda: registry.promote("ranker", "1.2.0", because="x"),
        lambda: registry.refuse("ranker", "1.2.0", because="x"),
    ]
    for act in acts:
        act()
        note()
    assert [version for _, version in expected] == [
        None,
        "1.0.0",
        "1.1.0",
        "1.1.0",
        "1.0.0",
        None,
        None,
        "1.2.0",
        "1.0.0",
    ]
    for (start, version), (end, _) in zip(expected, [*expected[1:], (clock.time + MINUTE, None)], strict=True):
        for time in (start, start + (end - start) / 2, end - timedelta(microseconds=1)):
            found = registry.at("ranker", time)
            assert (None if found is None else found.version) == version, time


def test_the_time_may_be_of_any_zone_and_without_one_it_is_utc(registry: ModelRegistry, clock: StepClock) -> None:
    _serve(registry, "1.0.0")
    start = clock.time
    _serve(registry, "1.1.0")
    for time in (start, start.astimezone(timezone(timedelta(hours=-5))), start.replace(tzinfo=None)):
        found = registry.at("ranker", time)
        assert found is not None
        assert found.version == "1.0.0"


def test_a_clock_that_steps_back_does_not_turn_the_order_of_moves(registry: ModelRegistry, clock: StepClock) -> None:
    _serve(registry, "1.0.0")
    clock.time -= timedelta(hours=3)
    _serve(registry, "1.1.0")
    times = [move.at for move in registry.moves("ranker")]
    assert times == sorted(times)
    assert registry.at("ranker", times[-1]) == registry.get_production_model("ranker")


def test_the_moves_of_another_model_are_no_matter(registry: ModelRegistry, clock: StepClock) -> None:
    _serve(registry, "1.0.0")
    _serve(registry, "9.0.0", model_id="other")
    found = registry.at("ranker", clock.time)
    assert found is not None
    assert found.name == "ranker_1.0.0"


# --- Rollback -------------------------------------------------------------------------------------------------------


def test_a_rollback_puts_back_the_version_before(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    back = registry.rollback("ranker", because="worse", actor="bea")
    assert (back.version, back.status) == ("1.0.0", "production")
    assert _statuses(registry) == {"1.1.0": "archived", "1.0.0": "production"}
    last = registry.moves("ranker")[-1]
    assert (last.kind, last.from_status, last.to_status, last.actor, last.because) == (
        "rolled_back", "archived", "production", "bea", "worse",
    )  # fmt: skip


def test_going_back_twice_goes_back_two_versions_and_then_there_is_nothing(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0", "1.2.0")
    assert registry.rollback("ranker", because="x").version == "1.1.0"
    assert registry.rollback("ranker", because="x").version == "1.0.0"
    with pytest.raises(NothingToRollBackTo, match="no earlier version of ranker served"):
        registry.rollback("ranker", because="x")
    assert _champion(registry) == "1.0.0"


def test_a_rollback_to_a_version_by_name(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0", "1.2.0")
    assert registry.rollback("ranker", because="x", to="1.0.0").version == "1.0.0"
    assert registry.rollback("ranker", because="x", to="1.2.0").version == "1.2.0"
    assert _champion(registry) == "1.2.0"


def test_only_a_version_that_served_can_be_gone_back_to(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.2.0")
    _register(registry, "1.3.0", status="archived")
    for version, status in (("1.1.0", "production"), ("1.2.0", "training"), ("1.3.0", "archived")):
        with pytest.raises(NothingToRollBackTo, match=rf"ranker {version} is {status}"):
            registry.rollback("ranker", because="x", to=version)
    with pytest.raises(UnknownVersion):
        registry.rollback("ranker", because="x", to="9.0.0")


def test_an_unknown_model_cannot_be_rolled_back(registry: ModelRegistry) -> None:
    for to in (None, "1.0.0"):
        with pytest.raises(UnknownModel, match="nobody"):
            registry.rollback("nobody", because="x", to=to)


def test_a_model_that_never_served_cannot_be_rolled_back(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    with pytest.raises(NothingToRollBackTo):
        registry.rollback("ranker", because="x")


def test_a_retired_model_comes_back_by_a_rollback(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    assert registry.archive("ranker", "1.1.0", because="retired").status == "archived"
    assert _champion(registry) is None
    assert registry.rollback("ranker", because="back").version == "1.1.0"
    assert registry.rollback("ranker", because="back").version == "1.0.0"


def test_a_rollback_passes_over_versions_whose_files_are_not_whole(make_registry: MakeRegistry, tmp_path: Path) -> None:
    registry = make_registry(artefacts=DiskArtefacts(tmp_path / "artifacts"))
    for number in range(4):
        registry.register(
            ModelMetadata("ranker", f"1.{number}.0", status="production"),
            artefact={"weights.json": f"[{number}]".encode()},
        )
    for version in ("1.1.0", "1.2.0"):
        _spoil(registry, _found(registry, version))
    with pytest.raises(ArtefactDamaged, match=r"weights\.json"):
        registry.rollback("ranker", because="x", to="1.2.0")
    assert registry.rollback("ranker", because="x").version == "1.0.0"


def test_where_no_earlier_version_is_whole_the_damage_is_named(make_registry: MakeRegistry, tmp_path: Path) -> None:
    registry = make_registry(artefacts=DiskArtefacts(tmp_path / "artifacts"))
    registry.register(ModelMetadata("ranker", "1.0.0", status="production"), artefact=FILES)
    _serve(registry, "1.1.0")
    _spoil(registry, _found(registry, "1.0.0"))
    with pytest.raises(ArtefactError, match=r"weights\.json"):
        registry.rollback("ranker", because="x")
    assert _champion(registry) == "1.1.0"


def test_a_rollback_while_somebody_else_promotes_is_a_conflict(
    registry: ModelRegistry, make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.2.0")
    other = make_registry()
    _meanwhile(registry, lambda: other.promote("ranker", "1.2.0", because="first"), monkeypatch)
    with pytest.raises(Conflict):
        registry.rollback("ranker", because="second")
    assert _champion(registry) == "1.2.0"


# --- Refusal --------------------------------------------------------------------------------------------------------


def test_a_champion_that_cannot_serve_gives_way_to_the_last_one_that_can(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    serving = registry.refuse("ranker", "1.1.0", because="it answered nothing", actor="worker 3")
    assert serving is not None
    assert (serving.version, serving.status) == ("1.0.0", "production")
    assert _path(registry, "1.1.0")[-2:] == ["(refused production)", "refused archived"]
    assert _path(registry, "1.0.0")[-1] == "rolled_back production"
    failed = next(move for move in registry.moves("ranker", "1.1.0") if move.outcome == "failed")
    assert (failed.actor, failed.because, failed.automatic) == ("worker 3", "it answered nothing", True)


def test_a_refused_version_is_passed_over_by_rollbacks_and_may_be_put_back_by_name(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    registry.refuse("ranker", "1.1.0", because="x")
    _serve(registry, "1.2.0")
    assert registry.rollback("ranker", because="x").version == "1.0.0"
    assert registry.rollback("ranker", because="mended", to="1.1.0").version == "1.1.0"


def test_of_several_workers_that_refuse_the_same_one_moves_it(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0", "1.2.0")
    for _ in range(3):
        serving = registry.refuse("ranker", "1.2.0", because="x")
        assert serving is not None
        assert serving.version == "1.1.0"
    assert _path(registry, "1.2.0")[-4:] == [
        "(refused production)", "refused archived", "(refused production)", "(refused production)",
    ]  # fmt: skip


def test_under_a_freeze_a_refusal_is_noted_and_nothing_moves(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    registry.freeze("ranker", because="holidays")
    serving = registry.refuse("ranker", "1.1.0", because="x")
    assert serving is not None
    assert serving.version == _champion(registry) == "1.1.0"
    assert _path(registry, "1.1.0")[-1] == "(refused production)"


def test_what_could_not_serve_under_a_freeze_is_passed_over_by_later_rollbacks(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    registry.freeze("ranker", because="holidays")
    registry.refuse("ranker", "1.1.0", because="x")
    _serve(registry, "1.2.0")
    assert registry.rollback("ranker", because="x").version == "1.0.0"


def test_the_only_version_that_ever_served_stays_though_it_was_refused(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0")
    serving = registry.refuse("ranker", "1.0.0", because="x")
    assert serving is not None
    assert serving.version == _champion(registry) == "1.0.0"
    assert _path(registry, "1.0.0")[-1] == "(refused production)"


def test_refusing_a_version_that_serves_no_more_is_noted_only(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0", "1.2.0")
    serving = registry.refuse("ranker", "1.1.0", because="x")
    assert serving is not None
    assert serving.version == "1.2.0"
    assert registry.rollback("ranker", because="x").version == "1.0.0"


def test_refusing_while_a_person_rolls_back_to_the_very_version_moves_nothing(
    registry: ModelRegistry, make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(registry, "1.0.0", "1.1.0", "1.2.0")
    other = make_registry()
    _meanwhile(registry, lambda: other.rollback("ranker", because="first"), monkeypatch)
    serving = registry.refuse("ranker", "1.1.0", because="second")
    assert serving is not None
    assert serving.version == _champion(registry) == "1.1.0"
    assert all(move.from_status != move.to_status for move in registry.moves("ranker"))


def test_a_refusal_goes_back_over_damaged_versions_too(make_registry: MakeRegistry, tmp_path: Path) -> None:
    registry = make_registry(artefacts=DiskArtefacts(tmp_path / "artifacts"))
    _serve(registry, "1.0.0")
    registry.register(ModelMetadata("ranker", "1.1.0", status="production"), artefact=FILES)
    _serve(registry, "1.2.0")
    _spoil(registry, _found(registry, "1.1.0"))
    serving = registry.refuse("ranker", "1.2.0", because="x")
    assert serving is not None
    assert serving.version == "1.0.0"


# --- Freeze ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["ranker", None])
def test_a_freeze_stops_programs_and_no_person(registry: ModelRegistry, scope: str | None) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    _register(registry, "1.2.0")
    kept = registry.freeze(scope, because="holidays", actor="bea")
    assert (kept.scope, kept.frozen_by, kept.because) == (scope or "*", "bea", "holidays")
    acts: list[Callable[..., object]] = [
        lambda **by: registry.promote("ranker", "1.2.0", because="x", **by),
        lambda **by: registry.validate("ranker", "1.2.0", because="x", **by),
        lambda **by: registry.rollback("ranker", because="x", **by),
        lambda **by: registry.archive("ranker", "1.2.0", because="x", **by),
    ]
    before = registry_document(registry.database)
    for act in acts:
        with pytest.raises(Frozen, match=r"frozen \(holidays\)"):
            act(automatic=True)
    assert registry_document(registry.database) == before
    for act in reversed(acts[1:]):
        registry.archive("ranker", "1.2.0", because="x") if act is acts[1] else act()
    assert _champion(registry) == "1.0.0"


def test_a_freeze_of_one_model_is_no_matter_to_another(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    _register(registry, "1.0.0", model_id="other")
    registry.freeze("ranker", because="x")
    assert registry.promote("other", "1.0.0", because="x", automatic=True).status == "production"


def test_lifting_a_freeze_lets_programs_move_again(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    registry.freeze("ranker", because="x")
    lifted = registry.unfreeze("ranker", because="over", actor="bea")
    assert lifted is not None
    assert (lifted.lifted_by, lifted.lifted_because) == ("bea", "over")
    assert registry.freezes() == {}
    assert registry.promote("ranker", "1.0.0", because="x", automatic=True).status == "production"
    assert registry.unfreeze("ranker", because="again") is None


def test_freezing_again_keeps_the_freeze_in_force(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    first = registry.freeze("ranker", because="first")
    assert registry.freeze("ranker", because="second") == first
    assert registry.freezes() == {"ranker": first}


def test_the_freeze_of_one_model_and_that_of_all_are_lifted_each_by_itself(registry: ModelRegistry) -> None:
    _register(registry, "1.0.0")
    registry.freeze("ranker", because="one")
    registry.freeze(because="all")
    registry.unfreeze("ranker", because="x")
    with pytest.raises(Frozen, match=r"all models are frozen \(all\)"):
        registry.promote("ranker", "1.0.0", because="x", automatic=True)
    registry.unfreeze(because="x")
    assert registry.promote("ranker", "1.0.0", because="x", automatic=True).status == "production"


def test_everything_can_be_frozen_before_there_is_anything(registry: ModelRegistry) -> None:
    registry.freeze(because="x")
    _register(registry, "1.0.0")
    with pytest.raises(Frozen):
        registry.promote("ranker", "1.0.0", because="x", automatic=True)
    assert [each.is_frozen for each in registry.models()] == [True]


def test_an_unknown_model_cannot_be_frozen(registry: ModelRegistry) -> None:
    with pytest.raises(UnknownModel, match="nobody"):
        registry.freeze("nobody", because="x")


# --- Approval -------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(make_registry: MakeRegistry) -> ModelRegistry:
    """A registry in which promotions of ``ranker`` wait for a person; 1.0.0 serves, and 1.1.0 waits in training."""
    _serve(make_registry(), "1.0.0")
    registry = make_registry(approval=ApprovalPolicy(frozenset({"ranker"})))
    _register(registry, "1.1.0")
    return registry


def _request(registry: ModelRegistry, version: str = "1.1.0", **options: Any) -> int:
    with pytest.raises(ApprovalRequired, match=rf"ranker {version} waits for approval") as caught:
        registry.promote("ranker", version, **{"because": "better", **options})
    return caught.value.approval_id


def test_a_promotion_that_needs_a_person_is_requested_and_moves_nothing(guarded: ModelRegistry) -> None:
    number = _request(guarded, evidence={"p": 0.01}, actor="robot", automatic=True)
    (waiting,) = guarded.approvals("ranker", "pending")
    assert (waiting.approval_id, waiting.version, waiting.champion) == (number, "1.1.0", "1.0.0")
    assert (waiting.requested_by, waiting.because, waiting.evidence) == ("robot", "better", {"p": 0.01})
    assert _statuses(guarded) == {"1.1.0": "training", "1.0.0": "production"}


def test_approving_promotes_with_the_evidence_of_the_request(guarded: ModelRegistry) -> None:
    _request(guarded, evidence={"p": 0.01}, actor="robot")
    assert guarded.approve("ranker", "1.1.0", because="agreed", actor="bea").status == "production"
    last = guarded.moves("ranker", "1.1.0")[-1]
    assert (last.actor, last.evidence, last.automatic) == ("bea", {"p": 0.01}, False)
    assert last.because == "agreed (requested by robot: better)"
    (decided,) = guarded.approvals("ranker")
    assert (decided.state, decided.decided_by, decided.decided_because) == ("approved", "bea", "agreed")
    assert decided.decided_at == last.at


def test_rejecting_moves_nothing_and_another_request_may_follow(guarded: ModelRegistry) -> None:
    first = _request(guarded)
    rejected = guarded.reject("ranker", "1.1.0", because="not yet", actor="bea")
    assert (rejected.state, rejected.decided_by, rejected.decided_because) == ("rejected", "bea", "not yet")
    assert _statuses(guarded) == {"1.1.0": "training", "1.0.0": "production"}
    assert _request(guarded) > first
    assert [each.state for each in guarded.approvals("ranker")] == ["pending", "rejected"]


def test_asking_again_makes_no_second_request(guarded: ModelRegistry) -> None:
    assert _request(guarded, actor="robot") == _request(guarded, actor="bea")
    assert [each.requested_by for each in guarded.approvals()] == ["robot"]


def test_where_none_waits_there_is_nothing_to_decide(guarded: ModelRegistry) -> None:
    for decide in (guarded.approve, guarded.reject):
        with pytest.raises(ApprovalRefused, match=r"no promotion of ranker 1\.1\.0 waits"):
            decide("ranker", "1.1.0", because="x")
    _request(guarded)
    guarded.approve("ranker", "1.1.0", because="x")
    for decide in (guarded.approve, guarded.reject):
        with pytest.raises(ApprovalRefused):
            decide("ranker", "1.1.0", because="x")


def test_who_requested_may_not_approve_where_another_must(make_registry: MakeRegistry) -> None:
    registry = make_registry(approval=ApprovalPolicy(None, by_another=True))
    _register(registry, "1.1.0")
    _request(registry, actor="ana")
    with pytest.raises(ApprovalRefused, match=r"ana requested the promotion of ranker 1\.1\.0: somebody else"):
        registry.approve("ranker", "1.1.0", because="x", actor="ana")
    assert [each.state for each in registry.approvals()] == ["pending"]
    assert registry.approve("ranker", "1.1.0", because="x", actor="bea").status == "production"


def test_who_requested_may_reject_and_where_it_is_allowed_approve(make_registry: MakeRegistry) -> None:
    strict = make_registry(approval=ApprovalPolicy(None, by_another=True))
    _register(strict, "1.1.0")
    _request(strict, actor="ana")
    assert strict.reject("ranker", "1.1.0", because="x", actor="ana").state == "rejected"
    lax = make_registry(approval=ApprovalPolicy(None))
    _request(lax, actor="ana")
    assert lax.approve("ranker", "1.1.0", because="x", actor="ana").status == "production"


def test_a_request_whose_champion_has_changed_is_a_conflict(
    guarded: ModelRegistry, make_registry: MakeRegistry
) -> None:
    _request(guarded)
    _serve(make_registry(), "1.0.1")
    with pytest.raises(Conflict, match=r"1\.0\.1 is in production, and the change was decided on 1\.0\.0"):
        guarded.approve("ranker", "1.1.0", because="x")
    assert _champion(guarded) == "1.0.1"


def test_after_such_a_conflict_it_can_be_requested_anew(guarded: ModelRegistry, make_registry: MakeRegistry) -> None:
    first = _request(guarded, evidence={"against": "1.0.0"})
    _serve(make_registry(), "1.0.1")
    assert _request(guarded, evidence={"against": "1.0.1"}, actor="bea") > first
    newer, older = guarded.approvals("ranker")
    assert (newer.state, newer.champion, newer.evidence) == ("pending", "1.0.1", {"against": "1.0.1"})
    assert (older.state, older.decided_by) == ("rejected", "bea")
    assert "1.0.1" in str(older.decided_because)
    assert guarded.approve("ranker", "1.1.0", because="x").status == "production"


def test_a_request_for_what_was_archived_meanwhile_cannot_be_approved(guarded: ModelRegistry) -> None:
    _request(guarded)
    guarded.archive("ranker", "1.1.0", because="x")
    with pytest.raises(IllegalMove):
        guarded.approve("ranker", "1.1.0", because="x")
    assert guarded.reject("ranker", "1.1.0", because="x").state == "rejected"


def test_a_freeze_stops_a_programs_request_and_no_persons_approval(guarded: ModelRegistry) -> None:
    _request(guarded)
    guarded.freeze("ranker", because="x")
    _register(guarded, "1.2.0")
    with pytest.raises(Frozen):
        guarded.promote("ranker", "1.2.0", because="x", automatic=True)
    assert len(guarded.approvals()) == 1
    assert guarded.approve("ranker", "1.1.0", because="x").status == "production"


def test_going_back_needs_no_approval(guarded: ModelRegistry) -> None:
    _request(guarded)
    guarded.approve("ranker", "1.1.0", because="x")
    assert guarded.rollback("ranker", because="x", automatic=True).version == "1.0.0"


def test_registering_into_production_keeps_the_version_and_requests(guarded: ModelRegistry) -> None:
    with pytest.raises(ApprovalRequired):
        _register(guarded, "1.2.0", status="production")
    assert _statuses(guarded)["1.2.0"] == "training"
    with pytest.raises(ApprovalRequired):
        guarded.update_model_status("ranker", "1.1.0", "production")
    assert {each.version for each in guarded.approvals(state="pending")} == {"1.2.0", "1.1.0"}


def test_other_models_need_no_approval(guarded: ModelRegistry) -> None:
    _serve(guarded, "1.0.0", model_id="ranker_2")
    assert _champion(guarded, "ranker_2") == "1.0.0"


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("none", set()), ("", set()), (" False ", set()), ("all", {"ranker", "other"}), ("TRUE", {"ranker", "other"}),
        ("ranker", {"ranker"}), ("x, ranker ,", {"ranker"}), ("ranker_2", set()),
    ],
)  # fmt: skip
def test_a_setting_says_which_models_need_it(text: str, needs: set[str]) -> None:
    policy = ApprovalPolicy.from_text(text, by_another=True)
    assert {model_id for model_id in ("ranker", "other") if policy.needs(model_id)} == needs
    assert policy.by_another


# --- What the database itself promises ------------------------------------------------------------------------------


def test_a_second_version_in_production_is_refused_by_the_database_itself(registry: ModelRegistry) -> None:
    _serve(registry, "1.0.0", "1.1.0")

    def put_both() -> None:
        with registry.database.writing() as connection:
            connection.execute(sa.text("UPDATE model_versions SET status = 'production' WHERE version = '1.0.0'"))

    with pytest.raises(sa.exc.IntegrityError):
        put_both()
    assert _statuses(registry) == {"1.1.0": "production", "1.0.0": "archived"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_versions SET status = 'staging' WHERE version = '1.1.0'",
        "UPDATE moves SET outcome = 'perhaps'",
        "UPDATE moves SET version = '9.9.9'",
        "DELETE FROM models",
        "DELETE FROM model_versions",
        "INSERT INTO freezes (scope, frozen_at, frozen_by, because) SELECT scope, frozen_at, 'x', 'x' FROM freezes",
        "UPDATE model_versions SET version = '1.1.0' WHERE version = '1.0.0'",
    ],
)
def test_rows_that_cannot_be_are_refused_by_the_database_itself(registry: ModelRegistry, statement: str) -> None:
    _serve(registry, "1.0.0", "1.1.0")
    registry.freeze(because="x")
    before = registry_document(registry.database)

    def execute() -> None:
        with registry.database.writing() as connection:
            connection.execute(sa.text(statement))

    with pytest.raises(sa.exc.IntegrityError):
        execute()
    assert registry_document(registry.database) == before


def test_a_failure_in_the_middle_of_a_promotion_changes_nothing(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(registry, "1.0.0")
    _register(registry, "1.1.0")
    before = registry_document(registry.database)
    original = sa.Connection.execute

    def fail_at_the_last_step(self: sa.Connection, statement: Any, *arguments: Any, **options: Any) -> Any:
        if arguments and isinstance(arguments[0], dict) and arguments[0].get("to") == "production":
            raise ZeroDivisionError
        return original(self, statement, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sa.Connection, "execute", fail_at_the_last_step)
        with pytest.raises(ZeroDivisionError):
            registry.promote("ranker", "1.1.0", because="x")
    assert registry_document(registry.database) == before
    assert schema.model_versions.c.status is not None


# --- The document and its file --------------------------------------------------------------------------------------


def test_the_document_reads_like_the_registry(registry: ModelRegistry) -> None:
    _serve(registry, "1.10.0", "1.9.0", timestamp=NINE)
    _register(registry, "1.0.0", model_id="another")
    registry.freeze("ranker", because="holidays")
    document = registry_document(registry.database)
    assert (document["format"], document["frozen"]) == ("mlops-registry/1", None)
    assert list(document["models"]) == ["another", "ranker"]
    ranker = document["models"]["ranker"]
    assert (ranker["production"], ranker["frozen"]) == ("1.9.0", "holidays")
    assert ranker["generation"] == registry.generation("ranker")
    assert list(ranker["versions"]) == ["1.9.0", "1.10.0"]
    assert [move["to_status"] for move in ranker["versions"]["1.10.0"]["moves"]] == [
        "training", "validation", "production", "archived",
    ]  # fmt: skip
    assert list(registry_document(registry.database, model_id="another")["models"]) == ["another"]
    assert json.loads(to_bytes(document)) == document


def test_a_freeze_of_all_is_in_the_document(registry: ModelRegistry) -> None:
    registry.freeze(because="holidays")
    assert registry_document(registry.database)["frozen"] == "holidays"


@pytest.fixture
def shown(guarded: ModelRegistry, make_registry: MakeRegistry, tmp_path: Path) -> ModelRegistry:
    """As ``guarded``, with a file that shows it."""
    return make_registry(approval=guarded.approval, view_path=tmp_path / "models" / "registry.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda registry: _register(registry, "2.0.0"),
        lambda registry: registry.validate("ranker", "1.1.0", because="x"),
        lambda registry: registry.archive("ranker", "1.0.0", because="x"),
        lambda registry: registry.freeze(because="x"),
        lambda registry: registry.unfreeze("ranker", because="x"),
        lambda registry: _request(registry, "1.2.0"),
        lambda registry: registry.approve("ranker", "1.1.0", because="x"),
        lambda registry: registry.reject("ranker", "1.1.0", because="x"),
        lambda registry: registry.refuse("ranker", "1.0.0", because="x"),
    ],
    ids=["register", "validate", "archive", "freeze", "unfreeze", "request", "approve", "reject", "refuse"],
)
def test_after_every_kind_of_change_the_file_shows_what_the_database_holds(
    guarded: ModelRegistry, shown: ModelRegistry, change: Callable[[ModelRegistry], object], tmp_path: Path
) -> None:
    # By another registry, so that the change is the only one that the file's keeper hears of.
    _register(guarded, "1.2.0")
    guarded.freeze("ranker", because="x")
    _request(guarded)
    shown.refresh_view()
    change(shown)
    shown.close()
    assert (tmp_path / "models" / "registry.json").read_bytes() == to_bytes(registry_document(shown.database))


def test_a_file_that_cannot_be_written_stops_no_change(make_registry: MakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    registry = make_registry(view_path=tmp_path / "models" / "registry.json")
    _serve(registry, "1.0.0")
    assert _champion(registry) == "1.0.0"
    with pytest.raises(OSError, match="models"):
        registry.refresh_view()
    registry.close()


# --- From settings --------------------------------------------------------------------------------------------------


def test_a_registry_from_settings_has_all_that_they_name(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, artifact_signing_key=SecretStr("ours"), require_approval="ranker", approval_by_another=True
    )  # type: ignore[call-arg]
    registry = open_registry(settings, actor="ana")
    one = registry.register(ModelMetadata("ranker", "1.0.0"), artefact=FILES)
    _request(registry, "1.0.0")
    with pytest.raises(ApprovalRefused):
        registry.approve("ranker", "1.0.0", because="x")
    registry.close()
    registry.database.close()
    manifest = json.loads((tmp_path / "models" / "artifacts" / str(one.artefact) / "manifest.json").read_bytes())
    assert "hmac" in manifest
    assert (tmp_path / "var" / "state.db").is_file()
    assert json.loads((tmp_path / "models" / "registry.json").read_bytes())["models"]["ranker"]["production"] is None


def test_every_error_of_the_registry_is_a_registry_error() -> None:
    for kind in (Conflict, Frozen, IllegalMove, NothingToRollBackTo, UnknownModel, UnknownVersion, VersionExists):
        assert issubclass(kind, RegistryError)
