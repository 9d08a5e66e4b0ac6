"""A small service of its own in a temporary folder: a registry, a model, users. What drills break on purpose.

Nothing in it is the real service's: another database, other artefacts, other threads. The requests are simulated, and
so are the clicks; the machinery is the one that serves.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mlops import schema
from mlops.artefacts import DiskArtefacts
from mlops.live_model import LiveModel, Served
from mlops.model_registry import ModelMetadata, ModelRegistry, ModelVersion
from mlops.rollout.challenger import Challenger
from mlops.rollout.controller import RolloutController
from mlops.rollout.plan import RolloutPlan
from mlops.rollout.router import CanaryRouter
from mlops.rollout.runner import RolloutRunner
from mlops.rollout.state import Rollout
from mlops.store import Database

MODEL = "drilled"
CHAMPION = "1.0.0"
CHALLENGER = "1.1.0"
PLAN = RolloutPlan(
    shadow_seconds=0, shares=(0.2, 0.5), hold_seconds=60, max_seconds=3_600, watch_seconds=60, least_requests=50
)
_EVERY_SECONDS = 0.05
# How likely a click is when the item stands first.
_CLICKS = {"soup": 0.4, "bread": 0.2, "stew": 0.1}


class TinyModel:
    """Ranks three items by weights. What is wrong with it is part of it, so that it can be drilled.

    Attributes:
        fault: ``slow``, ``raising``, ``rubbish``, or nothing.
    """

    def __init__(self, weights: Mapping[str, float], fault: str = "") -> None:
        self.weights = dict(weights)
        self.fault = fault

    @classmethod
    def load(cls, _version: ModelVersion, files: Mapping[str, bytes]) -> TinyModel:
        """From its only file."""
        return cls(**json.loads(files["model.json"]))

    def files(self) -> dict[str, bytes]:
        """Its only file."""
        return {"model.json": json.dumps({"weights": self.weights, "fault": self.fault}).encode()}

    def predict(self, _request: str) -> list[tuple[str, float]]:
        """Items and scores, best first."""
        if self.fault == "raising":
            raise RuntimeError("this model raises on purpose")
        if self.fault == "slow":
            time.sleep(0.01)
        if self.fault == "rubbish":
            return [("soup", math.nan), ("nothing we have", math.inf)]
        return sorted(self.weights.items(), key=lambda pair: -pair[1])


GOOD = TinyModel({"soup": 0.9, "bread": 0.5, "stew": 0.1})


def is_valid(answer: Sequence[tuple[str, float]]) -> bool:
    """Whether all items exist, and all scores are numbers."""
    return all(item in _CLICKS and math.isfinite(score) for item, score in answer)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that was raised, and when."""

    at: float
    sentence: str


class Sandbox:
    """The service. A context manager: its folder and threads are gone at the end."""

    def __init__(self, *, seed: int = 7) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="drill-"))
        self.database = Database(f"sqlite:///{self.folder}/state.db", tables=(schema.MIGRATIONS,))
        self.artefacts = DiskArtefacts(self.folder / "artifacts")
        self.registry = ModelRegistry(self.database, artefacts=self.artefacts, actor="drill")
        self.alarms: list[Alarm] = []
        self.n_answered = 0
        self.n_unanswered = 0
        self._rng = np.random.default_rng(seed)
        self._parts()

    def _parts(self) -> None:
        self.live = LiveModel(
            self.registry, MODEL, load=TinyModel.load, try_out=_try_out, poll_seconds=_EVERY_SECONDS, actor="drill"
        )
        self.router = CanaryRouter(self.database, MODEL, poll_seconds=_EVERY_SECONDS)
        self.challenger = Challenger(
            self.registry, self.router, load=TinyModel.load, try_out=_try_out, poll_seconds=_EVERY_SECONDS
        )
        self.controller = RolloutController(self.registry, alarm=self._alarm, serving=self.serving)
        self._runner = RolloutRunner(self.controller, every_seconds=_EVERY_SECONDS)

    def __enter__(self) -> Sandbox:
        self.register(CHAMPION, GOOD)
        self.registry.promote(MODEL, CHAMPION, because="the drill's champion")
        self.live.refresh()
        for part in (self.live, self.router, self.challenger, self._runner):
            part.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in (self._runner, self.challenger, self.router, self.live):
            part.stop()
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def register(self, version: str, model: TinyModel) -> None:
        """Register a version of the drilled model."""
        self.registry.register(ModelMetadata(MODEL, version), artefact=model.files())

    def serving(self, _model_id: str) -> str | None:
        """The version that everybody gets who is not in the canary."""
        return None if self.live.served is None else self.live.served.version.version

    def rollout(self) -> Rollout | None:
        """The last rollout, as the database has it."""
        return next(iter(self.controller.history(MODEL, limit=1)), None)

    def answer(self) -> None:
        """Answer one request of one more user, as a service does: where the challenger fails, the champion answers."""
        self.n_answered += 1
        choice = self.router.choose(f"user-{self.n_answered}")
        held = self.challenger.served if choice.counted_as == "challenger" else self.live.served
        began = time.perf_counter()
        try:
            assert held is not None  # noqa: S101
            answer = held.model.predict("something warm")
        except Exception:
            # Users are answered all the same, by the one that is known to be good.
            self.router.observe(choice, answered_by=_version(held), failed=True)
            self._answer_anyway()
            return
        seconds = time.perf_counter() - began
        self.router.observe(choice, answered_by=_version(held), valid=is_valid(answer), seconds=seconds)
        self.router.outcome(choice, "click", float(self._rng.random() < _CLICKS.get(answer[0][0], 0.0)))

    def _answer_anyway(self) -> None:
        served = self.live.served
        try:
            assert served is not None  # noqa: S101
            served.model.predict("something warm")
        except Exception:
            self.n_unanswered += 1

    def _alarm(self, _model_id: str, sentence: str, _figures: Mapping[str, Any]) -> None:
        self.alarms.append(Alarm(time.monotonic(), sentence))


def _version(held: Served[TinyModel] | None) -> str | None:
    return None if held is None else held.version.version


def _try_out(model: TinyModel) -> None:
    # One that raises is let through: it is the stop rules that are drilled here, and a first query may well succeed.
    if not model.weights:
        raise ValueError("the model knows no item")
