"""The guides to drift and validation are executed: what their snippets print is what they say they print."""

from __future__ import annotations

import io
import json
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from mlops.cli import app
from mlops.config import Settings
from mlops.drift import DriftOptions, ReferenceProfile
from mlops.model_registry import ModelMetadata, open_registry
from mlops.validation import load_schema
from mlops.validation.rules import _RULES
from tests.guide_files import write_tables

REPOSITORY = Path(__file__).parent.parent.parent
GUIDES = {name: (REPOSITORY / "docs" / name).read_text("utf-8") for name in ("drift.md", "validation.md")}
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(guide: str, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(GUIDES[guide]) if kind == language]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_snippets_print_what_the_guide_says(guide: str) -> None:
    names: dict[str, Any] = {}
    for text in snippets(guide, "python"):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(text, guide, "exec"), names)
        promised = [line[2:] for line in text.splitlines() if line.startswith("# ")]
        assert [line.rstrip() for line in printed.getvalue().splitlines()] == [line.rstrip() for line in promised]


def test_the_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()
    Path("requests.jsonl").write_text(json.dumps({"query": "sopa"}))
    Path("schema.json").write_text(json.dumps(load_schema().document))
    Path("trained").mkdir()
    Path("trained/weights.json").write_text("[1]")
    registry = open_registry(Settings(_env_file=None, data_dir=tmp_path))
    trained_on = ReferenceProfile.of(pyarrow.parquet.read_table("reference.parquet"))
    registry.register(ModelMetadata("hybrid_ranker", "1.0.0", status="production"), profile=trained_on)
    registry.close()
    registry.database.close()
    lines = [line for guide in GUIDES for text in snippets(guide, "bash") for line in text.splitlines()]
    assert len(lines) == 9
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "mlops"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output


def test_every_rule_and_part_is_documented() -> None:
    for name in (*_RULES, *load_schema().parts):
        assert f"`{name}`" in GUIDES["validation.md"], name


def test_the_defaults_in_the_guide_are_those_of_the_code() -> None:
    options = DriftOptions()
    assert (options.threshold, options.alpha, options.minimum_n) == (0.1, 0.05, 30)
    for words in ("*effect* reaches 0.1", "is at most 0.05", "Fewer than 30 values"):
        assert words in GUIDES["drift.md"]
