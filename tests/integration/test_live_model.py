"""A process follows the registry: what serves is swapped whole, and what cannot serve never does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mlops import schema
from mlops.artefacts import DiskArtefacts
from mlops.live_model import LiveModel, Served
from mlops.model_registry import ModelMetadata, ModelRegistry, ModelVersion
from mlops.store import Database

MODEL = "greeter"


class Greeter:
    """The smallest model there is: it says its word."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.n_tried = 0

    def answer(self) -> str:
        if self.word == "raise":
            raise RuntimeError("no voice")
        return self.word


def load(_version: ModelVersion, files: Mapping[str, bytes]) -> Greeter:
    return Greeter(json.loads(files["model.json"])["word"])


def try_out(model: Greeter) -> None:
    model.n_tried += 1
    model.answer()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ModelRegistry]:
    database = Database(f"sqlite:///{tmp_path}/state.db", tables=(schema.MIGRATIONS,))
    yield ModelRegistry(database, artefacts=DiskArtefacts(tmp_path / "artifacts"), actor="ana")
    database.close()


@pytest.fixture
def live(registry: ModelRegistry) -> LiveModel[Greeter]:
    return LiveModel(registry, MODEL, load=load, try_out=try_out, poll_seconds=0.01)


def promoted(registry: ModelRegistry, version: str, word: str | None) -> ModelVersion:
    artefact = None if word is None else {"model.json": json.dumps({"word": word}).encode()}
    registry.register(ModelMetadata(MODEL, version), artefact=artefact)
    return registry.promote(MODEL, version, because="it is better")


def spoken(live: LiveModel[Greeter]) -> str:
    assert live.served is not None
    return live.served.model.answer()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def champion(registry: ModelRegistry) -> str | None:
    found = registry.get_production_model(MODEL)
    return None if found is None else found.version


def damage(registry: ModelRegistry, version: ModelVersion) -> None:
    assert isinstance(registry.artefacts, DiskArtefacts)
    assert version.artefact is not None
    path = registry.artefacts.folder / version.artefact / "model.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"hola", b"HOLA").replace(b"ciao", b"CIAO"))


def test_nothing_serves_before_something_was_promoted(registry: ModelRegistry, live: LiveModel[Greeter]) -> None:
    live.refresh()
    assert live.served is None
    assert live.problem is not None
    assert "no version in production" in live.problem


def test_a_promoted_version_is_loaded_tried_out_and_served(registry: ModelRegistry, live: LiveModel[Greeter]) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    assert (spoken(live), live.problem) == ("hola", None)
    assert live.served is not None
    assert live.served.version.version == "1.0.0"
    assert live.served.model.n_tried == 1


def test_without_a_change_nothing_is_loaded_again(registry: ModelRegistry, live: LiveModel[Greeter]) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    first = live.served
    registry.register(ModelMetadata(MODEL, "1.0.1"))
    live.refresh()
    assert live.served is first


def test_a_rollback_takes_back_the_model_that_is_still_in_memory(
    registry: ModelRegistry, live: LiveModel[Greeter]
) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    assert live.served is not None
    old = live.served.model
    promoted(registry, "1.1.0", "ciao")
    live.refresh()
    assert spoken(live) == "ciao"
    registry.rollback(MODEL, because="worse")
    live.refresh()
    assert live.served.model is old


@pytest.mark.parametrize("word", ["raise", None], ids=["does not answer", "has no files"])
def test_a_version_that_cannot_serve_is_refused_and_the_old_one_stays(
    registry: ModelRegistry, live: LiveModel[Greeter], word: str | None
) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    before = live.served
    promoted(registry, "1.1.0", word)
    live.refresh()
    assert live.served is before
    assert champion(registry) == "1.0.0"
    failed = [move for move in registry.moves(MODEL, "1.1.0") if move.outcome == "failed"]
    assert [(move.from_status, move.to_status, move.automatic) for move in failed] == [
        ("validation", "production", True)
    ]
    assert failed[0].because.startswith("greeter_1.1.0 cannot serve: ")
    assert live.problem is None  # the registry and what serves agree again


def test_files_changed_after_the_promotion_are_refused_by_name(
    registry: ModelRegistry, live: LiveModel[Greeter]
) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    damage(registry, promoted(registry, "1.1.0", "ciao"))
    live.refresh()
    assert (spoken(live), champion(registry)) == ("hola", "1.0.0")
    [failed] = [move for move in registry.moves(MODEL) if move.outcome == "failed"]
    assert "ArtefactDamaged" in failed.because
    assert "model.json" in failed.because


def test_under_a_freeze_the_registry_stays_and_the_old_model_serves(
    registry: ModelRegistry, live: LiveModel[Greeter]
) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    registry.freeze(because="holidays")
    promoted(registry, "1.1.0", "raise")
    live.refresh()
    live.refresh()
    assert (spoken(live), champion(registry)) == ("hola", "1.1.0")
    assert live.problem is not None
    assert "no voice" in live.problem
    assert [move.outcome for move in registry.moves(MODEL) if move.kind == "refused"] == ["failed"]


def test_a_start_with_a_champion_that_cannot_serve_takes_the_one_before(
    registry: ModelRegistry, live: LiveModel[Greeter]
) -> None:
    promoted(registry, "1.0.0", "hola")
    damage(registry, promoted(registry, "1.1.0", "ciao"))
    registry.freeze(because="holidays")
    live.refresh()
    assert (spoken(live), champion(registry)) == ("hola", "1.1.0")
    assert live.problem is not None
    registry.unfreeze(because="back")
    registry.rollback(MODEL, because="broken")
    live.refresh()
    assert (spoken(live), live.problem) == ("hola", None)


def test_a_version_that_failed_gets_another_try_when_it_is_promoted_again(
    registry: ModelRegistry, live: LiveModel[Greeter]
) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    version = promoted(registry, "1.1.0", "ciao")
    damage(registry, version)
    live.refresh()
    assert champion(registry) == "1.0.0"
    assert registry.artefacts is not None
    registry.artefacts.put({"model.json": json.dumps({"word": "ciao"}).encode()})
    registry.rollback(MODEL, to="1.1.0", because="mended")
    live.refresh()
    assert (spoken(live), champion(registry)) == ("ciao", "1.1.0")


def test_a_retired_model_goes_on_serving_and_says_so(registry: ModelRegistry, live: LiveModel[Greeter]) -> None:
    promoted(registry, "1.0.0", "hola")
    live.refresh()
    registry.archive(MODEL, "1.0.0", because="retired")
    live.refresh()
    assert spoken(live) == "hola"
    assert live.problem is not None


def test_readers_always_see_a_model_with_its_own_version_while_versions_change(registry: ModelRegistry) -> None:
    promoted(registry, "1.0.0", "1.0.0")
    swaps: list[Served[Greeter]] = []
    live = LiveModel(registry, MODEL, load=load, try_out=try_out, on_swap=swaps.append, poll_seconds=0.005)
    live.refresh()
    live.start()
    wrong: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            served = live.served
            if served is None or served.model.answer() != served.version.version:
                wrong.append(repr(served))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 15):
        promoted(registry, f"1.0.{number}", f"1.0.{number}")
        wait_until(lambda n=number: live.served is not None and live.served.version.version == f"1.0.{n}")
    stop.set()
    reader.join()
    live.stop()
    assert wrong == []
    assert [served.version.version for served in swaps] == [f"1.0.{number}" for number in range(15)]


def test_the_watch_outlives_a_database_that_goes_away(registry: ModelRegistry, tmp_path: Path) -> None:
    promoted(registry, "1.0.0", "hola")
    live = LiveModel(registry, MODEL, load=load, try_out=try_out, poll_seconds=0.01)
    live.refresh()
    live.start()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    time.sleep(0.1)
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    promoted(registry, "1.1.0", "ciao")
    wait_until(lambda: live.served is not None and spoken(live) == "ciao")
    live.stop()
