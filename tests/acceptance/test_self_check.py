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
    check_that_it_passes(command, mine)
    assert list(tmp_path.iterdir()) == []


WITHOUT_PANDAS = """
import sys

class WithoutPandas:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] == "pandas" else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [WithoutPandas(finder) for finder in sys.meta_path]
"""


def test_it_passes_without_pandas_which_the_service_does_not_need(tmp_path: Path) -> None:
    """As after ``make serve``: the process that trains gets Arrow tables then."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PANDAS)
    check_that_it_passes(["test_mlops.py"], {"PYTHONPATH": str(tmp_path)})


def check_that_it_passes(command: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**outside_environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
