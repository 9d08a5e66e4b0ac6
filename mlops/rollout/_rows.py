"""Rollouts in the state database: reading rows and changing them, each call inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlops.errors import Conflict, RolloutOpen, UnknownRollout
from mlops.rollout.plan import RolloutPlan
from mlops.rollout.state import Bar, Happening, Rollout, RolloutEvent
from mlops.schema import barred_versions, rollout_events, rollouts
from mlops.sentences import say
from mlops.store import insert_new

_COLUMNS = tuple(rollouts.c)
_IS_OPEN = rollouts.c.ended_at.is_(None)
_BARRED = barred_versions.c.lifted_at.is_(None)
_BAR_COLUMNS = (
    barred_versions.c.model_id,
    barred_versions.c.version,
    barred_versions.c.artefact,
    barred_versions.c.barred_at,
    barred_versions.c.barred_by,
    barred_versions.c.because,
)


def open_one(connection: sa.Connection, model_id: str) -> Rollout | None:
    """The rollout of *model_id* that is under way."""
    row = connection.execute(sa.select(*_COLUMNS).where(rollouts.c.model_id == model_id, _IS_OPEN)).first()
    return None if row is None else _rollout(row)


def open_ones(connection: sa.Connection) -> list[Rollout]:
    """The rollouts under way, by model: one each at most."""
    return [
        _rollout(row) for row in connection.execute(sa.select(*_COLUMNS).where(_IS_OPEN).order_by(rollouts.c.model_id))
    ]


def open_models(connection: sa.Connection) -> list[str]:
    """Models with a rollout under way, or one whose end has something left to do."""
    query = sa.select(rollouts.c.model_id).where(sa.or_(_IS_OPEN, rollouts.c.settled.is_(sa.false())))
    return sorted(set(connection.execute(query).scalars()))


def by_id(connection: sa.Connection, rollout_id: int) -> Rollout:
    """A rollout.

    Raises:
        UnknownRollout: there is none of this number.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(rollouts.c.rollout_id == rollout_id)).first()
    if row is None:
        raise UnknownRollout(say("there is no rollout {rollout:d}", rollout=rollout_id))
    return _rollout(row)


def listed(connection: sa.Connection, model_id: str | None, *, limit: int, before: int | None) -> list[Rollout]:
    """Rollouts, newest first."""
    query = sa.select(*_COLUMNS).order_by(rollouts.c.rollout_id.desc()).limit(limit)
    if model_id is not None:
        query = query.where(rollouts.c.model_id == model_id)
    if before is not None:
        query = query.where(rollouts.c.rollout_id < before)
    return [_rollout(row) for row in connection.execute(query)]


def unsettled(connection: sa.Connection, model_id: str) -> list[Rollout]:
    """Rollouts that ended, with something left to do, oldest first."""
    query = (
        sa.select(*_COLUMNS)
        .where(rollouts.c.model_id == model_id, rollouts.c.settled.is_(sa.false()), sa.not_(_IS_OPEN))
        .order_by(rollouts.c.rollout_id)
    )
    return [_rollout(row) for row in connection.execute(query)]


def insert(connection: sa.Connection, row: dict[str, Any]) -> Rollout:
    """A new rollout.

    Raises:
        RolloutOpen: one of this model is under way.
    """
    if not insert_new(connection, rollouts, row, key=["model_id"], among=_IS_OPEN):
        raise RolloutOpen(
            say(
                "a rollout of {model!s} is under way; there is one at a time: mlops rollout abort",
                model=row["model_id"],
            )
        )
    found = open_one(connection, row["model_id"])
    assert found is not None  # noqa: S101
    return found


def change(connection: sa.Connection, rollout: Rollout, **values: Any) -> Rollout:
    """Set columns of a rollout, and read it back.

    Raises:
        Conflict: somebody else has changed it since *rollout* was read.
    """
    statement = (
        sa.update(rollouts)
        .where(rollouts.c.rollout_id == rollout.rollout_id, rollouts.c.revision == rollout.revision)
        .values(revision=rollout.revision + 1, **values)
        .returning(*_COLUMNS)
    )
    row = connection.execute(statement).first()
    if row is None:
        raise Conflict(
            say("{rollout} was changed by somebody else at the same moment; look again", rollout=rollout.name)
        )
    return _rollout(row)


def remember(
    connection: sa.Connection,
    rollout_id: int,
    kind: str,
    sentence: str,
    *,
    at: datetime,
    actor: str,
    automatic: bool,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Add an event."""
    row = {
        "rollout_id": rollout_id,
        "at": at,
        "kind": kind,
        "sentence": sentence,
        "figures": dict(figures or {}),
        "actor": actor,
        "automatic": automatic,
    }
    connection.execute(sa.insert(rollout_events), row)


def events(connection: sa.Connection, rollout_id: int) -> list[RolloutEvent]:
    """What happened to a rollout, oldest first."""
    query = (
        sa.select(*rollout_events.c)
        .where(rollout_events.c.rollout_id == rollout_id)
        .order_by(rollout_events.c.event_id)
    )
    return [RolloutEvent(*row) for row in connection.execute(query)]


def latest_events(connection: sa.Connection, limit: int) -> list[Happening]:
    """The newest events of all rollouts, newest first, without their figures."""
    columns = [each for each in rollout_events.c if each.name != "figures"]
    query = (
        sa.select(rollouts.c.model_id, rollouts.c.challenger, *columns)
        .join(rollouts, rollouts.c.rollout_id == rollout_events.c.rollout_id)
        .order_by(rollout_events.c.event_id.desc())
        .limit(limit)
    )
    found = [row._asdict() for row in connection.execute(query)]
    return [Happening(row.pop("model_id"), row.pop("challenger"), RolloutEvent(figures={}, **row)) for row in found]


def bar(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Bar a version; where it is barred, that stays."""
    insert_new(connection, barred_versions, row, key=["model_id", "version"], among=_BARRED)


def bars(connection: sa.Connection, model_id: str | None = None) -> list[Bar]:
    """The bars in force, oldest first."""
    query = sa.select(*_BAR_COLUMNS).where(_BARRED).order_by(barred_versions.c.bar_id)
    if model_id is not None:
        query = query.where(barred_versions.c.model_id == model_id)
    return [Bar(*row) for row in connection.execute(query)]


def bar_of(found: Sequence[Bar], version: str, artefact: str | None) -> Bar | None:
    """The bar on a version, or on one with the same files."""
    same = (each for each in found if each.version == version or (artefact is not None and each.artefact == artefact))
    return next(same, None)


def lift_bar(
    connection: sa.Connection, model_id: str, version: str, *, at: datetime, actor: str, because: str
) -> Bar | None:
    """Lift the bar of a version; None where there is none."""
    statement = (
        sa.update(barred_versions)
        .where(barred_versions.c.model_id == model_id, barred_versions.c.version == version, _BARRED)
        .values(lifted_at=at, lifted_by=actor, lifted_because=because)
        .returning(*_BAR_COLUMNS)
    )
    row = connection.execute(statement).first()
    return None if row is None else Bar(*row)


def _rollout(row: sa.Row[Any]) -> Rollout:
    values = row._asdict()
    return Rollout(**{**values, "plan": RolloutPlan.from_dict(values["plan"])})
