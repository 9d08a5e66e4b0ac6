"""Several processes change the registry at once, and some of them end suddenly: its promises hold all the same."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops import ModelMetadata, ModelRegistry, schema
from mlops.artefacts import DiskArtefacts
from mlops.errors import Conflict, NothingToRollBackTo
from mlops.model_registry.document import registry_document, to_bytes
from mlops.store import Database

N_RACERS = 8

# Children are forked from a process that has everything imported, so that a life costs a few milliseconds.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__])


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def _promote_as_told(url: str, orders: Connection) -> None:
    registry = ModelRegistry(Database(url), actor="racer")
    registry.list_models("ranker")
    orders.send("ready")
    while (order := orders.recv()) is not None:
        version, options = order
        try:
            registry.promote("ranker", version, because="race", **options)
        except Conflict:
            orders.send("Conflict")
        else:
            orders.send("won")
    registry.database.close()


class Racers:
    """Processes that promote at the same time."""

    def __init__(self, url: str) -> None:
        pipes = [FORKING.Pipe() for _ in range(N_RACERS)]
        self._pipes = [ours for ours, _ in pipes]
        self._processes = [FORKING.Process(target=_promote_as_told, args=(url, theirs)) for _, theirs in pipes]
        for process in self._processes:
            process.start()
        assert self._answers() == ["ready"] * N_RACERS

    def race(self, orders: list[tuple[str, dict[str, str]]]) -> list[str]:
        """How it went for each racer with the version and options that it was given."""
        for pipe, order in zip(self._pipes, orders, strict=True):
            pipe.send(order)
        return self._answers()

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.send(None)
            process.join(30)
            pipe.close()

    def _answers(self) -> list[str]:
        return [pipe.recv() for pipe in self._pipes]


@pytest.fixture
def racers(emptied_database: Database) -> Iterator[Racers]:
    made = Racers(_url(emptied_database))
    yield made
    made.close()


def _register_round(registry: ModelRegistry, number: int) -> list[str]:
    versions = [f"{number}.{racer}.0" for racer in range(N_RACERS)]
    for version in versions:
        registry.register(ModelMetadata("ranker", version))
    return versions


def _in_production(registry: ModelRegistry) -> list[str]:
    return [one.version for one in registry.list_models("ranker", "production")]


def test_of_eight_processes_that_promote_at_once_one_wins_each_round(racers: Racers, registry: ModelRegistry) -> None:
    registry.register(ModelMetadata("ranker", "0.0.1", status="production"))
    champion = "0.0.1"
    for number in range(1, 16):
        versions = _register_round(registry, number)
        answers = racers.race([(version, {"expected": champion}) for version in versions])
        assert sorted(answers) == ["Conflict"] * (N_RACERS - 1) + ["won"], f"round {number}"
        champion = versions[answers.index("won")]
        assert _in_production(registry) == [champion]
    promoted = [move.version for move in registry.moves("ranker") if move.to_status == "production"]
    assert len(promoted) == 16


def test_without_an_expected_champion_there_is_one_at_the_end_of_each_round_too(
    racers: Racers, registry: ModelRegistry
) -> None:
    for number in range(1, 11):
        versions = _register_round(registry, number)
        answers = racers.race([(version, {}) for version in versions])
        (champion,) = _in_production(registry)
        assert champion in {version for version, answer in zip(versions, answers, strict=True) if answer == "won"}
        assert set(answers) <= {"won", "Conflict"}


def _at_once(database: Database, act: Callable[[ModelRegistry], object], *, n: int = N_RACERS) -> list[Any]:
    """What *act* gave on each of *n* registries with connections of their own, all started together."""
    results: list[Any] = []
    start = threading.Barrier(n)

    def run() -> None:
        own = Database(_url(database))
        start.wait()
        try:
            results.append(act(ModelRegistry(own, actor="ana")))
        except Exception as error:
            results.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("status", ["training", "validation", "production"])
def test_who_registers_the_same_at_once_all_find_it_there(registry: ModelRegistry, status: str) -> None:
    # What several workers do that start together.
    for number in range(5):
        metadata = ModelMetadata(f"ranker_{number}", "1.0.0", status=status)
        names = _at_once(registry.database, lambda own, metadata=metadata: own.register_model(metadata))  # type: ignore[misc]
        assert names == [f"ranker_{number}_1.0.0"] * N_RACERS
        (one,) = registry.list_models(f"ranker_{number}")
        assert one.status == status
        kinds = [move.kind for move in registry.moves(f"ranker_{number}")]
        assert kinds.count("registered") == 1


@pytest.mark.parametrize("scope", ["ranker", None])
def test_who_freezes_at_once_all_find_the_same_freeze(registry: ModelRegistry, scope: str | None) -> None:
    registry.register(ModelMetadata("ranker", "1.0.0"))
    for _ in range(5):
        freezes = _at_once(registry.database, lambda own: own.freeze(scope, because="x"))
        assert set(freezes) == set(registry.freezes().values())
        assert len(set(freezes)) == 1
        lifted = _at_once(registry.database, lambda own: own.unfreeze(scope, because="x"))
        assert sum(each is not None for each in lifted) == 1


# --- Sudden ends ----------------------------------------------------------------------------------------------------


def _open(folder: Path) -> ModelRegistry:
    return ModelRegistry(
        Database(f"sqlite:///{folder}/state.db"),
        artefacts=DiskArtefacts(folder / "artifacts"),
        view_path=folder / "registry.json",
        actor="ana",
    )


def _files(version: str) -> dict[str, bytes]:
    return {f"{part}.csv": f"{version} {part}\n".encode() * 500 for part in range(4)}


def _change_for_ever(folder: Path, seed: int, said: Connection) -> None:
    registry, rng = _open(folder), random.Random(seed)
    said.send("begun")
    while True:
        version = registry.next_version("ranker", "minor", base=registry.list_models("ranker")[0].version)
        registry.register(ModelMetadata("ranker", version), artefact=_files(version))
        registry.promote("ranker", version, because="x", evidence={"p": rng.random()})
        if rng.random() < 0.5:
            with suppress(NothingToRollBackTo):
                registry.rollback("ranker", because="x")
        registry.freeze("ranker", because="x")
        registry.unfreeze("ranker", because="x")
        said.send("went round")


class Inspector:
    """Looks whether everything holds, as one does after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = _open(folder)
        self._seen: set[str] = set()

    def inspect(self) -> None:
        assert len(_in_production(self.registry)) == 1
        self._inspect_moves()
        self._inspect_artefacts()
        if (self.folder / "registry.json").exists():
            json.loads((self.folder / "registry.json").read_bytes())
        self.registry.refresh_view()
        assert (self.folder / "registry.json").read_bytes() == to_bytes(registry_document(self.registry.database))

    def _inspect_moves(self) -> None:
        stands = {move.version: move.to_status for move in self.registry.moves("ranker") if move.outcome == "done"}
        assert stands == {one.version: one.status for one in self.registry.list_models("ranker")}

    def _inspect_artefacts(self) -> None:
        store = self.registry.artefacts
        assert isinstance(store, DiskArtefacts)
        named = {one.artefact for one in self.registry.list_models("ranker") if one.artefact is not None}
        under_a_digest = set(store.digests())
        assert named <= under_a_digest
        assert {path.name for path in store.folder.iterdir()} <= under_a_digest | {".drafts"}
        for digest in under_a_digest - self._seen:
            assert len(store.get(digest)) == 4
        self._seen |= under_a_digest


def test_a_process_that_is_killed_at_any_moment_leaves_everything_whole(quick_path: Path) -> None:
    inspector, rng = Inspector(quick_path), random.Random(7)
    inspector.registry.database.upgrade(schema.MIGRATIONS)
    inspector.registry.register(ModelMetadata("ranker", "1.0.0", status="production"), artefact=_files("1.0.0"))
    n_versions = []
    for life in range(40):
        ours, theirs = FORKING.Pipe()
        process = FORKING.Process(target=_change_for_ever, args=(quick_path, life, theirs))
        process.start()
        assert ours.recv() == "begun"
        # Half of them die early; the others have changed something, or this test would show nothing.
        if life % 2:
            assert ours.recv() == "went round"
        time.sleep(rng.uniform(0.0, 0.08))
        process.kill()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        ours.close()
        theirs.close()
        inspector.inspect()
        n_versions.append(len(inspector.registry.list_models("ranker")))
    inspector.registry.close()
    inspector.registry.database.close()
    assert len(set(n_versions)) >= 20


def _change_some(folder: Path, number: int) -> None:
    registry = _open(folder)
    for version in range(1, 21):
        registry.register(ModelMetadata(f"ranker_{number}", f"1.{version}.0", status="production"))
        time.sleep(0.02)
    registry.close()
    registry.database.close()


def test_four_processes_keep_one_file_and_in_the_end_it_shows_what_the_database_holds(quick_path: Path) -> None:
    database = Database(f"sqlite:///{quick_path}/state.db")
    database.upgrade(schema.MIGRATIONS)
    processes = [FORKING.Process(target=_change_some, args=(quick_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    n_read = 0
    while any(process.is_alive() for process in processes):
        with suppress(FileNotFoundError):
            json.loads((quick_path / "registry.json").read_bytes())
            n_read += 1
        time.sleep(0.002)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert n_read > 0
    document = registry_document(database)
    assert (quick_path / "registry.json").read_bytes() == to_bytes(document)
    assert [len(model["versions"]) for model in document["models"].values()] == [20] * 4
    with database.reading() as connection:
        assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
    database.close()
