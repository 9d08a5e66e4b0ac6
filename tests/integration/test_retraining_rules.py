"""Jobs that somebody should look at are alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from mlops.monitoring.memory import MemoryMetrics
from mlops.monitoring.rules import Finding
from mlops.retraining.book import JobBook
from mlops.retraining.rules import rules_of_jobs
from mlops.schema import retraining_jobs
from mlops.store import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def book(sqlite_database: Database) -> JobBook:
    return JobBook(sqlite_database, clock=lambda: NOW)


def ended(book: JobBook, state: str, *, at: datetime = NOW, reason: str = "no memory", **values: Any) -> int:
    job, _ = book.create("churn", because="test", requested_by="ana")
    closed = {} if state == "awaiting_approval" else {"finished_at": at}
    with book.database.writing() as connection:
        connection.execute(
            sa.update(retraining_jobs)
            .where(retraining_jobs.c.job_id == job.job_id)
            .values(state=state, reason=reason, **closed, **values)
        )
    return job.job_id


def found(book: JobBook, name: str) -> Finding | None:
    (rule,) = [rule for rule in rules_of_jobs(book) if rule.name == name]
    finding = rule.check(MemoryMetrics(), NOW)
    assert finding is None or isinstance(finding, Finding)
    return finding


def test_a_training_that_failed_is_told_with_its_reason_until_one_goes_well(book: JobBook) -> None:
    assert found(book, "retraining_failed") is None
    number = ended(book, "failed")
    told = found(book, "retraining_failed")
    assert told is not None
    assert told.sentence == f"training {number} of churn failed: no memory"
    assert told.evidence == {"jobs": [number]}
    ended(book, "completed")
    assert found(book, "retraining_failed") is None


def test_a_failure_of_long_ago_is_history(book: JobBook) -> None:
    ended(book, "failed", at=NOW - timedelta(days=2))
    assert found(book, "retraining_failed") is None


def test_a_version_that_waits_for_a_person_says_the_command(book: JobBook) -> None:
    number = ended(book, "awaiting_approval", challenger="1.1.0")
    told = found(book, "retraining_waits")
    assert told is not None
    assert told.severity == "info"
    assert f"mlops retrain approve {number}" in told.sentence
