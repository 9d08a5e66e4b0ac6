"""The toolkit's tables in the state database. Migrations create them; a test compares the two."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from mlops.store.migrations import MigrationSet
from mlops.store.types import Name, UtcDateTime

MIGRATIONS = MigrationSet(name="mlops", folder=Path(__file__).parent / "migrations")

metadata = sa.MetaData()

_IS_PRODUCTION = sa.text("status = 'production'")
_TOUCHES_PRODUCTION = sa.text("outcome = 'done' AND (to_status = 'production' OR from_status = 'production')")
_IS_PENDING = sa.text("state = 'pending'")
_IS_IN_FORCE = sa.text("lifted_at IS NULL")
_IS_OPEN = sa.text("state <> 'resolved'")
_IS_WAITING = sa.text("state = 'waiting'")

# One row for each model. `generation` counts its changes: whoever remembers a number knows whether to look again.
models = sa.Table(
    "models",
    metadata,
    sa.Column("model_id", Name, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
)

# `content` never changes: canonical JSON of what was registered. `number` counts registrations, `generation` is that
# of the model when this version last changed. That one version at most is in production is the index's promise.
model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.ForeignKey("models.model_id"), nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("artefact", sa.String),
    sa.Column("registered_at", UtcDateTime, nullable=False),
    sa.Column("deployed_at", UtcDateTime),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.UniqueConstraint("model_id", "version", name="version_once_per_model"),
    sa.CheckConstraint("status IN ('training', 'validation', 'production', 'archived')", name="status_is_known"),
    sa.Index(
        "one_production_version", "model_id", unique=True, sqlite_where=_IS_PRODUCTION, postgresql_where=_IS_PRODUCTION
    ),
    sa.Index("versions_by_model", "model_id", "number"),
    sa.Index("versions_by_status", "model_id", "status", "number"),
    sqlite_autoincrement=True,
)

# Every change of status, and every one that failed. Never edited.
moves = sa.Table(
    "moves",
    metadata,
    sa.Column("move_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("from_status", sa.String),
    sa.Column("to_status", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text),
    sa.ForeignKeyConstraint(
        ["model_id", "version"], ["model_versions.model_id", "model_versions.version"], name="move_of_a_version"
    ),
    sa.CheckConstraint("outcome IN ('done', 'failed')", name="outcome_is_known"),
    sa.Index("moves_by_model", "model_id", "move_id"),
    sa.Index("moves_by_version", "model_id", "version", "move_id"),
    sa.Index(
        "moves_of_production",
        "model_id",
        "move_id",
        sqlite_where=_TOUCHES_PRODUCTION,
        postgresql_where=_TOUCHES_PRODUCTION,
    ),
    sqlite_autoincrement=True,
)

# A promotion that waits for a person, or waited. `champion` is what the evidence was gathered against.
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("approval_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("champion", sa.String),
    sa.Column("state", Name, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("requested_by", sa.String, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("decided_by", sa.String),
    sa.Column("decided_because", sa.Text),
    sa.ForeignKeyConstraint(
        ["model_id", "version"], ["model_versions.model_id", "model_versions.version"], name="approval_of_a_version"
    ),
    sa.CheckConstraint("state IN ('pending', 'approved', 'rejected')", name="approval_state_is_known"),
    sa.Index(
        "one_pending_approval",
        "model_id",
        "version",
        unique=True,
        sqlite_where=_IS_PENDING,
        postgresql_where=_IS_PENDING,
    ),
    sa.Index("approvals_by_state", "state", "approval_id"),
    sqlite_autoincrement=True,
)

# When automatic moves were switched off and on again; `scope` is a model, or * for all.
freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("freeze_id", sa.Integer, primary_key=True),
    sa.Column("scope", Name, nullable=False),
    sa.Column("frozen_at", UtcDateTime, nullable=False),
    sa.Column("frozen_by", sa.String, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("lifted_at", UtcDateTime),
    sa.Column("lifted_by", sa.String),
    sa.Column("lifted_because", sa.Text),
    sa.Index("one_freeze_in_force", "scope", unique=True, sqlite_where=_IS_IN_FORCE, postgresql_where=_IS_IN_FORCE),
    sqlite_autoincrement=True,
)

# API keys: the SHA-256 of the secret part, never the secret.
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("secret_sha256", sa.String, nullable=False),
    sa.Column("scope", sa.String, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", sa.String, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.CheckConstraint("scope IN ('read', 'operate', 'admin')", name="scope_is_known"),
)

# Who may do something that only one process may do at a time. `token` grows with each holder.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

# The outbox to MLflow, as what has arrived: a version whose generation is higher than the one here waits to be sent.
mirrored_versions = sa.Table(
    "mirrored_versions",
    metadata,
    sa.Column("model_id", sa.String, primary_key=True),
    sa.Column("version", sa.String, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("mlflow_version", sa.String),
    sa.Column("n_failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("try_again_at", UtcDateTime),
    sa.Column("last_error", sa.Text),
    sa.ForeignKeyConstraint(
        ["model_id", "version"], ["model_versions.model_id", "model_versions.version"], name="mirror_of_a_version"
    ),
)

# Which decisions looked at which holdout: each wears it out a little.
holdout_looks = sa.Table(
    "holdout_looks",
    metadata,
    sa.Column("holdout_id", sa.String, primary_key=True),
    sa.Column("decision_id", sa.String, primary_key=True),
    sa.Column("looked_at", UtcDateTime, nullable=False),
)

# One row for each time that something was wrong, from its first sign until it is resolved. That one at most of a key is
# open is the index's promise. `opening` counts how often it was opened: within the cool-down the row is used again.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.Integer, primary_key=True),
    sa.Column("key", Name, nullable=False),
    sa.Column("rule", Name, nullable=False),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("state", Name, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("uid", sa.String, nullable=False),
    sa.Column("opening", sa.Integer, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("fired_at", UtcDateTime, nullable=False),
    sa.Column("last_seen_at", UtcDateTime, nullable=False),
    sa.Column("quiet_until", UtcDateTime),
    sa.Column("acknowledged_at", UtcDateTime),
    sa.Column("acknowledged_by", sa.String),
    sa.Column("acknowledged_because", sa.Text),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("resolved_by", sa.String),
    sa.Column("resolved_because", sa.Text),
    sa.CheckConstraint("state IN ('firing', 'acknowledged', 'resolved')", name="alert_state_is_known"),
    sa.CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity_is_known"),
    sa.Index("one_open_alert", "key", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    sa.Index("alerts_by_key", "key", "alert_id"),
    sa.Index("alerts_by_state", "state", "alert_id"),
    sa.Index("alerts_by_rule", "rule", "alert_id"),
    sqlite_autoincrement=True,
)

# What was usual: the mean of a measure in an hour of a week, weeks numbered from 1970. It outlives the windows of
# metrics, which know hours for a few days only.
usual_hours = sa.Table(
    "usual_hours",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("mean", sa.Float, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
)

# Until when nobody is told of alerts of a key or a rule. Several may be in force for one scope; the longest counts.
alert_mutes = sa.Table(
    "alert_mutes",
    metadata,
    sa.Column("mute_id", sa.Integer, primary_key=True),
    sa.Column("scope", Name, nullable=False),
    sa.Column("muted_at", UtcDateTime, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("muted_by", sa.String, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("lifted_at", UtcDateTime),
    sa.Column("lifted_by", sa.String),
    sa.Column("lifted_because", sa.Text),
    sa.Index("mutes_not_lifted", "scope", sqlite_where=_IS_IN_FORCE, postgresql_where=_IS_IN_FORCE),
    sqlite_autoincrement=True,
)

# The outbox of alerts: what is to be told, once for each opening, event and channel.
alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("delivery_id", sa.Integer, primary_key=True),
    sa.Column("alert_id", sa.ForeignKey("alerts.alert_id"), nullable=False),
    sa.Column("opening", sa.Integer, nullable=False),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("channel", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("n_failures", sa.Integer, nullable=False),
    sa.Column("try_at", UtcDateTime, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("delivered_at", UtcDateTime),
    sa.UniqueConstraint("alert_id", "opening", "event", "channel", name="told_once"),
    sa.CheckConstraint("event IN ('firing', 'resolved')", name="event_is_known"),
    sa.CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="delivery_state_is_known"),
    sa.Index("deliveries_that_wait", "try_at", sqlite_where=_IS_WAITING, postgresql_where=_IS_WAITING),
    sqlite_autoincrement=True,
)

_JOB_IS_OPEN = sa.text("finished_at IS NULL")

# One training of one model. `token` is that of the lease of the worker that has it; whoever has an older one writes
# nothing. That a model has one open job at most is the index's promise.
retraining_jobs = sa.Table(
    "retraining_jobs",
    metadata,
    sa.Column("job_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("requested_by", sa.String, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("frames", sa.Text),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("worker", sa.String),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("not_before", UtcDateTime),
    sa.Column("cancelled_by", sa.String),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("doing", sa.Text, nullable=False),
    sa.Column("log", sa.Text, nullable=False),
    sa.Column("entered", sa.Text, nullable=False),
    sa.Column("champion", sa.String),
    sa.Column("challenger", sa.String),
    sa.Column("artefact", sa.String),
    sa.Column("data_fingerprint", sa.String),
    sa.Column("result", sa.Text),
    sa.Column("evidence", sa.Text),
    sa.Column("outcome", sa.String),
    sa.Column("reason", sa.Text),
    sa.Column("finished_at", UtcDateTime),
    sa.CheckConstraint(
        "state IN ('pending', 'running', 'evaluating', 'awaiting_approval', 'completed', 'failed', 'skipped', "
        "'cancelled')",
        name="job_state_is_known",
    ),
    sa.Index("one_open_job", "model_id", unique=True, sqlite_where=_JOB_IS_OPEN, postgresql_where=_JOB_IS_OPEN),
    sa.Index("jobs_by_model", "model_id", "job_id"),
    sa.Index("jobs_by_state", "state", "job_id"),
    sqlite_autoincrement=True,
)

# Which due times of a schedule were taken: each is taken once, by whoever comes first.
retraining_due = sa.Table(
    "retraining_due",
    metadata,
    sa.Column("schedule", Name, primary_key=True),
    sa.Column("due_at", UtcDateTime, primary_key=True),
    sa.Column("taken_at", UtcDateTime, nullable=False),
    sa.Column("taken_by", sa.String, nullable=False),
)

_IS_UNDER_WAY = sa.text("ended_at IS NULL")

# A challenger on its way into production. `revision` counts its changes, `state` is what the stop rules remember; that
# one at most is under way for a model is the index's promise.
rollouts = sa.Table(
    "rollouts",
    metadata,
    sa.Column("rollout_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("champion", sa.String),
    sa.Column("challenger", Name, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("share", sa.Double, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("started_by", sa.String, nullable=False),
    sa.Column("stage_began_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("paused_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.ForeignKeyConstraint(
        ["model_id", "challenger"], ["model_versions.model_id", "model_versions.version"], name="rollout_of_a_version"
    ),
    sa.CheckConstraint(
        "status IN ('shadow', 'interleave', 'canary', 'watch', 'promoted', 'rolled_back', 'aborted', 'expired')",
        name="rollout_status_is_known",
    ),
    sa.Index(
        "one_rollout_under_way",
        "model_id",
        unique=True,
        sqlite_where=_IS_UNDER_WAY,
        postgresql_where=_IS_UNDER_WAY,
    ),
    sa.Index("rollouts_by_model", "model_id", "rollout_id"),
    sqlite_autoincrement=True,
)

# What was decided about a rollout, with the sentence and the figures. Never edited.
rollout_events = sa.Table(
    "rollout_events",
    metadata,
    sa.Column("event_id", sa.Integer, primary_key=True),
    sa.Column("rollout_id", sa.ForeignKey("rollouts.rollout_id"), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("figures", sa.JSON, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Index("events_by_rollout", "rollout_id", "event_id"),
    sqlite_autoincrement=True,
)

# What each worker has counted of a rollout so far. A worker writes its own rows only, and whole numbers, not additions:
# written twice, they are the same.
rollout_counts = sa.Table(
    "rollout_counts",
    metadata,
    sa.Column("rollout_id", sa.ForeignKey("rollouts.rollout_id"), primary_key=True),
    sa.Column("worker", sa.String, primary_key=True),
    sa.Column("arm", sa.String, primary_key=True),
    sa.Column("metric", sa.String, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("total", sa.Double, nullable=False),
    sa.Column("squares", sa.Double, nullable=False),
)

# Versions that were rolled back, and must not come back by themselves until the bar is lifted.
barred_versions = sa.Table(
    "barred_versions",
    metadata,
    sa.Column("bar_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("artefact", sa.String),
    sa.Column("barred_at", UtcDateTime, nullable=False),
    sa.Column("barred_by", sa.String, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("lifted_at", UtcDateTime),
    sa.Column("lifted_by", sa.String),
    sa.Column("lifted_because", sa.Text),
    sa.Index(
        "one_bar_in_force",
        "model_id",
        "version",
        unique=True,
        sqlite_where=_IS_IN_FORCE,
        postgresql_where=_IS_IN_FORCE,
    ),
    sqlite_autoincrement=True,
)

# The drift checks of models, newest last: when each was made, of what, and what it found. Old ones are forgotten.
drift_checks = sa.Table(
    "drift_checks",
    metadata,
    sa.Column("check_id", sa.Integer, primary_key=True),
    sa.Column("model_id", Name, nullable=False),
    sa.Column("version", Name, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("verdict", sa.String, nullable=False),
    sa.Column("n_drifted", sa.Integer, nullable=False),
    sa.Column("n_compared", sa.Integer, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
    sa.Index("drift_checks_by_model", "model_id", "check_id"),
    sqlite_autoincrement=True,
)
