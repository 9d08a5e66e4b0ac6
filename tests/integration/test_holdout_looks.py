"""Looks at a holdout are counted in the state database, one a decision."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
import sqlalchemy as sa

from mlops.evaluation.errors import BadInput
from mlops.evaluation.looks import HoldoutLooks, holdout_id_of
from mlops.schema import MIGRATIONS, holdout_looks
from mlops.store import Database

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


@pytest.fixture
def looks(empty_database: Database) -> HoldoutLooks:
    empty_database.upgrade(MIGRATIONS)
    return HoldoutLooks(empty_database)


def test_each_decision_counts_once_for_its_holdout(looks: HoldoutLooks) -> None:
    assert looks.count("h1") == 0
    assert looks.record("h1", decision_id="1.1.0", at=NOON) == 1
    assert looks.record("h1", decision_id="1.2.0", at=NOON) == 2
    assert looks.record("h1", decision_id="1.1.0", at=NOON + timedelta(hours=1)) == 2
    assert looks.record("h2", decision_id="1.1.0", at=NOON) == 1
    assert looks.count("h1") == 2


def test_the_first_look_keeps_its_time_in_utc(looks: HoldoutLooks, empty_database: Database) -> None:
    looks.record("h1", decision_id="1.1.0", at=NOON.astimezone(timezone(timedelta(hours=-5))))
    looks.record("h1", decision_id="1.1.0", at=NOON + timedelta(days=1))
    with empty_database.reading() as connection:
        (kept,) = connection.execute(sa.select(holdout_looks.c.looked_at)).scalars()
    assert kept == NOON


def test_decisions_at_the_same_time_are_all_counted(looks: HoldoutLooks) -> None:
    counts: list[int] = []

    def look(number: int) -> None:
        counts.append(looks.record("h1", decision_id=f"1.{number}.0", at=NOON))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looks.count("h1") == max(counts) == 8


@pytest.mark.parametrize(
    ("holdout", "decision", "at", "reason"),
    [("h", "d", NOON.replace(tzinfo=None), "time zone"), ("", "d", NOON, "empty"), ("h", "", NOON, "empty")],
)
def test_a_look_without_a_name_or_a_zone_is_refused(
    looks: HoldoutLooks, holdout: str, decision: str, at: datetime, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        looks.record(holdout, decision_id=decision, at=at)
    assert looks.count(holdout) == 0


def test_a_holdout_is_named_by_its_content() -> None:
    qrels = {"q1": {"a": 1, "b": 2}, "q2": {"a": 1}}
    rows = [("q2", "a", 1), ("q1", "b", 2), ("q1", "a", 1)]
    frame = pd.DataFrame(rows, columns=["query_id", "item_id", "gain"])
    assert holdout_id_of(qrels) == holdout_id_of(frame)
    assert len(holdout_id_of(qrels)) == 32
    assert holdout_id_of(qrels) != holdout_id_of({"q1": {"a": 1, "b": 1}, "q2": {"a": 1}})
    assert holdout_id_of(qrels) != holdout_id_of({"q1": {"a": 1, "b": 2}})
