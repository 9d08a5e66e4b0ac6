"""The guide to evaluation is executed: what its snippets print is what it says they print."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mlops.cli.evaluation import compare, evaluate
from mlops.evaluation import gates
from mlops.evaluation.metrics import metric
from tests.guide_files import write_runs

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "evaluation.md").read_text("utf-8")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _snippets(language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(GUIDE) if kind == language]


def test_the_snippets_print_what_the_guide_says(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    for text in _snippets("python"):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(text, "docs/evaluation.md", "exec"), names)
        promised = [line[2:] for line in text.splitlines() if line.startswith("# ")]
        assert printed.getvalue().splitlines() == promised
    assert (tmp_path / "reports" / "hybrid_ranker_1.1.0.html").exists()


# Those of `recipes` need a catalogue: tests/acceptance/test_documents.py runs them.
MLOPS_COMMANDS = [
    line for text in _snippets("bash") for line in text.splitlines() if not line.startswith("recipes evaluate")
]


@pytest.mark.parametrize("command", MLOPS_COMMANDS)
def test_the_commands_work(command: str) -> None:
    write_runs()
    app = typer.Typer()
    app.command()(evaluate)
    app.command()(compare)
    program, *arguments = shlex.split(command)
    assert program == "mlops"
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def test_every_gate_and_metric_in_a_table_exists() -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert named == set(gates._FACTORIES)
    measured = [name for row in rows for name in re.findall(r"^\| `([a-z_]+(?:@\d+)?)` \|", row)]
    metrics = [name for name in measured if "@" in name or name == "mrr"]
    assert len(metrics) == 7
    assert [metric(name).name for name in metrics] == metrics
