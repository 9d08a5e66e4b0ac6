"""The parts of the loop that the environment's settings name, one of each for the process."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from mlops.clock import Clock, utc_now
from mlops.config import Settings, default_settings, load_settings
from mlops.errors import InvalidSettings
from mlops.model_registry import ModelRegistry, default_registry, open_registry
from mlops.retraining.book import JobBook
from mlops.retraining.config import RetrainingConfig, folder_of
from mlops.retraining.consequences import BringIn
from mlops.retraining.needs import InstalledSignals, Signals
from mlops.retraining.orchestrator import RetrainingOrchestrator
from mlops.retraining.process import Training
from mlops.retraining.schedule import AutomaticRetrainingScheduler, parse_schedule
from mlops.retraining.trainers import TrainerEntry, Trainers
from mlops.store.leases import Leases

if TYPE_CHECKING:
    from mlops.rollout import Expect

_guard = threading.RLock()
# What register_trainer was told, for the whole process.
_registered: dict[str, TrainerEntry] = {}


def config_of(settings: Settings) -> RetrainingConfig:
    """The loop's settings.

    Raises:
        InvalidSettings: the schedule or its time zone is none.
    """
    found = RetrainingConfig.from_settings(settings)
    try:
        if found.schedule:
            parse_schedule(found.schedule, time_zone=found.time_zone)
    except ValueError as error:
        raise InvalidSettings(f"RETRAIN_SCHEDULE and RETRAIN_TIME_ZONE cannot be used: {error}") from error
    return found


def open_orchestrator(
    settings: Settings | None = None,
    *,
    registry: ModelRegistry | None = None,
    trainers: Trainers | None = None,
    signals: Signals | None = None,
    training: Training | None = None,
    expect: Expect | None = None,
    clock: Clock = utc_now,
) -> RetrainingOrchestrator:
    """The orchestrator that *settings* name (default: those of the environment).

    Args:
        registry: default: the one that *settings* name.
        trainers: default: those of :func:`mlops.retraining.register_trainer` and of ``RETRAIN_TRAINERS``.
        signals: default: those of installed packages, see :class:`~mlops.retraining.needs.InstalledSignals`.
        expect: what is expected of a version before it is rolled out; default: what installed packages expect.
        clock: the time of jobs and of rollouts that follow them. Whether a worker is alive is told by real time.

    Raises:
        InvalidSettings: a setting has a value that cannot be used.
    """
    from mlops.tracking.runner import child_environment

    settings = settings or load_settings(Settings)
    registry = registry or open_registry(settings)
    uri = settings.mlflow_tracking_uri
    return RetrainingOrchestrator(
        registry,
        folder=folder_of(settings),
        trainers=trainers or trainers_of(settings),
        config=config_of(settings),
        signals=signals or InstalledSignals(),
        training=training,
        environment=child_environment(settings, registry.database, "" if uri is None else uri.get_secret_value()),
        bring_in=_bring_in(settings, registry, expect, clock),
        book=JobBook(registry.database, clock=clock),
        leases=Leases(registry.database),
    )


def _bring_in(settings: Settings, registry: ModelRegistry, expect: Expect | None, clock: Clock) -> BringIn | None:
    if settings.rollout_policy == "off":
        return None
    # Rollouts bring SciPy with them, which a command that only lists jobs can do without.
    from mlops.retraining.gradual import GradualStart
    from mlops.rollout import InstalledExpectations, RolloutController, plan_from_settings

    controller = RolloutController(registry, expect=expect or InstalledExpectations(), clock=clock)
    return GradualStart(controller, plan_from_settings(settings))


def trainers_of(settings: Settings | None = None) -> Trainers:
    """What was registered in this process, and what *settings* name.

    Raises:
        InvalidSettings: ``RETRAIN_TRAINERS`` has another form.
    """
    return Trainers("" if settings is None else settings.retrain_trainers, registered=_registered)


@functools.cache
def _orchestrator() -> RetrainingOrchestrator:
    return open_orchestrator(default_settings(), registry=default_registry())


def default_orchestrator() -> RetrainingOrchestrator:
    """``from mlops import retraining_orchestrator``: that of the environment's settings, one for the process."""
    with _guard:
        return _orchestrator()


@functools.cache
def _scheduler() -> AutomaticRetrainingScheduler:
    return AutomaticRetrainingScheduler(_orchestrator())


def default_scheduler() -> AutomaticRetrainingScheduler:
    """``from mlops import auto_scheduler``: that of the environment's settings, one for the process."""
    with _guard:
        return _scheduler()


def default_config() -> RetrainingConfig:
    """``from mlops import retrain_config``: that of the environment's settings."""
    return default_orchestrator().config
