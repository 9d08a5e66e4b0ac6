"""What the console shows and no request may wait for: made in the background, in one process at a time, and kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mlops.background import Repeating
from mlops.clock import Clock, utc_now
from mlops.errors import MlopsError
from mlops.memory import give_back_free_memory
from mlops.model_registry import ModelRegistry
from mlops.monitoring.drift_book import DriftBook
from mlops.store.leases import Leases
from recipes.golden_results import GoldenResults
from recipes.quality_days import QualityDays
from recipes.ranker import MODEL_ID
from recipes.recommender import Recommender
from recipes.signals import RecipeSignals

_log = logging.getLogger("recipes.insight")

LOOK_SECONDS = 30.0
DAYS_SECONDS = 600.0
DRIFT_SECONDS = 900.0
GOLDEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Task:
    """Something to make every so many seconds, by whichever process comes first."""

    name: str
    every_seconds: float
    make: Callable[[], object]


class _Stopping(Exception):
    """The service ends, and does not wait for what can be made later."""


class Insight:
    """Counts the quality of days, checks for drift, and asks golden queries of a version that has not been asked."""

    def __init__(self, registry: ModelRegistry, recommender: Recommender, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        database = registry.database
        self.days = QualityDays(database, clock=clock)
        self.golden = GoldenResults(database, clock=clock)
        self.drift = DriftBook(database, clock=clock)
        self._recommender = recommender
        self._signals = RecipeSignals(registry, database, clock=clock)
        self._leases = Leases(database, clock=clock)
        self._tasks = (
            _Task("quality-days", DAYS_SECONDS, lambda: self.days.refresh(on_day=self._go_on)),
            _Task("drift-check", DRIFT_SECONDS, self.check_drift),
            _Task("golden-queries", GOLDEN_SECONDS, self.ask_golden),
        )
        self._is_stopping = threading.Event()
        self._thread = Repeating(
            "insight",
            self.look,
            every_seconds=LOOK_SECONDS,
            log=_log,
            trouble="what the console shows could not be made, and is tried again",
        )

    def start(self) -> None:
        """Begin to work in the background."""
        self._is_stopping.clear()
        self._thread.start()

    def stop(self) -> None:
        """Work no more; what is half made is made anew another time."""
        self._is_stopping.set()
        self._thread.stop()

    def look(self) -> list[str]:
        """Make what is due and what no other process makes; the names of what was made."""
        made = [task.name for task in self._tasks if self._is_made(task)]
        if made:
            give_back_free_memory()
        return made

    def check_drift(self) -> None:
        """Compare what was shown of late with what the champion learned from, and keep it.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        found = self._signals.checked(MODEL_ID)
        if found is not None:
            self.drift.keep(MODEL_ID, found.version, found.report, since=found.since)

    def ask_golden(self) -> None:
        """Ask the golden queries, where this version was not asked of this index yet.

        Raises:
            EncoderUnavailable, IndexUnavailable, StoreUnavailable: it cannot be asked as usual.
        """
        index = self._recommender.index
        if index is not None and not self.golden.is_known(self._recommender.ranker.version, index.name):
            self.golden.ask(self._recommender, on_query=self._go_on)

    def _go_on(self) -> None:
        if self._is_stopping.is_set():
            raise _Stopping("the service ends")

    def _is_made(self, task: _Task) -> bool:
        try:
            # Kept until it expires: whoever asks sooner has nothing to add.
            if self._leases.take(task.name, "service", task.every_seconds * 0.9) is None:
                return False
            task.make()
        except (MlopsError, _Stopping) as error:
            _log.info("%s comes later: %s", task.name, error)
            return False
        return True
