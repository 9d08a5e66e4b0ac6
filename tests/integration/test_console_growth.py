"""However much has happened, a page asks the database as often, and makes it work as hard, as where little has."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mlops import schema
from mlops.store import Database
from tests.console_world import MODEL, NOW, World, addresses

# Instructions of SQLite's machine between two counts.
_STRIDE = 100
# Of an index that is a level deeper, and of rows that happen to be longer.
_MORE = 1.3
_TO_COUNT_ONE = 10
# More than any page shows at once, so that what is shown is as much in both.
LITTLE, MUCH = 220, 1_100


@dataclass
class Work:
    """What a page made the database do."""

    n_statements: int = 0
    n_strides: int = 0


@contextmanager
def watched(database: Database) -> Iterator[Work]:
    """Counts statements, and the instructions that SQLite needs for them: rows looked at, whether given or not."""
    work = Work()
    engine = database._engine

    def stride() -> int:
        work.n_strides += 1
        return 0

    def taken(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(stride, _STRIDE)

    def asked(*_: Any) -> None:
        work.n_statements += 1

    sa.event.listen(engine, "checkout", taken)
    sa.event.listen(engine, "before_cursor_execute", asked)
    try:
        yield work
    finally:
        sa.event.remove(engine, "checkout", taken)
        sa.event.remove(engine, "before_cursor_execute", asked)


def grow(database: Database, n: int) -> None:
    """Let *n* times of each kind of thing have happened before: copies of rows that are there, all of them over."""
    with database.writing() as connection:

        def rows(table: sa.Table, where: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
            return [dict(row) for row in connection.execute(sa.select(table).where(where)).mappings()]

        def add(table: sa.Table, made: Sequence[Mapping[str, Any]], *, without: str) -> None:
            given = [{name: value for name, value in row.items() if name != without} for row in made]
            connection.execute(table.insert(), given)

        versions, moves, jobs = schema.model_versions, schema.moves, schema.retraining_jobs
        (old,) = rows(versions, sa.and_(versions.c.model_id == MODEL, versions.c.version == "1.0.0"))
        names = [f"0.{number}.0" for number in range(n)]
        add(versions, [{**old, "version": name, "status": "archived"} for name in names], without="number")
        templates = rows(moves, sa.and_(moves.c.model_id == MODEL, moves.c.version == "1.0.0"))
        add(moves, [{**move, "version": name} for name in names for move in templates], without="move_id")
        add(jobs, _copies(rows(jobs, jobs.c.state == "completed"), n), without="job_id")
        for table, number, is_over in (
            (schema.alerts, "alert_id", schema.alerts.c.state == "resolved"),
            (schema.rollouts, "rollout_id", schema.rollouts.c.ended_at.is_not(None)),
        ):
            add(table, _copies(rows(table, is_over), n), without=number)
        decided = {
            "model_id": MODEL, "state": "approved", "requested_at": NOW, "requested_by": "retraining",
            "because": "all gates passed", "decided_at": NOW, "decided_by": "ana", "decided_because": "good",
        }  # fmt: skip
        add(schema.approvals, [{**decided, "version": name} for name in names], without="approval_id")
        freeze = {
            "scope": MODEL,
            "frozen_by": "ana",
            "because": "holidays",
            "lifted_by": "ana",
            "lifted_because": "over",
        }
        at = NOW - timedelta(days=30)
        add(schema.freezes, [{**freeze, "frozen_at": at, "lifted_at": at}] * n, without="freeze_id")


def _copies(found: Sequence[Mapping[str, Any]], n: int) -> list[Mapping[str, Any]]:
    return list(itertools.islice(itertools.cycle(found), n))


def work_by_page(folder: Path, n: int) -> dict[str, Work]:
    """What each page needs where *n* times as much has happened, once it was shown."""
    world = World(folder)
    try:
        grow(world.database, n)
        found = {}
        for address in addresses():
            path, _, query = address.partition("?")
            asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
            for _ in range(2):
                with watched(world.database) as work:
                    assert world.send("GET", f"/consola{path}", params=asked).status_code == 200, address
            found[address] = work
        return found
    finally:
        world.close()


def test_a_page_asks_no_more_where_five_times_as_much_has_happened(lived_world: Path, tmp_path: Path) -> None:
    found = {}
    for n in (LITTLE, MUCH):
        shutil.copytree(lived_world, tmp_path / str(n))
        found[n] = work_by_page(tmp_path / str(n), n)
    little, much = found[LITTLE], found[MUCH]
    more_statements = {
        each: (little[each], much[each]) for each in much if much[each].n_statements > little[each].n_statements
    }
    assert more_statements == {}
    more_work = {
        each: (little[each], much[each]) for each in much if much[each].n_strides > allowed(each, little[each])
    }
    assert more_work == {}


def allowed(address: str, before: Work) -> float:
    """The list of all models says how many versions each has: they are counted in an index, all else is as before."""
    counted = (
        _TO_COUNT_ONE * (MUCH - LITTLE) / _STRIDE if address.startswith("/modelos?") or address == "/modelos" else 0
    )
    return _MORE * before.n_strides + 5 + counted
