"""Rules for the watch: jobs that somebody should look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mlops.monitoring.protocol import Metrics
from mlops.monitoring.rules import Check, Finding, Rule
from mlops.retraining.book import JobBook
from mlops.retraining.jobs import RetrainingJob

# Afterwards it is history, and `mlops retrain jobs` tells it.
RECENT = timedelta(days=1)
_MOST = 20


def rules_of_jobs(book: JobBook) -> list[Rule]:
    """A training that failed, and a version that waits for a person."""
    return [Rule("retraining_failed", _failed(book)), Rule("retraining_waits", _waits(book))]


def _failed(book: JobBook) -> Check:
    def check(_metrics: Metrics, now: datetime) -> Finding | None:
        """The newest job of each model counts: one that went well afterwards mends it."""
        newest: dict[str, RetrainingJob] = {}
        for job in book.listed(limit=_MOST):
            newest.setdefault(job.model_id, job)
        failed = [job for job in newest.values() if job.state == "failed" and _is_recent(job, now)]
        return _finding(failed, "training {id} of {model} failed: {reason}", severity="warning")

    return check


def _waits(book: JobBook) -> Check:
    def check(_metrics: Metrics, _now: datetime) -> Finding | None:
        waiting = book.listed(states=["awaiting_approval"], limit=_MOST)
        sentence = "{model} {version} passed its gates, and waits for a person: mlops retrain approve {id}"
        return _finding(waiting, sentence, severity="info")

    return check


def _is_recent(job: RetrainingJob, now: datetime) -> bool:
    return job.finished_at is not None and now - job.finished_at <= RECENT


def _finding(jobs: Sequence[RetrainingJob], sentence: str, *, severity: str) -> Finding | None:
    if not jobs:
        return None
    told = [
        sentence.format(id=job.job_id, model=job.model_id, version=job.challenger, reason=job.reason) for job in jobs
    ]
    return Finding(
        "; ".join(told),
        severity="info" if severity == "info" else "warning",
        evidence={"jobs": [job.job_id for job in jobs]},
    )
