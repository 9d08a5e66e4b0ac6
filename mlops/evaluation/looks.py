"""How often a holdout was looked at. Each decision that it is used for wears it out a little."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mlops.evaluation.errors import BadInput
from mlops.schema import holdout_looks
from mlops.store import insert_new

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops.store import Database


class HoldoutLooks:
    """Counts the decisions that looked at each holdout, in the state database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, holdout_id: str, *, decision_id: str, at: datetime) -> int:
        """Remember that a decision looks at a holdout, and say how many decisions now have.

        The same decision may look again; it counts once.

        Args:
            holdout_id: which data, such as :func:`holdout_id_of` them.
            decision_id: which decision, such as ``hybrid_ranker 1.1.0 against 1.0.0``.
            at: aware.
        Raises:
            BadInput: *at* has no time zone, or an id is empty.
            StoreUnavailable: the state database does not answer.
        """
        if at.tzinfo is None:
            raise BadInput(f"at must have a time zone, got {at.isoformat()}")
        if not holdout_id or not decision_id:
            raise BadInput(f"holdout_id and decision_id must not be empty, got {holdout_id!r} and {decision_id!r}")
        row = {"holdout_id": holdout_id, "decision_id": decision_id, "looked_at": at}
        with self._database.writing() as connection:
            insert_new(connection, holdout_looks, row, key=["holdout_id", "decision_id"])
        # In a transaction of its own: of two decisions at once, the later one must count the other.
        return self.count(holdout_id)

    def count(self, holdout_id: str) -> int:
        """How many decisions looked at a holdout."""
        query = sa.select(sa.func.count()).where(holdout_looks.c.holdout_id == holdout_id)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())


def holdout_id_of(qrels: Any) -> str:
    """A name for qrels by their content: the same rows have the same name, in whatever order and form they come.

    Args:
        qrels: as in :func:`~mlops.evaluation.ranking.evaluate_run`.
    Returns:
        32 hexadecimal digits.
    """
    from mlops.evaluation._lists import rows_of

    table: pa.Table = rows_of(qrels, "qrels", "gain")
    digest = hashlib.sha256()
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        digest.update(repr(row).encode())
    return digest.hexdigest()[:32]
