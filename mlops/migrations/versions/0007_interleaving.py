"""Rollouts may interleave: one more status."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CHECK = "rollout_status_is_known"
_STATUSES = "status IN ('shadow', 'interleave', 'canary', 'watch', 'promoted', 'rolled_back', 'aborted', 'expired')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        op.drop_constraint(_CHECK, "rollouts", type_="check")
        op.create_check_constraint(_CHECK, "rollouts", _STATUSES)


def _rebuild() -> None:
    """SQLite changes no constraint: the table is made anew, and so are those that refer to it, which would hold it."""
    for name in ("rollout_events", "rollout_counts"):
        op.execute(f"CREATE TEMPORARY TABLE kept_{name} AS SELECT * FROM {name}")
        op.drop_table(name)
    with op.batch_alter_table(
        "rollouts", recreate="always", table_kwargs={"sqlite_autoincrement": True}
    ) as rollouts:  # fmt: skip
        # The one before is not read back, and so not copied.
        rollouts.create_check_constraint(_CHECK, _STATUSES)
    op.create_table(
        "rollout_events",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("rollout_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.rollout_id"]),
        sa.PrimaryKeyConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_rollout", "rollout_events", ["rollout_id", "event_id"], unique=False)
    op.create_table(
        "rollout_counts",
        sa.Column("rollout_id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("squares", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.rollout_id"]),
        sa.PrimaryKeyConstraint("rollout_id", "worker", "arm", "metric"),
    )
    for name in ("rollout_events", "rollout_counts"):
        op.execute(f"INSERT INTO {name} SELECT * FROM kept_{name}")
        op.execute(f"DROP TABLE kept_{name}")
