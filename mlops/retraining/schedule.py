"""When models are checked: every so often, or by a cron line. The same due time never counts twice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.errors import BadSchedule
from mlops.schema import retraining_due
from mlops.store import Database, insert_new

if TYPE_CHECKING:
    from mlops.retraining.orchestrator import RetrainingOrchestrator

_EVERY = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule(Protocol):
    """Due times without end."""

    @property
    def name(self) -> str:
        """The same for the same due times, in whatever process."""

    def last(self, now: datetime) -> datetime:
        """The last due time that is not after *now*."""

    def next(self, now: datetime) -> datetime:
        """The first due time after *now*."""


@dataclass(frozen=True, slots=True)
class Every:
    """Every so often, counted from 1970 on, so that all processes have the same due times: ``24h`` is midnight UTC."""

    interval: timedelta

    @property
    def name(self) -> str:
        """Such as ``every 86400 s``."""
        return f"every {self.interval.total_seconds():.0f} s"

    def last(self, now: datetime) -> datetime:
        """The last due time that is not after *now*."""
        return _EPOCH + (now - _EPOCH) // self.interval * self.interval

    def next(self, now: datetime) -> datetime:
        """The first due time after *now*."""
        return self.last(now) + self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """By a cron line of five fields, on the clock of a time zone.

    Where that clock is put forward, a time that does not exist comes an hour later, once. Where it is put back, a time
    that comes twice counts the first time.
    """

    line: str
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """Such as ``0 3 * * * Europe/Madrid``."""
        return f"{self.line} {self.zone.key}"

    def last(self, now: datetime) -> datetime:
        """The last due time that is not after *now*."""
        # Where the clock is put forward, later times of the clock may be earlier instants: look a little further.
        return max(time for time in self._around(now) if time <= now)

    def next(self, now: datetime) -> datetime:
        """The first due time after *now*."""
        return min(time for time in self._around(now) if time > now)

    def _around(self, now: datetime) -> list[datetime]:
        from croniter import croniter

        # On the bare clock, where every day has 24 hours; the zone decides afterwards which instant that is.
        wall = now.astimezone(self.zone).replace(tzinfo=None)
        forward, backward = (croniter(self.line, wall + timedelta(microseconds=1)) for _ in range(2))
        found: list[datetime] = []
        reach = timedelta(hours=3)
        while True:
            time = backward.get_prev(datetime)
            found.append(time)
            if time < wall - reach:
                break
        # One more of the past is not enough where the last ones are instants of the future.
        found.append(backward.get_prev(datetime))
        while True:
            time = forward.get_next(datetime)
            found.append(time)
            if time > wall + reach:
                break
        return [each.replace(tzinfo=self.zone).astimezone(UTC) for each in found]


def parse_schedule(text: str, *, time_zone: str = "UTC") -> Schedule:
    """A schedule from text: ``90s``, ``30m``, ``24h``, ``7d``, or a cron line such as ``0 3 * * *``.

    Args:
        time_zone: of a cron line, as in the IANA database.

    Raises:
        BadSchedule: it is neither, or there is no such zone.
    """
    plain = " ".join(text.split())
    every = _EVERY.fullmatch(plain)
    if every is not None and int(every[1]) > 0:
        return Every(timedelta(**{_UNITS[every[2]]: int(every[1])}))
    from croniter import croniter

    if len(plain.split()) != 5 or not croniter.is_valid(plain):
        raise BadSchedule(f"a schedule is 90s, 30m, 24h, 7d, or a cron line such as '0 3 * * *', got {text!r}")
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSchedule(f"a time zone is a name such as Europe/Madrid, got {time_zone!r}") from error
    return Cron(plain, zone)


class DueTimes:
    """Which due times were taken, in the state database: of all processes that come for one, one gets it."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def take(self, schedule: Schedule, *, by: str) -> datetime | None:
        """The last due time of *schedule*, taken now; None where it was taken before.

        Due times that were missed count once, together. The first time that a cron line is seen, nothing was missed:
        it begins with its next due time.
        """
        now = self._clock()
        due = schedule.last(now)
        row = {"schedule": schedule.name, "due_at": due, "taken_at": now, "taken_by": by}
        with self._database.writing() as connection:
            newest = connection.execute(
                sa.select(sa.func.max(retraining_due.c.due_at)).where(retraining_due.c.schedule == schedule.name)
            ).scalar()
            # A clock that was put back must not make an old time due again.
            if newest is not None and newest >= due:
                return None
            is_ours = insert_new(connection, retraining_due, row, key=["schedule", "due_at"])
        is_first_look = newest is None and isinstance(schedule, Cron)
        return due if is_ours and not is_first_look else None


class AutomaticRetrainingScheduler:
    """Looks whether models need training, and makes the jobs; workers run them."""

    def __init__(self, orchestrator: RetrainingOrchestrator) -> None:
        self.orchestrator = orchestrator

    def check_and_schedule_retraining(
        self, model_ids: Iterable[str] | None = None, *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Check *model_ids* (default: all that can be trained), and make a job for each that needs one.

        Args:
            dry_run: make none.

        Returns:
            ``timestamp``, ``models_checked`` (ids), ``retraining_needed`` (``model_id`` and ``reasons`` of each that
            needs training), ``scheduled_jobs`` (``model_id`` and ``job_id``), ``needs`` (all figures by model).

        Raises:
            StoreUnavailable: the state database does not answer.
        """
        wanted = self.orchestrator.model_ids() if model_ids is None else list(model_ids)
        needs = [self.orchestrator.need(model_id) for model_id in wanted]
        due = [] if dry_run else [each for each in needs if each.may_start]
        jobs = [
            self.orchestrator.create_retrain_job(
                each.model_id,
                because=" ".join(each.reasons),
                requested_by="schedule",
                automatic=True,
                held_for_seconds=0,
            )
            for each in due
        ]
        return {
            "timestamp": self.orchestrator.book.clock().isoformat(),
            "models_checked": wanted,
            "retraining_needed": [
                {"model_id": each.model_id, "reasons": list(each.reasons)} for each in needs if each.is_needed
            ],
            "scheduled_jobs": [{"model_id": job.model_id, "job_id": job.job_id} for job in jobs],
            "needs": {each.model_id: each.to_dict() for each in needs},
        }
