"""What one training does, from the data to the verdicts of the gates. Reads and writes no database."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from mlops.artefacts import Manifest, files_in
from mlops.errors import JobLost, MlopsError, RetrainingError, StoreUnavailable, TooLittleData, TrainingInterrupted
from mlops.evaluation.gates import run_gates
from mlops.evaluation.results import Evaluation
from mlops.files import write_whole
from mlops.model_registry.profiles import with_profile
from mlops.retraining.frames import read_frames
from mlops.retraining.trainer import Trainer
from mlops.retraining.trainers import code_version_of
from mlops.sentences import say

Stage = Literal["running", "evaluating"]
Report = Callable[[Stage, float, str], None]
"""Told the stage, how far the whole is (0 to 1), and what it does now. Raises where the training is to stop."""

# Shares of the whole: gathering the data ends at the first, training at the second.
_GATHERED, _TRAINED = 0.1, 0.8


class TrainingEnded(Exception):
    """A training came to nothing. *how* it ended, and why; *trace* is for the log."""

    def __init__(self, how: Literal["skipped", "failed", "interrupted"], reason: str, trace: str = "") -> None:
        super().__init__(reason)
        self.how = how
        self.reason = reason
        self.trace = trace


@dataclass(frozen=True)
class TrainingOrder:
    """What is to be trained.

    Attributes:
        parameters: what to train with.
        frames: folder with ``training.parquet`` and maybe ``validation.parquet``; None where the trainer gathers data.
        champion: the version to compare with.
        known: version by digest of its files, of all versions: the same again is nothing new.
    """

    job_id: int
    model_id: str
    parameters: Mapping[str, Any]
    seed: int
    frames: str | None
    champion: str
    known: Mapping[str, str]

    def to_json(self) -> bytes:
        """For a process of its own."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def from_json(cls, text: bytes) -> TrainingOrder:
        """As :meth:`to_json` wrote it."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True)
class Findings:
    """What came of a training.

    Attributes:
        files: the artefact, with the reference profile among them.
        artefact: its digest.
        same_as: the version that has the same files; the rest is empty then. None where it is new.
        result: metrics, parameters and curves of the training, and the version of the program.
        comparison: figures of challenger and champion on the holdout.
        verdicts: of the gates.
    """

    files: Mapping[str, bytes]
    artefact: str
    data_fingerprint: str
    same_as: str | None
    result: Mapping[str, Any]
    comparison: Mapping[str, Any]
    verdicts: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether every gate passed. Where there is none, nothing speaks for the challenger."""
        return bool(self.verdicts) and all(each["outcome"] == "passed" for each in self.verdicts)

    def save(self, folder: Path) -> None:
        """Write all of it below *folder*, the last file at once: it is there whole, or not at all."""
        for name, content in self.files.items():
            path = folder / "artefact" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        fields = {name: value for name, value in vars(self).items() if name != "files"}
        write_whole(folder / "findings.json", orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY))

    @classmethod
    def load(cls, folder: Path) -> Findings:
        """As :meth:`save` wrote it.

        Raises:
            RetrainingError: the files are not those that it tells of.
        """
        found = cls(files=files_in(folder / "artefact"), **orjson.loads((folder / "findings.json").read_bytes()))
        if Manifest.of(found.files).digest != found.artefact:
            raise RetrainingError(say("the files in {folder!s} are not those that the training wrote", folder=folder))
        return found


def carry_out(
    trainer: Trainer[Any], order: TrainingOrder, champion_files: Mapping[str, bytes], report: Report
) -> Findings:
    """Train, and evaluate challenger and champion on the same holdout.

    Raises:
        TrainingEnded: there is not enough data, or something failed; whether it may pass is said with it.
        Exception: whatever *report* raises.
    """
    report("running", 0.0, say("gathers the data"))
    with failures_named(lambda error: say("the data cannot be used: {error}", error=error)):
        data = _data(trainer, order)
        fingerprint = trainer.fingerprint(data)
    report("running", _GATHERED, say("trains"))

    def progress(share: float, doing: str) -> None:
        report("running", _GATHERED + (_TRAINED - _GATHERED) * min(max(share, 0.0), 1.0), doing)

    with failures_named(lambda error: say("the training failed: {error}", error=error)):
        trained = trainer.train(data, order.parameters, order.seed, progress)
        files = with_profile(trained.files, trained.profile) or {}
        artefact = Manifest.of(files).digest
        result = _result(trained.metrics, trained.parameters, trained.curves, code_version_of(trainer))
    if artefact in order.known:
        return Findings(files, artefact, fingerprint, order.known[artefact], result, {}, [])
    report("evaluating", _TRAINED, say("evaluates the challenger"))
    with failures_named(lambda error: say("the challenger cannot be evaluated: {error}", error=error)):
        challenger = trainer.evaluate(files, data)
    version = order.champion
    report("evaluating", (1 + _TRAINED) / 2, say("evaluates the champion {version}", version=version))
    with failures_named(
        lambda error: say("the champion {version} cannot be evaluated: {error}", version=version, error=error)
    ):
        champion = trainer.evaluate(champion_files, data)
        verdicts = [each.to_dict() for each in run_gates(list(trainer.gates()), challenger, champion)]
    comparison = {"challenger": figures_of(challenger), "champion": figures_of(champion)}
    return Findings(files, artefact, fingerprint, None, result, comparison, verdicts)


def figures_of(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of one version, without the value of each unit."""
    return {
        "label": evaluation.label,
        "metrics": [each.to_dict() for each in evaluation.metrics.values()],
        "figures": {name: value for name, value in evaluation.figures.items() if math.isfinite(value)},
        "problems": None if evaluation.problems is None else list(evaluation.problems)[:20],
    }


class Stop(BaseException):
    """Whoever watches a training wants it to stop now. Not an Exception: no trainer is to catch it by mistake."""


@contextmanager
def failures_named(named: Callable[[str], str]) -> Iterator[None]:
    """Make a :class:`TrainingEnded` of whatever a trainer raises, which may be anything.

    Args:
        named: makes a sentence of what was raised that says what failed.
    """
    try:
        yield
    except JobLost:
        raise
    except TooLittleData as error:
        raise TrainingEnded("skipped", str(error)) from error
    except (TrainingInterrupted, StoreUnavailable, ConnectionError, TimeoutError) as error:
        raise TrainingEnded("interrupted", named(str(error) or type(error).__name__)) from error
    except MemoryError as error:
        raise TrainingEnded("failed", named(needs_more_memory())) from error
    except MlopsError as error:
        raise TrainingEnded("failed", named(str(error))) from error
    except Exception as error:
        raise TrainingEnded("failed", named(f"{type(error).__name__}: {error}")) from error


def needs_more_memory() -> str:
    """Why a training ended that was given too little."""
    return say("it needs more memory than RETRAIN_MEMORY_MB allows")


def _data(trainer: Trainer[Any], order: TrainingOrder) -> Any:
    if order.frames is None:
        return trainer.load()
    return trainer.take(*read_frames(Path(order.frames)))


def _result(
    metrics: Mapping[str, float], parameters: Mapping[str, Any], curves: Mapping[str, Any], code_version: str
) -> dict[str, Any]:
    wrong = [name for name, value in metrics.items() if not math.isfinite(value)]
    if wrong:
        raise ValueError(f"the metric {wrong[0]} must be a finite number, got {metrics[wrong[0]]}")
    return {
        "metrics": dict(metrics),
        "parameters": dict(parameters),
        "curves": {name: [float(value) for value in values] for name, values in curves.items()},
        "code_version": code_version,
    }
