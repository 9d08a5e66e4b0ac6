"""A lease has one holder at a time, on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops import schema
from mlops.store import Database
from mlops.store.leases import Lease, Leases


class SteppedClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def leases(empty_database: Database, clock: SteppedClock) -> Leases:
    empty_database.upgrade(schema.MIGRATIONS)
    return Leases(empty_database, clock=clock)


@pytest.fixture
def leases_of_now(shared_database: Database) -> Leases:
    with shared_database.writing() as connection:
        connection.execute(schema.leases.delete())
    return Leases(shared_database)


def taken(leases: Leases, holder: str = "a", *, seconds: float = 10, name: str = "mirror") -> Lease:
    lease = leases.take(name, holder, seconds)
    assert lease is not None
    return lease


def test_a_free_lease_is_taken_for_its_time(leases: Leases, clock: SteppedClock) -> None:
    lease = taken(leases, "a", seconds=10)
    assert (lease.name, lease.holder, lease.token) == ("mirror", "a", 1)
    assert lease.expires_at == clock.now + timedelta(seconds=10)


@pytest.mark.parametrize("holder", ["a", "b"])
def test_a_lease_that_is_held_is_given_to_nobody(leases: Leases, clock: SteppedClock, holder: str) -> None:
    taken(leases, "a", seconds=10)
    clock.advance(9.999)
    assert leases.take("mirror", holder, 10) is None


def test_leases_of_other_names_stay_free(leases: Leases) -> None:
    taken(leases, name="mirror")
    assert leases.take("retraining", "b", 10) is not None


def test_an_expired_lease_goes_to_the_next_with_a_higher_token(leases: Leases, clock: SteppedClock) -> None:
    taken(leases, "a", seconds=10)
    clock.advance(10)
    assert taken(leases, "b").token == 2


def test_a_released_lease_is_free_at_once_and_its_token_still_grows(leases: Leases) -> None:
    assert leases.release(taken(leases, "a"))
    assert taken(leases, "b").token == 2


def test_renewing_holds_a_lease_for_its_whole_time_again(leases: Leases, clock: SteppedClock) -> None:
    lease = taken(leases, "a", seconds=10)
    clock.advance(9)
    assert leases.renew(lease)
    clock.advance(9)
    assert leases.take("mirror", "b", 10) is None
    clock.advance(1)
    assert leases.take("mirror", "b", 10) is not None


def test_who_was_away_too_long_cannot_renew_though_nobody_came(leases: Leases, clock: SteppedClock) -> None:
    lease = taken(leases, "a", seconds=10)
    clock.advance(10)
    assert not leases.renew(lease)
    assert leases.take("mirror", "b", 10) is not None


def test_who_lost_a_lease_can_neither_renew_nor_release_it(leases: Leases, clock: SteppedClock) -> None:
    lost = taken(leases, "a", seconds=10)
    clock.advance(10)
    # The same holder's name: what counts is the token.
    taken(leases, "a", seconds=10)
    assert not leases.renew(lost)
    assert not leases.release(lost)
    assert leases.take("mirror", "b", 10) is None


def test_a_lease_is_released_once(leases: Leases) -> None:
    lease = taken(leases)
    assert leases.release(lease)
    assert not leases.release(lease)
    assert not leases.renew(lease)


def test_asking_who_holds_a_lease_takes_nothing(leases: Leases, clock: SteppedClock) -> None:
    assert leases.held("mirror") is None
    lease = taken(leases, "a", seconds=10)
    clock.advance(4)
    held = leases.held("mirror")
    assert held is not None
    assert (held.holder, held.token, held.expires_at, held.seconds) == ("a", 1, lease.expires_at, 6)
    clock.advance(6)
    assert leases.held("mirror") is None


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_lease_for_no_time_is_refused(leases: Leases, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"seconds must be more than 0, got {seconds}"):
        leases.take("mirror", "a", seconds)


@pytest.fixture(scope="module")
def shared_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('leases')}/state.db")
    database.upgrade(schema.MIGRATIONS)
    yield database
    database.close()


Step = tuple[str, str, float]
_steps = st.lists(
    st.tuples(st.sampled_from(["take", "renew", "release", "wait"]), st.sampled_from("abc"), st.floats(0.5, 15)),
    max_size=15,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_whatever_happens_one_holds_it_and_tokens_grow(shared_database: Database, steps: list[Step]) -> None:
    clock = SteppedClock()
    leases = Leases(shared_database, clock=clock)
    with shared_database.writing() as connection:
        connection.execute(schema.leases.delete())
    model = _Model()
    for what, who, seconds in steps:
        if what == "wait":
            clock.advance(seconds)
        else:
            model.check(leases, what, who, seconds, clock.now)


class _Model:
    """What the leases of one name should do, as plainly as it can be said."""

    def __init__(self) -> None:
        self.held_by: dict[str, Lease] = {}
        self.owner: Lease | None = None
        self.until = datetime.min.replace(tzinfo=UTC)
        self.token = 0

    def check(self, leases: Leases, what: str, who: str, seconds: float, now: datetime) -> None:
        if what == "take":
            self._check_take(leases, who, seconds, now)
        elif who in self.held_by:
            lease = self.held_by[who]
            counts = lease == self.owner and now < self.until
            assert getattr(leases, what)(lease) == counts
            if counts:
                self.until = now + timedelta(seconds=lease.seconds) if what == "renew" else now

    def _check_take(self, leases: Leases, who: str, seconds: float, now: datetime) -> None:
        lease = leases.take("mirror", who, seconds)
        assert (lease is not None) == (now >= self.until)
        if lease is not None:
            assert lease.token == self.token + 1
            self.owner, self.until, self.token = lease, lease.expires_at, lease.token
            self.held_by[who] = lease


def _work(url: str, folder: str, holder: str, start: Event, results: Any) -> None:
    database = Database(url)
    leases = Leases(database)
    start.wait()
    tokens = []
    while len(tokens) < 5:
        lease = leases.take("stress", holder, 30)
        if lease is None:
            time.sleep(0.002)
            continue
        # Fails where another process is inside.
        occupied = Path(folder) / "occupied"
        occupied.touch(exist_ok=False)
        time.sleep(0.005)
        occupied.unlink()
        tokens.append(lease.token)
        assert leases.release(lease)
    database.close()
    results.put(tokens)


def test_of_many_processes_one_is_inside_at_a_time(empty_database: Database, tmp_path: Path) -> None:
    empty_database.upgrade(schema.MIGRATIONS)
    context = multiprocessing.get_context("spawn")
    start, results = context.Event(), context.Queue()
    url = empty_database.url.render_as_string(hide_password=False)
    workers = [
        context.Process(target=_work, args=(url, str(tmp_path), f"worker {number}", start, results))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    start.set()
    tokens = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(token for each in tokens for token in each) == list(range(1, 16))
    assert all(each == sorted(each) for each in tokens)


def test_a_held_lease_is_renewed_until_its_end(leases_of_now: Leases) -> None:
    with leases_of_now.holding("mirror", "a", 0.3) as held:
        assert held is not None
        time.sleep(0.7)
        assert not held.is_lost
        assert leases_of_now.take("mirror", "b", 1) is None
        with leases_of_now.holding("mirror", "b", 1) as other:
            assert other is None
    assert leases_of_now.take("mirror", "b", 1) is not None


def test_who_holds_a_lease_learns_that_it_is_lost(leases_of_now: Leases) -> None:
    with leases_of_now.holding("mirror", "a", 0.3) as held:
        assert held is not None
        assert leases_of_now.release(held.lease)
        time.sleep(0.5)
        assert held.is_lost


def test_a_lease_is_given_back_when_the_work_fails(leases_of_now: Leases) -> None:
    with pytest.raises(ZeroDivisionError), leases_of_now.holding("mirror", "a", 30):
        raise ZeroDivisionError
    assert leases_of_now.held("mirror") is None


def test_a_process_that_is_asked_to_end_as_it_takes_a_lease_gives_it_back(emptied_database: Database) -> None:
    class Interrupted(Leases):
        def take(self, name: str, holder: str, seconds: float) -> Lease | None:
            super().take(name, holder, seconds)
            raise SystemExit(143)

    leases = Interrupted(emptied_database)
    with pytest.raises(SystemExit), leases.holding("mirror", "a", 30):
        pass
    assert leases.held("mirror") is None
    assert Leases(emptied_database).take("mirror", "b", 30) is not None
    with pytest.raises(SystemExit), leases.holding("mirror", "a", 30):
        pass
    held = leases.held("mirror")
    assert held is not None
    assert held.holder == "b"
