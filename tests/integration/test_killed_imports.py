"""A process that is killed in the middle of an import loses nothing and doubles nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops.store import Database
from recipes import schema
from recipes.catalog.importers import import_file, import_ratings

REPOSITORY = Path(__file__).parent.parent.parent

# Imports a file, and kills itself right before its n-th commit: everything of that batch is written, nothing is kept.
IMPORTER = """
import os, signal, sys
import sqlalchemy as sa
from pathlib import Path
from mlops.store import Database
from recipes.catalog.importers import import_file, import_ratings

url, path, rejects, what, deadly = sys.argv[1:]
n_commits = 0

def count(connection):
    global n_commits
    n_commits += 1
    if n_commits == int(deadly):
        os.kill(os.getpid(), signal.SIGKILL)

sa.event.listen(sa.Engine, "commit", count)
options = {"layout": "jsonl"} if what == "recipes" else {}
take = import_file if what == "recipes" else import_ratings
take(Database(url), Path(path), rejects_dir=Path(rejects), **options)
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def _run_importer(database: Database, path: Path, rejects: Path, what: str, *, deadly_commit: int) -> int:
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", IMPORTER, url, str(path), str(rejects), what, str(deadly_commit)]
    return subprocess.run(command, env=_environment(), check=False).returncode


def _write_recipes(path: Path, n: int = 2_500) -> Path:
    rows = [
        {
            "id": str(number),
            "name": f"Soup {number}" if number % 50 else "",
            "ingredients": ["water"],
            "steps": ["Cook."],
        }
        for number in range(n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _write_ratings(path: Path, n: int = 2_500) -> Path:
    lines = [f"{number % 90},{number % 40},,{number % 6}" for number in range(n)]
    path.write_text("user_id,recipe_id,date,rating\n" + "\n".join(lines) + "\n")
    return path


def _everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What is in the catalogue, without the numbers and times that differ from run to run."""
    recipes, texts, ratings, imports = schema.recipes, schema.recipe_texts, schema.ratings, schema.imports
    queries = {
        "recipes": sa.select(recipes.c.recipe_id, recipes.c.content_hash, recipes.c.n_ratings, recipes.c.rating_sum),
        "texts": sa.select(recipes.c.recipe_id, texts.c.language, texts.c.name, texts.c.origin).join_from(
            texts, recipes
        ),
        "ratings": sa.select(ratings.c.rater, recipes.c.recipe_id, ratings.c.rating).join_from(ratings, recipes),
        "imports": sa.select(imports.c.path, imports.c.n_read, imports.c.n_rejected, imports.c.finished),
    }
    with database.reading() as connection:
        return {name: sorted(map(tuple, connection.execute(query)), key=repr) for name, query in queries.items()}


def _rejects(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def _wipe(database: Database) -> None:
    with database.writing() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            connection.execute(table.delete())


def test_an_import_killed_before_each_commit_ends_with_exactly_the_same_catalogue(
    emptied_database: Database, tmp_path: Path
) -> None:
    path = _write_recipes(tmp_path / "recipes.jsonl")
    import_file(emptied_database, path, layout="jsonl", rejects_dir=tmp_path / "whole")
    expected = _everything(emptied_database)
    _wipe(emptied_database)
    rejects = tmp_path / "killed"
    # Three batches are three commits: killed before the first, before the second, and before the last.
    for deadly_commit in (1, 2, 2):
        ended = _run_importer(emptied_database, path, rejects, "recipes", deadly_commit=deadly_commit)
        assert ended == -signal.SIGKILL
    assert _run_importer(emptied_database, path, rejects, "recipes", deadly_commit=99) == 0
    assert _everything(emptied_database) == expected
    assert _rejects(rejects) == _rejects(tmp_path / "whole")


def test_ratings_killed_in_between_are_counted_once(emptied_database: Database, tmp_path: Path) -> None:
    recipes = tmp_path / "recipes.csv"
    rows = [f"soup {number},{number},\"['Cook.']\",\"['water']\"" for number in range(39)]
    recipes.write_text("name,id,steps,ingredients\n" + "\n".join(rows) + "\n")
    path = _write_ratings(tmp_path / "ratings.csv")

    def start_again() -> None:
        _wipe(emptied_database)
        import_file(emptied_database, recipes, layout="foodcom", rejects_dir=tmp_path)

    start_again()
    import_ratings(emptied_database, path, rejects_dir=tmp_path / "whole")
    expected = _everything(emptied_database)
    start_again()
    rejects = tmp_path / "killed"
    assert _run_importer(emptied_database, path, rejects, "ratings", deadly_commit=2) == -signal.SIGKILL
    assert _run_importer(emptied_database, path, rejects, "ratings", deadly_commit=99) == 0
    assert _everything(emptied_database) == expected
    assert _rejects(rejects) == _rejects(tmp_path / "whole")


def _rows_read(state: Path) -> int:
    if not state.exists():
        return 0
    with closing(sqlite3.connect(state, timeout=30)) as connection:
        try:
            return int((connection.execute("SELECT max(n_read) FROM imports").fetchone() or (0,))[0] or 0)
        except sqlite3.OperationalError:  # no such table yet
            return 0


@pytest.fixture
def start_command(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts ``recipes …`` with a data folder of its own."""

    def start(*arguments: str, data_dir: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "recipes.cli", *arguments],
            env={**_environment(), "DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_the_command_goes_on_where_it_was_killed_or_interrupted(
    signal_number: signal.Signals, start_command: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    path, data_dir = _write_recipes(tmp_path / "recipes.jsonl", n=12_000), tmp_path / "data"
    with start_command("import", "jsonl", str(path), data_dir=data_dir) as process:
        while _rows_read(data_dir / "var" / "state.db") < 2_000 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal_number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == (130 if signal_number == signal.SIGINT else -signal.SIGKILL)
    assert (b"interrupted; the same command goes on" in complaint) == (signal_number == signal.SIGINT)
    assert b"Traceback" not in complaint
    with start_command("import", "jsonl", str(path), "--json", data_dir=data_dir) as process:
        summary, progress = process.communicate(timeout=60)
    report = json.loads(summary)[0]
    assert re.search(rb"12000/12000.*100%.* [\d,]+/s", progress)
    assert report["read"] == 12_000
    assert 2_000 <= report["read_before"] < 12_000
    assert report["rejected"] == 240
    assert len(Path(report["rejected_file"]).read_text().splitlines()) == 240
    with closing(sqlite3.connect(data_dir / "var" / "state.db")) as connection:
        n_imported = connection.execute("SELECT count(*) FROM recipes WHERE source = 'import'").fetchone()[0]
    assert n_imported == 11_760
