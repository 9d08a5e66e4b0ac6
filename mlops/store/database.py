"""A database handle whose transactions mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert

from mlops.errors import InvalidSettings, StoreUnavailable
from mlops.sentences import say
from mlops.store.migrations import MigrationSet, is_current, upgrade

BUSY_TIMEOUT_SECONDS = 30
# JSON columns are read on the path of each request.
_FETCHED_AT_ONCE = 2_000
_JSON: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


class Database:
    """The state database.

    ``reading()`` gives a connection on one consistent snapshot. ``writing()`` gives one on a transaction that is
    committed at the end of the block and undone by an exception; on SQLite it takes the write lock at its start, so
    that what was read in it cannot have changed when it writes.
    """

    def __init__(self, url: str, *, tables: Sequence[MigrationSet] = ()) -> None:
        """Prepare the database at *url*; nothing is opened yet.

        Args:
            tables: made or upgraded when the database is first used.

        Raises:
            InvalidSettings: *url* is neither SQLite nor PostgreSQL, its driver is not installed, or the folder of its
                file cannot be made.
        """
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._engine = _sqlite_engine(self.url)
        else:
            self._engine = _postgresql_engine(self.url)
        # Who forgets a handle leaves no connection behind. A process that ends needs no such care, and a forked one
        # must not close its parent's.
        weakref.finalize(self, self._engine.dispose).atexit = False
        self._writer = self._engine.execution_options(takes_write_lock=True)
        if not self.is_sqlite:
            self._writer = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._owed = tuple(tables)
        self._paying = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading, on one snapshot.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        self._make_owed_tables()
        with _reported(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def streaming(self) -> Iterator[sa.Connection]:
        """As :meth:`reading`, for results of many rows: these come some thousands at a time, never all at once.

        One result after the other: not every driver reads two of them at once through one connection.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        with self.reading() as connection:
            yield connection.execution_options(yield_per=_FETCHED_AT_ONCE)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection in a write transaction: committed at the end, undone by an exception.

        Raises:
            StoreUnavailable: the database cannot be reached, or the write lock was not free in time.
        """
        self._make_owed_tables()
        with _reported(), self._writer.begin() as connection:
            yield connection

    def upgrade(self, *sets: MigrationSet) -> None:
        """Create or upgrade the tables of each set, one process at a time.

        Raises:
            StoreTooNew: a later release has already upgraded them beyond what this one knows.
            StoreUnavailable: the database cannot be reached.
        """
        with _reported(), self._writer.begin() as connection:
            for migrations in sets:
                upgrade(connection, migrations)

    def check(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            StoreUnavailable: there was none.
        """
        with self.reading() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close all pooled connections."""
        self._engine.dispose()

    def _make_owed_tables(self) -> None:
        if self._owed:
            with self._paying:
                with _reported(), self._engine.connect() as connection:
                    owed = [migrations for migrations in self._owed if not is_current(connection, migrations)]
                if owed:
                    self.upgrade(*owed)
                self._owed = ()


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    *,
    key: Sequence[str],
    update: Sequence[str] | None = None,
) -> None:
    """Insert *rows*; where one with the same *key* exists, set the columns *update* (default: all of the row's others).

    An empty *update* leaves existing rows alone.
    """
    if not rows:
        return
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    columns = [name for name in rows[0] if name not in key] if update is None else update
    if columns:
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={name: statement.excluded[name] for name in columns}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(statement, list(rows))


def insert_new(
    connection: sa.Connection,
    table: sa.Table,
    row: dict[str, Any],
    *,
    key: Sequence[str],
    among: sa.ColumnElement[bool] | None = None,
) -> bool:
    """Insert *row* unless one with the same *key* exists. True where it was inserted: of several at once, one is.

    Args:
        among: the rows that a partial unique index is for, where *key* is that of one.
    """
    statement = _insert_unless_there(connection.dialect.name, table, tuple(key), among)
    return connection.execute(statement, row).first() is not None


@functools.lru_cache(maxsize=64)
def _insert_unless_there(
    dialect_name: str, table: sa.Table, key: tuple[str, ...], among: sa.ColumnElement[bool] | None
) -> ReturningInsert[Any]:
    # Kept: to put it together costs several times what it takes to run it.
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=list(key), index_where=among)
    kept: ReturningInsert[Any] = statement.returning(*(table.c[name] for name in key))
    return kept


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # Exactly DatabaseError, not a subclass: the file is damaged, or no database at all.
        is_damaged = type(error) is sa.exc.DatabaseError
        is_away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) or error.connection_invalidated
        if is_away or is_damaged:
            raise StoreUnavailable(say("the state database does not answer: {error}", error=error.orig)) from error
        raise


def _checked(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        # Without its value and without the error that holds it: there may be a password in it.
        raise InvalidSettings("DATABASE_URL is no URL such as postgresql://user:password@host/name") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        return url
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    raise InvalidSettings(f"DATABASE_URL must begin with sqlite:// or postgresql://, got {backend}://")


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(
            url,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
            connect_args={"connect_timeout": 5},
            **_JSON,
        )
    except ImportError as error:
        raise InvalidSettings(
            "DATABASE_URL names PostgreSQL, whose driver is not installed; run: pip install 'psycopg[binary]'"
        ) from error


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}, **_JSON)
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidSettings(
                f"the folder of the state database cannot be made: {error}; look at DATA_DIR and DATABASE_URL"
            ) from error
        _SameFile(path).watch(engine)
    return engine


class _SameFile:
    """Sees to it that pooled connections lead to the file that has the name now.

    SQLite goes on with a file that was moved away, and makes a new, empty one for the next connection: what is
    written to either would be lost without a word.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._existed = False

    def watch(self, engine: sa.Engine) -> None:
        """Look after the connections of *engine*."""
        sa.event.listen(engine, "do_connect", self._before_connect)
        sa.event.listen(engine, "connect", self._connected)
        sa.event.listen(engine, "checkout", self._taken_from_pool)

    def _before_connect(self, *_arguments: Any) -> None:
        if self._existed and self._identity() is None:
            raise sqlite3.OperationalError(say("the file {path!s} is gone", path=self._path))

    def _connected(self, _connection: Any, record: Any) -> None:
        record.info["file"] = self._identity()
        self._existed = record.info["file"] is not None

    def _taken_from_pool(self, _connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("file") != self._identity():
            # The pool connects anew.
            raise sa.exc.DisconnectionError(f"{self._path} is another file now")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: it would open a deferred one, whose first write can fail with
    # "database is locked" whatever the busy timeout.
    connection.isolation_level = None
    _use_write_ahead_log(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_write_ahead_log(connection: Any) -> None:
    # Of several processes that open a new file, SQLite lets one change the mode, and tells the others at once that the
    # database is locked, whatever the busy timeout.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    takes_write_lock = connection.get_execution_options().get("takes_write_lock", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_write_lock else "BEGIN")
