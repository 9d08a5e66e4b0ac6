"""The mirror against a real MLflow server, started by the command that the guide prints.

MLflow is only imported by other processes: its warnings are not ours. What it holds is read from its REST interface.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops import schema
from mlops.config import Settings
from mlops.model_registry import Lineage, ModelMetadata, ModelRegistry, open_registry
from mlops.retraining import RetrainingOrchestrator, Trainers, train_here
from mlops.store import Database
from mlops.store.leases import Leases
from mlops.tracking import MirrorRunner
from mlops.tracking.mirror import LEASE
from tests.retraining_app import write_values

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")

REPOSITORY = Path(__file__).parent.parent.parent
GUIDE = (REPOSITORY / "docs" / "mlflow.md").read_text("utf-8")
OURS = tuple(name.upper() for name in Settings.model_fields)
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


def environment(data_dir: Path, **values: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    more = {"PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(data_dir), "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**clean, **more, **values}


def mirror(data_dir: Path, *options: str, **values: str) -> dict[str, Any]:
    """What ``mlops models mirror --json`` answers."""
    done = subprocess.run(
        [sys.executable, "-m", "mlops.cli", "models", "mirror", "--json", *options],
        env=environment(data_dir, **values),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return checked(done.stdout, done.returncode)


def checked(text: str, status: int) -> dict[str, Any]:
    answer = dict(json.loads(text))
    assert status == (answer["state"] == "failed"), answer
    return answer


# Runs the command in a fork for each line on stdin: to import MLflow takes longer than all the rest.
FORKER = """
import json, os, sys
import mlflow, mlflow.entities
from mlops.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.stdout = open(asked["output"], "w")
        sys.argv = ["mlops", *asked["arguments"]]
        status = 70
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forker:
    """A process that has MLflow imported, and mirrors in forks of it."""

    def __init__(self, folder: Path) -> None:
        self._output = folder / "output"
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def mirror(self, data_dir: Path, *options: str, **values: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "environment": environment(data_dir, **values),
            "arguments": ["models", "mirror", "--json", *options],
            "output": str(self._output),
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return checked(self._output.read_text(), status)

    def end(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    found = Forker(tmp_path_factory.mktemp("forker"))
    yield found
    found.end()


@dataclass
class Mlflow:
    """A running MLflow server, read through its REST interface."""

    url: str

    def model(self, name: str) -> dict[str, Any]:
        found = self._get("registered-models/get", name=name)["registered_model"]
        return {**found, "aliases": {each["alias"]: each["version"] for each in found.get("aliases", [])}}

    def versions(self, name: str) -> dict[str, dict[str, Any]]:
        """MLflow's versions by the number of ours. Fails where one is there twice."""
        found = self._get("model-versions/search", filter=f"name = '{name}'").get("model_versions", [])
        by_ours = {by_key(each["tags"])["mlops.version"]: {**each, "tags": by_key(each["tags"])} for each in found}
        assert len(by_ours) == len(found)
        return by_ours

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment, deleted ones too."""
        found = self._get("experiments/get-by-name", experiment_name=experiment)["experiment"]
        question = {"experiment_ids": [found["experiment_id"]], "run_view_type": "ALL", "max_results": 1000}
        answer = httpx.post(f"{self.url}/api/2.0/mlflow/runs/search", json=question, timeout=30)
        return list(answer.raise_for_status().json().get("runs", []))

    def file(self, run_id: str, path: str) -> bytes:
        answer = httpx.get(f"{self.url}/get-artifact", params={"run_uuid": run_id, "path": path}, timeout=30)
        return answer.raise_for_status().content

    def curve(self, run_id: str, name: str) -> list[tuple[int, float]]:
        """A metric of a run by step."""
        found = self._get("metrics/get-history", run_id=run_id, metric_key=name)["metrics"]
        return [(int(each.get("step", 0)), float(each["value"])) for each in found]

    def _get(self, what: str, **question: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/api/2.0/mlflow/{what}", params=question, timeout=30)
        return dict(answer.raise_for_status().json())


def by_key(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in pairs}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def default_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR whose registry was mirrored without any setting: to a SQLite file."""
    folder = tmp_path_factory.mktemp("default")
    registry = registry_in(folder)
    registry.register(ModelMetadata("by_default", "1.0.0", timestamp=AT), artefact={"weights.json": b"[1]"})
    registry.promote("by_default", "1.0.0", because="first")
    registry.close()
    registry.database.close()
    assert mirror(folder)["sent"] == [{"model_id": "by_default", "version": "1.0.0"}]
    return folder


@pytest.fixture(scope="session")
def mlflow(default_data: Path) -> Iterator[Mlflow]:
    """MLflow's server and pages, by the guide's command, in the folder that the guide names."""
    command = re.findall(r"^mlflow ui .*$", GUIDE, re.MULTILINE)[0].split()
    port = free_port()
    program = [sys.executable, "-m", *command, "--port", str(port), "--workers", "1"]
    with (default_data / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            program, cwd=default_data, env=environment(default_data), stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/health"), seconds=120)
        yield Mlflow(url)
    finally:
        # Its workers are processes of their own.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def registry_in(data_dir: Path) -> ModelRegistry:
    return open_registry(Settings(_env_file=None, data_dir=data_dir), actor="test")  # type: ignore[call-arg]


class Here:
    """A registry of the test's own, and the server under an experiment and a model name of the test's own."""

    def __init__(self, mlflow: Mlflow, forker: Forker, data_dir: Path, name: str) -> None:
        self.mlflow = mlflow
        self.forker = forker
        self.data_dir = data_dir
        self.model_id = name
        self.variables = {"MLFLOW_TRACKING_URI": mlflow.url, "MLFLOW_EXPERIMENT_NAME": name}
        self.registry = registry_in(data_dir)

    def register(self, version: str, **options: Any) -> None:
        files, lineage = options.pop("artefact", None), options.pop("lineage", None)
        self.registry.register(
            ModelMetadata(self.model_id, version, timestamp=AT, **options), artefact=files, lineage=lineage
        )

    def promote(self, version: str) -> None:
        self.registry.promote(self.model_id, version, because="better")

    def mirror(self, *options: str, **variables: str) -> dict[str, Any]:
        return self.forker.mirror(self.data_dir, *options, **{**self.variables, **variables})

    def close(self) -> None:
        self.registry.close()
        self.registry.database.close()

    def settings(self, **values: Any) -> Settings:
        fields = {name.lower(): value for name, value in self.variables.items()}
        return Settings(_env_file=None, data_dir=self.data_dir, **{**fields, **values})

    def alias(self) -> str | None:
        """The version of ours that MLflow's alias leads to."""
        number = self.mlflow.model(self.model_id)["aliases"].get("production")
        versions = self.mlflow.versions(self.model_id)
        return next((ours for ours, theirs in versions.items() if theirs["version"] == number), None)

    def check_equal(self) -> None:
        """MLflow has each version once, with one whole run, and the alias where the registry has its champion."""
        ours = {one.version: one for one in self.registry.list_models(self.model_id)}
        theirs = self.mlflow.versions(self.model_id)
        assert {version: each["tags"]["mlops.status"] for version, each in theirs.items()} == {
            version: one.status for version, one in ours.items()
        }
        runs = {by_key(run["data"]["tags"])["mlops.version"]: run for run in self.mlflow.runs(self.model_id)}
        assert len(runs) == len(self.mlflow.runs(self.model_id)) == len(ours)
        for version, one in ours.items():
            self.check_whole(runs[version], one)
            assert theirs[version]["run_id"] == runs[version]["info"]["run_id"]
        champion = self.registry.get_production_model(self.model_id)
        assert self.alias() == (None if champion is None else champion.version)

    def check_whole(self, run: dict[str, Any], one: Any) -> None:
        assert run["info"]["status"] == "FINISHED"
        drawn = [each for each in run["data"].get("metrics", []) if each["key"].startswith("curves/")]
        assert len(run["data"].get("metrics", [])) == len(one["metrics"]) + len(drawn)
        assert len(run["data"].get("params", [])) == len(one["parameters"])
        run_id = run["info"]["run_id"]
        assert json.loads(self.mlflow.file(run_id, "version.json"))["version"] == one.version
        files = {} if one.artefact is None else self.registry.files(one)
        for name, content in files.items():
            assert self.mlflow.file(run_id, f"artefact/{name}") == content


@pytest.fixture
def here(mlflow: Mlflow, forker: Forker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Here]:
    found = Here(mlflow, forker, tmp_path / "data", request.node.name[:80])
    yield found
    found.close()


def test_a_training_is_one_run_with_its_parameters_fingerprint_and_curves(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_values(5.0)
    here.register("1.0.0", artefact={"model.json": b"0.0"})
    here.promote("1.0.0")
    trainers = Trainers()
    trainers.register(here.model_id, "tests.tiny_trainer:make", parameters={"noise": 0.1})
    loop = RetrainingOrchestrator(here.registry, folder=tmp_path / "jobs", trainers=trainers, training=train_here)
    assert loop.execute_retrain(loop.create_retrain_job(here.model_id))
    assert here.mirror()["n_waiting"] == 0
    here.check_equal()
    runs = {by_key(run["data"]["tags"])["mlops.version"]: run for run in here.mlflow.runs(here.model_id)}
    made, found = here.registry.get_production_model(here.model_id), runs["1.1.0"]
    assert made is not None
    assert by_key(found["data"]["params"]) == {"noise": "0.1"}
    tags = by_key(found["data"]["tags"])
    assert tags["mlops.lineage.data_fingerprint"] == made["lineage"]["data_fingerprint"]
    assert here.mlflow.curve(found["info"]["run_id"], "curves/loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]


def test_everything_of_a_version_arrives(here: Here) -> None:
    here.register("0.9.0")
    here.register(
        "1.0.0",
        description="Primera versión, con ñ",
        metrics={"ndcg@3": 0.63, "n_users": 40},
        parameters={"w": 0.7, "kind": "blend", "empty": "", "none": None, "words": "x" * 7_000},
        tags={"team": "search"},
        parent_version="0.9.0",
        artefact={"weights.json": b"[0.7, 0.3]", "deep er/ñ x.txt": b"hello"},
        lineage=Lineage("data-1", "commit-1", 42),
    )
    here.promote("1.0.0")
    answer = here.mirror()
    assert (answer["state"], answer["failed"], answer["n_waiting"]) == ("done", [], 0)
    # The one in production comes first.
    assert [each["version"] for each in answer["sent"]] == ["1.0.0", "0.9.0"]
    here.check_equal()

    version = here.mlflow.versions(here.model_id)["1.0.0"]
    one = here.registry.get_model(here.model_id, "1.0.0")
    assert one is not None
    assert version["description"] == "Primera versión, con ñ"
    assert version["source"] == f"runs:/{version['run_id']}/artefact"
    expected = {"mlops.status": "production", "mlops.artefact": one.artefact, "team": "search"}
    assert expected.items() <= version["tags"].items()

    run = next(run for run in here.mlflow.runs(here.model_id) if run["info"]["run_id"] == version["run_id"])
    assert by_key(run["data"]["metrics"]) == {"ndcg_at_3": 0.63, "n_users": 40}
    params = by_key(run["data"]["params"])
    assert {"w": "0.7", "kind": "blend", "empty": "", "none": "null"}.items() <= params.items()
    assert params["words"].startswith("x" * 5_000)
    expected = {"mlops.lineage.data_fingerprint": "data-1", "mlops.lineage.seed": "42", "mlops.parent_version": "0.9.0"}
    assert expected.items() <= by_key(run["data"]["tags"]).items()
    assert run["info"]["start_time"] == int(AT.timestamp() * 1000)


def test_more_values_than_mlflow_takes_at_once_arrive(here: Here) -> None:
    here.register(
        "1.0.0",
        metrics={f"m@{number}": number / 3 for number in range(120)},
        parameters={f"p{number}": "v" * 4_000 for number in range(130)},
        tags={f"t{number}": number for number in range(110)},
    )
    assert here.mirror()["state"] == "done"
    here.check_equal()


def test_sending_again_changes_nothing(here: Here) -> None:
    here.register("1.0.0", metrics={"mrr": 0.5}, artefact={"weights.json": b"[1]"})
    here.promote("1.0.0")
    here.mirror()
    before = (here.mlflow.versions(here.model_id), here.mlflow.runs(here.model_id))
    assert here.mirror()["sent"] == []
    assert len(here.mirror("--again")["sent"]) == 1
    assert (here.mlflow.versions(here.model_id), here.mlflow.runs(here.model_id)) == before


def test_the_alias_follows_the_champion(here: Here) -> None:
    for version in ("1.0.0", "1.1.0"):
        here.register(version)
    changes: list[tuple[Callable[[], Any], str | None]] = [
        (lambda: None, None),
        (lambda: here.promote("1.0.0"), "1.0.0"),
        (lambda: here.promote("1.1.0"), "1.1.0"),
        (lambda: here.registry.rollback(here.model_id, because="worse"), "1.0.0"),
        (lambda: here.registry.archive(here.model_id, "1.0.0", because="retired"), None),
    ]
    for change, champion in changes:
        change()
        assert here.mirror()["state"] == "done"
        assert here.alias() == champion
        here.check_equal()


def test_what_somebody_changed_in_mlflow_is_put_right_with_the_next_change(here: Here) -> None:
    here.register("1.0.0", description="ours")
    here.register("1.1.0")
    here.promote("1.0.0")
    here.mirror()
    theirs = here.mlflow.versions(here.model_id)
    url = f"{here.mlflow.url}/api/2.0/mlflow"
    name = {"name": here.model_id}
    alias = {**name, "alias": "production", "version": theirs["1.1.0"]["version"]}
    httpx.post(f"{url}/registered-models/alias", json=alias).raise_for_status()
    text = {**name, "version": theirs["1.0.0"]["version"], "description": "theirs"}
    httpx.patch(f"{url}/model-versions/update", json=text).raise_for_status()
    here.mirror("--again")
    here.check_equal()
    assert here.mlflow.versions(here.model_id)["1.0.0"]["description"] == "ours"


def test_a_version_of_another_registry_is_never_overwritten(here: Here, tmp_path: Path) -> None:
    here.register("1.0.0", description="ours")
    here.mirror()
    other = Here(here.mlflow, here.forker, tmp_path / "other", here.model_id)
    other.register("1.0.0", description="theirs")
    other.register("2.0.0", description="theirs")
    answer = other.mirror()
    assert (answer["state"], [each["version"] for each in answer["sent"]]) == ("failed", ["2.0.0"])
    assert "does another registry mirror to the same MLflow?" in answer["failed"][0]["error"]
    assert here.mlflow.versions(here.model_id)["1.0.0"]["description"] == "ours"
    other.close()


def test_a_version_whose_files_are_damaged_does_not_hold_up_the_others(here: Here) -> None:
    here.register("1.0.0", artefact={"weights.json": b"[1]"})
    here.register("1.1.0")
    one = here.registry.get_model(here.model_id, "1.0.0")
    assert one is not None
    assert one.artefact is not None
    path = here.data_dir / "models" / "artifacts" / one.artefact / "weights.json"
    path.chmod(0o644)
    path.write_bytes(b"[2]")
    answer = here.mirror()
    assert [each["version"] for each in answer["sent"]] == ["1.1.0"]
    assert "weights.json was changed" in answer["failed"][0]["error"]
    assert answer["n_waiting"] == 1


class Wire:
    """A wire to the server that can be cut, or left hanging."""

    def __init__(self, url: str) -> None:
        self._target = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.port = free_port()
        self.url = f"http://me:secret@127.0.0.1:{self.port}"
        self._listener: socket.socket | None = None

    def join(self, *, is_silent: bool = False) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener, is_silent), daemon=True).start()

    def cut(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket, is_silent: bool) -> None:
        kept = []
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                for each in kept:
                    each.close()
                return
            if is_silent:
                kept.append(near)
                continue
            threading.Thread(target=_carry, args=(near, self._target), daemon=True).start()


def _carry(near: socket.socket, target: tuple[str, int]) -> None:
    with near, socket.create_connection(target) as far:
        other = {near: far, far: near}
        while True:
            for one in select.select([near, far], [], [])[0]:
                data = one.recv(65_536)
                if not data:
                    return
                other[one].sendall(data)


@pytest.fixture
def wire(mlflow: Mlflow) -> Iterator[Wire]:
    found = Wire(mlflow.url)
    yield found
    found.cut()


def test_while_mlflow_is_down_changes_go_on_and_all_of_them_arrive_afterwards(here: Here, wire: Wire) -> None:
    here.variables["MLFLOW_TRACKING_URI"] = wire.url
    runner = MirrorRunner(here.settings(), database=here.registry.database, every_seconds=0.2)
    runner.start()
    try:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            here.register(version, metrics={"mrr": 0.5}, artefact={"weights.json": b"[1]"})
            started = time.monotonic()
            here.promote(version)
            assert time.monotonic() - started < 2
        wait_until(lambda: runner.status().n_failing > 0)
        status = runner.status()
        assert status.n_waiting == 3
        assert "refused" in str(status.last_error)
        assert "secret" not in str(status.last_error)
        assert status.try_again_at is not None
        here.registry.rollback(here.model_id, because="worse")
        wire.join()
        wait_until(lambda: runner.status().n_waiting == 0)
    finally:
        runner.stop()
    assert runner.status().last_error is None
    here.check_equal()
    assert here.alias() == "1.1.0"


def test_an_mlflow_that_says_nothing_is_given_up_soon_and_asked_once(here: Here, wire: Wire) -> None:
    wire.join(is_silent=True)
    for number in range(5):
        here.register(f"1.{number}.0")
    started = time.monotonic()
    answer = here.mirror(MLFLOW_TRACKING_URI=wire.url, MLFLOW_HTTP_REQUEST_TIMEOUT="1")
    assert time.monotonic() - started < 15
    assert (len(answer["failed"]), answer["n_waiting"]) == (5, 5)
    # All of them are tried again at the same time.
    assert here.mirror("--background")["failed"] == []


# Mirrors the n-th registry in a process that dies when MLflow has answered its n-th request, then in one that lives.
# Each is a fork. Or it kills each many times, at times drawn at random.
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import mlflow, requests
from mlflow import MlflowClient
from mlops.config import Settings
from mlops.model_registry import open_registry
from mlops.tracking import open_mirror
import mlops.tracking._remote

folders, how = sys.argv[2:], sys.argv[1]
send = requests.Session.send

def in_a_fork(folder, deadly=None):
    child = os.fork()
    if child:
        return child
    n_answers = 0
    def counted(*arguments, **options):
        nonlocal n_answers
        answer = send(*arguments, **options)
        n_answers += 1
        if n_answers == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    requests.Session.send = counted
    report = open_mirror(Settings(_env_file=None, data_dir=Path(folder))).send()
    os._exit(bool(report.failed) or bool(report.n_waiting))

def release(folder):
    # As if the lease of the process that was killed had expired.
    import sqlite3
    with sqlite3.connect(f"{folder}/var/state.db", timeout=30) as connection:
        connection.execute("DELETE FROM leases")
    connection.close()

draws = random.Random(11)
for number, folder in enumerate(folders, start=1):
    if how == "at each request":
        print(os.waitpid(in_a_fork(folder, number), 0)[1], flush=True)
    else:
        for _ in range(15):
            child = in_a_fork(folder)
            time.sleep(draws.uniform(0.02, 0.35))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            release(folder)
    release(folder)
    status = os.waitpid(in_a_fork(folder), 0)[1]
    assert status == 0, (folder, status)
"""


def kill(how: str, folders: list[Path], variables: dict[str, str]) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", KILLER, how, *map(str, folders)],
        env=environment(folders[0], **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_killed_at_any_request_it_goes_on_and_makes_nothing_twice(here: Here, tmp_path: Path) -> None:
    places = [Here(here.mlflow, here.forker, tmp_path / str(n), f"{here.model_id}_{n}") for n in range(18)]
    for place in places:
        place.register("1.0.0", metrics={"mrr": 0.5}, parameters={"k": 3}, artefact={"weights.json": b"[1]"})
        place.promote("1.0.0")
        place.close()
    statuses = kill("at each request", [place.data_dir for place in places], here.variables)
    # The last one lived: there were fewer requests than it was to die at, so each of them was one to die at.
    assert statuses[:10] == [signal.SIGKILL] * 10
    assert statuses[-1] == 0
    experiment = here.variables["MLFLOW_EXPERIMENT_NAME"]
    versions = [by_key(run["data"]["tags"])["mlops.model_id"] for run in here.mlflow.runs(experiment)]
    assert sorted(versions) == sorted(place.model_id for place in places)
    for place in places:
        assert list(place.mlflow.versions(place.model_id)) == ["1.0.0"]
        assert place.alias() == "1.0.0"


def test_killed_at_any_time_it_goes_on_and_makes_nothing_twice(here: Here) -> None:
    for number in range(8):
        here.register(f"1.{number}.0", metrics={"mrr": 0.5}, parameters={"k": 3}, artefact={"weights.json": b"[1]"})
        here.promote(f"1.{number}.0")
    kill("at any time", [here.data_dir], here.variables)
    here.check_equal()


def test_of_two_services_one_mirrors(here: Here) -> None:
    other = Database(str(here.registry.database.url), tables=(schema.MIGRATIONS,))
    runners = [
        MirrorRunner(here.settings(), database=database, every_seconds=0.1)
        for database in (here.registry.database, other)
    ]
    for runner in runners:
        runner.start()
    for number in range(6):
        here.register(f"1.{number}.0")
        here.promote(f"1.{number}.0")
        time.sleep(0.2)
    wait_until(lambda: runners[1].status().n_waiting == 0)
    for runner in runners:
        runner.stop()
    other.close()
    here.check_equal()


def test_while_another_process_mirrors_the_command_says_so_and_does_nothing(here: Here) -> None:
    here.register("1.0.0")
    lease = Leases(here.registry.database).take(LEASE, "somebody else", 60)
    assert lease is not None
    assert here.mirror()["state"] == "busy"
    assert [one.version for one in here.registry.list_models(here.model_id)] == ["1.0.0"]
    Leases(here.registry.database).release(lease)
    assert here.mirror()["state"] == "done"


def test_a_process_that_is_asked_to_end_gives_its_lease_back(here: Here, wire: Wire) -> None:
    wire.join(is_silent=True)
    here.register("1.0.0")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops.cli", "models", "mirror", "--background"],
        env=environment(here.data_dir, **{**here.variables, "MLFLOW_TRACKING_URI": wire.url}),
        stderr=subprocess.DEVNULL,
    )
    leases = Leases(here.registry.database)
    wait_until(lambda: leases.held(LEASE) is not None)
    process.terminate()
    assert process.wait(timeout=20) == 143
    assert leases.held(LEASE) is None


def test_without_a_setting_versions_lie_in_a_file_that_the_guides_command_shows(
    default_data: Path, mlflow: Mlflow
) -> None:
    version = mlflow.versions("by_default")["1.0.0"]
    assert mlflow.model("by_default")["aliases"] == {"production": version["version"]}
    assert mlflow.file(version["run_id"], "artefact/weights.json") == b"[1]"
    assert "<title>MLflow</title>" in httpx.get(mlflow.url).text
    with closing(sqlite3.connect(default_data / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM model_versions WHERE name = 'by_default'").fetchone() == (1,)
    assert sorted(each.name for each in (default_data / "mlruns").iterdir()) == ["artifacts", "mlflow.db"]


def test_off_is_said(tmp_path: Path) -> None:
    assert mirror(tmp_path, MLFLOW_TRACKING_URI="off") == {"state": "off"}
