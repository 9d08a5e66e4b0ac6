"""The recommender's tables in the state database. Migrations create them; a test compares the two."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from mlops.store import MigrationSet

MIGRATIONS = MigrationSet(name="recipes", folder=Path(__file__).parent / "migrations")

metadata = sa.MetaData()

recipes = sa.Table(
    "recipes",
    metadata,
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
    sa.Index("recipes_by_source", "source"),
)

# A recipe's words in one language. Where `origin` is "translation", `source_hash` is the content that was translated.
recipe_texts = sa.Table(
    "recipe_texts",
    metadata,
    sa.Column("recipe_no", sa.ForeignKey("recipes.recipe_no", ondelete="CASCADE"), primary_key=True),
    sa.Column("language", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("description", sa.String, nullable=False),
    sa.Column("ingredients", sa.JSON, nullable=False),
    sa.Column("steps", sa.JSON, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("source_hash", sa.String),
)

# What one person thinks of one recipe: stars, or only that they cooked it (`rating` null).
ratings = sa.Table(
    "ratings",
    metadata,
    sa.Column("rater", sa.String, primary_key=True),
    sa.Column("recipe_no", sa.ForeignKey("recipes.recipe_no", ondelete="CASCADE"), primary_key=True),
    sa.Column("rating", sa.Float),
    sa.Column("rated_at", sa.DateTime(timezone=True)),
    sa.Index("ratings_by_recipe", "recipe_no"),
    sa.CheckConstraint("rating IS NULL OR rating BETWEEN 1 AND 5", name="rating_in_range"),
)

# How far the import of a file came, so that an interrupted one goes on there.
imports = sa.Table(
    "imports",
    metadata,
    sa.Column("fingerprint", sa.String, primary_key=True),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("n_read", sa.Integer, nullable=False),
    sa.Column("n_rejected", sa.Integer, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

# One answer. The query itself is not kept: its hash tells equal queries from different ones. `arm` is that of a
# rollout, champion, challenger or interleaved (a list of both), and `arm_propensity` how likely this request was to get
# it; null and 1 where none is.
# `map_x` and `map_y` are the cell of the map `query_map` that the query lies in; null where it has none.
answers = sa.Table(
    "answers",
    metadata,
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
    sa.Column("arm", sa.String),
    sa.Column("arm_propensity", sa.Float, nullable=False, server_default="1"),
    sa.Column("query_map", sa.String),
    sa.Column("map_x", sa.SmallInteger),
    sa.Column("map_y", sa.SmallInteger),
    sa.Index("answers_by_time", "answered_at"),
    sa.Index("answers_by_version", "model_version", "answered_at"),
)

# One recipe of an answer, at its position (from 1), with what the ranker knew when it was shown. `team` is whose
# ranking brought it into an interleaved list: champion, challenger or both.
impressions = sa.Table(
    "impressions",
    metadata,
    sa.Column("request_id", sa.ForeignKey("answers.request_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("recipe_id", sa.String, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("propensity", sa.Float, nullable=False),
    sa.Column("team", sa.String),
    sa.UniqueConstraint("request_id", "recipe_id", name="impressions_once_per_answer"),
)

# Something a cook did with a shown recipe. Never edited.
feedback_events = sa.Table(
    "feedback_events",
    metadata,
    sa.Column("event_id", sa.String, primary_key=True),
    sa.Column("request_id", sa.String, nullable=False),
    sa.Column("recipe_id", sa.String, nullable=False),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(
        ["request_id", "recipe_id"], ["impressions.request_id", "impressions.recipe_id"], name="feedback_was_shown"
    ),
    sa.Index("feedback_by_answer", "request_id"),
    sa.Index("feedback_by_time", "received_at"),
)

# How vectors of an encoder are laid on a map of two axes: learned once, so that one month can be held against another.
query_maps = sa.Table(
    "query_maps",
    metadata,
    sa.Column("encoder", sa.String, primary_key=True),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)

# What cooks made of the answers of a day (UTC): a view of answers and feedback that is counted in the background.
quality_days = sa.Table(
    "quality_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("version", sa.String, primary_key=True),
    sa.Column("measure", sa.String, primary_key=True),
    sa.Column("language", sa.String, primary_key=True),
    sa.Column("mode", sa.String, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("total", sa.Double, nullable=False),
    sa.Column("squares", sa.Double, nullable=False),
)

# Whether each golden query was answered as it must be, by version, as last asked of the index of that name.
golden_results = sa.Table(
    "golden_results",
    metadata,
    sa.Column("version", sa.String, primary_key=True),
    sa.Column("index_name", sa.String, nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ndcg", sa.Double),
    sa.Column("answered", sa.JSON, nullable=False),
)
