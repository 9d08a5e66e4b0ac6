"""A model small enough to be trained in a test: the mean of a column. Importable by the process that trains.

The artefact is one number; an answer is as good as it is close to the values of the holdout. What a training does on
the way is told by its parameters.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlops.errors import TooLittleData, TrainingInterrupted, UnreadableData
from mlops.evaluation import Gate, beats
from mlops.evaluation.results import Evaluation, MetricResult
from mlops.retraining import Progress, Trained

N_HOLDOUT = 40


class TinyTrainer:
    """Learns the mean of ``value``; the data are a file, where the environment names one, or what the caller brings."""

    code_version = "tiny 1"

    def load(self) -> Any:
        path = Path(os.environ.get("TINY_DATA", "values.json"))
        return self._checked(json.loads(path.read_text()) if path.exists() else [])

    def take(self, training_data: Any, validation_data: Any = None) -> Any:
        if "value" not in training_data:
            raise UnreadableData(f"the column 'value' is missing, there is {', '.join(training_data)}")
        values = list(training_data["value"])
        return self._checked(values + ([] if validation_data is None else list(validation_data["value"])))

    def fingerprint(self, data: Any) -> str:
        return hashlib.sha256(json.dumps([float(value) for value in data]).encode()).hexdigest()

    def train(self, data: Any, parameters: Mapping[str, Any], seed: int, progress: Progress) -> Trained:
        progress(0.5, "takes the mean")
        misbehave(parameters)
        rng = np.random.default_rng(seed)
        mean = float(np.mean(data[:-N_HOLDOUT])) + parameters.get("noise", 0.0) * float(rng.standard_normal())
        curves = {"loss": [3.0, 2.0, 1.0]}
        return Trained({"model.json": json.dumps(mean).encode()}, {"mean": mean}, dict(parameters), curves)

    def evaluate(self, files: Mapping[str, bytes], data: Any) -> Evaluation:
        closeness = -np.abs(np.asarray(data[-N_HOLDOUT:]) - json.loads(files["model.json"]))
        metric = MetricResult("closeness", closeness, np.arange(N_HOLDOUT), N_HOLDOUT, 0, "minus the distance")
        return Evaluation("tiny", {"closeness": metric})

    def gates(self) -> Sequence[Gate]:
        return [beats("closeness")]

    def _checked(self, values: list[float]) -> Any:
        if len(values) < 2 * N_HOLDOUT:
            raise TooLittleData(f"there are {len(values)} values, and it takes {2 * N_HOLDOUT}")
        if len(set(values)) == 1:
            raise TooLittleData("all values are the same, so there is nothing to learn")
        return values


def misbehave(parameters: Mapping[str, Any]) -> None:
    """What a test wants to happen during the training."""
    if "note_pid" in parameters:
        with Path(parameters["note_pid"]).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if "print" in parameters:
        sys.stdout.write(parameters["print"])
    if "wait_for" in parameters:
        deadline = time.monotonic() + 60
        while not Path(parameters["wait_for"]).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    if "megabytes" in parameters:
        np.ones(parameters["megabytes"] * 2**20 // 8)
    if "raises" in parameters:
        raise RuntimeError(parameters["raises"])
    if "interrupted_until" in parameters and not Path(parameters["interrupted_until"]).exists():
        Path(parameters["interrupted_until"]).touch()
        raise TrainingInterrupted("the source does not answer")
    if "dies" in parameters:
        os.kill(os.getpid(), parameters["dies"])


def make() -> TinyTrainer:
    """For ``register_trainer``."""
    return TinyTrainer()
