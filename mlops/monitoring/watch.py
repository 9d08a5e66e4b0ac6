"""The watch: evaluates rules again and again, in one process at a time, and keeps the alert book."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mlops.background import Repeating
from mlops.clock import Clock, utc_now
from mlops.errors import StoreError, StoreUnavailable
from mlops.monitoring.alert_records import Firing, key_of
from mlops.monitoring.patient_book import PatientBook
from mlops.monitoring.protocol import Metrics
from mlops.monitoring.rules import Finding, NoData, Rule, checked_order
from mlops.sentences import say
from mlops.store.leases import Lease, Leases

_log = logging.getLogger("mlops.monitoring")

LEASE = "watch"
RULE_BROKEN = "rule_broken"
# An alert is resolved after so many looks in a row that found nothing: one good moment is no recovery.
LOOKS_TO_RESOLVE = 3
# For so long after a rule found something its symptoms make no alerts: their windows still hold what it was about.
LINGER = timedelta(minutes=30)
_LEASE_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What one evaluation of all rules did, each by name of rule or key of alert.

    Attributes:
        fired: keys that were reported; resolved: keys whose alert was resolved; suppressed: rules that found something
            which another rule explains; no_data: rules that could tell nothing; broken: rules that raised.
    """

    at: datetime
    fired: tuple[str, ...]
    resolved: tuple[str, ...]
    suppressed: tuple[str, ...]
    no_data: tuple[str, ...]
    broken: tuple[str, ...]


class Watch:
    """Evaluates *rules* every *every_seconds*. Of all processes that have one, the holder of a lease does.

    While the database is away nobody can hold the lease, so each process watches for itself; its alerts wait.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        metrics: Metrics,
        book: PatientBook,
        every_seconds: float = 10.0,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is evaluated yet.

        Raises:
            ValueError: two rules have one name, or one is a symptom of a rule that does not stand before it.
        """
        self._rules = checked_order(rules)
        self._metrics = metrics
        self._book = book
        self._every_seconds = every_seconds
        self._clock = clock
        self._leases = Leases(book.book.database, clock=clock)
        self._lease: Lease | None = None
        self._open: dict[str, set[str]] | None = None
        self._n_clean: dict[str, int] = {}
        self._found_at: dict[str, datetime] = {}
        self._thread = Repeating(
            "watch", self.turn, every_seconds=every_seconds, log=_log, trouble="the watch failed, and looks again"
        )

    def start(self) -> None:
        """Watch in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more, and give the lease to the others."""
        self._thread.stop()
        if self._lease is not None:
            try:
                self._leases.release(self._lease)
            except StoreError as error:
                _log.warning("the lease of the watch cannot be given back, and expires: %s", error)
            self._lease = None

    def turn(self) -> Look | None:
        """Evaluate the rules, if it is for this process to do so; None where another one watches."""
        if not self._may_watch():
            # Whoever watches next has to ask the book which alerts are open.
            self._open = None
            return None
        return self.evaluate()

    def evaluate(self) -> Look:
        """Evaluate all rules once, and keep the book. A rule that raises is an alert, and stops none of the others."""
        self._write_what_waits()
        now = self._clock()
        outcomes = {rule.name: self._outcome(rule, now) for rule in self._rules}
        suppressed = self._suppressed(outcomes, now)
        fired, resolved = [], []
        for rule in self._rules:
            outcome = outcomes[rule.name]
            if isinstance(outcome, Firing) and rule.name not in suppressed:
                fired.append(self._report(_with_symptoms(outcome, rule, self._rules, suppressed)))
            elif outcome is None:
                resolved += self._clear(rule.name)
        broken = [name for name, outcome in outcomes.items() if _is_broken(outcome)]
        resolved += self._clear_mended(set(broken))
        untold = [name for name, outcome in outcomes.items() if isinstance(outcome, NoData)]
        return Look(now, *map(tuple, (fired, resolved, suppressed, untold, broken)))

    def _write_what_waits(self) -> None:
        if not self._book.n_waiting:
            return
        # What is written now was not among the open alerts when the book was asked.
        self._open = None
        try:
            self._book.flush()
        except StoreUnavailable as error:
            _log.warning("%d alerts wait for the database: %s", self._book.n_waiting, error)

    def _outcome(self, rule: Rule, now: datetime) -> Firing | NoData | None:
        try:
            found = rule.check(self._metrics, now)
        except Exception as error:
            _log.exception("the rule %s failed", rule.name)
            sentence = say(
                "the rule {rule!s} failed, so what it watches is not watched: {kind}: {error}",
                rule=rule.name,
                kind=type(error).__name__,
                error=error,
            )
            return Firing(RULE_BROKEN, sentence, labels={"rule": rule.name})
        if isinstance(found, Finding):
            return Firing(rule.name, found.sentence, found.severity, found.labels, found.evidence)
        return found

    def _suppressed(self, outcomes: dict[str, Firing | NoData | None], now: datetime) -> list[str]:
        """The rules that found something which another one explains, directly or by way of others."""
        found = {name for name, outcome in outcomes.items() if isinstance(outcome, Firing) and not _is_broken(outcome)}
        for name in found:
            self._found_at[name] = now
        explained = {name for name, at in self._found_at.items() if now - at <= LINGER}
        return [rule.name for rule in self._rules if rule.name in found and explained & {*rule.symptom_of}]

    def _report(self, firing: Firing) -> str:
        self._n_clean.pop(firing.key, None)
        self._known_open().setdefault(firing.rule, set()).add(firing.key)
        self._book.fire(firing)
        return firing.key

    def _clear(self, rule: str) -> list[str]:
        """Resolve the open alerts of *rule* where it has found nothing often enough."""
        return [key for key in sorted(self._known_open().get(rule, ())) if self._clean_once_more(rule, key)]

    def _clear_mended(self, broken: set[str]) -> list[str]:
        still = {key_of(RULE_BROKEN, {"rule": name}) for name in broken}
        keys = self._known_open().get(RULE_BROKEN, set()) - still
        return [key for key in sorted(keys) if self._clean_once_more(RULE_BROKEN, key)]

    def _clean_once_more(self, rule: str, key: str) -> bool:
        self._n_clean[key] = self._n_clean.get(key, 0) + 1
        if self._n_clean[key] < LOOKS_TO_RESOLVE:
            return False
        because = say("{n:d} looks in a row found nothing", n=LOOKS_TO_RESOLVE)
        if self._book.resolve_key(key, because=because) is None:
            # A person was first; or the database is away, and it is asked again which alerts are open.
            self._open = None
            return False
        del self._n_clean[key]
        self._known_open().get(rule, set()).discard(key)
        return True

    def _known_open(self) -> dict[str, set[str]]:
        """Keys of open alerts, by rule: asked once, as an earlier watch may have left some."""
        if self._open is None:
            found: dict[str, set[str]] = {}
            try:
                for alert in self._book.book.open_alerts():
                    found.setdefault(alert.rule, set()).add(alert.key)
            except StoreUnavailable:
                return found
            self._open = found
        return self._open

    def _may_watch(self) -> bool:
        try:
            if self._lease is not None and self._leases.renew(self._lease):
                return True
            holder = f"{socket.gethostname()}:{os.getpid()}"
            self._lease = self._leases.take(LEASE, holder, _LEASE_LOOKS * self._every_seconds)
        except StoreUnavailable:
            return True
        return self._lease is not None


def _is_broken(outcome: Firing | NoData | None) -> bool:
    return isinstance(outcome, Firing) and outcome.rule == RULE_BROKEN


def _with_symptoms(firing: Firing, rule: Rule, rules: Sequence[Rule], suppressed: Sequence[str]) -> Firing:
    symptoms = [other.name for other in rules if other.name in suppressed and rule.name in other.symptom_of]
    return replace(firing, evidence={**firing.evidence, "symptoms": symptoms}) if symptoms else firing
