"""What a rollout is, as the state database has it.

shadow ──► interleave ──► canary ──► watch ──► promoted
   │           │             │          │
   │           │             │          └────► rolled_back    a guard alarmed after the promotion
   ├───────────┼─────────────┼───────────────► rolled_back    a guard alarmed
   ├───────────┼─────────────┼───────────────► aborted        a person ended it, or the comparison became void
   └───────────┴─────────────┴───────────────► expired        its longest time is over

A plan may leave out shadow, interleave, or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from mlops.errors import RolloutRefused
from mlops.rollout.plan import RolloutPlan
from mlops.sentences import say

Status = Literal["shadow", "interleave", "canary", "watch", "promoted", "rolled_back", "aborted", "expired"]
OPEN: tuple[Status, ...] = ("shadow", "interleave", "canary", "watch")
STATUSES: tuple[Status, ...] = get_args(Status)
# Under which arm the challenger's answers are counted in each stage.
ARMS: Mapping[str, str] = {
    "shadow": "shadow", "interleave": "interleaved", "canary": "challenger", "watch": "watch",
}  # fmt: skip

_MOVES: dict[Status, tuple[Status, ...]] = {
    "shadow": ("interleave", "canary", "watch", "rolled_back", "aborted", "expired"),
    "interleave": ("canary", "watch", "rolled_back", "aborted", "expired"),
    "canary": ("canary", "watch", "rolled_back", "aborted", "expired"),
    "watch": ("promoted", "rolled_back", "aborted"),
}


def check_move(from_status: Status, to_status: Status) -> None:
    """See that a rollout may go from one status to the other.

    Raises:
        RolloutRefused: it may not.
    """
    if to_status not in _MOVES.get(from_status, ()):
        raise RolloutRefused(f"a rollout that is {from_status} cannot become {to_status}")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One challenger's way, as it stands.

    Attributes:
        champion: in production when it started, None where none was.
        share: of users that get the challenger now; while lists are interleaved: of requests that get a list of both.
        step: which of the plan's shares that is; -1 before the canary.
        revision: grows with each change; a change is refused where somebody else made one first.
        key: of the assignment, hexadecimal.
        state: what the stop rules remember between two looks.
        stage_began_at: when this stage or share began.
        settled: whether everything that follows from its end is done.
    """

    rollout_id: int
    model_id: str
    champion: str | None
    challenger: str
    status: Status
    share: float
    step: int
    revision: int
    key: str
    plan: RolloutPlan
    state: Mapping[str, Any]
    started_at: datetime
    started_by: str
    stage_began_at: datetime
    ends_at: datetime
    paused_at: datetime | None
    ended_at: datetime | None
    because: str
    settled: bool

    @property
    def is_open(self) -> bool:
        """Whether it still goes on."""
        return self.status in OPEN

    @property
    def name(self) -> str:
        """Such as ``rollout 3 of ranker 1.2.0``."""
        return say(
            "rollout {number:d} of {model!s} {challenger}",
            number=self.rollout_id,
            model=self.model_id,
            challenger=self.challenger,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without the key and what the stop rules remember."""
        return {
            "rollout_id": self.rollout_id,
            "model_id": self.model_id,
            "champion": self.champion,
            "challenger": self.challenger,
            "status": self.status,
            "is_open": self.is_open,
            "is_paused": self.paused_at is not None,
            "share": self.share,
            "step": self.step,
            "revision": self.revision,
            "plan": self.plan.to_dict(),
            "started_at": self.started_at.isoformat(),
            "started_by": self.started_by,
            "stage_began_at": self.stage_began_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "because": self.because,
            "settled": self.settled,
        }


@dataclass(frozen=True, slots=True)
class RolloutEvent:
    """One decision or happening, with the sentence and the figures that led to it. Never edited.

    Attributes:
        kind: started, stage, paused, resumed, promoted, rolled_back, aborted, expired, watched, verified, not_verified,
            waits, archived, unbarred.
        figures: of each guard at that time, and ``series`` for the chart.
    """

    event_id: int
    rollout_id: int
    at: datetime
    kind: str
    sentence: str
    figures: Mapping[str, Any]
    actor: str
    automatic: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "event_id": self.event_id,
            "rollout_id": self.rollout_id,
            "at": self.at.isoformat(),
            "kind": self.kind,
            "sentence": self.sentence,
            "figures": dict(self.figures),
            "actor": self.actor,
            "automatic": self.automatic,
        }


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, and whose rollout it is of. Its figures are left out."""

    model_id: str
    challenger: str
    event: RolloutEvent


@dataclass(frozen=True, slots=True)
class Bar:
    """A version that must not come back by itself, and every other with the same files."""

    model_id: str
    version: str
    artefact: str | None
    barred_at: datetime
    barred_by: str
    because: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model_id": self.model_id,
            "version": self.version,
            "artefact": self.artefact,
            "barred_at": self.barred_at.isoformat(),
            "barred_by": self.barred_by,
            "because": self.because,
        }
