"""What the console shows of answers: where each query lies on a map, quality by day, golden queries by version."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("query_map", sa.String))
    op.add_column("answers", sa.Column("map_x", sa.SmallInteger))
    op.add_column("answers", sa.Column("map_y", sa.SmallInteger))
    op.create_table(
        "query_maps",
        sa.Column("encoder", sa.String, primary_key=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "quality_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("measure", sa.String, primary_key=True),
        sa.Column("language", sa.String, primary_key=True),
        sa.Column("mode", sa.String, primary_key=True),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("total", sa.Double, nullable=False),
        sa.Column("squares", sa.Double, nullable=False),
    )
    op.create_table(
        "golden_results",
        sa.Column("version", sa.String, primary_key=True),
        sa.Column("index_name", sa.String, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ndcg", sa.Double),
        sa.Column("answered", sa.JSON, nullable=False),
    )
