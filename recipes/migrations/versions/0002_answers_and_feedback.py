"""What was shown, and what cooks did with it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String),
        sa.Column("query_hash", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("constraints", sa.JSON, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("model_id", sa.String, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("n_candidates", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Float, nullable=False),
    )
    op.create_index("answers_by_time", "answers", ["answered_at"])
    op.create_table(
        "impressions",
        sa.Column(
            "request_id", sa.String, sa.ForeignKey("answers.request_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("recipe_id", sa.String, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("propensity", sa.Float, nullable=False),
        sa.UniqueConstraint("request_id", "recipe_id", name="impressions_once_per_answer"),
    )
    op.create_table(
        "feedback_events",
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("recipe_id", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id", "recipe_id"], ["impressions.request_id", "impressions.recipe_id"], name="feedback_was_shown"
        ),
    )
    op.create_index("feedback_by_answer", "feedback_events", ["request_id"])
