"""Lists that pages ask for, each by an index: versions and requests of a status, moves of a version, jobs of a state."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("versions_by_status", "model_versions", ["model_id", "status", "number"])
    op.create_index("moves_by_version", "moves", ["model_id", "version", "move_id"])
    op.create_index("approvals_by_state", "approvals", ["state", "approval_id"])
    op.create_index("jobs_by_state", "retraining_jobs", ["state", "job_id"])
