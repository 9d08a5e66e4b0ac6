"""Everything about alerts that a service runs: book, watch and delivery, put together from settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlops.clock import Clock, utc_now
from mlops.config import Settings
from mlops.monitoring.alerts import AlertBook, open_alert_book
from mlops.monitoring.delivery import Deliverer, channels_of
from mlops.monitoring.patient_book import PatientBook
from mlops.monitoring.protocol import Metrics
from mlops.monitoring.rules import Rule, default_rules
from mlops.monitoring.thresholds import thresholds_of
from mlops.monitoring.watch import Watch
from mlops.store import Database


@dataclass(frozen=True)
class Alerting:
    """What a service has for alerts. Every worker may have one: one of them watches, and each message is sent by one.

    Attributes:
        patient: whoever finds something by himself reports it there: it waits where the database is away.
    """

    book: AlertBook
    patient: PatientBook
    watch: Watch
    deliverer: Deliverer

    def start(self) -> None:
        """Watch and deliver in the background."""
        self.deliverer.start()
        self.watch.start()

    def stop(self) -> None:
        """Watch no more; what is not told goes on waiting in the database."""
        self.watch.stop()
        self.deliverer.stop()


def open_alerting(
    settings: Settings,
    *,
    metrics: Metrics,
    database: Database,
    more_rules: Sequence[Rule] = (),
    clock: Clock = utc_now,
) -> Alerting:
    """Alerts over *metrics*, kept in *database*, whose tables are there. Nothing is started.

    Args:
        more_rules: evaluated after the default ones; they may be symptoms of them.

    Raises:
        ValueError: two rules have one name, or one is a symptom of a rule that does not stand before it.
    """
    book = open_alert_book(settings, database=database, clock=clock)
    deliverer = Deliverer(database, channels_of(settings, clock=clock), clock=clock)
    patient = PatientBook(book, on_wait=deliverer.tell_soon)
    rules = [*default_rules(thresholds_of(settings), database=database), *more_rules]
    watch = Watch(rules, metrics=metrics, book=patient, every_seconds=settings.watch_seconds, clock=clock)
    return Alerting(book, patient, watch, deliverer)
