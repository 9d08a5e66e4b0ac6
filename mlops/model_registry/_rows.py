"""Rows of the registry's tables, and the statements that read them. Built once: that costs more than running them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from mlops import schema
from mlops.model_registry.records import Approval, Freeze, ModelVersion, Move
from mlops.store.types import UtcDateTime

versions, moves, models, approvals, freezes = (
    schema.model_versions, schema.moves, schema.models, schema.approvals, schema.freezes,
)  # fmt: skip

# Times as the driver gives them: to read twenty thousand of them costs more than all the rest of a long list.
VERSION_COLUMNS = (
    *(versions.c[name] for name in ("model_id", "version", "status", "content", "artefact")),
    *(sa.type_coerce(versions.c[name], sa.String).label(name) for name in ("registered_at", "deployed_at")),
    versions.c.generation,
)
MOVE_COLUMNS = tuple(moves.c[name] for name in Move.__slots__)
APPROVAL_COLUMNS = tuple(approvals.c[name] for name in Approval.__slots__)
FREEZE_COLUMNS = tuple(freezes.c[name] for name in Freeze.__slots__)

_MODEL_ID: sa.BindParameter[str] = sa.bindparam("model_id")
_VERSION: sa.BindParameter[str] = sa.bindparam("version")

ONE = sa.select(*VERSION_COLUMNS).where(versions.c.model_id == _MODEL_ID, versions.c.version == _VERSION)
CHAMPION = sa.select(*VERSION_COLUMNS).where(
    versions.c.model_id == _MODEL_ID, versions.c.status == sa.literal_column("'production'")
)
# A version and the one in production, in one question.
ONE_AND_CHAMPION = sa.select(*VERSION_COLUMNS).where(
    versions.c.model_id == _MODEL_ID,
    sa.or_(versions.c.version == _VERSION, versions.c.status == sa.literal_column("'production'")),
)
MODEL_IDS = sa.select(models.c.model_id).order_by(models.c.model_id)
# Other values once anything of the model has moved: the second tells, where a database took the place of another.
LAST_CHANGE = sa.select(
    sa.select(models.c.generation).where(models.c.model_id == _MODEL_ID).scalar_subquery(),
    sa.select(sa.func.max(moves.c.move_id)).where(moves.c.model_id == _MODEL_ID).scalar_subquery(),
)
GENERATION = sa.select(models.c.generation).where(models.c.model_id == _MODEL_ID)

_TOUCHES_PRODUCTION = sa.and_(
    moves.c.outcome == sa.literal_column("'done'"),
    sa.or_(
        moves.c.to_status == sa.literal_column("'production'"), moves.c.from_status == sa.literal_column("'production'")
    ),
)
# With those that failed: a version that could not serve is no version to go back to.
PRODUCTION_MOVES = (
    sa.select(moves.c.version, moves.c.kind, moves.c.to_status)
    .where(moves.c.model_id == _MODEL_ID, sa.or_(_TOUCHES_PRODUCTION, moves.c.outcome == sa.literal_column("'failed'")))
    .order_by(moves.c.move_id)
)
SERVED_AT = (
    sa.select(moves.c.version, moves.c.to_status)
    .where(moves.c.model_id == _MODEL_ID, _TOUCHES_PRODUCTION, moves.c.at <= sa.bindparam("time", type_=UtcDateTime))
    .order_by(moves.c.move_id)
)


def one_version(connection: sa.Connection, model_id: str, version: str) -> ModelVersion | None:
    """The version, None where there is none."""
    row = connection.execute(ONE, {"model_id": model_id, "version": version}).first()
    return None if row is None else ModelVersion(*row)


def champion(connection: sa.Connection, model_id: str) -> ModelVersion | None:
    """The version in production, None where there is none."""
    row = connection.execute(CHAMPION, {"model_id": model_id}).first()
    return None if row is None else ModelVersion(*row)


def version_and_champion(
    connection: sa.Connection, model_id: str, version: str
) -> tuple[ModelVersion | None, ModelVersion | None]:
    """The version, and the one in production; they may be the same."""
    rows = connection.execute(ONE_AND_CHAMPION, {"model_id": model_id, "version": version})
    found = [ModelVersion(*row) for row in rows]
    one = next((each for each in found if each.version == version), None)
    return one, next((each for each in found if each.status == "production"), None)


def to_moves(rows: Iterable[Sequence[Any]]) -> list[Move]:
    """Moves from rows of :data:`MOVE_COLUMNS`."""
    return [Move(*[*row[:-1], _decoded(row[-1])]) for row in rows]


def to_approval(row: Sequence[Any]) -> Approval:
    """An approval from a row of :data:`APPROVAL_COLUMNS`."""
    fields = dict(zip(Approval.__slots__, row, strict=True))
    return Approval(**{**fields, "evidence": _decoded(fields["evidence"])})


def _decoded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
