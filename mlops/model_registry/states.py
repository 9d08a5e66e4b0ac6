"""The states of a version, and the moves between them.

training ──► validation ──► production ──► archived
    │            │               ▲            │
    └────────────┴──► archived   └─ rollback ─┘
"""

from __future__ import annotations

from typing import Literal, get_args

from mlops.errors import IllegalMove, InvalidMetadata
from mlops.sentences import say

Status = Literal["training", "validation", "production", "archived"]
STATUSES: tuple[Status, ...] = get_args(Status)

_MOVES: dict[Status, tuple[Status, ...]] = {
    "training": ("validation", "archived"),
    "validation": ("production", "archived"),
    "production": ("archived",),
    "archived": (),
}


def checked_status(value: str) -> Status:
    """*value*, which is a status.

    Raises:
        InvalidMetadata: it is none.
    """
    for status in STATUSES:
        if value == status:
            return status
    raise InvalidMetadata("status", f"must be one of {', '.join(STATUSES)}, got {value!r}")


def steps(name: str, from_status: Status, to_status: Status, *, is_rollback: bool = False) -> tuple[Status, ...]:
    """The statuses that the version *name* goes through on its way, the last one included; none where it is there.

    A promotion from training passes through validation.

    Raises:
        IllegalMove: no way leads there.
    """
    if from_status == to_status:
        return ()
    if is_rollback and from_status == "archived" and to_status == "production":
        return ("production",)
    if from_status == "training" and to_status == "production":
        return ("validation", "production")
    if to_status in _MOVES[from_status]:
        return (to_status,)
    raise IllegalMove(
        say(
            "{version} cannot move from {origin} to {target}: {advice}",
            version=name,
            origin=from_status,
            target=to_status,
            advice=_advice(from_status, to_status),
        ),
        from_status=from_status,
        to_status=to_status,
    )


def _advice(from_status: Status, to_status: Status) -> str:
    if from_status == "archived" and to_status == "production":
        return say("an archived version comes back only by a rollback")
    if from_status == "archived":
        return say("archived is where versions end")
    one, *others = _MOVES[from_status]
    if not others:
        return say("from {origin} it goes to {one}", origin=from_status, one=one)
    return say("from {origin} it goes to {one} or {other}", origin=from_status, one=one, other=others[0])
