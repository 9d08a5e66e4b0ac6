"""Jobs that somebody should look at are alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from mlops.monitoring.memory import MemoryMetrics
from mlops.monitoring.rules import Finding, NoData
from mlops.retraining.book import JobBook
from mlops.retraining.needs import ColumnDrift
from mlops.retraining.rules import rule_of_drift, rules_of_jobs
from mlops.schema import retraining_jobs
from mlops.sentences import spanish
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
    assert spanish()(told.sentence) == f"el entrenamiento {number} de churn falló: no memory"
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
    assert spanish()(told.sentence) == (
        f"churn 1.1.0 pasó sus puertas y espera a una persona: mlops retrain approve {number}"
    )


def test_data_that_moved_are_told_and_asked_for_now_and_then_only() -> None:
    columns: list[list[ColumnDrift] | None] = [
        None,
        [ColumnDrift("time_limit", 0.1, 0.15, drifted=False)],
        [ColumnDrift("time_limit", 0.4, 0.15, drifted=True), ColumnDrift("language", 0.1, 0.15, drifted=False)],
    ]
    rule = rule_of_drift("churn", lambda: columns.pop(0))
    seen = [rule.check(MemoryMetrics(), NOW + timedelta(minutes=minutes)) for minutes in (0, 14, 15, 29, 30)]
    assert [type(each) for each in seen] == [NoData, NoData, type(None), type(None), Finding]
    told = seen[-1]
    assert isinstance(told, Finding)
    assert told.sentence == "what comes to churn has drifted in 1 of 2 columns: time_limit 0.40 (limit 0.15)"
    assert told.evidence["columns"][0]["score"] == 0.4


def test_an_alert_of_a_part_of_the_data_says_of_which() -> None:
    drifted = [ColumnDrift("time_limit", 0.4, 0.15, drifted=True)]
    told = rule_of_drift("churn", lambda: drifted, subject="what cooks ask").check(MemoryMetrics(), NOW)
    assert isinstance(told, Finding)
    assert told.sentence.startswith("what cooks ask has drifted in 1 of 1 columns: ")
    assert told.labels == {"model_id": "churn"}
