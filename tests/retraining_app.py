"""A model that can be trained in a moment, for tests: its registry, its data, its orchestrator."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mlops.artefacts import ArtefactStore, MemoryArtefacts
from mlops.model_registry import ModelMetadata, ModelRegistry
from mlops.retraining import (
    RetrainingConfig,
    RetrainingJob,
    RetrainingOrchestrator,
    Signals,
    Trainers,
    train_here,
)
from mlops.retraining.book import JobBook
from mlops.retraining.process import Training
from mlops.store import Database

MODEL = "tiny"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONFIG = RetrainingConfig(backoff_seconds=0.0, lease_seconds=30)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time)


class Loop:
    """``tiny`` 1.0.0 answers 0 and is in production; the data say 5, so that a training gives a better version.

    The data are the file ``values.json`` in the working directory, which the trainer reads wherever it runs.
    """

    def __init__(
        self,
        database: Database,
        *,
        config: RetrainingConfig = CONFIG,
        training: Training | None = train_here,
        clock: Callable[[], datetime] | None = None,
        signals: Signals | None = None,
        artefacts: ArtefactStore | None = None,
        **settings: Any,
    ) -> None:
        self.database = database
        self.folder = Path.cwd() / "jobs"
        self.clock = clock
        self.config = replace(config, **settings)
        timed = {} if clock is None else {"clock": clock}
        self.registry = ModelRegistry(database, artefacts=artefacts or MemoryArtefacts(), actor="ana", **timed)
        self.trainers = Trainers()
        self.trainers.register(MODEL, "tests.tiny_trainer:make")
        self.orchestrator = RetrainingOrchestrator(
            self.registry,
            folder=self.folder,
            trainers=self.trainers,
            config=self.config,
            signals=signals,
            training=training,
            book=JobBook(database, **timed),
        )
        self.book = self.orchestrator.book

    def begin(self, *, at: datetime | None = None) -> Loop:
        """Write the data, and put 1.0.0 into production."""
        write_values(5.0)
        self.registry.register(ModelMetadata(MODEL, "1.0.0", timestamp=at), artefact={"model.json": b"0.0"})
        self.registry.promote(MODEL, "1.0.0", because="first")
        return self

    def job(self, **parameters: Any) -> RetrainingJob:
        """A new job with *parameters*."""
        return self.orchestrator.create_retrain_job(
            MODEL, parameters=parameters, requested_by="ana", held_for_seconds=0
        )

    def run(self, **parameters: Any) -> RetrainingJob:
        """A new job, brought to its end."""
        job = self.job(**parameters)
        self.orchestrator.execute_retrain(job)
        return self.book.get(job.job_id)

    @property
    def champion(self) -> str | None:
        """The version in production."""
        found = self.registry.get_production_model(MODEL)
        return None if found is None else found.version

    @property
    def statuses(self) -> dict[str, str]:
        """Status of each version."""
        return {one.version: one.status for one in self.registry.list_models(MODEL)}


def write_values(mean: float, *, n: int = 200, seed: int = 1) -> None:
    """The data: *n* values about *mean*."""
    values = np.random.default_rng(seed).normal(mean, 1.0, n).tolist()
    Path("values.json").write_text(json.dumps(values))


def environment() -> dict[str, str]:
    """For processes of a test: they find the same modules."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
