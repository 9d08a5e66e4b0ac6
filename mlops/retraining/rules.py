"""Rules for the watch: jobs that somebody should look at, and models whose data have moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from mlops.monitoring.alert_records import Severity
from mlops.monitoring.protocol import Metrics
from mlops.monitoring.rules import Check, Finding, NoData, Rule
from mlops.retraining.book import JobBook
from mlops.retraining.jobs import RetrainingJob
from mlops.retraining.needs import ColumnDrift
from mlops.sentences import listed, say

# Afterwards it is history, and `mlops retrain jobs` tells it.
RECENT = timedelta(days=1)
_MOST = 20
DRIFT_EVERY = timedelta(minutes=15)


def rules_of_jobs(book: JobBook) -> list[Rule]:
    """A training that failed, and a version that waits for a person."""
    return [Rule("retraining_failed", _failed(book)), Rule("retraining_waits", _waits(book))]


def rule_of_drift(
    model_id: str, drift: Callable[[], Sequence[ColumnDrift] | None], *, subject: str | None = None
) -> Rule:
    """The data of *model_id* are not what it learned from any more.

    Args:
        drift: how far each column has moved, None where that cannot be told. It reads much, and is asked every
            :data:`DRIFT_EVERY` at most; in between, what it said last counts.
        subject: what has these columns, for the sentence of the alert; all that comes to the model unless given.
    """
    asked_at: datetime | None = None
    last: Finding | NoData | None = None
    moved = subject or say("what comes to {model!s}", model=model_id)

    def check(_metrics: Metrics, now: datetime) -> Finding | NoData | None:
        nonlocal asked_at, last
        if asked_at is None or abs(now - asked_at) >= DRIFT_EVERY:
            last, asked_at = _drift_found(model_id, moved, drift()), now
        return last

    return Rule("data_drift", check)


def _drift_found(model_id: str, subject: str, columns: Sequence[ColumnDrift] | None) -> Finding | NoData | None:
    if columns is None:
        return NoData(f"the drift of {model_id} cannot be measured yet")
    drifted = [one for one in columns if one.drifted]
    if not drifted:
        return None
    # In the words of the need of a training, which is what they are read by.
    shown = listed(f"{one.column} {one.score:.2f} (limit {one.threshold:.2f})" for one in drifted)
    return Finding(
        say(
            "{subject} has drifted in {n:d} of {of:d} columns: {columns}",
            subject=subject,
            n=len(drifted),
            of=len(columns),
            columns=shown,
        ),
        labels={"model_id": model_id},
        evidence={"columns": [asdict(one) for one in columns]},
    )


def _failed(book: JobBook) -> Check:
    def check(_metrics: Metrics, now: datetime) -> Finding | None:
        """The newest job of each model counts: one that went well afterwards mends it."""
        newest: dict[str, RetrainingJob] = {}
        for job in book.listed(limit=_MOST):
            newest.setdefault(job.model_id, job)
        failed = [job for job in newest.values() if job.state == "failed" and _is_recent(job, now)]
        told = [
            say("training {job:d} of {model!s} failed: {reason}", job=job.job_id, model=job.model_id, reason=job.reason)
            for job in failed
        ]
        return _finding(failed, told, severity="warning")

    return check


def _waits(book: JobBook) -> Check:
    def check(_metrics: Metrics, _now: datetime) -> Finding | None:
        waiting = book.listed(states=["awaiting_approval"], limit=_MOST)
        told = [
            say(
                "{model!s} {version} passed its gates, and waits for a person: mlops retrain approve {job:d}",
                model=job.model_id,
                version=job.challenger,
                job=job.job_id,
            )
            for job in waiting
        ]
        return _finding(waiting, told, severity="info")

    return check


def _is_recent(job: RetrainingJob, now: datetime) -> bool:
    return job.finished_at is not None and now - job.finished_at <= RECENT


def _finding(jobs: Sequence[RetrainingJob], told: Sequence[str], *, severity: Severity) -> Finding | None:
    if not jobs:
        return None
    return Finding("; ".join(told), severity=severity, evidence={"jobs": [job.job_id for job in jobs]})
