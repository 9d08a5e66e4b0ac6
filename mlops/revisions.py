"""Has anything changed? Small marks of what the state database holds, to be compared with earlier ones."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import sqlalchemy as sa

from mlops.schema import (
    alert_mutes,
    alerts,
    approvals,
    barred_versions,
    freezes,
    models,
    retraining_jobs,
    rollout_events,
    rollouts,
)
from mlops.store import Database

# More models than that with an open job, or a rollout: the rest is looked at when a page is opened.
_MOST_ROWS = 1_000


def marks(database: Database) -> Mapping[str, Hashable]:
    """A mark of ``models``, ``alerts``, ``jobs`` and ``rollouts``: another one once something of it has changed.

    Whatever the number of rows, it takes a few lookups: the newest numbers, and what is open, each by its index.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    with database.reading() as connection:
        return {topic: tuple(_rows(connection, query) for query in queries) for topic, queries in _QUERIES.items()}


def _rows(connection: sa.Connection, query: sa.Executable) -> Hashable:
    return tuple(tuple(row) for row in connection.execute(query))


def _not_lifted(table: sa.Table) -> sa.Executable:
    (number,) = table.primary_key
    return sa.select(sa.func.count(), sa.func.max(number)).where(table.c.lifted_at.is_(None))


_OPEN_ALERTS = sa.select(
    sa.func.count(),
    sa.func.sum(alerts.c["count"]),
    sa.func.sum(sa.case((alerts.c.state == "acknowledged", 1), else_=0)),
    sa.func.max(alerts.c.last_seen_at),
).where(sa.text("state <> 'resolved'"))
_OPEN_JOBS = (
    sa.select(
        retraining_jobs.c.job_id,
        retraining_jobs.c.state,
        retraining_jobs.c.progress,
        retraining_jobs.c.doing,
        retraining_jobs.c.cancelled_by,
    )
    .where(retraining_jobs.c.finished_at.is_(None))
    .order_by(retraining_jobs.c.job_id)
    .limit(_MOST_ROWS)
)
_OPEN_ROLLOUTS = (
    sa.select(rollouts.c.rollout_id, rollouts.c.revision)
    .where(rollouts.c.ended_at.is_(None))
    .order_by(rollouts.c.rollout_id)
    .limit(_MOST_ROWS)
)
_QUERIES: Mapping[str, tuple[sa.Executable, ...]] = {
    "models": (
        sa.select(sa.func.count(), sa.func.sum(models.c.generation)),
        sa.select(sa.func.max(approvals.c.approval_id)),
        sa.select(sa.func.count()).select_from(approvals).where(sa.text("state = 'pending'")),
        _not_lifted(freezes),
    ),
    "alerts": (sa.select(sa.func.max(alerts.c.alert_id)), _OPEN_ALERTS, _not_lifted(alert_mutes)),
    "jobs": (sa.select(sa.func.max(retraining_jobs.c.job_id)), _OPEN_JOBS),
    "rollouts": (
        sa.select(sa.func.max(rollout_events.c.event_id)),
        _OPEN_ROLLOUTS,
        _not_lifted(barred_versions),
    ),
}
