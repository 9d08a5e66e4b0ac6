"""Switching automatic moves off and on again; both are remembered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlops.errors import Conflict
from mlops.model_registry._change import By
from mlops.model_registry._rows import FREEZE_COLUMNS, freezes, models
from mlops.model_registry.records import Freeze
from mlops.sentences import say
from mlops.store import insert_new

ALL = "*"

_IS_IN_FORCE = freezes.c.lifted_at.is_(None)


def in_force(connection: sa.Connection) -> Mapping[str, Freeze]:
    """The freezes in force, by scope."""
    rows = connection.execute(sa.select(*FREEZE_COLUMNS).where(_IS_IN_FORCE))
    return {row.scope: Freeze(*row) for row in rows}


def history(connection: sa.Connection) -> list[Freeze]:
    """All freezes, oldest first."""
    return [Freeze(*row) for row in connection.execute(sa.select(*FREEZE_COLUMNS).order_by(freezes.c.freeze_id))]


def latest(connection: sa.Connection, limit: int) -> list[Freeze]:
    """The freezes that began last, newest first."""
    query = sa.select(*FREEZE_COLUMNS).order_by(freezes.c.freeze_id.desc()).limit(limit)
    return [Freeze(*row) for row in connection.execute(query)]


def freeze(connection: sa.Connection, scope: str, by: By, *, now: datetime) -> Freeze:
    """Switch automatic moves off; where they are off, the freeze in force stays."""
    row: dict[str, Any] = {"scope": scope, "frozen_at": now, "frozen_by": by.actor, "because": by.because}
    if insert_new(connection, freezes, row, key=["scope"], among=_IS_IN_FORCE):
        _count_change(connection, scope)
        return Freeze(**row)
    known = in_force(connection).get(scope)
    if known is None:
        raise Conflict(say("the freeze of {scope!s} was lifted at the same moment; look again", scope=scope))
    return known


def lift(connection: sa.Connection, scope: str, by: By, *, now: datetime) -> Freeze | None:
    """Switch automatic moves on; None where they were not off."""
    row = connection.execute(
        sa.update(freezes)
        .where(freezes.c.scope == scope, _IS_IN_FORCE)
        .values(lifted_at=now, lifted_by=by.actor, lifted_because=by.because)
        .returning(*FREEZE_COLUMNS)
    ).first()
    if row is None:
        return None
    _count_change(connection, scope)
    return Freeze(*row)


def _count_change(connection: sa.Connection, scope: str) -> None:
    statement = sa.update(models).values(generation=models.c.generation + 1)
    connection.execute(statement if scope == ALL else statement.where(models.c.model_id == scope))
