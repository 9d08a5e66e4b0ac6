"""The curves of a training, such as the loss of each round: kept with its retraining job, shown in MLflow's run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
import sqlalchemy as sa

from mlops.model_registry.records import ModelVersion
from mlops.schema import retraining_jobs
from mlops.store import Database

# The tag by which a version names the job that made it.
JOB_TAG = "retraining_job"


def curves_of(database: Database, one: ModelVersion) -> Mapping[str, Sequence[float]]:
    """The curves of the training that made *one*; empty where no job did."""
    tags = one["tags"]
    job_id = tags.get(JOB_TAG) if isinstance(tags, Mapping) else None
    if not isinstance(job_id, int):
        return {}
    query = sa.select(retraining_jobs.c.result).where(
        retraining_jobs.c.job_id == job_id,
        # A registry that was imported brings no jobs: the number may be that of another one here.
        retraining_jobs.c.model_id == one.model_id,
        retraining_jobs.c.artefact == one.artefact,
    )
    with database.reading() as connection:
        text = connection.execute(query).scalar()
    found: Mapping[str, Sequence[float]] = orjson.loads(text)["curves"] if text else {}
    return found
