"""Feedback is read by when it came: what is new since the last look, and how much of it there is."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("feedback_by_time", "feedback_events", ["received_at"])
