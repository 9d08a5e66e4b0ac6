"""The state database: one engine, short transactions, migrations. SQLite by default, PostgreSQL by URL."""

from mlops.store.database import Database, insert_new, upsert
from mlops.store.migrations import MigrationSet

__all__ = ["Database", "MigrationSet", "insert_new", "upsert"]
