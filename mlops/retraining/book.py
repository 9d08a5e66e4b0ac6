"""The jobs in the state database. Each change is one guarded statement: it happens to the job that was seen, or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from mlops.clock import Clock, utc_now
from mlops.errors import InvalidMetadata, JobConflict, JobLost, UnknownJob
from mlops.model_registry.metadata import checked_text
from mlops.retraining.jobs import OPEN, JobState, RetrainingJob, check_move, to_job
from mlops.schema import retraining_jobs as jobs
from mlops.sentences import say
from mlops.store import Database, insert_new

LONGEST_LOG = 200
_LONGEST_LINE = 500
_IS_OPEN = jobs.c.finished_at.is_(None)
_JSON = ("parameters", "log", "entered", "result", "evidence")
_LEFT_OUT = {"log": sa.literal_column("'[]'"), "result": sa.null(), "evidence": sa.null()}
_BRIEF = tuple(_LEFT_OUT[each.name].label(each.name) if each.name in _LEFT_OUT else each for each in jobs.c)


class JobBook:
    """Keeps jobs. Safe to use from threads and processes."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self.database = database
        self.clock = clock

    # --- Asking for one, and looking --------------------------------------------------------------------------------

    def create(
        self,
        model_id: str,
        *,
        because: str,
        requested_by: str,
        automatic: bool = False,
        parameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        held_for_seconds: float = 0.0,
    ) -> tuple[RetrainingJob, bool]:
        """The open job of *model_id*, and whether it is new: of several who ask at once, one makes it.

        Args:
            held_for_seconds: for so long no worker takes it by itself.

        Raises:
            InvalidMetadata: *because* or *parameters* cannot be kept.
        """
        now = self.clock()
        checked_text("because", because)
        row = {
            "model_id": model_id, "state": "pending", "requested_at": now, "requested_by": requested_by,
            "automatic": automatic, "because": because, "parameters": _text(dict(parameters or {})), "seed": seed,
            "not_before": now + timedelta(seconds=held_for_seconds), "token": 0, "attempts": 0, "progress": 0.0,
            "doing": say("waits for a worker"), "log": "[]", "entered": _text({"pending": now.isoformat()}),
        }  # fmt: skip
        query = sa.select(jobs).where(jobs.c.model_id == model_id, _IS_OPEN)
        while True:
            with self.database.writing() as connection:
                is_new = insert_new(connection, jobs, row, key=["model_id"], among=_IS_OPEN)
                found = connection.execute(query).mappings().first()
            # None: the job that was in the way has ended just now.
            if found is not None:
                return to_job(found), is_new

    def get(self, job_id: int) -> RetrainingJob:
        """A job as it is now.

        Raises:
            UnknownJob: there is none of this number.
        """
        with self.database.reading() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
        if row is None:
            raise UnknownJob(say("there is no retraining job {job:d}", job=job_id))
        return to_job(row)

    def listed(
        self,
        model_id: str | None = None,
        *,
        states: Sequence[str] = (),
        limit: int | None = None,
        before: int | None = None,
        brief: bool = False,
    ) -> list[RetrainingJob]:
        """Jobs, newest first: of one model or all, in some states or any, at most *limit* of those before a number.

        Args:
            brief: leave out ``log``, ``result`` and ``evidence``, which are most of a job.
        """
        is_of_open = bool(states) and set(states) <= set(OPEN)
        # Open ones in an order that no index has: else SQLite may read the whole table, from its end.
        number = jobs.c.job_id + 0 if is_of_open else jobs.c.job_id
        query = sa.select(*(_BRIEF if brief else jobs.c)).order_by(number.desc()).limit(limit)
        if model_id is not None:
            query = query.where(jobs.c.model_id == model_id)
        if states:
            query = query.where(jobs.c.state.in_(states))
        if is_of_open:
            # There is an index for these, and few of them.
            query = query.where(_IS_OPEN)
        if before is not None:
            query = query.where(jobs.c.job_id < before)
        with self.database.reading() as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def open_job(self, model_id: str) -> RetrainingJob | None:
        """The open job of a model, None where there is none."""
        return next(iter(self.listed(model_id, states=OPEN)), None)

    def workable(self) -> list[RetrainingJob]:
        """Jobs that a worker may take now, the oldest first; those that another one has are among them."""
        now = self.clock()
        due = sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now)
        query = (
            sa.select(jobs)
            .where(_IS_OPEN, jobs.c.state.in_(["pending", "running", "evaluating"]), due)
            .order_by(jobs.c.job_id)
        )
        with self.database.reading() as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    # --- What a person does -----------------------------------------------------------------------------------------

    def bring_frames(self, job: RetrainingJob, folder: str) -> RetrainingJob:
        """Note where the data that the caller brings lie, while nobody has begun.

        Raises:
            JobConflict: somebody has.
        """
        changed = self._update(jobs.c.state == "pending", job.job_id, {"frames": folder})
        if changed is None:
            raise JobConflict(f"job {job.job_id} is {self.get(job.job_id).state}: data can be brought to a pending one")
        return changed

    def ask_to_cancel(self, job_id: int, *, actor: str) -> RetrainingJob:
        """End a pending job at once; ask the worker of a running one to end it.

        Raises:
            UnknownJob: there is no such job.
            JobConflict: it is over, or awaits approval.
        """
        now = self.clock()
        reason = say("cancelled by {actor!s} before it began", actor=actor)
        ended = self._ending("cancelled", now, outcome="cancelled", reason=reason)
        for state, values in (("pending", {**ended, "cancelled_by": actor}), ("working", {"cancelled_by": actor})):
            guard = jobs.c.state == state if state == "pending" else jobs.c.state.in_(["running", "evaluating"])
            changed = self._update(guard, job_id, values, entering=values.get("state"))
            if changed is not None:
                return changed
        job = self.get(job_id)
        if job.state == "awaiting_approval":
            raise JobConflict(say("job {job:d} is awaiting_approval: reject it instead", job=job_id))
        raise JobConflict(say("job {job:d} is {state}: there is nothing to cancel", job=job_id, state=job.state))

    # --- What a worker does -----------------------------------------------------------------------------------------

    def claim(self, seen: RetrainingJob, *, token: int, worker: str) -> RetrainingJob | None:
        """Take the job as it was seen, under the lease of *token*; None where somebody else was first.

        What was decided stays so: such a job goes on with its consequences.
        """
        values: dict[str, Any] = {"token": token, "worker": worker, "attempts": seen.attempts + 1}
        state: JobState = seen.state if seen.is_decided else "running"
        if not seen.is_decided:
            values |= {"state": "running", "progress": 0.0, "doing": say("begins")}
        guard = sa.and_(jobs.c.state == seen.state, jobs.c.token == seen.token, jobs.c.token < token)
        return self._update(guard, seen.job_id, values, entering=state if state != seen.state else None)

    def write(self, job: RetrainingJob, **values: Any) -> RetrainingJob:
        """Write *values* to a job that this worker has.

        Raises:
            JobLost: another worker has it, or it is over.
        """
        guard = sa.and_(jobs.c.token == job.token, jobs.c.state == job.state)
        changed = self._update(guard, job.job_id, values)
        if changed is None:
            raise _lost(job)
        return changed

    def move(self, job: RetrainingJob, to: JobState, **values: Any) -> RetrainingJob:
        """Move a job that this worker has, and write *values* with it.

        Raises:
            JobConflict: no move leads there.
            JobLost: another worker has it, or it is not in the state that it was seen in.
        """
        check_move(job.state, to)
        now = self.clock()
        all_values = {"state": to, **values}
        if to not in OPEN:
            all_values = self._ending(to, now, **values)
        guard = sa.and_(jobs.c.token == job.token, jobs.c.state == job.state)
        changed = self._update(guard, job.job_id, all_values, entering=to)
        if changed is None:
            raise _lost(job)
        return changed

    def put_off(self, job: RetrainingJob, *, reason: str, seconds: float) -> RetrainingJob:
        """Let an interrupted job be begun anew, in so many seconds."""
        until = self.clock() + timedelta(seconds=seconds)
        again = say("tried again in {seconds:.0f} s", seconds=seconds)
        log = with_line(job.log, f"{reason}; {again}", at=self.clock())
        return self.move(job, "pending", not_before=until, doing=say("waits for its next attempt"), log=log)

    def _ending(self, state: JobState, now: datetime, **values: Any) -> dict[str, Any]:
        return {"state": state, "finished_at": now, "doing": say("over"), **values}

    def _update(
        self, guard: sa.ColumnElement[bool], job_id: int, values: Mapping[str, Any], *, entering: str | None = None
    ) -> RetrainingJob | None:
        written = {name: _text(value) if name in _JSON else value for name, value in values.items()}
        with self.database.writing() as connection:
            if entering is not None:
                query = sa.select(jobs.c.entered).where(jobs.c.job_id == job_id, guard)
                entered = connection.execute(query).scalar()
                times = {**orjson.loads(entered or "{}"), entering: self.clock().isoformat()}
                written["entered"] = _text(times)
            statement = sa.update(jobs).where(jobs.c.job_id == job_id, guard).values(**written).returning(*jobs.c)
            row = connection.execute(statement).mappings().first()
        return None if row is None else to_job(row)


def _lost(job: RetrainingJob) -> JobLost:
    return JobLost(say("job {job:d} has another worker by now, or was ended", job=job.job_id))


def with_line(log: Sequence[str], line: str, *, at: datetime) -> list[str]:
    """*log* and one more line; the oldest go where it would get longer than :data:`LONGEST_LOG`."""
    text = " ".join(line.split())[:_LONGEST_LINE].replace("\0", "")
    return [*log, f"{at:%Y-%m-%d %H:%M:%S} {text}"][-LONGEST_LOG:]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError as error:
        raise InvalidMetadata("retraining job", f"holds what JSON cannot: {error}") from error
