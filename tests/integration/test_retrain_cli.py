"""``mlops retrain …`` and ``schedule_retraining.py``, as typed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlops import cli
from mlops.config import Settings
from mlops.model_registry import ModelMetadata, open_registry
from tests.commands import Ended, typed
from tests.retraining_app import NOON, environment, write_values

REPOSITORY = Path(__file__).parent.parent.parent
VARIABLES = {"RETRAIN_TRAINERS": "tiny=tests.tiny_trainer:make", "MLFLOW_TRACKING_URI": "off"}


class Typist:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._parts = {"monkeypatch": monkeypatch, "capsys": capsys}

    def __call__(self, *words: object, **environment: str) -> Ended:
        return typed(cli.main, "mlops", "retrain", *words, **self._parts, **{**VARIABLES, **environment})  # type: ignore[arg-type]


@pytest.fixture
def mlops(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typist:
    """``tiny`` 1.0.0 in production, long ago, below the working directory."""
    registry = open_registry(Settings(_env_file=None), actor="ana")  # type: ignore[call-arg]
    registry.register(
        ModelMetadata("tiny", "1.0.0", timestamp=NOON.replace(year=2025)), artefact={"model.json": b"0.0"}
    )
    registry.promote("tiny", "1.0.0", because="first")
    registry.close()
    registry.database.close()
    write_values(5.0)
    for name, value in environment().items():
        if name == "PYTHONPATH":
            monkeypatch.setenv(name, value)
    return Typist(monkeypatch, capsys)


def test_a_check_a_run_and_what_is_left_to_see(mlops: Typist) -> None:
    need = mlops("check", "--json").json["models"][0]
    assert (need["model_id"], need["needed"]) == ("tiny", True)
    assert "tiny needs training\n  + The last training is" in mlops("check", "tiny").out
    ran = mlops("run", "tiny", "--reason", "try it", "--parameter", "noise=0.1", "--seed", "3", "--json")
    assert (ran.code, ran.json["outcome"], ran.json["parameters"], ran.json["seed"]) == (
        0,
        "promoted",
        {"noise": 0.1},
        3,
    )
    assert "job 1 of tiny: completed: promoted, version 1.1.0 against 1.0.0" in mlops("show", 1).out
    assert [job["job_id"] for job in mlops("jobs", "--json").json["jobs"]] == [1]
    assert mlops("jobs").out.splitlines()[1].split()[:6] == ["1", "tiny", "completed", "100%", "1.1.0", "promoted"]
    assert mlops("cancel", 1).code == 5
    assert mlops("show", 7).code == 3


def test_a_run_that_waits_is_approved_or_rejected_and_a_failed_one_ends_with_1(mlops: Typist) -> None:
    assert mlops("run", "tiny", RETRAIN_AUTO_APPROVE="False").code == 6
    assert mlops("reject", 1, "--reason", "not today").out.startswith("job 1 of tiny: completed: rejected")
    assert mlops("run", "tiny", "--parameter", "noise=0.2", RETRAIN_AUTO_APPROVE="False").code == 6
    assert mlops("approve", 2, "--reason", "fine", "--json").json["outcome"] == "promoted"
    failed = mlops("run", "tiny", "--parameter", "raises=oh")
    assert (failed.code, "RuntimeError: oh" in failed.out) == (1, True)
    assert "register_trainer" in mlops("run", "other").err


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--every", "1h", "--cron", "0 3 * * *"), 2), (("--every", "soon"), 2), (("--dry-run", "--every", "1h"), 2)],
)
def test_a_schedule_that_makes_no_sense_is_mistyped(words: tuple[str, ...], code: int, mlops: Typist) -> None:
    assert mlops("schedule", *words).code == code


def script(*words: str, **environment_of_it: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "schedule_retraining.py"), *words],
        env={**environment(), **VARIABLES, **environment_of_it},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_script_checks_once_does_what_is_needed_and_gives_an_account(mlops: Typist) -> None:
    assert mlops("schedule", "--dry-run", "--json").json["scheduled_jobs"] == []
    done = script()
    assert done.returncode == 0, done.stderr
    assert "tiny needs training" in done.stdout
    assert "job 1 of tiny: completed: promoted, version 1.1.0 against 1.0.0" in done.stdout
    again: dict[str, Any] = json.loads(mlops("schedule", "tiny", "--json").out)
    assert (again["retraining_needed"], again["scheduled_jobs"], again["jobs"]) == ([], [], [])


def test_the_commands_of_the_guide_work_one_after_another(mlops: Typist) -> None:
    registry = open_registry(Settings(_env_file=None), actor="ana")  # type: ignore[call-arg]
    registry.register(ModelMetadata("hybrid_ranker", "1.0.0"), artefact={"model.json": b"0.0"})
    registry.promote("hybrid_ranker", "1.0.0", because="first")
    registry.close()
    registry.database.close()
    guide = (REPOSITORY / "docs" / "retraining.md").read_text("utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    printed = [line for block in blocks for line in block.splitlines() if line.startswith("mlops retrain ")]
    assert len(printed) == 6
    for command in printed:
        both = "tiny=tests.tiny_trainer:make,hybrid_ranker=tests.tiny_trainer:make"
        ended = mlops(*shlex.split(command)[2:], RETRAIN_TRAINERS=both)
        assert ended.code == 0, f"{command}: {ended}"
