"""An alert book that can wait: what cannot be written now is kept in memory, and written later."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from mlops.errors import StoreUnavailable
from mlops.monitoring.alert_records import Alert, Firing
from mlops.monitoring.alerts import AlertBook

_log = logging.getLogger("mlops.monitoring")

MOST_WAITING = 1_000


class PatientBook:
    """Reports to *book*. While the database is away, firings wait: one of each key, its count raised by each repeat.

    Attributes:
        n_dropped: firings that were dropped, since more than *most_waiting* keys waited; those that came first.
    """

    def __init__(
        self,
        book: AlertBook,
        *,
        most_waiting: int = MOST_WAITING,
        on_wait: Callable[[Firing], object] = lambda firing: None,
    ) -> None:
        """Nothing is written yet.

        Args:
            on_wait: told of each key that begins to wait, so that somebody hears of it although the database is away.
                What it raises is logged.
        """
        self.book = book
        self.n_dropped = 0
        self._most_waiting = most_waiting
        self._on_wait = on_wait
        self._waiting: dict[str, Firing] = {}
        self._guard = threading.Lock()
        # Of two that write at once, both would write the first.
        self._writing = threading.Lock()

    @property
    def n_waiting(self) -> int:
        """How many firings are not yet in the database."""
        return len(self._waiting)

    def fire(self, firing: Firing) -> Alert | None:
        """Write *firing* after all that waits; None where it waits itself. Never raises because of the database."""
        try:
            self.flush()
            return self.book.fire(firing)
        except StoreUnavailable as error:
            _log.warning("%s waits for the database: %s", firing.key, error)
            self._wait(firing)
            return None

    def resolve_key(self, key: str, *, because: str) -> Alert | None:
        """Resolve the open alert of *key*; None where none is open, or the database is away: then ask again."""
        try:
            self.flush()
            return self.book.resolve_key(key, because=because)
        except StoreUnavailable as error:
            _log.warning("%s cannot be resolved now: %s", key, error)
            return None

    def flush(self) -> None:
        """Write what waits, in the order in which it came.

        Raises:
            StoreUnavailable: the database does not answer; what is not written goes on waiting.
        """
        with self._writing:
            while (first := self._first()) is not None:
                self.book.fire(first)
                self._forget(first)

    def _first(self) -> Firing | None:
        with self._guard:
            return next(iter(self._waiting.values()), None)

    def _forget(self, written: Firing) -> None:
        with self._guard:
            now = self._waiting.get(written.key)
            if now is not None and now.count > written.count:
                # It was seen again while it was being written.
                self._waiting[written.key] = replace(now, count=now.count - written.count)
            elif now is not None:
                del self._waiting[written.key]

    def _wait(self, firing: Firing) -> None:
        with self._guard:
            before = self._waiting.get(firing.key)
            if before is None and len(self._waiting) >= self._most_waiting:
                self._waiting.pop(next(iter(self._waiting)))
                self.n_dropped += 1
            if before is not None:
                firing = replace(firing, count=before.count + firing.count, uid=before.uid)
            self._waiting[firing.key] = firing
        if before is None:
            self._say(firing)

    def _say(self, firing: Firing) -> None:
        try:
            self._on_wait(firing)
        except Exception:
            # Whoever reports an alert must not fail because nobody can be told.
            _log.exception("nobody could be told of %s", firing.key)
