"""The thread that starts a process whenever something waits. The process is a stand-in here."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops import schema
from mlops.config import Settings
from mlops.model_registry import ModelMetadata, ModelRegistry
from mlops.store import Database
from mlops.store.leases import Leases
from mlops.tracking import MirrorRunner
from mlops.tracking.mirror import LEASE
from mlops.tracking.outbox import Outbox

# Notes that it ran, and with which settings; then does what its first argument says.
STAND_IN = """
import os, sys, time
with open("runs", "a") as file:
    file.write(f"{os.getpid()} {os.environ['DATABASE_URL']} {os.environ['MLFLOW_TRACKING_URI']}\\n")
what = sys.argv[1]
if what == "hang":
    time.sleep(60)
if what == "crash":
    sys.exit("the disk is full")
if what == "send":
    from mlops.store import Database
    from mlops.tracking.outbox import Outbox
    outbox = Outbox(Database(os.environ["DATABASE_URL"]))
    for one in outbox.waiting(only_due=True):
        outbox.sent(one.model_id, one.version, generation=1000, mlflow_version="1")
if what == "fail":
    from mlops.store import Database
    from mlops.tracking.outbox import Outbox
    outbox = Outbox(Database(os.environ["DATABASE_URL"]))
    outbox.failed(outbox.waiting(only_due=True), "it is down")
print('{"state": "done"}')
sys.exit(what == "fail")
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    database.upgrade(schema.MIGRATIONS)
    yield database
    database.close()


@pytest.fixture
def registry(state: Database) -> ModelRegistry:
    return ModelRegistry(state, actor="test")


Make = Callable[..., MirrorRunner]


@pytest.fixture
def make_runner(state: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    made: list[MirrorRunner] = []

    def make(what: str, *, uri: str = "http://localhost:1", timeout_seconds: float = 30) -> MirrorRunner:
        settings = Settings(_env_file=None, mlflow_tracking_uri=uri)  # type: ignore[call-arg,arg-type]
        command = [sys.executable, "-c", STAND_IN, what]
        runner = MirrorRunner(
            settings, database=state, every_seconds=0.05, timeout_seconds=timeout_seconds, command=command
        )
        made.append(runner)
        runner.start()
        return runner

    yield make
    for runner in made:
        runner.stop()


def runs() -> list[list[str]]:
    path = Path("runs")
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(is_so: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_a_change_starts_a_process_that_is_told_where_everything_is(
    registry: ModelRegistry, state: Database, make_runner: Make
) -> None:
    runner = make_runner("send")
    registry.register(ModelMetadata("m", "1.0.0"))
    wait_until(lambda: runner.status().n_waiting == 0)
    assert [run[1:] for run in runs()] == [[str(state.url), "http://localhost:1"]]


def test_where_nothing_waits_nothing_is_started(registry: ModelRegistry, make_runner: Make) -> None:
    runner = make_runner("send")
    registry.register(ModelMetadata("m", "1.0.0"))
    wait_until(lambda: runner.status().n_waiting == 0)
    time.sleep(0.4)
    assert len(runs()) == 1


def test_what_failed_is_left_alone_until_it_is_due(registry: ModelRegistry, state: Database, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    outbox = Outbox(state)
    outbox.failed(outbox.waiting(), "it is down")
    runner = make_runner("send")
    time.sleep(0.4)
    assert runs() == []
    assert runner.status().last_error == "it is down"


def test_while_another_process_mirrors_none_is_started(
    registry: ModelRegistry, state: Database, make_runner: Make
) -> None:
    leases = Leases(state)
    lease = leases.take(LEASE, "somebody else", 30)
    assert lease is not None
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("send")
    time.sleep(0.4)
    assert runs() == []
    leases.release(lease)
    wait_until(lambda: runner.status().n_waiting == 0)


def test_off_starts_nothing_and_says_so(registry: ModelRegistry, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("send", uri="off")
    time.sleep(0.3)
    assert runs() == []
    assert not runner.status().is_on


def test_a_process_that_crashes_is_reported_and_started_again_later(registry: ModelRegistry, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("crash")
    wait_until(lambda: runner.status().last_error is not None)
    assert runner.status().last_error == "mlops models mirror failed with status 1: the disk is full"
    time.sleep(0.4)
    assert len(runs()) == 1


def test_what_a_process_has_noted_itself_is_no_crash(registry: ModelRegistry, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("fail")
    wait_until(lambda: runner.status().n_failing == 1)
    # It is due again after two seconds; a crash would keep the runner from looking, too.
    registry.register(ModelMetadata("m", "1.1.0"))
    wait_until(lambda: runner.status().n_failing == 2, seconds=1.9)
    assert runner.status().last_error == "it is down"


def test_a_process_that_hangs_is_ended(registry: ModelRegistry, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("hang", timeout_seconds=1)
    wait_until(lambda: runner.status().last_error is not None)
    assert "ended after 1 s" in str(runner.status().last_error)
    wait_until(lambda: not is_alive(int(runs()[0][0])))


def test_stopping_ends_the_process_and_what_it_did_not_send_waits(registry: ModelRegistry, make_runner: Make) -> None:
    registry.register(ModelMetadata("m", "1.0.0"))
    runner = make_runner("hang")
    wait_until(lambda: bool(runs()))
    started = time.monotonic()
    runner.stop()
    assert time.monotonic() - started < 5
    assert not is_alive(int(runs()[0][0]))
    assert runner.status().n_waiting == 1


def test_a_stopped_runner_can_be_started_again(registry: ModelRegistry, make_runner: Make) -> None:
    runner = make_runner("send")
    runner.stop()
    registry.register(ModelMetadata("m", "1.0.0"))
    runner.start()
    wait_until(lambda: runner.status().n_waiting == 0)


def test_a_database_that_is_away_does_not_end_the_thread(
    registry: ModelRegistry, state: Database, make_runner: Make, tmp_path: Path
) -> None:
    runner = make_runner("send")
    registry.register(ModelMetadata("m", "1.0.0"))
    wait_until(lambda: runner.status().n_waiting == 0)
    registry.register(ModelMetadata("m", "1.1.0"))
    state.close()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    time.sleep(0.3)
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    wait_until(lambda: runner.status().n_waiting == 0)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True
