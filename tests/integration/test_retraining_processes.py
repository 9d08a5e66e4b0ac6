"""Trainings in processes of their own: killed, cancelled, too slow, too large, and taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops.artefacts import DiskArtefacts
from mlops.retraining import RetrainingJob
from mlops.store import Database
from tests.retraining_app import MODEL as MODEL
from tests.retraining_app import Loop, environment

# A worker as a process: works until nothing is left, and says which jobs it brought to an end.
WORKER = """
import sys
from pathlib import Path
from mlops.artefacts import DiskArtefacts
from mlops.store import Database
from tests.retraining_app import Loop
artefacts = DiskArtefacts(Path("artefacts"))
loop = Loop(Database(sys.argv[1]), training=None, artefacts=artefacts, lease_seconds=float(sys.argv[2]))
worker = loop.orchestrator.worker()
print("ready", flush=True)
sys.stdin.readline()
while (job := worker.run_next()) is not None:
    print(job.job_id, flush=True)
"""


StartWorker = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return Loop(sqlite_database, training=None, artefacts=DiskArtefacts(tmp_path / "artefacts")).begin()


@pytest.fixture
def start_worker(loop: Loop) -> Iterator[StartWorker]:
    """Starts workers as processes; each begins when a line is sent to it."""
    started: list[subprocess.Popen[str]] = []

    def start(*, lease_seconds: float = 30) -> subprocess.Popen[str]:
        url = loop.database.url.render_as_string(hide_password=False)
        command = [sys.executable, "-c", WORKER, url, str(lease_seconds)]
        pipe = subprocess.PIPE
        worker = subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, text=True)
        started.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.communicate()


def go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def pids(path: str = "pids") -> list[int]:
    return [int(line) for line in Path(path).read_text().split()] if Path(path).exists() else []


def is_alive(pid: int) -> bool:
    try:
        # A dead child that nobody has waited for yet still has a number.
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def run_in_thread(loop: Loop, job: RetrainingJob) -> threading.Thread:
    thread = threading.Thread(target=loop.orchestrator.worker().run, args=(job.job_id,))
    thread.start()
    return thread


def test_two_workers_do_a_job_once(loop: Loop, start_worker: StartWorker) -> None:
    workers = [start_worker(), start_worker()]
    job = loop.job(note_pid="pids")
    for worker in workers:
        go(worker)
    done = [worker.communicate()[0].split() for worker in workers]
    assert sorted(map(len, done)) == [0, 1]
    assert len(pids()) == 1
    assert loop.book.get(job.job_id).outcome == "promoted"
    assert set(loop.statuses) == {"1.0.0", "1.1.0"}


def test_a_killed_worker_takes_its_training_with_it_and_another_worker_goes_on(
    loop: Loop, start_worker: StartWorker
) -> None:
    worker = start_worker(lease_seconds=2)
    job = loop.job(note_pid="pids", wait_for="flag")
    go(worker)
    wait_until(lambda: len(pids()) == 1)
    worker.kill()
    wait_until(lambda: not is_alive(pids()[0]))
    Path("flag").touch()
    deadline = time.monotonic() + 30
    while (ended := loop.orchestrator.worker().run_next()) is None:
        assert time.monotonic() < deadline, "nobody took it over"
        time.sleep(0.1)
    assert (ended.job_id, ended.outcome, ended.attempts, ended.token) == (job.job_id, "promoted", 2, 2)
    assert list(loop.folder.iterdir()) == []
    assert set(loop.statuses) == {"1.0.0", "1.1.0"}


def test_a_training_that_is_killed_is_tried_again(loop: Loop) -> None:
    job = loop.job(note_pid="pids", wait_for="flag")
    thread = run_in_thread(loop, job)
    wait_until(lambda: len(pids()) == 1)
    os.kill(pids()[0], signal.SIGKILL)
    wait_until(lambda: len(pids()) == 2)
    Path("flag").touch()
    thread.join()
    ended = loop.book.get(job.job_id)
    assert (ended.outcome, ended.attempts) == ("promoted", 2)
    assert any("was ended by signal 9; it had a limit of 2048 MiB; tried again" in line for line in ended.log)


def test_a_cancelled_training_is_gone_and_nothing_is_registered(loop: Loop) -> None:
    job = loop.job(note_pid="pids", wait_for="flag")
    thread = run_in_thread(loop, job)
    wait_until(lambda: len(pids()) == 1)
    assert loop.orchestrator.cancel(job.job_id, actor="ben").state == "running"
    thread.join(timeout=10)
    ended = loop.book.get(job.job_id)
    assert (ended.state, ended.reason) == ("cancelled", "cancelled by ben")
    assert not is_alive(pids()[0])
    assert set(loop.statuses) == {"1.0.0"}
    assert list(loop.folder.iterdir()) == []


def test_a_worker_that_is_stopped_ends_its_training_and_leaves_the_job_to_others(loop: Loop) -> None:
    job = loop.job(note_pid="pids", wait_for="flag")
    worker = loop.orchestrator.worker()
    thread = threading.Thread(target=worker.run_next)
    thread.start()
    wait_until(lambda: len(pids()) == 1)
    worker.stopping.set()
    thread.join(timeout=10)
    waiting = loop.book.get(job.job_id)
    assert (waiting.state, waiting.attempts, is_alive(pids()[0])) == ("pending", 0, False)
    Path("flag").touch()
    assert loop.orchestrator.execute_retrain(job)


def test_a_training_that_takes_too_long_is_ended(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, training=None, timeout_minutes=2.4 / 60).begin()
    ended = loop.run(note_pid="pids", wait_for="flag")
    assert (ended.state, ended.reason) == ("failed", "it took longer than 0.04 minutes, and was ended")
    assert not any(map(is_alive, pids()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_training_that_wants_more_memory_than_it_may_have_fails_and_says_so(sqlite_database: Database) -> None:
    loop = Loop(sqlite_database, training=None, memory_mb=400).begin()
    ended = loop.run(megabytes=600)
    assert (ended.state, ended.reason) == (
        "failed",
        "the training failed: it needs more memory than RETRAIN_MEMORY_MB allows",
    )
    assert loop.run(megabytes=20).outcome == "promoted"


def test_a_training_that_crashes_is_no_answer_and_what_it_prints_is_none(loop: Loop) -> None:
    ended = loop.run(print='{"done": true}\n', dies=int(signal.SIGSEGV))
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert "was ended by signal 11" in str(ended.reason)
    assert any('{"done": true}' in line for line in ended.log)


def test_the_same_job_gives_the_same_files_here_and_in_a_process_of_its_own(
    loop: Loop, sqlite_database: Database
) -> None:
    here = Loop(sqlite_database, artefacts=loop.registry.artefacts).run(noise=0.3)
    there = loop.run(noise=0.3)
    assert (there.outcome, there.artefact) == ("nothing new", here.artefact)


def test_a_trainer_that_no_other_process_can_find_is_refused_with_advice(loop: Loop) -> None:
    loop.trainers.register(MODEL, lambda: None)  # type: ignore[arg-type,return-value]
    assert "register it as package.module:function" in str(loop.run().reason)


SCRIPT = """
from mlops.retraining import Trainers
from tests.retraining_app import Loop
from tests.tiny_trainer import TinyTrainer
from mlops.store import Database
import sys

def make_mine():
    return TinyTrainer()

if __name__ == "__main__":
    loop = Loop(Database(sys.argv[1]), training=None).begin()
    loop.trainers.register("tiny", make_mine)
    print(loop.run().outcome)
"""


def test_a_function_of_a_script_can_be_a_trainer(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    url = sqlite_database.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "mine.py", url], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "promoted\n"
