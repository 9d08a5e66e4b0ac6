"""Export and import: what goes out comes back the same, what is wrong leaves nothing half."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops import schema
from mlops.artefacts import DiskArtefacts, MemoryArtefacts
from mlops.errors import (
    ArtefactDamaged,
    ArtefactForeign,
    ArtefactMissing,
    InvalidExport,
    NothingToRollBackTo,
    RegistryError,
    UnknownModel,
    VersionExists,
)
from mlops.model_registry import ApprovalPolicy, Lineage, ModelMetadata, ModelRegistry
from mlops.model_registry.document import registry_document
from mlops.model_registry.transfer import export_registry, import_registry
from mlops.model_registry.verify import findings
from mlops.store import Database

REPOSITORY = Path(__file__).parent.parent.parent
START = datetime(2026, 11, 24, 9, tzinfo=UTC)
FILES = {"weights.json": b"[0.7, 0.3]", "notes/read.me.txt": b"two weights"}


class Ticking:
    """A clock that goes on by a second at each look, or stands."""

    def __init__(self, *, stands: bool = False) -> None:
        self.now = START
        self.stands = stands

    def __call__(self) -> datetime:
        if not self.stands:
            self.now += timedelta(seconds=1)
        return self.now


MakeRegistry = Callable[..., ModelRegistry]


@pytest.fixture
def make_registry(tmp_path: Path) -> Iterator[MakeRegistry]:
    """Makes registries on SQLite, each in a folder of its own, with a view and artefacts on the disk."""
    made: list[ModelRegistry] = []

    def make(database: Database | None = None, *, signing_key: bytes | None = None, **options: Any) -> ModelRegistry:
        folder = tmp_path / f"registry{len(made)}"
        if database is None:
            database = Database(f"sqlite:///{folder}/state.db", tables=(schema.MIGRATIONS,))
        artefacts = DiskArtefacts(folder / "models" / "artifacts", signing_key=signing_key)
        view = folder / "models" / "registry.json"
        made.append(
            ModelRegistry(
                database, **{"artefacts": artefacts, "view_path": view, "clock": Ticking(), "actor": "ana", **options}
            )
        )
        return made[-1]

    yield make
    for registry in made:
        registry.close()
        registry.database.close()


@pytest.fixture
def of_each_kind(empty_database: Database, make_registry: MakeRegistry) -> ModelRegistry:
    """An empty registry on each kind of database."""
    empty_database.upgrade(schema.MIGRATIONS)
    return make_registry(empty_database)


def put(
    registry: ModelRegistry, version: str, *, status: str = "training", model_id: str = "ranker", **more: Any
) -> None:
    files = more.pop("artefact", None)
    registry.register(ModelMetadata(model_id, version, timestamp=START, status=status, **more), artefact=files)


def lived_in(registry: ModelRegistry) -> ModelRegistry:
    """A registry in which much has happened."""
    metadata = ModelMetadata(
        "ranker", "1.0.0", metrics={"ndcg@10": 0.41, "n": 7}, parameters={"blend": [0.7, 0.3], "deep": {"a": None}},
        tags=["first"], description="Línea base",
    )  # fmt: skip
    registry.register(metadata, artefact=FILES, lineage=Lineage("abc", "1f2e", int(np.int64(7))))
    registry.promote("ranker", "1.0.0", because="first", evidence={"verdict": "better", "interval": [0.01, 0.03]})
    put(registry, "1.1.0", parent_version="1.0.0", artefact={"weights.json": b"[1]"})
    registry.promote("ranker", "1.1.0", because="better", actor="ben")
    put(registry, "1.10.0", tags={"team": "search"})
    put(registry, "1.2.0", status="validation")
    registry.refuse("ranker", "1.1.0", because="does not load")
    put(registry, "2.0.0", model_id="other.model", status="production")
    put(registry, "2.0.1", model_id="other.model", status="production")
    registry.rollback("other.model", because="worse")
    registry.archive("ranker", "1.10.0", because="not needed")
    registry.freeze("other.model", because="holidays")
    return registry


def comparable(registry: ModelRegistry) -> dict[str, Any]:
    document = registry_document(registry.database)
    for model in document["models"].values():
        del model["generation"]
    return document


def test_what_was_exported_comes_back_the_same(
    of_each_kind: ModelRegistry, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    lived_in(of_each_kind)
    exported = export_registry(of_each_kind, tmp_path / "out")
    assert exported.to_dict() == {"folder": str(tmp_path / "out"), "models": 2, "versions": 6, "artefacts": 2}
    other = make_registry()
    report = import_registry(other, tmp_path / "out")
    assert comparable(other) == comparable(of_each_kind)
    assert report.imported == (
        "other.model 2.0.0", "other.model 2.0.1", "ranker 1.0.0", "ranker 1.1.0", "ranker 1.10.0", "ranker 1.2.0",
    )  # fmt: skip
    assert report.skipped == ()
    assert report.notes == ("other.model is frozen, as in the file: holidays",)
    one = other.get_model("ranker", "1.0.0")
    assert one is not None
    assert other.files(one) == FILES
    assert [one.name for one in other.list_models("ranker")] == [one.name for one in of_each_kind.list_models("ranker")]
    assert findings(other, view_patience_seconds=5) == []


def test_what_comes_into_each_kind_of_database_is_what_went_out(
    of_each_kind: ModelRegistry, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source = lived_in(make_registry())
    export_registry(source, tmp_path / "out")
    import_registry(of_each_kind, tmp_path / "out")
    assert comparable(of_each_kind) == comparable(source)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["register", "promote", "rollback", "archive", "validate", "refuse", "freeze", "unfreeze"]),
        st.sampled_from(["ranker", "other"]),
        st.sampled_from(["1.0.0", "1.1.0", "2.0.0", "10.0.0"]),
    ),
    max_size=25,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def act(registry: ModelRegistry, action: str, model_id: str, version: str, text: str) -> None:
    match action:
        case "register":
            parameters = {"text": text, "n": len(text), "none": None}
            metadata = ModelMetadata(model_id, version, timestamp=START, parameters=parameters, tags=[text])
            registry.register(metadata, artefact={"text.json": json.dumps(text).encode()}, because=text)
        case "promote":
            registry.promote(model_id, version, because=text, evidence={"why": [text, 1.5]})
        case "rollback":
            registry.rollback(model_id, because=text, automatic=True)
        case "freeze" | "unfreeze":
            getattr(registry, action)(model_id, because=text)
        case _:
            getattr(registry, action)(model_id, version, because=text)


@given(actions=ACTIONS, text=TEXTS, stands=st.booleans(), freezes_all=st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_registry_comes_back_the_same_and_goes_on_the_same(
    actions: list[tuple[str, str, str]],
    text: str,
    stands: bool,
    freezes_all: bool,
    make_quick_folder: Callable[[], Path],
) -> None:
    folder = make_quick_folder()
    source, target = (
        ModelRegistry(
            Database(f"sqlite:///{folder}/{name}.db", tables=(schema.MIGRATIONS,)),
            artefacts=MemoryArtefacts(),
            clock=Ticking(stands=stands),
            actor="ana",
        )
        for name in ("source", "target")
    )
    for action, model_id, version in actions:
        try:
            act(source, action, model_id, version, text)
        except RegistryError:
            continue  # Not every order of actions is legal.
    if freezes_all:
        source.freeze(because=text)
    export_registry(source, folder / "out")
    import_registry(target, folder / "out")
    assert comparable(target) == comparable(source)
    for model_id in ("ranker", "other"):
        for registry in (source, target):
            registry.unfreeze(because="go on")
            registry.unfreeze(model_id, because="go on")
        assert back(target, model_id) == back(source, model_id)
        for moment in (START, START + timedelta(seconds=9), START + timedelta(days=1)):
            assert served(target, model_id, moment) == served(source, model_id, moment)
    source.database.close()
    target.database.close()


def back(registry: ModelRegistry, model_id: str) -> str | None:
    try:
        return registry.rollback(model_id, because="how far back?").version
    except (UnknownModel, NothingToRollBackTo):
        return None


def served(registry: ModelRegistry, model_id: str, moment: datetime) -> str | None:
    one = registry.at(model_id, moment)
    return None if one is None else one.version


def test_importing_twice_changes_nothing(make_registry: MakeRegistry, tmp_path: Path) -> None:
    export_registry(lived_in(make_registry()), tmp_path / "out")
    other = make_registry()
    import_registry(other, tmp_path / "out")
    other.unfreeze("other.model", because="over")
    before = registry_document(other.database)
    report = import_registry(other, tmp_path / "out")
    assert report.imported == ()
    assert len(report.skipped) == 6
    assert registry_document(other.database) == before


def test_of_many_imports_at_once_each_version_comes_in_once(
    of_each_kind: ModelRegistry, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source = lived_in(make_registry())
    export_registry(source, tmp_path / "out")
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: import_registry(of_each_kind, tmp_path / "out"), range(4)))
    assert sorted(name for report in reports for name in report.imported) == sorted(
        f"{one.model_id} {one.version}" for one in source.list_models()
    )
    assert comparable(of_each_kind) == comparable(source)


def test_the_view_and_its_artefacts_are_an_export(make_registry: MakeRegistry) -> None:
    source = lived_in(make_registry())
    source.close()
    assert source.view_path is not None
    other, from_file = make_registry(), make_registry()
    import_registry(other, source.view_path.parent)
    import_registry(from_file, source.view_path)
    assert comparable(other) == comparable(from_file) == comparable(source)


def test_one_model_is_exported_alone(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source = lived_in(make_registry())
    assert export_registry(source, tmp_path / "out", model_id="other.model").n_versions == 2
    other = make_registry()
    import_registry(other, tmp_path / "out")
    assert [summary.model_id for summary in other.models()] == ["other.model"]


def test_only_what_is_new_comes_in(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    for registry in (source, other):
        put(registry, "1.0.0", artefact=FILES)
    put(source, "1.1.0")
    export_registry(source, tmp_path / "out")
    other.promote("ranker", "1.0.0", because="here")
    report = import_registry(other, tmp_path / "out")
    assert (report.imported, report.skipped) == (("ranker 1.1.0",), ("ranker 1.0.0",))
    champion = other.get_production_model("ranker")
    assert champion is not None
    assert champion.version == "1.0.0"


def test_other_content_under_the_same_number_is_refused_by_name(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0", description="theirs")
    put(source, "0.9.0")
    put(other, "1.0.0", description="ours")
    export_registry(source, tmp_path / "out")
    before = registry_document(other.database)
    with pytest.raises(VersionExists, match=r"ranker 1\.0\.0 is registered here with other content"):
        import_registry(other, tmp_path / "out")
    assert registry_document(other.database) == before


def test_another_champion_is_refused_unless_ours_is_to_stay(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "2.0.0", status="production", artefact=FILES)
    put(other, "0.9.0", status="production")
    put(other, "1.0.0", status="production")
    export_registry(source, tmp_path / "out")
    before = registry_document(other.database)
    with pytest.raises(InvalidExport, match=r"ranker 2\.0\.0 is in production in the file, and 1\.0\.0"):
        import_registry(other, tmp_path / "out")
    assert registry_document(other.database) == before
    assert other.artefacts is not None
    assert other.artefacts.digests() == []

    report = import_registry(other, tmp_path / "out", keep_production=True, actor="eva")
    assert report.notes == ("ranker 2.0.0 comes in archived: 1.0.0 stays in production here",)
    last = other.moves("ranker", "2.0.0")[-1]
    assert (last.kind, last.to_status, last.actor) == ("imported", "archived", "eva")
    assert last.because == "imported from registry.json: 1.0.0 stays in production here"
    assert served(other, "ranker", START + timedelta(days=1)) == "1.0.0"
    assert findings(other, view_patience_seconds=5) == []
    assert other.rollback("ranker", because="back").version == "0.9.0"


def test_a_freeze_of_all_there_freezes_here_what_came_from_there(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0")
    source.freeze(because="audit")
    put(other, "1.0.0", model_id="mine")
    export_registry(source, tmp_path / "out")
    import_registry(other, tmp_path / "out")
    assert {scope: freeze.because for scope, freeze in other.freezes().items()} == {"ranker": "audit"}


def test_an_import_asks_for_no_approval(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry(approval=ApprovalPolicy(None))
    put(source, "1.0.0", status="production")
    export_registry(source, tmp_path / "out")
    import_registry(other, tmp_path / "out")
    assert served(other, "ranker", START + timedelta(days=1)) == "1.0.0"


# ---- artefacts


def only_artefact(folder: Path) -> Path:
    (found,) = (folder / "artifacts").iterdir()
    return found


def test_an_export_holds_nothing_but_the_document_and_its_artefacts(
    make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source = make_registry()
    put(source, "1.0.0", artefact=FILES)
    export_registry(source, tmp_path / "out")
    digest = source.list_models()[0].artefact
    written = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    inside = f"artifacts/{digest}"
    assert written == {
        "registry.json", f"{inside}/manifest.json", f"{inside}/weights.json", f"{inside}/notes/read.me.txt",
    }  # fmt: skip


def test_a_missing_artefact_names_version_and_digest(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0", artefact=FILES)
    export_registry(source, tmp_path / "out")
    digest = only_artefact(tmp_path / "out").name
    only_artefact(tmp_path / "out").rename(tmp_path / "taken")
    with pytest.raises(ArtefactMissing, match=rf"ranker 1\.0\.0: its artefact {digest} is missing"):
        import_registry(other, tmp_path / "out")
    assert other.list_models() == []


def test_a_damaged_artefact_keeps_everything_out(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0", artefact={"a.json": b"1"})
    put(source, "1.1.0", artefact=FILES)
    export_registry(source, tmp_path / "out")
    damaged = next((tmp_path / "out" / "artifacts").rglob("weights.json"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"[0.3, 0.7]")
    with pytest.raises(ArtefactDamaged, match=r"ranker 1\.1\.0: .*weights\.json was changed"):
        import_registry(other, tmp_path / "out")
    assert other.list_models() == []
    assert other.artefacts is not None
    assert other.artefacts.digests() == []


def test_an_artefact_that_is_here_already_need_not_come_along(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0", artefact=FILES)
    put(other, "1.0.0", model_id="mine", artefact=FILES)
    export_registry(source, tmp_path / "out")
    only_artefact(tmp_path / "out").rename(tmp_path / "taken")
    assert import_registry(other, tmp_path / "out").imported == ("ranker 1.0.0",)


def test_a_registry_without_a_place_for_files_takes_no_versions_with_files(
    make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source, other = make_registry(), make_registry(artefacts=None)
    put(source, "1.0.0", artefact=FILES)
    export_registry(source, tmp_path / "out")
    with pytest.raises(ArtefactMissing, match=r"ranker 1\.0\.0 has files"):
        import_registry(other, tmp_path / "out")


def test_signatures_travel_and_strangers_are_refused(make_registry: MakeRegistry, tmp_path: Path) -> None:
    unsigned, signed = make_registry(), make_registry(signing_key=b"ours")
    for registry, name in ((unsigned, "plain"), (signed, "sealed")):
        put(registry, "1.0.0", artefact=FILES)
        export_registry(registry, tmp_path / name)
    import_registry(make_registry(signing_key=b"ours"), tmp_path / "sealed")
    import_registry(make_registry(), tmp_path / "sealed")
    for key, name in ((b"ours", "plain"), (b"other", "sealed")):
        stranger = make_registry(signing_key=key)
        with pytest.raises(ArtefactForeign, match=r"ranker 1\.0\.0"):
            import_registry(stranger, tmp_path / name)
        assert stranger.list_models() == []


# ---- export: whole or not at all


def test_an_export_goes_only_where_nothing_is(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source = lived_in(make_registry())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="name a folder that is new or empty"):
        export_registry(source, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    export_registry(source, tmp_path / "empty")
    assert (tmp_path / "empty" / "registry.json").is_file()


def test_an_export_that_fails_leaves_nothing(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source = make_registry()
    put(source, "1.0.0", artefact=FILES)
    assert isinstance(source.artefacts, DiskArtefacts)
    next(source.artefacts.folder.rglob("weights.json")).unlink()
    (tmp_path / "here").mkdir()
    with pytest.raises(ArtefactDamaged, match=r"ranker 1\.0\.0"):
        export_registry(source, tmp_path / "here" / "out")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_model_that_is_not_there_is_not_exported(make_registry: MakeRegistry, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="'nobody'"):
        export_registry(make_registry(), tmp_path / "out", model_id="nobody")
    assert not (tmp_path / "out").exists()


# ---- files that are no export


def document_with(change: Callable[[dict[str, Any]], object], registry: ModelRegistry) -> dict[str, Any]:
    document = registry_document(registry.database)
    change(document)
    return document


def ranker(document: dict[str, Any]) -> Any:
    return document["models"]["ranker"]


def first(document: dict[str, Any]) -> Any:
    return ranker(document)["versions"]["1.0.0"]


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d.update(format="mlops-registry/9"), r'format: must be mlops-registry/1.*got "mlops-registry/9"'),
    (lambda d: d.update(extra=1), "extra: is not known here; the fields are format, frozen, models"),
    (lambda d: d.update(models=[]), r"models: must be an object, got \[\]"),
    (lambda d: d.update(frozen=1), "frozen: must be text, got 1"),
    (lambda d: ranker(d).update(versions=None), r"models\.ranker\.versions: must be an object, got null"),
    (lambda d: ranker(d).update(production=None), r'models\.ranker\.production: must be 1\.0\.0.*got null'),
    (lambda d: d["models"].update({"bad name": ranker(d)}), "model_id: must be 1 to 128 letters"),
    (lambda d: ranker(d)["versions"].update({"1.0": first(d)}), r"1\.0\.version: must be major\.minor\.patch"),
    (lambda d: first(d).update(status="live"), r'1\.0\.0\.status: must be one of training, .*got "live"'),
    (lambda d: first(d).update(status="archived"), "must lead to its status 'archived', and lead to \"prod"),
    (lambda d: first(d).update(metrics={"a": "b"}), r"1\.0\.0\.metrics\.a: must be a number, got 'b'"),
    (lambda d: first(d).update(timestamp="soon"), r'timestamp: must be a time such as .*, got "soon"'),
    (lambda d: first(d).update(timestamp=None), "timestamp: must be a time such as .*, got null"),
    (lambda d: first(d).update(deployment_date=3), "deployment_date: must be a time such as .*, got 3"),
    (lambda d: first(d).update(artefact="abc"), r'artefact: must be a digest of 64 .*, got "abc"'),
    (lambda d: first(d).update(lineage={"seed": "x"}), r"1\.0\.0\.lineage\.seed: must be a whole number"),
    (lambda d: first(d).update(parent_version="one"), r"parent_version: must be major\.minor\.patch"),
    (lambda d: first(d).update(moves={}), r"moves: must be a list, got \{\}"),
    (lambda d: first(d).update(moves=[]), "moves: must lead to its status 'production', and lead to null"),
    (lambda d: first(d)["moves"][0].update(number=0), r"moves\[0\]\.number: must be a whole number from 1, got 0"),
    (lambda d: first(d)["moves"][0].update(kind="jumped"), r'moves\[0\]\.kind: must be one of .*"jumped"'),
    (lambda d: first(d)["moves"][0].update(to_status="validation"), r"\[0\]\.to_status: must be 'training' in a"),
    (lambda d: first(d)["moves"][0].update(outcome=None), r"\[0\]\.outcome: must be one of done, failed"),
    (lambda d: first(d)["moves"][0].update(actor=None), r"moves\[0\]\.actor: must be text, got null"),
    (lambda d: first(d)["moves"][0].update(because="a\0b"), r"moves\[0\]\.because: must be text"),
    (lambda d: first(d)["moves"][0].update(automatic="no"), r'moves\[0\]\.automatic: must be true or false, got "no"'),
    (lambda d: first(d)["moves"][0].update(at="2026-11-25"), r"moves\[1\]: must come after the move before it"),
    (lambda d: first(d)["moves"][1].update(number=9), r"moves\[2\]: must come after the move before it"),
    (lambda d: first(d)["moves"][0].update(number=2), r"moves\[1\]: must come after the move before it"),
    (lambda d: first(d)["moves"][1].update(from_status="archived"), r'moves\[1\]\.from_status: must be "training"'),
    (lambda d: first(d)["moves"].pop(1), r'moves\[1\]\.from_status: must be "training".*got "validation"'),
    (lambda d: ranker(d)["versions"].update({"1.1.0": first(d)}), "two of its moves have the number 1"),
    (lambda d: first(d)["moves"][2].update(at="2099-01-01"), r"ranker 1\.0\.0: its last move is dated 2099-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_value_is_named_and_nothing_is_imported(
    change: Callable[[dict[str, Any]], object], message: str, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source, other = make_registry(), make_registry()
    put(source, "1.0.0", status="production")
    put(source, "1.0.0", model_id="a-model-before")
    (tmp_path / "registry.json").write_text(json.dumps(document_with(change, source)))
    with pytest.raises(InvalidExport, match=message) as refused:
        import_registry(other, tmp_path)
    assert str(refused.value).startswith(("registry.json: ", "ranker 1.0.0: "))
    assert other.list_models() == []


def test_a_step_that_no_version_can_take_is_refused(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source = make_registry()
    put(source, "1.0.0", status="production")
    document = registry_document(source.database)
    document["models"]["ranker"]["versions"]["1.0.0"]["moves"][2].update(from_status="production", to_status="training")
    document["models"]["ranker"]["versions"]["1.0.0"]["moves"][1].update(to_status="production")
    (tmp_path / "registry.json").write_text(json.dumps(document))
    with pytest.raises(InvalidExport, match=r"moves\[2\]\.to_status: .*cannot move from production to training"):
        import_registry(make_registry(), tmp_path)


def test_two_champions_of_one_model_are_refused(make_registry: MakeRegistry, tmp_path: Path) -> None:
    source = make_registry()
    put(source, "1.0.0", status="production")
    put(source, "1.1.0", status="production")
    document = registry_document(source.database)
    versions = document["models"]["ranker"]["versions"]
    versions["1.0.0"]["moves"].pop()
    versions["1.0.0"]["status"] = "production"
    (tmp_path / "registry.json").write_text(json.dumps(document))
    with pytest.raises(InvalidExport, match=r"1\.0\.0 and 1\.1\.0 are in production; of one model only one may be"):
        import_registry(make_registry(), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "must be JSON"), ("[]", "must be an object"), ('{"a": NaN}', "must be JSON"), ('{"a": 1}', "a: must be an")],
)
def test_what_is_no_registry_at_all_is_refused(
    text: str, message: str, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "registry.json").write_text(text)
    with pytest.raises(InvalidExport, match=rf"registry\.json: .*{message}"):
        import_registry(make_registry(), tmp_path / "registry.json")


@pytest.mark.parametrize("name", ["", "nothing.json"])
def test_where_nothing_is_there_is_nothing_to_import(name: str, make_registry: MakeRegistry, tmp_path: Path) -> None:
    with pytest.raises(InvalidExport, match=r"there is no file .*json; name a registry\.json, or a folder with one"):
        import_registry(make_registry(), tmp_path / name)


# ---- the forerunner's file


def theirs(version: str, *, model_id: str = "hybrid_ranker", **fields: Any) -> dict[str, Any]:
    return {
        "model_id": model_id, "version": version, "model_type": "hybrid", "timestamp": "2024-12-01T10:00:00",
        "description": "", "metrics": {"ndcg": 0.7}, "parameters": {"w": 0.7}, "status": "training",
        "parent_version": None, "deployment_date": None, "tags": ["x"], **fields,
    }  # fmt: skip


def write_theirs(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps({f"{entry['model_id']}_{entry['version']}": entry for entry in entries}))
    return path


def test_the_forerunners_file_comes_in_with_a_history_made_of_its_times(
    of_each_kind: ModelRegistry, tmp_path: Path
) -> None:
    path = write_theirs(
        tmp_path / "registry.json",
        theirs("1.0.0", status="archived", deployment_date="2024-12-02T10:00:00"),
        theirs("1.0.1", status="production", deployment_date="2024-12-05T10:00:00.250000"),
        theirs("1.1.0", status="validation", timestamp="2024-12-06T08:00:00", parent_version="1.0.1"),
        theirs("3.0.0", model_id="other", tags={"a": "b"}),
    )
    report = import_registry(of_each_kind, path, actor="eva")
    assert len(report.imported) == 4
    assert report.notes == ()
    told = [
        (move.version, move.kind, move.from_status, move.to_status, move.at.isoformat(), move.actor, move.because)
        for move in of_each_kind.moves("hybrid_ranker")
    ]
    first_day = "2024-12-01T10:00:00+00:00"
    second, third = "2024-12-02T10:00:00+00:00", "2024-12-05T10:00:00.250000+00:00"
    source = "imported from registry.json"
    assert told == [
        ("1.0.0", "imported", None, "training", first_day, "eva", source),
        ("1.0.1", "imported", None, "training", first_day, "eva", source),
        ("1.0.0", "imported", "training", "production", second, "eva", f"{source}: deployed"),
        ("1.0.0", "imported", "production", "archived", third, "eva", f"{source}: 1.0.1 was deployed"),
        ("1.0.1", "imported", "training", "production", third, "eva", f"{source}: deployed"),
        ("1.1.0", "imported", None, "training", "2024-12-06T08:00:00+00:00", "eva", source),
        ("1.1.0", "imported", "training", "validation", "2024-12-06T08:00:00+00:00", "eva", source),
    ]
    assert served(of_each_kind, "hybrid_ranker", datetime(2024, 12, 3, tzinfo=UTC)) == "1.0.0"
    one = of_each_kind.get_model("hybrid_ranker", "1.0.1")
    assert one is not None
    assert one["deployment_date"] == third
    assert one["metrics"] == {"ndcg": 0.7}
    assert findings(of_each_kind, view_patience_seconds=5) == []
    assert of_each_kind.rollback("hybrid_ranker", because="back").version == "1.0.0"


def test_of_several_in_production_the_one_deployed_last_stays(make_registry: MakeRegistry, tmp_path: Path) -> None:
    path = write_theirs(
        tmp_path / "registry.json",
        theirs("1.0.0", status="production", deployment_date="2024-12-03T00:00:00"),
        theirs("1.0.1", status="production", deployment_date="2024-12-02T00:00:00"),
        theirs("1.0.2", status="production"),
        theirs("1.0.3", status="archived", deployment_date="2024-12-09T00:00:00"),
    )
    registry = make_registry()
    report = import_registry(registry, path)
    assert {one.version: one.status for one in registry.list_models()} == {
        "1.0.0": "production", "1.0.1": "archived", "1.0.2": "archived", "1.0.3": "archived",
    }  # fmt: skip
    assert report.notes == (
        "hybrid_ranker 1.0.1 comes in archived: 1.0.0 was deployed later",
        "hybrid_ranker 1.0.2 comes in archived: 1.0.0 was deployed later",
    )
    assert registry.moves("hybrid_ranker", "1.0.3")[-1].because == (
        "imported from registry.json: deployed while another version was in production"
    )
    assert findings(registry, view_patience_seconds=5) == []
    assert registry.rollback("hybrid_ranker", because="back").version == "1.0.1"


@given(
    entries=st.lists(
        st.tuples(
            st.sampled_from(["training", "validation", "production", "archived"]),
            st.integers(0, 3),
            st.none() | st.integers(0, 6),
        ),
        max_size=6,
    ),
    model_id=st.sampled_from(["ranker", "other"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_of_the_forerunner_becomes_a_sound_registry(
    entries: list[tuple[str, int, int | None]], model_id: str, make_quick_folder: Callable[[], Path]
) -> None:
    folder = make_quick_folder()
    path = write_theirs(
        folder / "registry.json",
        *(
            theirs(
                f"1.0.{n}", model_id=model_id, status=status, timestamp=f"2024-12-0{made + 1}T00:00:00",
                deployment_date=None if deployed is None else f"2024-12-0{deployed + 1}T00:00:00",
            )
            for n, (status, made, deployed) in enumerate(entries)
        ),
    )  # fmt: skip
    registry = ModelRegistry(Database(f"sqlite:///{folder}/state.db", tables=(schema.MIGRATIONS,)))
    import_registry(registry, path)
    assert findings(registry) == []
    serving = registry.list_models(status="production")
    assert len(serving) == any(status == "production" for status, _, _ in entries)
    assert served(registry, model_id, START) == next((one.version for one in serving), None)
    registry.database.close()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (theirs("1.0.0", status="live"), r"hybrid_ranker_1\.0\.0\.status: must be one of"),
        (theirs("1.0"), r"hybrid_ranker_1\.0\.version: must be major\.minor\.patch"),
        (theirs("1.0.0", timestamp="yesterday"), "timestamp: must be a time"),
        (theirs("1.0.0", tags=7), "tags: must be names"),
        (theirs("1.0.0", owner="me"), "owner: is not known here; the fields are model_id, version"),
    ],
)
def test_a_wrong_value_in_the_forerunners_file_is_named(
    entry: dict[str, Any], message: str, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    registry = make_registry()
    path = write_theirs(tmp_path / "registry.json", theirs("0.9.0"), entry)
    with pytest.raises(InvalidExport, match=message):
        import_registry(registry, path)
    assert registry.list_models() == []


def test_a_key_must_be_that_of_its_version(make_registry: MakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text(json.dumps({"ranker_9.9.9": theirs("1.0.0")}))
    with pytest.raises(InvalidExport, match=r"ranker_9\.9\.9: must be named hybrid_ranker_1\.0\.0"):
        import_registry(make_registry(), tmp_path)


# ---- killed in the middle

IMPORTER = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from mlops import schema
from mlops.artefacts import DiskArtefacts
from mlops.model_registry import ModelRegistry
from mlops.model_registry.transfer import import_registry
from mlops.store import Database

folder, source, deadly = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
database = Database(f"sqlite:///{folder}/state.db", tables=(schema.MIGRATIONS,))
registry = ModelRegistry(database, artefacts=DiskArtefacts(folder / "artifacts"), view_path=folder / "registry.json")
n_inserts = 0

def count(connection, cursor, statement, parameters, context, executemany):
    global n_inserts
    n_inserts += "INSERT INTO m" in statement
    if deadly and n_inserts == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

registry.list_models()
sa.event.listen(sa.Engine, "after_cursor_execute", count)
print("ready", flush=True)
import_registry(registry, source)
"""


def import_in_a_process(folder: Path, source: Path, *, deadly_insert: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", IMPORTER, str(folder), str(source), str(deadly_insert)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    )


def reopened(folder: Path) -> ModelRegistry:
    database = Database(f"sqlite:///{folder}/state.db", tables=(schema.MIGRATIONS,))
    return ModelRegistry(database, artefacts=DiskArtefacts(folder / "artifacts"), view_path=folder / "registry.json")


@pytest.mark.parametrize("deadly_insert", [1, 2, 3, 6])
def test_an_import_that_is_killed_in_its_transaction_leaves_nothing(
    deadly_insert: int, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source = lived_in(make_registry())
    export_registry(source, tmp_path / "out")
    (tmp_path / "target").mkdir()
    process = import_in_a_process(tmp_path / "target", tmp_path / "out", deadly_insert=deadly_insert)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    survivor = reopened(tmp_path / "target")
    with survivor.database.reading() as connection:
        for table in (schema.models, schema.model_versions, schema.moves, schema.freezes):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
    import_registry(survivor, tmp_path / "out")
    assert comparable(survivor) == comparable(source)
    survivor.close()
    survivor.database.close()


def test_an_import_that_is_killed_at_any_time_is_there_whole_or_not_at_all(
    make_registry: MakeRegistry, tmp_path: Path
) -> None:
    source = lived_in(make_registry())
    for n in range(60):
        put(source, f"5.0.{n}", artefact={"n.json": str(n).encode()})
    export_registry(source, tmp_path / "out")
    for attempt, pause_seconds in enumerate((0.0, 0.02, 0.08, 0.2)):
        folder = tmp_path / f"target{attempt}"
        folder.mkdir()
        process = import_in_a_process(folder, tmp_path / "out")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause_seconds)
        process.kill()
        process.communicate()
        survivor = reopened(folder)
        assert len(survivor.list_models()) in {0, 66}
        import_registry(survivor, tmp_path / "out")
        assert comparable(survivor) == comparable(source)
        survivor.refresh_view()
        assert [finding.kind for finding in findings(survivor)] == []
        survivor.database.close()
