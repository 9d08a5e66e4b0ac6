"""The life of alerts, on SQLite and PostgreSQL, and with several processes at once."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops import schema
from mlops.errors import AlertClosed, StoreUnavailable, UnknownAlert
from mlops.monitoring.alert_records import Firing, key_of
from mlops.monitoring.alerts import Alert, AlertBook
from mlops.monitoring.patient_book import PatientBook
from mlops.store import Database

FAILING = Firing("error_rate", "3 of 20 requests failed", "critical", evidence={"n": 20})


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(emptied_database: Database, clock: Clock) -> AlertBook:
    return AlertBook(emptied_database, channels=("log", "webhook"), clock=clock)


def told(book: AlertBook) -> list[tuple[str, int]]:
    """(event, opening) of what is to be told by the log, oldest first."""
    table = schema.alert_deliveries
    query = sa.select(table.c.event, table.c.opening).where(table.c.channel == "log").order_by(table.c.delivery_id)
    with book.database.reading() as connection:
        return [(row.event, row.opening) for row in connection.execute(query)]


def test_an_alert_fires_is_acknowledged_and_is_resolved(book: AlertBook, clock: Clock) -> None:
    alert = book.fire(FAILING)
    assert (alert.state, alert.count, alert.fired_at, alert.key) == ("firing", 1, clock.now, "error_rate")
    assert book.list() == [alert] == book.open_alerts()
    clock.advance(minutes=1)
    taken = book.acknowledge(alert.alert_id, because="I look", actor="ana")
    assert (taken.state, taken.acknowledged_by, taken.acknowledged_at) == ("acknowledged", "ana", clock.now)
    done = book.resolve(alert.alert_id, because="restarted", actor="ben")
    assert (done.state, done.resolved_by, done.resolved_because) == ("resolved", "ben", "restarted")
    assert book.get(alert.alert_id) == done
    assert book.open_alerts() == []
    assert told(book) == [("firing", 1), ("resolved", 1)]


def test_a_repeat_raises_the_count_and_is_told_once(book: AlertBook, clock: Clock) -> None:
    first = book.fire(FAILING)
    book.acknowledge(first.alert_id, because="I look", actor="ana")
    clock.advance(seconds=10)
    again = book.fire(Firing("error_rate", "9 of 20 requests failed", "warning", evidence={"n": float("inf")}))
    assert (again.alert_id, again.count, again.state) == (first.alert_id, 2, "acknowledged")
    assert (again.fired_at, again.last_seen_at) == (first.fired_at, clock.now)
    assert (again.sentence, again.severity, again.evidence) == ("9 of 20 requests failed", "critical", {"n": None})
    assert told(book) == [("firing", 1)]


def test_one_that_gets_worse_is_told_again_and_never_gets_better_while_it_is_open(book: AlertBook) -> None:
    first = book.fire(Firing("slo", "it burns", "warning"))
    book.acknowledge(first.alert_id, because="I look", actor="ana")
    worse = book.fire(Firing("slo", "it burns fast", "critical"))
    assert (worse.alert_id, worse.state, worse.severity) == (first.alert_id, "firing", "critical")
    assert (worse.opening, worse.acknowledged_by) == (2, None)
    assert book.fire(Firing("slo", "it burns", "info")).severity == "critical"
    book.fire(Firing("slo", "it burns fast", "critical"))
    assert told(book) == [("firing", 1), ("firing", 2)]


def test_labels_tell_alerts_of_one_rule_apart(book: AlertBook) -> None:
    one = book.fire(Firing("drift", "it drifts", labels={"column": "age", "a": "b"}))
    other = book.fire(Firing("drift", "it drifts", labels={"column": "name"}))
    assert (one.key, other.key) == ("drift{a=b,column=age}", "drift{column=name}")
    assert key_of("drift", {"column": "age", "a": "b"}) == one.key
    assert [alert.key for alert in book.list(rule="drift")] == [other.key, one.key]
    assert [alert.labels for alert in book.list(key=one.key)] == [{"column": "age", "a": "b"}]


def test_within_the_cool_down_it_is_the_same_alert_and_told_when_the_cool_down_is_over(
    book: AlertBook, clock: Clock
) -> None:
    first = book.fire(FAILING)
    assert book.resolve_key("error_rate", because="fine") is not None
    resolved_at = clock.now
    clock.advance(minutes=9)
    again = book.fire(FAILING)
    assert (again.alert_id, again.opening, again.count, again.state) == (first.alert_id, 2, 2, "firing")
    assert (again.resolved_at, again.quiet_until) == (None, resolved_at + timedelta(minutes=10))
    assert told(book) == [("firing", 1), ("resolved", 1)]
    clock.advance(minutes=1)
    book.fire(FAILING)
    assert told(book)[2:] == [("firing", 2)]


def test_one_that_flaps_within_the_cool_down_is_told_once(book: AlertBook, clock: Clock) -> None:
    for _ in range(20):
        book.fire(FAILING)
        book.resolve_key("error_rate", because="fine")
        clock.advance(seconds=20)
    assert told(book) == [("firing", 1), ("resolved", 1)]
    assert [(alert.opening, alert.count) for alert in book.list()] == [(20, 20)]


def test_after_the_cool_down_it_is_another_alert(book: AlertBook, clock: Clock) -> None:
    first = book.fire(FAILING)
    book.resolve_key("error_rate", because="fine")
    clock.advance(minutes=10)
    second = book.fire(FAILING)
    assert (second.opening, second.count) == (1, 1)
    assert second.alert_id > first.alert_id


@pytest.mark.parametrize("scope", ["drift", "drift{column=age}"])
def test_a_muted_alert_is_kept_and_told_when_the_mute_is_over(book: AlertBook, clock: Clock, scope: str) -> None:
    drifting = Firing("drift", "it drifts", labels={"column": "age"})
    mute = book.mute(scope, until=clock.now + timedelta(hours=2), because="known", actor="ana")
    assert book.mutes() == [mute]
    assert book.fire(drifting).state == "firing"
    assert told(book) == []
    book.fire(FAILING)
    assert told(book) == [("firing", 1)]
    clock.advance(hours=2)
    assert book.mutes() == []
    book.fire(drifting)
    assert told(book) == [("firing", 1), ("firing", 1)]


def test_whoever_was_not_told_that_it_began_is_not_told_that_it_ended(book: AlertBook, clock: Clock) -> None:
    book.mute("error_rate", until=clock.now + timedelta(hours=2), because="known", actor="ana")
    book.fire(FAILING)
    book.resolve_key("error_rate", because="fine")
    assert told(book) == []


def test_a_mute_is_lifted_for_all_who_made_one(book: AlertBook, clock: Clock) -> None:
    for actor in ("ana", "ben"):
        book.mute("error_rate", until=clock.now + timedelta(hours=2), because="known", actor=actor)
    assert [mute.muted_by for mute in book.unmute("error_rate", because="over", actor="ana")] == ["ana", "ben"]
    assert (book.unmute("error_rate", because="over", actor="ana"), book.mutes()) == ([], [])
    with pytest.raises(ValueError, match="until must be in the future"):
        book.mute("error_rate", until=clock.now, because="known", actor="ana")


def test_what_is_not_there_or_over_is_refused(book: AlertBook) -> None:
    assert book.resolve_key("error_rate", because="fine") is None
    alert = book.fire(FAILING)
    book.resolve(alert.alert_id, because="fine", actor="ana")
    for change in (book.acknowledge, book.resolve):
        with pytest.raises(UnknownAlert, match="no alert 999"):
            change(999, because="x", actor="ana")
        with pytest.raises(AlertClosed, match="is resolved since"):
            change(alert.alert_id, because="x", actor="ana")
    with pytest.raises(UnknownAlert):
        book.get(999)


def test_pages_make_the_whole_list(book: AlertBook) -> None:
    for number in range(7):
        book.fire(Firing(f"rule{number}", "something"))
    book.resolve_key("rule3", because="fine")
    seen: list[Alert] = []
    while page := book.list(limit=3, before=seen[-1].alert_id if seen else None):
        seen += page
    assert [alert.rule for alert in seen] == [f"rule{number}" for number in range(6, -1, -1)]
    assert [alert.rule for alert in book.list(state="resolved")] == ["rule3"]


@pytest.mark.parametrize(("rule", "sentence", "severity"), [("r", "s", "loud"), (" ", "s", "info"), ("r", "", "info")])
def test_what_is_no_alert_is_refused(rule: str, sentence: str, severity: str) -> None:
    with pytest.raises(
        ValueError, match=r"severity must be one of info, warning, critical|needs a rule and a sentence"
    ):
        Firing(rule, sentence, severity)  # type: ignore[arg-type]


def test_a_sentence_is_one_line_that_every_database_can_keep(book: AlertBook) -> None:
    alert = book.fire(Firing("r", "a\n b\0c \ud800 " + "x" * 600))
    assert alert.sentence.startswith("a bc ? xxx")
    assert (len(alert.sentence), alert.sentence[-1]) == (500, "…")


def fire_often(url: str, times: int, start: object) -> None:
    book = AlertBook(Database(url))
    start.wait()  # type: ignore[attr-defined]
    for _ in range(times):
        book.fire(FAILING)
    book.database.close()


def test_processes_that_fire_one_key_at_once_make_one_row(emptied_database: Database) -> None:
    processes = multiprocessing.get_context("spawn")
    start = processes.Barrier(2)
    url = emptied_database.url.render_as_string(hide_password=False)
    workers = [processes.Process(target=fire_often, args=(url, 15, start)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    (alert,) = AlertBook(emptied_database).list()
    assert (alert.count, alert.opening) == (30, 1)


# --- While the database is away -------------------------------------------------------------------------------------


class AwayDatabase(Database):
    is_away = False

    def writing(self):  # type: ignore[no-untyped-def]
        if self.is_away:
            raise StoreUnavailable("the state database does not answer: away")
        return super().writing()


@pytest.fixture
def away(tmp_path: Path) -> AwayDatabase:
    return AwayDatabase(f"sqlite:///{tmp_path}/away.db", tables=(schema.MIGRATIONS,))


def test_what_cannot_be_written_waits_and_is_written_in_order(away: AwayDatabase, clock: Clock) -> None:
    heard: list[str] = []
    patient = PatientBook(AlertBook(away, clock=clock), on_wait=lambda firing: heard.append(firing.key))
    away.is_away = True
    assert patient.fire(FAILING) is None
    assert patient.fire(Firing("latency", "slow")) is None
    assert patient.fire(Firing("error_rate", "more failed")) is None
    assert (patient.n_waiting, heard) == (2, ["error_rate", "latency"])
    assert patient.resolve_key("latency", because="fine") is None
    away.is_away = False
    patient.fire(Firing("other", "x"))
    assert patient.n_waiting == 0
    alerts = patient.book.list()
    assert [(alert.rule, alert.count) for alert in alerts] == [("other", 1), ("latency", 1), ("error_rate", 2)]
    assert alerts[-1].sentence == "more failed"
    # As somebody may have heard of it under that name already.
    assert alerts[-1].uid == FAILING.uid
    away.close()


def test_waiting_is_bounded_and_what_is_dropped_is_counted(away: AwayDatabase) -> None:
    def fail(firing: Firing) -> None:
        raise RuntimeError("nobody listens")

    patient = PatientBook(AlertBook(away), most_waiting=3, on_wait=fail)
    away.is_away = True
    for number in range(5):
        patient.fire(Firing(f"rule{number}", "something"))
    assert (patient.n_waiting, patient.n_dropped) == (3, 2)
    away.is_away = False
    patient.flush()
    assert [alert.rule for alert in patient.book.list()] == ["rule4", "rule3", "rule2"]
    away.close()
