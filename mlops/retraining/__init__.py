"""From the need to train a model anew to a better one in production: needs, jobs, schedule.

``retraining_orchestrator``, ``auto_scheduler`` and ``retrain_config`` are those of the environment's settings, made
when they are first asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops.model_registry.versions import Bump
from mlops.retraining.config import RetrainingConfig
from mlops.retraining.jobs import JOB_STATES, JobState, RetrainingJob
from mlops.retraining.needs import ColumnDrift, Degradation, InstalledSignals, Need, Signals
from mlops.retraining.orchestrator import RetrainingOrchestrator
from mlops.retraining.process import train_here
from mlops.retraining.runner import RetrainingRunner
from mlops.retraining.schedule import AutomaticRetrainingScheduler, parse_schedule
from mlops.retraining.trainer import Progress, Trained, Trainer
from mlops.retraining.trainers import Factory, TrainerEntry, Trainers

if TYPE_CHECKING:
    auto_scheduler: AutomaticRetrainingScheduler
    retrain_config: RetrainingConfig
    retraining_orchestrator: RetrainingOrchestrator

__all__ = [
    "JOB_STATES",
    "AutomaticRetrainingScheduler",
    "ColumnDrift",
    "Degradation",
    "InstalledSignals",
    "JobState",
    "Need",
    "Progress",
    "RetrainingConfig",
    "RetrainingJob",
    "RetrainingOrchestrator",
    "RetrainingRunner",
    "Signals",
    "Trained",
    "Trainer",
    "TrainerEntry",
    "Trainers",
    "auto_scheduler",
    "parse_schedule",
    "register_trainer",
    "retrain_config",
    "retraining_orchestrator",
    "train_here",
]


def register_trainer(
    model_id: str,
    factory: str | Factory,
    *,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    bump: Bump = "minor",
    model_type: str = "hybrid",
) -> TrainerEntry:
    """Say how *model_id* is trained, for this process. See :meth:`Trainers.register`.

    ``register_trainer("hybrid_ranker", "package.module:function")``: the function makes the trainer, in the process
    that trains. The function itself will do, too, where it is at the top of a module or script.
    """
    from mlops.retraining.opening import trainers_of

    return trainers_of().register(model_id, factory, parameters=parameters, seed=seed, bump=bump, model_type=model_type)


_MADE_WHEN_ASKED_FOR = {
    "auto_scheduler": "default_scheduler",
    "retrain_config": "default_config",
    "retraining_orchestrator": "default_orchestrator",
}


def __getattr__(name: str) -> object:
    if name in _MADE_WHEN_ASKED_FOR:
        opening = importlib.import_module("mlops.retraining.opening")
        return getattr(opening, _MADE_WHEN_ASKED_FOR[name])()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
