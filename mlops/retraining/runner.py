"""The loop inside a service: a thread that looks at the schedule, and one that works."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from mlops.errors import MlopsError
from mlops.retraining.orchestrator import RetrainingOrchestrator
from mlops.retraining.schedule import AutomaticRetrainingScheduler, DueTimes, parse_schedule
from mlops.retraining.worker import RetrainingWorker

_log = logging.getLogger("mlops.retraining")


class RetrainingRunner:
    """Checks models when they are due, and works on jobs one at a time. Every worker of a service may have one."""

    def __init__(self, orchestrator: RetrainingOrchestrator, *, every_seconds: float = 2.0) -> None:
        """Nothing is started yet.

        Args:
            every_seconds: how often to look for something to do.

        Raises:
            BadSchedule: the schedule of the orchestrator's settings is none.
        """
        config = orchestrator.config
        self._schedule = (
            parse_schedule(config.schedule, time_zone=config.time_zone) if config.enabled and config.schedule else None
        )
        self._orchestrator = orchestrator
        self._scheduler = AutomaticRetrainingScheduler(orchestrator)
        self._due = DueTimes(orchestrator.registry.database, clock=orchestrator.book.clock)
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._worker: RetrainingWorker | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin. Returns at once."""
        if self._threads:
            return
        self._stopping.clear()
        self._worker = self._orchestrator.worker()
        tasks: list[tuple[str, Callable[[], object]]] = [("work", self._worker.run_next)]
        if self._schedule is not None:
            tasks.append(("schedule", self.look_at_schedule))
        for name, task in tasks:
            thread = threading.Thread(target=self._repeat, args=(task,), name=f"retraining-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End both threads; a training that runs is ended, and its job is free for others at once."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stopping.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def look_at_schedule(self) -> bool:
        """Check the models where that is due. Whether it was.

        Raises:
            StoreUnavailable: the state database does not answer.
        """
        if self._schedule is None or self._due.take(self._schedule, by=socket.gethostname()) is None:
            return False
        found = self._scheduler.check_and_schedule_retraining()
        _log.info("checked %d models, made %d jobs", len(found["models_checked"]), len(found["scheduled_jobs"]))
        return True

    def _repeat(self, task: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            try:
                did_something = task()
            except MlopsError as error:
                _log.warning("retraining could not go on, and tries again: %s", error)
                did_something = None
            except Exception:
                # This thread must neither end nor take the service with it.
                _log.exception("retraining failed in an unforeseen way, and tries again")
                did_something = None
            if not did_something:
                self._stopping.wait(self._every_seconds)
