"""The model that this process serves, and how it follows the registry without dropping a request.

A new version in production is loaded beside the one that serves, tried out, and put in its place by swapping one
reference. One that cannot be loaded or does not answer is refused: the old one stays, and the registry is told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlops.background import Repeating
from mlops.errors import StoreError
from mlops.model_registry import ModelRegistry, ModelVersion
from mlops.sentences import say

_log = logging.getLogger("mlops.live_model")

Model = TypeVar("Model")
Load = Callable[[ModelVersion, Mapping[str, bytes]], Model]

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Served(Generic[Model]):
    """A model in memory, ready to answer, and the version that it is."""

    version: ModelVersion
    model: Model


class LiveModel(Generic[Model]):
    """Follows the version of *model_id* in production. :attr:`served` may be read from any thread at any time.

    Attributes:
        served: what answers now; None before the first version was loaded.
        problem: why it is not what the registry wants, None where it is.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        model_id: str,
        *,
        load: Load[Model],
        try_out: Callable[[Model], object],
        on_swap: Callable[[Served[Model]], object] = lambda served: None,
        poll_seconds: float = POLL_SECONDS,
        actor: str = "service",
    ) -> None:
        """Nothing is read yet.

        Args:
            load: makes the model from its version and its verified files.
            try_out: lets it answer a canary query; raises where the answer is of no use.
            on_swap: told of each model that begins to serve.
            poll_seconds: how often the registry is asked whether anything changed.
        """
        self._registry = registry
        self._model_id = model_id
        self._load = load
        self._try_out = try_out
        self._on_swap = on_swap
        self._actor = actor
        self.served: Served[Model] | None = None
        self.problem: str | None = None
        self._before: Served[Model] | None = None
        self._generation = -1
        self._failed: dict[tuple[str, object], str] = {}
        self._guard = threading.Lock()
        self._thread = Repeating(
            f"live-{model_id}",
            self._turn,
            every_seconds=poll_seconds,
            log=_log,
            trouble=f"following {model_id} goes on after an error that nobody foresaw",
        )

    def start(self) -> None:
        """Follow the registry in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more; what serves goes on serving."""
        self._thread.stop()

    def refresh(self) -> None:
        """Look at the registry once, and follow it.

        Raises:
            StoreError: it does not answer; what serves goes on serving.
        """
        with self._guard:
            generation = self._registry.generation(self._model_id)
            if generation != self._generation:
                # Whoever made the change may have died before the file showed it.
                self._registry.view_may_be_old()
                self._follow(self._registry.get_production_model(self._model_id))
                self._generation = generation

    def _follow(self, champion: ModelVersion | None) -> None:
        if champion is None:
            self.problem = say(
                "{model!s} has no version in production: mlops models promote, or rollback", model=self._model_id
            )
            self._serve_a_fallback()
        elif self.served is not None and _is_same(self.served.version, champion):
            self.problem = None
        elif (reason := self._failed.get(_attempt(champion))) is not None:
            self.problem = reason
            self._serve_a_fallback()
        else:
            self._take_over(champion)

    def _take_over(self, champion: ModelVersion) -> None:
        try:
            fresh = self._ready(champion)
        except StoreError:
            raise
        except Exception as error:
            self._refuse(champion, error)
        else:
            self._swap(fresh)
            self.problem = None

    def _ready(self, one: ModelVersion) -> Served[Model]:
        """*one*, loaded and tried out; the version that served before is still in memory."""
        if self._before is not None and _is_same(self._before.version, one):
            model = self._before.model
        else:
            model = self._load(one, self._registry.files(one))
        self._try_out(model)
        return Served(one, model)

    def _swap(self, fresh: Served[Model]) -> None:
        self._before, self.served = self.served, fresh
        self._on_swap(fresh)
        _log.info("%s now serves", fresh.version.name)

    def _refuse(self, champion: ModelVersion, error: Exception) -> None:
        reason = say(
            "{version} cannot serve: {kind}: {error}",
            version=champion.name,
            kind=type(error).__name__,
            error=error,
        )
        _log.error("%s", reason)
        after = self._registry.refuse(self._model_id, champion.version, because=reason, actor=self._actor)
        self._failed[_attempt(champion)] = reason
        self.problem = reason
        if after is not None and after.version != champion.version:
            self._follow(after)
        else:
            self._serve_a_fallback()

    def _serve_a_fallback(self) -> None:
        """Where nothing serves yet, take the nearest version before that can; the registry stays as it is."""
        if self.served is not None:
            return
        for one in self._registry.versions_before(self._model_id):
            try:
                fresh = self._ready(one)
            except StoreError:
                raise
            except Exception as error:
                _log.warning("%s cannot serve either: %s", one.name, error)
            else:
                self._swap(fresh)
                return

    def _turn(self) -> None:
        try:
            self.refresh()
        except StoreError as error:
            _log.debug("the registry does not answer: %s", error)


def _is_same(one: ModelVersion, other: ModelVersion) -> bool:
    return one.version == other.version and one.artefact == other.artefact


def _attempt(champion: ModelVersion) -> tuple[str, object]:
    """A promotion. Promoted once more, a version that failed gets another try."""
    return champion.version, champion.deployed_at
