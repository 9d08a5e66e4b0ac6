"""The catalogue: recipes, their texts, ratings and imports."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recipes",
        sa.Column("recipe_no", sa.Integer, primary_key=True),
        sa.Column("recipe_id", sa.String, nullable=False, unique=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("cuisine", sa.String),
        sa.Column("minutes", sa.Integer),
        sa.Column("servings", sa.Integer),
        sa.Column("meals", sa.JSON, nullable=False),
        sa.Column("diets", sa.JSON),
        sa.Column("allergens", sa.JSON),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("n_ratings", sa.Integer, nullable=False, server_default="0"),
        sa.Column("rating_sum", sa.Float, nullable=False, server_default="0"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("recipes_by_source", "recipes", ["source"])
    op.create_table(
        "recipe_texts",
        sa.Column("recipe_no", sa.Integer, sa.ForeignKey("recipes.recipe_no", ondelete="CASCADE"), primary_key=True),
        sa.Column("language", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("ingredients", sa.JSON, nullable=False),
        sa.Column("steps", sa.JSON, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("source_hash", sa.String),
    )
    op.create_table(
        "ratings",
        sa.Column("rater", sa.String, primary_key=True),
        sa.Column("recipe_no", sa.Integer, sa.ForeignKey("recipes.recipe_no", ondelete="CASCADE"), primary_key=True),
        sa.Column("rating", sa.Float),
        sa.Column("rated_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("rating IS NULL OR rating BETWEEN 1 AND 5", name="rating_in_range"),
    )
    op.create_index("ratings_by_recipe", "ratings", ["recipe_no"])
    op.create_table(
        "imports",
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("n_read", sa.Integer, nullable=False),
        sa.Column("n_rejected", sa.Integer, nullable=False),
        sa.Column("finished", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
