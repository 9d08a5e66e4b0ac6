"""Which arm of a comparison gave an answer, and how likely it was to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("arm", sa.String))
    op.add_column("answers", sa.Column("arm_propensity", sa.Float, nullable=False, server_default="1"))
    op.create_index("answers_by_version", "answers", ["model_version", "answered_at"])
