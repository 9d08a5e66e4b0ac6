"""What was found when models were last checked: for pages, which cannot wait until drift is measured."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops.clock import Clock, utc_now
from mlops.errors import MlopsError
from mlops.retraining.needs import Need

_log = logging.getLogger("mlops.retraining")

FRESH = timedelta(minutes=10)
# What is found so soon is on the page that asked for it.
_PATIENCE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CheckedNeed:
    """The last check of a model: *need*, or the sentence of what failed; both None while the first goes on."""

    need: Need | None = None
    checked_at: datetime | None = None
    problem: str | None = None


class RecentNeeds:
    """The last need of each model in this process. Asked for an old one, it checks anew, aside."""

    def __init__(self, check: Callable[[str], Need], *, clock: Clock = utc_now) -> None:
        """Nothing is checked yet.

        Args:
            check: gives a need, and has :meth:`remember` called with it.
        """
        self._check = check
        self._clock = clock
        self._guard = threading.Lock()
        self._found: dict[str, CheckedNeed] = {}
        self._checking: dict[str, threading.Thread] = {}

    def remember(self, need: Need) -> Need:
        """Note *need*, found now; gives it back."""
        with self._guard:
            self._found[need.model_id] = CheckedNeed(need, self._clock())
        return need

    def of(self, model_id: str, *, wait_seconds: float = _PATIENCE_SECONDS) -> CheckedNeed:
        """The last check of *model_id*.

        One older than ten minutes is told with its time, while the next one begins in a thread of its own.

        Args:
            wait_seconds: for how long, at most, the new one is waited for.
        """
        now = self._clock()
        with self._guard:
            known = self._found.get(model_id, CheckedNeed())
            if known.checked_at is not None and timedelta(0) <= now - known.checked_at < FRESH:
                return known
            thread = self._checking.get(model_id)
            if thread is None:
                thread = threading.Thread(target=self._run, args=(model_id,), name=f"need-{model_id}", daemon=True)
                self._checking[model_id] = thread
                thread.start()
        thread.join(wait_seconds)
        with self._guard:
            return self._found.get(model_id, known)

    def _run(self, model_id: str) -> None:
        try:
            self._check(model_id)
        except MlopsError as error:
            self._note_failure(model_id, str(error))
        except Exception as error:
            # An application's signals may raise anything; the page says so instead of the server's log alone.
            _log.exception("the need of %s could not be checked", model_id)
            self._note_failure(model_id, f"{type(error).__name__}: {error}")
        finally:
            with self._guard:
                self._checking.pop(model_id, None)

    def _note_failure(self, model_id: str, problem: str) -> None:
        with self._guard:
            self._found[model_id] = CheckedNeed(None, self._clock(), problem)
