"""A thread that steps rollouts. Every worker of a service has one; the lease lets one of them work at a time."""

from __future__ import annotations

import logging
import threading

from mlops.errors import MlopsError
from mlops.rollout.controller import RolloutController

_log = logging.getLogger("mlops.rollout")

STEP_SECONDS = 1.0


class RolloutRunner:
    """Calls :meth:`RolloutController.step` again and again."""

    def __init__(self, controller: RolloutController, *, every_seconds: float = STEP_SECONDS) -> None:
        self._controller = controller
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Returns at once."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the step that is being made."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        told = ""
        while not self._stopping.wait(self._every_seconds):
            try:
                self._controller.step()
                told = ""
            except MlopsError as error:
                # A database that is away for an hour is told of once.
                if told != str(error):
                    _log.warning("rollouts could not be stepped, and are stepped again: %s", error)
                told = str(error)
            except Exception:
                # This thread must neither end nor take the service with it.
                _log.exception("rollouts are stepped again after an error that nobody foresaw")
