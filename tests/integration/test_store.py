"""The state database means the same on SQLite and PostgreSQL."""

from __future__ import annotations

import gc
import multiprocessing
import re
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from mlops import schema as mlops_schema
from mlops.errors import StoreTooNew, StoreUnavailable
from mlops.rollout.counts import read_totals
from mlops.store import Database, upsert
from mlops.store.migrations import MigrationSet, is_current, upgrade
from recipes import schema
from recipes.catalog import Catalogue, starter_recipes
from tests.rollout_traffic import PLAN, Traffic

counters = sa.Table(
    "counters", sa.MetaData(), sa.Column("name", sa.String, primary_key=True), sa.Column("n", sa.Integer)
)


@pytest.fixture
def counting(empty_database: Database) -> Database:
    with empty_database.writing() as connection:
        counters.create(connection)
        connection.execute(counters.insert().values(name="a", n=0))
    return empty_database


def _value(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(sa.select(counters.c.n)).scalar_one())


def test_an_exception_undoes_the_whole_transaction(counting: Database) -> None:
    def fail_halfway() -> None:
        with counting.writing() as connection:
            connection.execute(counters.update().values(n=5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert _value(counting) == 0


def test_a_reader_sees_one_snapshot(counting: Database) -> None:
    with counting.reading() as connection:
        before = connection.execute(sa.select(counters.c.n)).scalar_one()
        with counting.writing() as writer:
            writer.execute(counters.update().values(n=7))
        after = connection.execute(sa.select(counters.c.n)).scalar_one()
    assert (before, after, _value(counting)) == (0, 0, 7)


def test_read_then_write_loses_no_update_among_threads(counting: Database) -> None:
    def add_ten() -> None:
        for _ in range(10):
            with counting.writing() as connection:
                query = sa.select(counters.c.n).with_for_update()
                n = connection.execute(query).scalar_one()
                connection.execute(counters.update().values(n=n + 1))

    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _value(counting) == 40


def _write_many(url: str) -> None:
    database = Database(url)
    for _ in range(50):
        with database.writing() as connection:
            n = connection.execute(sa.select(counters.c.n)).scalar_one()
            connection.execute(counters.update().values(n=n + 1))
    database.close()


def test_processes_never_see_database_is_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    database = Database(url)
    with database.writing() as connection:
        counters.create(connection)
        connection.execute(counters.insert().values(name="a", n=0))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert _value(database) == 200
    database.close()


def test_upsert_updates_inserts_and_leaves_alone(counting: Database) -> None:
    with counting.writing() as connection:
        upsert(connection, counters, [{"name": "a", "n": 3}, {"name": "b", "n": 4}], key=["name"])
        upsert(connection, counters, [{"name": "a", "n": 9}], key=["name"], update=[])
        rows = connection.execute(sa.select(counters).order_by(counters.c.name)).all()
    assert [tuple(row) for row in rows] == [("a", 3), ("b", 4)]


@pytest.mark.parametrize("tables", [mlops_schema.metadata, schema.metadata], ids=["mlops", "recipes"])
def test_migrations_make_the_tables_of_the_schema(database: Database, tables: sa.MetaData) -> None:
    with database.reading() as connection:
        found = sa.MetaData()
        found.reflect(connection)
        inspector = sa.inspect(connection)
        for table in tables.sorted_tables:
            made = found.tables[table.name]
            assert {column.name: column.nullable for column in made.columns} == {
                column.name: column.nullable for column in table.columns
            }
            assert _foreign_keys(made) == _foreign_keys(table)
            assert _checks(inspector.get_check_constraints(table.name)) == {
                check.name for check in table.constraints if isinstance(check, sa.CheckConstraint)
            }
            assert _unique_keys(inspector, table.name) == _unique_keys_of(table)
            made_indexes = {index.name: index for index in made.indexes if index.name in _names(table.indexes)}
            assert set(made_indexes) == _names(table.indexes)
            for index in table.indexes:
                assert _index(made_indexes[index.name], connection) == _index(index, connection), index.name


def _foreign_keys(table: sa.Table) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    return {
        (tuple(key.column_keys), tuple(element.target_fullname for element in key.elements))
        for key in table.foreign_key_constraints
    }


def _names(things: Iterable[sa.Index]) -> set[str | None]:
    return {thing.name for thing in things}


def _checks(found: Sequence[Any]) -> set[str | None]:
    return {check["name"] for check in found}


def _unique_keys(inspector: Any, table_name: str) -> set[tuple[str, ...]]:
    return {tuple(key["column_names"]) for key in inspector.get_unique_constraints(table_name)}


def _unique_keys_of(table: sa.Table) -> set[tuple[str, ...]]:
    return {tuple(key.columns.keys()) for key in table.constraints if isinstance(key, sa.UniqueConstraint)}


def _index(index: sa.Index, connection: sa.Connection) -> tuple[list[str], bool, str]:
    """Columns, whether it is unique, and the rows that it is for, whatever the database's spelling."""
    rows = index.dialect_options[connection.dialect.name]["where"]
    spelled = re.sub(r"::\w+( varying)?(\[\])?|[()\s]", "", "" if rows is None else str(rows)).lower()
    return [column.name for column in index.columns], bool(index.unique), spelled


def test_upgrading_an_older_database_keeps_its_data(empty_database: Database) -> None:
    with empty_database.writing() as connection:
        upgrade(connection, schema.MIGRATIONS, to="0001")
    catalogue = Catalogue(empty_database)
    recipes = list(starter_recipes())[:5]
    catalogue.save(recipes)
    empty_database.upgrade(schema.MIGRATIONS)
    assert [catalogue.get(recipe.recipe_id).recipe for recipe in recipes] == recipes
    with empty_database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.answers)).scalar_one() == 0


def test_a_rollout_that_is_under_way_goes_on_after_an_upgrade(empty_database: Database) -> None:
    with empty_database.writing() as connection:
        upgrade(connection, mlops_schema.MIGRATIONS, to="0006")
    before = Traffic(empty_database)
    before.start()
    before.send(60)
    before.step()
    rollout, events = before.controller.get(1), before.controller.events(1)
    with empty_database.reading() as connection:
        totals = read_totals(connection, 1)
    empty_database.upgrade(mlops_schema.MIGRATIONS)
    assert (before.controller.get(1), before.controller.events(1)) == (rollout, events)
    with empty_database.reading() as connection:
        assert read_totals(connection, 1) == totals
    assert before.go_on(12, every={"challenger": {"failed": 2}}).status == "rolled_back"
    before.register("1.2.0")
    before.start(replace(PLAN, interleave_seconds=60), "1.2.0")
    assert before.controller.get(2).status == "interleave"


@pytest.mark.parametrize("migrations", [mlops_schema.MIGRATIONS, schema.MIGRATIONS], ids=["mlops", "recipes"])
def test_whether_a_database_is_current_is_known_without_alembic(
    empty_database: Database, migrations: MigrationSet
) -> None:
    assert migrations.newest == ScriptDirectory(str(migrations.folder)).get_current_head()
    with empty_database.reading() as connection:
        assert not is_current(connection, migrations)
    with empty_database.writing() as connection:
        upgrade(connection, migrations, to="0001")
    with empty_database.reading() as connection:
        assert not is_current(connection, migrations)
    empty_database.upgrade(migrations)
    with empty_database.reading() as connection:
        assert is_current(connection, migrations)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    database.upgrade(schema.MIGRATIONS)
    assert Catalogue(database).count() == 0


def test_a_database_of_a_later_release_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE recipes_schema_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="later release"):
        database.upgrade(schema.MIGRATIONS)


def test_two_processes_may_upgrade_at_once(empty_database: Database) -> None:
    errors: list[BaseException] = []

    def upgrade_it() -> None:
        database = Database(empty_database.url.render_as_string(hide_password=False))
        try:
            database.upgrade(schema.MIGRATIONS)
        except BaseException as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=upgrade_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see which files are open")
def test_who_forgets_a_handle_leaves_no_connection_open(tmp_path: Path) -> None:
    def is_open() -> bool:
        return tmp_path / "state.db" in [each.resolve() for each in Path("/proc/self/fd").iterdir()]

    database = Database(f"sqlite:///{tmp_path}/state.db")
    # Whatever else may still know the engine, as a cycle of rubbish does until it is collected.
    engine = database._engine
    database.check()
    assert is_open()
    del database
    gc.collect()
    assert not is_open()
    engine.dispose()


def test_an_unreachable_database_is_a_typed_error() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        database.check()


def test_a_damaged_file_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite:///{tmp_path}/state.db")
    with pytest.raises(StoreUnavailable):
        database.check()


def test_other_engines_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL must begin with sqlite:// or postgresql://, got mysql://"):
        Database("mysql://host/name")


def test_sqlite_uses_a_write_ahead_log(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    database.check()
    database.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
