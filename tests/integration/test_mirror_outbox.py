"""What waits to be mirrored, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops import schema
from mlops.model_registry import ModelMetadata, ModelRegistry
from mlops.store import Database
from mlops.tracking.outbox import Outbox, Waiting, delay_seconds

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(empty_database: Database) -> ModelRegistry:
    empty_database.upgrade(schema.MIGRATIONS)
    return ModelRegistry(empty_database, actor="test")


@pytest.fixture
def outbox(registry: ModelRegistry, clock: Clock) -> Outbox:
    return Outbox(registry.database, clock=clock, rng=np.random.default_rng(7))


def register(registry: ModelRegistry, version: str, model_id: str = "m") -> None:
    registry.register(ModelMetadata(model_id, version))


def send(outbox: Outbox, registry: ModelRegistry, version: str, model_id: str = "m") -> None:
    one = registry.get_model(model_id, version)
    assert one is not None
    outbox.sent(model_id, version, generation=one.generation, mlflow_version="1")


def names(outbox: Outbox, *, only_due: bool = False) -> list[str]:
    return [one.version for one in outbox.waiting(only_due=only_due)]


def test_a_version_waits_from_its_registration_until_it_has_arrived(registry: ModelRegistry, outbox: Outbox) -> None:
    assert (names(outbox), outbox.next_due()) == ([], None)
    register(registry, "1.0.0")
    assert names(outbox) == ["1.0.0"]
    send(outbox, registry, "1.0.0")
    assert (names(outbox), outbox.next_due()) == ([], None)


def test_a_promotion_lets_both_versions_wait_the_champion_first(registry: ModelRegistry, outbox: Outbox) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        register(registry, version)
    registry.promote("m", "1.0.0", because="first")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        send(outbox, registry, version)
    registry.promote("m", "1.2.0", because="better")
    assert names(outbox) == ["1.2.0", "1.0.0"]


def test_what_changes_while_it_is_sent_waits_again(registry: ModelRegistry, outbox: Outbox) -> None:
    register(registry, "1.0.0")
    read = registry.get_model("m", "1.0.0")
    assert read is not None
    registry.archive("m", "1.0.0", because="meanwhile")
    outbox.sent("m", "1.0.0", generation=read.generation, mlflow_version="1")
    assert names(outbox) == ["1.0.0"]


def test_who_comes_late_takes_back_nothing_that_has_arrived(registry: ModelRegistry, outbox: Outbox) -> None:
    register(registry, "1.0.0")
    registry.archive("m", "1.0.0", because="x")
    send(outbox, registry, "1.0.0")
    outbox.sent("m", "1.0.0", generation=1, mlflow_version="1")
    assert names(outbox) == []


def test_what_failed_waits_and_is_due_later(registry: ModelRegistry, outbox: Outbox, clock: Clock) -> None:
    register(registry, "1.0.0")
    register(registry, "1.1.0")
    outbox.failed([Waiting("m", "1.0.0", 0)], "it is down")
    assert (names(outbox), names(outbox, only_due=True)) == (["1.0.0", "1.1.0"], ["1.1.0"])
    send(outbox, registry, "1.1.0")
    assert outbox.next_due() == NOW + timedelta(seconds=2)
    clock.now += timedelta(seconds=2)
    assert names(outbox, only_due=True) == ["1.0.0"]


def test_failures_are_counted_and_forgotten_when_it_arrives(registry: ModelRegistry, outbox: Outbox) -> None:
    register(registry, "1.0.0")
    for n_failures in range(3):
        assert outbox.waiting() == [Waiting("m", "1.0.0", n_failures)]
        outbox.failed(outbox.waiting(), "it is down")
    send(outbox, registry, "1.0.0")
    registry.archive("m", "1.0.0", because="x")
    assert outbox.waiting() == [Waiting("m", "1.0.0", 0)]
    assert names(outbox, only_due=True) == ["1.0.0"]


def test_what_failed_together_is_tried_again_together(registry: ModelRegistry, outbox: Outbox, clock: Clock) -> None:
    for version in ("1.0.0", "1.1.0"):
        register(registry, version)
    outbox.failed([Waiting("m", "1.0.0", 0)], "it is down")
    outbox.failed(outbox.waiting(), "it is down")
    due = outbox.next_due()
    assert due is not None
    clock.now = due - timedelta(microseconds=1)
    assert names(outbox, only_due=True) == []
    clock.now = due
    assert names(outbox, only_due=True) == ["1.0.0", "1.1.0"]


def test_failing_changes_nothing_of_what_has_arrived(registry: ModelRegistry, outbox: Outbox) -> None:
    register(registry, "1.0.0")
    send(outbox, registry, "1.0.0")
    registry.archive("m", "1.0.0", because="x")
    outbox.failed(outbox.waiting(), "it is down")
    with registry.database.reading() as connection:
        row = connection.execute(schema.mirrored_versions.select()).one()
    assert (row.generation, row.mlflow_version, row.n_failures) == (1, "1", 1)


def test_the_status_tells_what_waits_what_fails_and_why(registry: ModelRegistry, outbox: Outbox) -> None:
    assert outbox.status().to_dict() == {
        "is_on": True, "n_waiting": 0, "n_failing": 0, "last_error": None, "try_again_at": None,
    }  # fmt: skip
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        register(registry, version)
    send(outbox, registry, "1.3.0")
    outbox.failed([Waiting("m", "1.1.0", 0)], "a small thing")
    outbox.failed([Waiting("m", "1.0.0", 3)], "x" * 600)
    status = outbox.status()
    assert (status.n_waiting, status.n_failing, status.last_error) == (3, 2, "x" * 500)
    assert status.try_again_at == NOW + timedelta(seconds=2)


def test_forgetting_lets_all_versions_wait_again(registry: ModelRegistry, outbox: Outbox) -> None:
    for version in ("1.0.0", "1.1.0"):
        register(registry, version)
        send(outbox, registry, version)
    outbox.forget()
    assert names(outbox) == ["1.0.0", "1.1.0"]


def test_the_stamp_changes_with_each_change_of_any_model(registry: ModelRegistry, outbox: Outbox) -> None:
    stamps = [outbox.stamp()]
    register(registry, "1.0.0")
    stamps.append(outbox.stamp())
    register(registry, "1.0.0", model_id="other")
    stamps.append(outbox.stamp())
    registry.promote("m", "1.0.0", because="x")
    stamps.append(outbox.stamp())
    assert len(set(stamps)) == 4
    send(outbox, registry, "1.0.0")
    assert outbox.stamp() == stamps[-1]


@given(n_failures=st.integers(1, 10_000), seed=st.integers(0, 2**32))
def test_the_wait_doubles_from_two_seconds_to_five_minutes(n_failures: int, seed: int) -> None:
    full = min(300, 2 ** min(n_failures, 20))
    assert max(2, 0.75 * full) <= delay_seconds(n_failures, np.random.default_rng(seed)) <= full


def test_the_wait_is_drawn_from_the_generator() -> None:
    waits = [delay_seconds(5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert waits[0] == waits[1] != waits[2]


def test_no_failure_is_no_reason_to_wait() -> None:
    with pytest.raises(ValueError, match="n_failures must be at least 1, got 0"):
        delay_seconds(0, np.random.default_rng(1))
