"""What the loop needs to know of the settings, in one frozen object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mlops.config import Settings


@dataclass(frozen=True, slots=True)
class RetrainingConfig:
    """When models are trained anew, and how.

    Attributes:
        enabled: whether schedules start trainings by themselves.
        schedule: when the service checks: a time such as ``24h``, a cron line, or empty for never.
        time_zone: of cron lines, as in the IANA database.
        interval_days: age of the last training from which on another is needed; more than 0.
        data_threshold: new labelled samples from which on one is needed; 1 or more.
        cooldown_hours: no automatic training so soon after the last one; 0 or more.
        timeout_minutes: a training that takes longer is ended; more than 0.
        memory_mb: what the process of a training may take, in MiB; None for no limit.
        max_attempts: how often one is begun, where the reason of its failure may pass; 1 or more.
        backoff_seconds: between the first two attempts; doubled for each further one.
        lease_seconds: how long a job stays taken after its worker died; more than 0.
        auto_approve: whether a version that passes all gates goes live by itself.

    Raises:
        ValueError: a field is out of range; the message names it, its value and what would be right.
    """

    enabled: bool = True
    schedule: str = ""
    time_zone: str = "UTC"
    interval_days: float = 7
    data_threshold: int = 1_000
    cooldown_hours: float = 6
    timeout_minutes: float = 120
    memory_mb: int | None = 2_048
    max_attempts: int = 3
    backoff_seconds: float = 30
    lease_seconds: float = 30
    auto_approve: bool = True

    def __post_init__(self) -> None:
        for name in ("interval_days", "timeout_minutes", "lease_seconds"):
            _check(name, getattr(self, name), above=0)
        for name in ("cooldown_hours", "backoff_seconds"):
            _check(name, getattr(self, name), at_least=0)
        for name in ("data_threshold", "max_attempts"):
            _check(name, getattr(self, name), at_least=1)

    @classmethod
    def from_settings(cls, settings: Settings) -> RetrainingConfig:
        """As *settings* say."""
        return cls(
            enabled=settings.retrain_enabled,
            schedule=settings.retrain_schedule,
            time_zone=settings.retrain_time_zone,
            interval_days=settings.retrain_interval_days,
            data_threshold=settings.retrain_data_threshold,
            cooldown_hours=settings.retrain_cooldown_hours,
            timeout_minutes=settings.retrain_timeout_minutes,
            memory_mb=settings.retrain_memory_mb,
            max_attempts=settings.retrain_max_attempts,
            auto_approve=settings.retrain_auto_approve,
        )

    @property
    def cooldown(self) -> timedelta:
        """No automatic training so soon after the last one."""
        return timedelta(hours=self.cooldown_hours)

    @property
    def timeout_seconds(self) -> float:
        """A training that takes longer is ended."""
        return self.timeout_minutes * 60


def folder_of(settings: Settings) -> Path:
    """Where the files of jobs lie while they are open."""
    return settings.var_dir.absolute() / "retraining"


def _check(name: str, value: float, *, above: float = -math.inf, at_least: float = -math.inf) -> None:
    if not (math.isfinite(value) and value > above and value >= at_least):
        wanted = f"more than {above:g}" if at_least == -math.inf else f"{at_least:g} or more"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
