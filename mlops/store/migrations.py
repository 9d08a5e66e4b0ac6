"""Migrations by Alembic. Each package brings its own set, with a version table of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from mlops.errors import StoreTooNew

# Any number will do, as long as every process of ours asks for the same one.
_ADVISORY_LOCK = 7_215_801


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """Where a package keeps its migrations.

    Attributes:
        name: of the package; its version table is ``{name}_schema_version``.
        folder: an Alembic script folder, with ``versions/`` in it.
    """

    name: str
    folder: Path

    @property
    def version_table(self) -> str:
        """Where the database keeps its revision."""
        return f"{self.name}_schema_version"

    @property
    def newest(self) -> str:
        """The last revision that this release knows: the number with which the file's name begins."""
        return max(path.name.partition("_")[0] for path in (self.folder / "versions").glob("[0-9]*.py"))


def is_current(connection: sa.Connection, migrations: MigrationSet) -> bool:
    """Whether the tables of *migrations* are those of this release. Alembic, which takes a while to load, is not."""
    if not sa.inspect(connection).has_table(migrations.version_table):
        return False
    query: sa.Select[str] = sa.select(sa.column("version_num", sa.String)).select_from(
        sa.table(migrations.version_table)
    )
    return connection.execute(query).scalars().all() == [migrations.newest]


def upgrade(connection: sa.Connection, migrations: MigrationSet, *, to: str = "head") -> None:
    """Bring the tables of *migrations* to revision *to*, inside the caller's transaction.

    Raises:
        StoreTooNew: the database is at a revision that this release does not know.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    scripts = ScriptDirectory(str(migrations.folder))
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": migrations.version_table,
            "fn": lambda revision, _context: scripts._upgrade_revs(to, revision),
        },
    )
    try:
        with Operations.context(context):
            context.run_migrations()
    except (CommandError, ResolutionError) as error:
        raise StoreTooNew(
            f"the state database holds {migrations.name} tables of a later release than this one ({error}); "
            "install that release, or point DATABASE_URL or DATA_DIR elsewhere"
        ) from error
