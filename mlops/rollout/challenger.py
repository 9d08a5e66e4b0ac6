"""The challenger of the rollout under way, in the memory of the process that answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from mlops.background import Repeating
from mlops.errors import StoreError
from mlops.live_model import Load, Served
from mlops.model_registry import ModelRegistry
from mlops.rollout.router import POLL_SECONDS, CanaryRouter
from mlops.rollout.state import Rollout

_log = logging.getLogger("mlops.rollout")

Model = TypeVar("Model")


class Challenger(Generic[Model]):
    """Loads the challenger beside the champion, tries it out, and drops it when its rollout is over.

    Attributes:
        served: what answers where the router chooses the challenger; None where there is none. May be read from any
            thread at any time: read it once for a request, since it may be dropped meanwhile.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        router: CanaryRouter,
        *,
        load: Load[Model],
        try_out: Callable[[Model], object],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            load: makes the model from its version and its verified files, as for :class:`mlops.live_model.LiveModel`.
            try_out: lets it answer a canary query; raises where the answer is of no use.
        """
        self._registry = registry
        self._router = router
        self._load = load
        self._try_out = try_out
        self.served: Served[Model] | None = None
        self._failed: int | None = None
        self._thread = Repeating(
            "challenger",
            self._turn,
            every_seconds=poll_seconds,
            log=_log,
            trouble="following the challenger goes on after an error that nobody foresaw",
        )

    def start(self) -> None:
        """Follow the router in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more."""
        self._thread.stop()

    def refresh(self) -> None:
        """Load or drop the challenger as the rollout that the router has read wants it.

        Raises:
            StoreError: the registry does not answer.
        """
        rollout = self._router.rollout
        if rollout is None or rollout.status not in ("shadow", "interleave", "canary"):
            self._router.ready(None)
            self.served = None
        elif self._failed != rollout.rollout_id and not self._is_loaded(rollout):
            self._take_in(rollout)

    def _is_loaded(self, rollout: Rollout) -> bool:
        return self.served is not None and self.served.version.version == rollout.challenger

    def _take_in(self, rollout: Rollout) -> None:
        one = self._registry.get_model(rollout.model_id, rollout.challenger)
        if one is None:
            return
        try:
            model = self._load(one, self._registry.files(one))
            self._try_out(model)
        except StoreError:
            raise
        except Exception as error:
            # Whatever a model raises when it is loaded is a reason not to send anybody there.
            self._failed = rollout.rollout_id
            self._router.cannot_load(f"{type(error).__name__}: {error}")
            return
        self.served = Served(one, model)
        self._router.ready(one.version)

    def _turn(self) -> None:
        try:
            self.refresh()
        except StoreError as error:
            _log.debug("the registry does not answer: %s", error)
