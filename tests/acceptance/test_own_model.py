"""The guide for a model of one's own is executed, from the first line to the last."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops.cli import main
from tests.commands import typed
from tests.retraining_app import environment

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
GUIDE = (Path(__file__).parent.parent.parent / "docs" / "bring-your-own-model.md").read_text("utf-8")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(GUIDE) if kind == language]


def run(script: str) -> str:
    command = [sys.executable, script]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_customers(path: str, n: int, *, minutes: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    visits, spent = rng.poisson(5, n), rng.normal(minutes, 5, n)
    leaves = 1 / (1 + np.exp(visits - 5 + 0.1 * (spent - 20)))
    pd.DataFrame({"visits": visits, "minutes": spent, "churned": rng.random(n) < leaves}).to_parquet(path)


def test_the_guide_works_as_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
    write_customers("customers.parquet", 1_000, minutes=20, seed=1)
    write_customers("today.parquet", 500, minutes=30, seed=2)
    trainer, *steps = snippets("python")
    # The guide promises about forty lines.
    assert sum(bool(line.strip()) and not line.startswith(("import", "from")) for line in trainer.splitlines()) <= 40
    Path("churn.py").write_text(trainer)
    Path("steps.py").write_text("\n".join(steps))
    promised = [line[2:] for text in steps for line in text.splitlines() if line.startswith("# ")]
    assert run("steps.py").splitlines() == promised
    commands = [line for text in snippets("bash") for line in text.splitlines()]
    monkeypatch.setenv("RETRAIN_TRAINERS", "churn=churn:ChurnTrainer")
    said = [typed(main, *shlex.split(command), monkeypatch=monkeypatch, capsys=capsys) for command in commands]
    assert [each.code for each in said] == [0] * 4
    assert "churn needs no training" in said[0].out
    assert "promoted" in said[1].out
    assert "1.1.0 is in production" in said[2].out
