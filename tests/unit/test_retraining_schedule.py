"""Due times: by intervals and cron lines, over changes of the clock, each taken once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.errors import BadSchedule
from mlops.retraining import parse_schedule
from mlops.retraining.schedule import DueTimes, Schedule
from mlops.store import Database
from tests.retraining_app import NOON, SetClock

MADRID = "Europe/Madrid"
# In Madrid the clock goes from 02:00 to 03:00 at the first instant, and from 03:00 back to 02:00 at the second.
FORWARD = datetime(2026, 3, 29, 1, tzinfo=UTC)
BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)

INSTANTS = st.timedeltas(timedelta(0), timedelta(days=1_000)).map(
    lambda passed: datetime(2025, 1, 1, tzinfo=UTC) + passed
)
SCHEDULES = st.sampled_from(
    ["90s", "24h", "7d", "0 3 * * *", "30 2 * * *", "*/20 * * * *", "15 1-4 * * 0", "0 0 1 * *"]
)


@settings(max_examples=150, deadline=None)
@given(
    text=SCHEDULES,
    now=st.one_of(
        INSTANTS,
        st.sampled_from([FORWARD, BACK]).flatmap(
            lambda change: st.timedeltas(timedelta(hours=-4), timedelta(hours=4)).map(lambda away: change + away)
        ),
    ),
)
def test_the_last_and_the_next_due_time_enclose_every_instant_without_a_gap(text: str, now: datetime) -> None:
    plan = parse_schedule(text, time_zone=MADRID)
    before, after = plan.last(now), plan.next(now)
    assert before <= now < after
    assert plan.last(after) == after
    assert plan.next(before) == after
    assert plan.last(after - timedelta(microseconds=1)) == before


def due_times(plan: Schedule, since: datetime, until: datetime) -> list[datetime]:
    found = []
    time = plan.next(since)
    while time < until:
        found.append(time)
        time = plan.next(time)
    return found


def test_a_time_that_the_clock_jumps_over_comes_an_hour_later_once() -> None:
    plan = parse_schedule("30 2 * * *", time_zone=MADRID)
    days = due_times(plan, datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert [f"{day:%d %H:%M}" for day in days] == ["28 01:30", "29 01:30", "30 00:30"]


def test_a_time_that_comes_twice_counts_the_first_time() -> None:
    plan = parse_schedule("30 2 * * *", time_zone=MADRID)
    days = due_times(plan, datetime(2026, 10, 23, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert [f"{day:%d %H:%M}" for day in days] == ["24 00:30", "25 00:30", "26 01:30"]


def test_an_early_morning_stays_so_all_year_and_never_comes_twice_a_day() -> None:
    plan = parse_schedule("0 3 * * *", time_zone=MADRID)
    days = due_times(plan, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert len(days) == 365
    assert {f"{day:%H}" for day in days} == {"01", "02"}
    gaps = {(later - earlier) / timedelta(hours=1) for earlier, later in pairwise(days)}
    assert gaps == {23, 24, 25}


@pytest.mark.parametrize(
    ("text", "zone"),
    [("", "UTC"), ("0h", "UTC"), ("1.5h", "UTC"), ("61 * * * *", "UTC"), ("0 3 * *", "UTC"), ("* * * * * *", "UTC"),
     ("@daily", "UTC"), ("tomorrow", "UTC"), ("0 3 * * *", "Europe/Atlantis"), ("0 3 * * *", "../etc")],
)  # fmt: skip
def test_what_is_no_schedule_is_named(text: str, zone: str) -> None:
    with pytest.raises(BadSchedule, match="got "):
        parse_schedule(text, time_zone=zone)


def test_of_many_that_come_for_a_due_time_one_gets_it(database: Database) -> None:
    plan = parse_schedule("1h")
    books = [DueTimes(database, clock=SetClock()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda book: book.take(plan, by="test"), books))
    assert sorted(taken, key=str) == [NOON, None, None, None]


def test_missed_due_times_count_once_and_a_clock_that_is_put_back_makes_none_due_again(
    sqlite_database: Database,
) -> None:
    clock = SetClock()
    book, plan = DueTimes(sqlite_database, clock=clock), parse_schedule("1h")
    assert book.take(plan, by="test") == NOON
    clock.forward(hours=7.5)
    assert book.take(plan, by="test") == NOON + timedelta(hours=7)
    assert book.take(plan, by="test") is None
    clock.forward(hours=-3)
    assert book.take(plan, by="test") is None


def test_a_new_cron_line_has_missed_nothing_and_begins_with_its_next_due_time(sqlite_database: Database) -> None:
    clock = SetClock()
    book, plan = DueTimes(sqlite_database, clock=clock), parse_schedule("0 3 * * *")
    assert book.take(plan, by="test") is None
    clock.forward(hours=14.9)
    assert book.take(plan, by="test") is None
    clock.forward(hours=0.2)
    assert book.take(plan, by="test") == NOON + timedelta(hours=15)


def test_schedules_share_due_times_where_they_mean_the_same(sqlite_database: Database) -> None:
    book = DueTimes(sqlite_database, clock=SetClock())
    taken = [book.take(parse_schedule(text), by="test") for text in ("1h", "60m", "3600s", "2h")]
    assert taken == [NOON, None, None, NOON]
