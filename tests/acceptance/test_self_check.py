"""The owner's quick self-check runs as the specification prints it, and leaves real data alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_documents import REPOSITORY, outside_environment


@pytest.mark.parametrize("command", [["test_mlops.py"], ["-m", "unittest", "test_mlops.TestModelRegistry", "-v"]])
def test_the_self_check_passes_and_touches_nothing_of_the_installation(command: list[str], tmp_path: Path) -> None:
    # A database that cannot be used would be noticed.
    mine = {"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**outside_environment(), **mine},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
    assert list(tmp_path.iterdir()) == []
