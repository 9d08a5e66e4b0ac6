"""The watch: rules, their causes and symptoms, and one process at a time."""

from __future__ import annotations

from datetime import datetime
from time import monotonic, sleep

import pytest

from mlops.config import Settings
from mlops.errors import StoreUnavailable
from mlops.monitoring.alerting import open_alerting
from mlops.monitoring.alerts import AlertBook
from mlops.monitoring.anomaly_rules import unusual
from mlops.monitoring.hour_of_week import UsualHours
from mlops.monitoring.memory import MemoryMetrics
from mlops.monitoring.patient_book import PatientBook
from mlops.monitoring.protocol import Metrics
from mlops.monitoring.rules import Check, Finding, NoData, Rule, default_rules
from mlops.monitoring.watch import Watch
from mlops.sentences import spanish
from mlops.store import Database
from tests.plain_metrics import PlainMetrics


@pytest.fixture
def metrics() -> PlainMetrics:
    return PlainMetrics()


@pytest.fixture
def book(sqlite_database: Database, metrics: PlainMetrics) -> AlertBook:
    return AlertBook(sqlite_database, clock=metrics.clock)


class Says:
    """A rule that says what it is told to say."""

    def __init__(self, name: str, *symptom_of: str) -> None:
        self.outcome: Finding | NoData | Exception | None = None
        self.rule = Rule(name, self.check, symptom_of)

    def check(self, metrics: Metrics, now: datetime) -> Finding | NoData | None:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def watch_over(book: AlertBook, metrics: PlainMetrics, *rules: Says | Rule) -> Watch:
    made = [rule.rule if isinstance(rule, Says) else rule for rule in rules]
    return Watch(made, metrics=metrics, book=PatientBook(book), clock=metrics.clock)


def open_keys(book: AlertBook) -> list[str]:
    return sorted(alert.key for alert in book.open_alerts())


def test_what_a_rule_finds_is_an_alert_until_three_looks_found_nothing(book: AlertBook, metrics: PlainMetrics) -> None:
    rule = Says("slow")
    watch = watch_over(book, metrics, rule)
    rule.outcome = Finding("it is slow", "critical", evidence={"p95": 7_000})
    assert watch.evaluate().fired == ("slow",)
    watch.evaluate()
    (alert,) = book.open_alerts()
    assert (alert.count, alert.severity, alert.evidence) == (2, "critical", {"p95": 7_000})
    rule.outcome = None
    assert [watch.evaluate().resolved for _ in range(4)] == [(), (), ("slow",), ()]
    (alert,) = book.list()
    assert (alert.resolved_by, alert.resolved_because) == ("watch", "3 looks in a row found nothing")
    assert spanish()(alert.resolved_because or "") == "3 comprobaciones seguidas no encontraron nada"


def test_without_data_an_alert_stays_as_it_is(book: AlertBook, metrics: PlainMetrics) -> None:
    rule = Says("slow")
    watch = watch_over(book, metrics, rule)
    rule.outcome = Finding("it is slow")
    watch.evaluate()
    rule.outcome = NoData("no requests")
    assert [watch.evaluate().no_data for _ in range(5)] == [("slow",)] * 5
    assert open_keys(book) == ["slow"]


def test_a_rule_that_fails_is_an_alert_and_stops_none_of_the_others(book: AlertBook, metrics: PlainMetrics) -> None:
    broken, other = Says("broken"), Says("other")
    watch = watch_over(book, metrics, broken, other)
    broken.outcome, other.outcome = ZeroDivisionError("division by zero"), Finding("it is slow")
    look = watch.evaluate()
    assert look.broken == ("broken",)
    assert open_keys(book) == ["other", "rule_broken{rule=broken}"]
    (alert,) = book.list(rule="rule_broken")
    assert "ZeroDivisionError: division by zero" in alert.sentence
    assert spanish()(alert.sentence) == (
        "la regla broken falló, y lo que vigila no se está vigilando: ZeroDivisionError: division by zero"
    )
    broken.outcome = None
    for _ in range(3):
        watch.evaluate()
    assert open_keys(book) == ["other"]


def test_one_failure_makes_one_alert_and_its_symptoms_stand_in_the_evidence(
    book: AlertBook, metrics: PlainMetrics
) -> None:
    cause, symptom, further = Says("cause"), Says("symptom", "cause"), Says("further", "symptom")
    watch = watch_over(book, metrics, cause, symptom, further)
    for rule in (cause, symptom, further):
        rule.outcome = Finding("it is broken")
    assert watch.evaluate().suppressed == ("symptom", "further")
    (alert,) = book.open_alerts()
    assert (alert.key, alert.evidence) == ("cause", {"symptoms": ["symptom"]})
    cause.outcome = None
    metrics.advance(minutes=30)
    assert watch.evaluate().suppressed == ("symptom", "further")
    metrics.advance(minutes=1)
    assert watch.evaluate().fired == ("symptom",)


def test_another_watch_knows_the_alerts_that_an_earlier_one_left(book: AlertBook, metrics: PlainMetrics) -> None:
    rule = Says("slow")
    rule.outcome = Finding("it is slow")
    watch_over(book, metrics, rule).evaluate()
    rule.outcome = None
    later = watch_over(book, metrics, rule)
    assert [later.evaluate().resolved for _ in range(3)][-1] == ("slow",)


def test_an_alert_that_a_person_resolved_is_let_go(book: AlertBook, metrics: PlainMetrics) -> None:
    rule = Says("slow")
    watch = watch_over(book, metrics, rule)
    rule.outcome = Finding("it is slow")
    watch.evaluate()
    book.resolve(1, because="mended", actor="ana")
    rule.outcome = None
    assert [watch.evaluate().resolved for _ in range(5)] == [()] * 5
    assert book.get(1).resolved_by == "ana"


def test_of_two_watches_one_evaluates_and_the_other_takes_over(book: AlertBook, metrics: PlainMetrics) -> None:
    rule = Says("slow")
    first, second = (watch_over(book, metrics, rule) for _ in range(2))
    assert first.turn() is not None
    assert second.turn() is None
    metrics.advance(seconds=29)
    assert (first.turn() is None, second.turn() is None) == (False, True)
    metrics.advance(seconds=30)
    assert second.turn() is not None
    assert first.turn() is None
    second.stop()
    assert first.turn() is not None


def test_rules_whose_order_or_names_cannot_be_are_refused(book: AlertBook, metrics: PlainMetrics) -> None:
    with pytest.raises(ValueError, match="two rules 'a'"):
        watch_over(book, metrics, Says("a"), Says("a"))
    with pytest.raises(ValueError, match="b is a symptom of a, which must stand before it"):
        watch_over(book, metrics, Says("b", "a"), Says("a"))


def test_it_watches_in_the_background_until_it_is_stopped(book: AlertBook, metrics: PlainMetrics) -> None:
    import threading

    looked = threading.Event()

    def check(_metrics: Metrics, _now: datetime) -> None:
        looked.set()

    watch = Watch([Rule("r", check)], metrics=metrics, book=PatientBook(book), every_seconds=0.01, clock=metrics.clock)
    watch.start()
    assert looked.wait(10)
    watch.stop()
    looked.clear()
    assert not looked.wait(0.1)


def test_while_the_database_is_away_the_alert_of_it_waits_and_explains_the_others(
    sqlite_database: Database, metrics: PlainMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the state database does not answer: gone")

    heard: list[str] = []
    book = AlertBook(sqlite_database, clock=metrics.clock)
    patient = PatientBook(book, on_wait=lambda firing: heard.append(firing.rule))
    watch = Watch(default_rules(database=sqlite_database), metrics=metrics, book=patient, clock=metrics.clock)
    metrics.record_all("error_rate", [1.0] * 50)
    with monkeypatch.context() as patched:
        for method in ("reading", "writing", "check"):
            patched.setattr(sqlite_database, method, away)
        look = watch.turn()
    assert look is not None
    assert (look.fired, heard) == (("database_away",), ["database_away"])
    assert {"error_rate", "slo_availability"} <= {*look.suppressed}
    watch.turn()
    assert open_keys(book) == ["database_away"]
    for _ in range(2):
        watch.turn()
    assert open_keys(book) == []


# --- The default rules ----------------------------------------------------------------------------------------------


def check_of(name: str) -> Check:
    return next(rule.check for rule in default_rules() if rule.name == name)


def test_all_is_well_or_unknown_without_traffic(metrics: PlainMetrics) -> None:
    for rule in default_rules():
        assert not isinstance(rule.check(metrics, metrics.now), Finding)
    for name in ("latency", "error_rate", "slo_availability", "slo_latency", "latency_unusual"):
        assert isinstance(check_of(name)(metrics, metrics.now), NoData)


def test_a_slow_service_is_found_by_its_95th_percentile(metrics: PlainMetrics) -> None:
    metrics.record_all("api_latency_ms", [100.0] * 94 + [6_000.0] * 6)
    found = check_of("latency")(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert found.sentence.startswith("5 % of 100 requests in 5 minutes took longer than ")
    assert found.evidence["threshold_ms"] == 5_000
    metrics.advance(minutes=6)
    metrics.record_all("api_latency_ms", [100.0] * 96 + [6_000.0] * 4)
    assert check_of("latency")(metrics, metrics.now) is None


@pytest.mark.parametrize(
    ("failed", "of", "is_found"), [(1, 19, None), (2, 20, False), (5, 20, True), (10, 100, False), (13, 100, True)]
)
def test_errors_are_found_where_chance_does_not_explain_them(
    metrics: PlainMetrics, failed: int, of: int, is_found: bool | None
) -> None:
    metrics.record_all("error_rate", [1.0] * failed + [0.0] * (of - failed))
    outcome = check_of("error_rate")(metrics, metrics.now)
    if is_found is None:
        assert isinstance(outcome, NoData)
    else:
        assert isinstance(outcome, Finding) is is_found


def test_what_should_never_happen_is_found_with_where_it_happened(metrics: PlainMetrics) -> None:
    metrics.record("dropped_count", 0, {"queue": "answers"})
    assert check_of("dropped")(metrics, metrics.now) is None
    metrics.record("dropped_count", 3, {"queue": "answers"})
    metrics.record("dropped_count", 2, {"queue": "metrics"})
    found = check_of("dropped")(metrics, metrics.now)
    assert isinstance(found, Finding)
    assert found.sentence == "5 were dropped in 5 minutes (answers: 3, metrics: 2)"


def test_a_service_s_alerting_finds_keeps_and_tells(
    sqlite_database: Database, metrics: PlainMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(watch_seconds=0.1, alert_threshold_error_rate=0.2)
    extra = Rule("extra", lambda metrics, now: Finding("it is odd", "info"), ("error_rate",))
    alerting = open_alerting(
        settings, metrics=metrics, database=sqlite_database, more_rules=[extra], clock=metrics.clock
    )
    metrics.record_all("error_rate", [1.0] * 10 + [0.0] * 40)
    alerting.watch.turn()
    assert open_keys(alerting.book) == ["extra", "slo_availability"]
    metrics.record_all("error_rate", [1.0] * 50)
    alerting.watch.turn()
    assert open_keys(alerting.book) == ["error_rate", "extra", "slo_availability"]
    alerting.start()
    deadline = monotonic() + 10
    while "alert error_rate firing (critical)" not in caplog.text and monotonic() < deadline:
        sleep(0.01)
    alerting.stop()
    assert "alert error_rate firing (critical): 60 of 100 requests in 5 minutes failed" in caplog.text


def test_the_default_rules_read_the_metrics_that_ship(sqlite_database: Database) -> None:
    time = PlainMetrics()
    metrics = MemoryMetrics(clock=time.clock)
    for minute in range(120):
        for _ in range(20):
            metrics.record("api_latency_ms", 100.0 + minute % 3 if minute < 116 else 9_000.0)
            metrics.record("error_rate", float(minute >= 116))
            metrics.record("slow_rate", float(minute >= 116))
        time.advance(minutes=1)
    metrics.record("answer_problem_count", 1, {"kind": "language"})
    time.advance(seconds=1)
    found = {
        rule.name
        for rule in default_rules(database=sqlite_database)
        if isinstance(rule.check(metrics, time.now), Finding)
    }
    assert found == {
        "error_rate", "latency", "slo_availability", "slo_latency", "latency_unusual", "answer_problems",
    }  # fmt: skip


def test_what_is_usual_by_hour_of_the_week_outlives_the_process(
    emptied_database: Database, metrics: PlainMetrics
) -> None:
    hours, metric = UsualHours(emptied_database), "api_latency_ms"
    for _ in range(24 * 22):
        # Noon is ten times as busy.
        metrics.record_all(metric, [100.0 * (10 if metrics.now.hour == 12 else 1) + metrics.now.day % 3] * 2)
        metrics.advance(hours=1)
        if metrics.now.hour == 0 and metrics.now.day % 6 == 0:
            # Another process each time, which knows the hours of the last week from metrics.
            unusual(metric, hours=hours)(metrics, metrics.now)
            metrics.points.clear()
    season = hours.load(f"p95 of {metric}")
    noon = metrics.now.replace(hour=12)
    assert season.expected(noon) == pytest.approx(1_001, abs=1)
    assert season.expected(noon.replace(hour=14)) == pytest.approx(101, abs=1)
    assert hours.load("another").expected(noon) is None


def test_what_is_usual_is_not_needed_where_the_database_is_away(
    sqlite_database: Database, metrics: PlainMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(sqlite_database, "reading", away)
    monkeypatch.setattr(sqlite_database, "writing", away)
    check = unusual("api_latency_ms", hours=UsualHours(sqlite_database))
    for minute in range(300):
        metrics.record("api_latency_ms", 100.0 + minute % 3)
        metrics.advance(minutes=1)
    assert check(metrics, metrics.now) is None
