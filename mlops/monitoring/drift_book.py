"""The drift checks of models: made in the background, kept here, read by whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.drift.result import DriftReport
from mlops.schema import drift_checks as checks
from mlops.store import Database

# Of a model: a month of checks every quarter of an hour would be 3,000, which nobody looks at.
MOST_KEPT = 200
_OUTLINE = (
    checks.c.check_id, checks.c.model_id, checks.c.version, checks.c.made_at, checks.c.since, checks.c.verdict,
    checks.c.n_drifted, checks.c.n_compared,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptCheck:
    """A check without its report.

    Attributes:
        version: of the model whose training data are the reference.
        since: what was shown or asked from then on, until *made_at*, is the current window.
        verdict: as in :class:`~mlops.drift.DriftReport`.
        n_drifted: columns that drifted, of the *n_compared* that there was enough data to compare.
    """

    check_id: int
    model_id: str
    version: str
    made_at: datetime
    since: datetime
    verdict: str
    n_drifted: int
    n_compared: int


class DriftBook:
    """Keeps the newest 200 checks of each model in the state database. Safe to use from threads and processes."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        self._database = database
        self._clock = clock

    def keep(self, model_id: str, version: str, report: DriftReport, *, since: datetime) -> None:
        """Keep *report*, made now.

        Args:
            version: whose training data are the reference.
            since: begin of the current window.
        Raises:
            StoreUnavailable: the database does not answer.
        """
        row = {
            "model_id": model_id, "version": version, "made_at": self._clock(), "since": since,
            "verdict": report.verdict, "n_drifted": len(report.drifted_columns),
            "n_compared": len(report.compared_columns),
            "report": orjson.dumps(report.to_dict(), option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        }  # fmt: skip
        oldest_kept = (
            sa.select(checks.c.check_id)
            .where(checks.c.model_id == model_id)
            .order_by(checks.c.check_id.desc())
            .offset(MOST_KEPT - 1)
            .limit(1)
            .scalar_subquery()
        )
        with self._database.writing() as connection:
            connection.execute(checks.insert(), row)
            connection.execute(checks.delete().where(checks.c.model_id == model_id, checks.c.check_id < oldest_kept))

    def newest(self, model_id: str) -> tuple[KeptCheck, DriftReport] | None:
        """The newest check of a model with its report; None where there is none.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        query = sa.select(*_OUTLINE, checks.c.report).where(checks.c.model_id == model_id)
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(checks.c.check_id.desc()).limit(1)).first()
        return None if row is None else (KeptCheck(*row[:-1]), DriftReport.from_dict(orjson.loads(row.report)))

    def history(self, model_id: str, *, limit: int = 50) -> list[KeptCheck]:
        """The newest checks of a model, the newest first.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        query = sa.select(*_OUTLINE).where(checks.c.model_id == model_id).order_by(checks.c.check_id.desc())
        with self._database.reading() as connection:
            return [KeptCheck(*row) for row in connection.execute(query.limit(limit))]
