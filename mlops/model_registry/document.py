"""The whole registry as one document: what ``models/registry.json`` shows, and what an export holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import orjson
import sqlalchemy as sa

from mlops.model_registry import _freezes, _rows
from mlops.model_registry._rows import MOVE_COLUMNS, VERSION_COLUMNS, models, moves, versions
from mlops.model_registry.records import ModelVersion
from mlops.model_registry.versions import SemanticVersion
from mlops.store import Database

FORMAT = "mlops-registry/1"
VERSION_FIELDS = (
    "status", "model_type", "description", "timestamp", "deployment_date", "parent_version", "metrics", "parameters",
    "tags", "lineage", "artefact",
)  # fmt: skip
MOVE_FIELDS = (
    "number", "at", "kind", "from_status", "to_status", "outcome", "actor", "automatic", "because", "evidence",
)  # fmt: skip


def registry_document(database: Database, *, model_id: str | None = None) -> dict[str, Any]:
    """Models by name, their versions in the order of their numbers, each with its moves, oldest first.

    The *number* of a move is its place among all moves of its model, from 1: times alone may be equal.
    """
    with database.reading() as connection:
        found = connection.execute(_of_model(sa.select(models).order_by(models.c.model_id), models, model_id)).all()
        rows = connection.execute(_of_model(sa.select(*VERSION_COLUMNS), versions, model_id)).all()
        made = _moves_by_version(connection, model_id)
        frozen = _freezes.in_force(connection)
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    for row in rows:
        by_model[row.model_id].append(ModelVersion(*row))
    return {
        "format": FORMAT,
        "frozen": frozen[_freezes.ALL].because if _freezes.ALL in frozen else None,
        "models": {
            row.model_id: {
                "production": next((one.version for one in by_model[row.model_id] if one.status == "production"), None),
                "generation": row.generation,
                "frozen": frozen[row.model_id].because if row.model_id in frozen else None,
                "versions": _versions(by_model[row.model_id], made),
            }
            for row in found
        },
    }


def to_bytes(document: dict[str, Any]) -> bytes:
    """*document* as JSON that a person can read and compare line by line."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _of_model(query: sa.Select[Any], table: sa.Table, model_id: str | None) -> sa.Select[Any]:
    return query if model_id is None else query.where(table.c.model_id == model_id)


def _moves_by_version(connection: sa.Connection, model_id: str | None) -> dict[tuple[str, str], list[dict[str, Any]]]:
    query = _of_model(sa.select(*MOVE_COLUMNS).order_by(moves.c.move_id), moves, model_id)
    made: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    n_moves: Counter[str] = Counter()
    for move in _rows.to_moves(connection.execute(query).all()):
        n_moves[move.model_id] += 1
        fields = {"number": n_moves[move.model_id], **move.to_dict()}
        made[move.model_id, move.version].append({name: fields[name] for name in MOVE_FIELDS})
    return made


def _versions(found: list[ModelVersion], made: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    ordered = sorted(found, key=lambda one: SemanticVersion.parse(one.version))
    return {
        one.version: {**{name: one[name] for name in VERSION_FIELDS}, "moves": made[one.model_id, one.version]}
        for one in ordered
    }
