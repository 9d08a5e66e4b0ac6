"""Retraining jobs: their states, the moves between them, and the record of one.

pending ──► running ──► evaluating ──► awaiting_approval ──► completed
   │           │            │                  └───────────► cancelled
   └───────────┴────────────┴──► completed | failed | skipped | cancelled
An interrupted job goes back: from running or evaluating to pending, to be begun anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson

from mlops.errors import JobConflict

JobState = Literal[
    "pending", "running", "evaluating", "awaiting_approval", "completed", "failed", "skipped", "cancelled"
]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
OPEN: tuple[JobState, ...] = ("pending", "running", "evaluating", "awaiting_approval")

_ENDS: tuple[JobState, ...] = ("failed", "skipped", "cancelled")
_MOVES: Mapping[JobState, tuple[JobState, ...]] = {
    "pending": ("running", *_ENDS),
    "running": ("pending", "evaluating", *_ENDS),
    "evaluating": ("pending", "running", "awaiting_approval", "completed", *_ENDS),
    "awaiting_approval": ("completed", "cancelled"),
}
_JSON = ("parameters", "log", "entered", "result", "evidence")


def check_move(from_state: JobState, to_state: JobState) -> None:
    """See that a job may move so.

    Raises:
        JobConflict: it may not.
    """
    allowed = _MOVES.get(from_state, ())
    if to_state not in allowed:
        ways = f"it goes to {', '.join(allowed)}" if allowed else "that is where jobs end"
        raise JobConflict(f"a job cannot move from {from_state} to {to_state}: from {from_state}, {ways}")


@dataclass(frozen=True, slots=True)
class RetrainingJob:
    """A job as it was when it was read.

    Attributes:
        because: why it was asked for, one sentence each.
        automatic: asked for by a program.
        parameters: what to train with; empty for the trainer's own.
        frames: folder with the data that the caller brought; None where the trainer gathers them.
        token: of the lease of the worker that has it, or had it last; 0 before the first.
        attempts: how often it was begun.
        not_before: it is begun at that time at the earliest.
        cancelled_by: who wants it to end.
        progress: 0 to 1; *doing* says what it does.
        log: the last lines, each with its time.
        entered: when it came into each state, the last time, as ISO 8601 text.
        champion: the version that it was compared with.
        challenger: the version that came of it.
        artefact: digest of its files.
        result: metrics, parameters and curves of the training.
        evidence: comparison, verdicts and looks; what a promotion rests on.
        outcome: ``promoted``, ``rolled out``, ``not promoted``, ``rejected``, ``nothing new``, …; None while it is
            open.
        reason: why it ended so, in a sentence.
    """

    job_id: int
    model_id: str
    state: JobState
    requested_at: datetime
    requested_by: str
    automatic: bool
    because: str
    parameters: Mapping[str, Any]
    seed: int
    frames: str | None
    token: int
    worker: str | None
    attempts: int
    not_before: datetime | None
    cancelled_by: str | None
    progress: float
    doing: str
    log: list[str]
    entered: Mapping[str, str]
    champion: str | None
    challenger: str | None
    artefact: str | None
    data_fingerprint: str | None
    result: Mapping[str, Any] | None
    evidence: Mapping[str, Any] | None
    outcome: str | None
    reason: str | None
    finished_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether something is still to come."""
        return self.state in OPEN

    @property
    def is_decided(self) -> bool:
        """Whether the training is over and its evidence is kept, so that only the consequences are left."""
        return self.evidence is not None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


def to_job(row: Mapping[Any, Any]) -> RetrainingJob:
    """A job from its row."""
    values = {
        name: orjson.loads(value) if name in _JSON and value is not None else value for name, value in row.items()
    }
    return RetrainingJob(**values)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
