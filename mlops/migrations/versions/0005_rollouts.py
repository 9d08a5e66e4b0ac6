"""Rollouts: what is under way, what was decided, what was counted, which versions are barred."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("rollout_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("champion", sa.String(), nullable=True),
        sa.Column("challenger", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.String(), nullable=False),
        sa.Column("stage_began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "status IN ('shadow', 'canary', 'watch', 'promoted', 'rolled_back', 'aborted', 'expired')",
            name="rollout_status_is_known",
        ),
        sa.ForeignKeyConstraint(
            ["model_id", "challenger"],
            ["model_versions.model_id", "model_versions.version"],
            name="rollout_of_a_version",
        ),
        sa.PrimaryKeyConstraint("rollout_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "one_rollout_under_way",
        "rollouts",
        ["model_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("rollouts_by_model", "rollouts", ["model_id", "rollout_id"], unique=False)
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
    op.create_table(
        "barred_versions",
        sa.Column("bar_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("artefact", sa.String(), nullable=True),
        sa.Column("barred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("barred_by", sa.String(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("bar_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "one_bar_in_force",
        "barred_versions",
        ["model_id", "version"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
