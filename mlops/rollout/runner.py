"""A thread that steps rollouts. Every worker of a service has one; the lease lets one of them work at a time."""

from __future__ import annotations

import logging

from mlops.background import Repeating
from mlops.errors import MlopsError
from mlops.rollout.controller import RolloutController

_log = logging.getLogger("mlops.rollout")

STEP_SECONDS = 1.0


class RolloutRunner:
    """Calls :meth:`RolloutController.step` again and again."""

    def __init__(self, controller: RolloutController, *, every_seconds: float = STEP_SECONDS) -> None:
        self._controller = controller
        self._told = ""
        self._thread = Repeating(
            "rollouts",
            self._turn,
            every_seconds=every_seconds,
            log=_log,
            trouble="rollouts are stepped again after an error that nobody foresaw",
        )

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is being made."""
        self._thread.stop()

    def _turn(self) -> None:
        try:
            self._controller.step()
            self._told = ""
        except MlopsError as error:
            # A database that is away for an hour is told of once.
            if self._told != str(error):
                _log.warning("rollouts could not be stepped, and are stepped again: %s", error)
            self._told = str(error)
