"""One change of one model: a transaction that holds the model's lock from its start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlops.errors import Conflict, Frozen, UnknownModel, UnknownVersion
from mlops.model_registry import _rows
from mlops.model_registry._rows import freezes, models, moves, versions
from mlops.model_registry.metadata import checked_text
from mlops.model_registry.records import ModelVersion
from mlops.model_registry.states import Status, steps
from mlops.sentences import say
from mlops.store import Database, insert_new
from mlops.store.types import UtcDateTime

_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=UtcDateTime)
# Clocks may step back, and those of two machines differ: the time of a change is never before that of the last one.
_LOCK = (
    sa.update(models)
    .where(models.c.model_id == sa.bindparam("locked"))
    .values(
        generation=models.c.generation + 1,
        changed_at=sa.case((models.c.changed_at > _NOW, models.c.changed_at), else_=_NOW),
    )
    .returning(models.c.generation, models.c.changed_at)
)
_SET_STATUS = (
    sa.update(versions)
    .where(
        versions.c.model_id == sa.bindparam("of_model"),
        versions.c.version == sa.bindparam("of_version"),
        versions.c.status == sa.bindparam("from"),
    )
    .values(status=sa.bindparam("to"), generation=sa.bindparam("now_at"), deployed_at=sa.bindparam("deployed"))
    .returning(*_rows.VERSION_COLUMNS)
)
_INSERT_MOVE = sa.insert(moves)
_IN_FORCE = sa.select(freezes.c.scope, freezes.c.because).where(
    freezes.c.lifted_at.is_(None), freezes.c.scope.in_([sa.bindparam("frozen_model"), sa.literal_column("'*'")])
)


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change, and why.

    Raises:
        InvalidMetadata: *actor* or *because* is no text that can be kept.
    """

    actor: str
    because: str
    automatic: bool = False
    evidence: str | None = None

    def __post_init__(self) -> None:
        checked_text("actor", self.actor)
        checked_text("because", self.because)


class Change:
    """What can be done inside the transaction. Times and numbers are those of this one change."""

    def __init__(self, connection: sa.Connection, model_id: str, generation: int, at: datetime, by: By) -> None:
        self.connection = connection
        self.model_id = model_id
        self.generation = generation
        self.at = at
        self.by = by
        self._steps: list[dict[str, Any]] = []

    def version_and_champion(self, version: str) -> tuple[ModelVersion, ModelVersion | None]:
        """The version, and the one in production.

        Raises:
            UnknownVersion: there is no such version.
        """
        one, champion = _rows.version_and_champion(self.connection, self.model_id, version)
        if one is None:
            raise UnknownVersion(say("{model!s} has no version {version}", model=self.model_id, version=version))
        return one, champion

    def promote(self, one: ModelVersion, champion: ModelVersion | None, *, kind: str) -> ModelVersion:
        """Put *one* into production in the place of *champion*, and read back what is in production now.

        Both as they were seen when this was decided, at the latest in this transaction.

        Raises:
            IllegalMove: no way leads there.
            Conflict: *champion* is not in production now, or *one* is not where it was seen.
        """
        way = steps(one.name, one.status, "production", is_rollback=kind == "rolled_back")
        if champion is None:
            expect_champion(_rows.champion(self.connection, self.model_id), None, self.model_id)
        else:
            # First, or for a moment there would be two, which the database refuses.
            self.move(champion, ("archived",), kind="moved")
        return self.move(one, way, kind=kind)

    def move(self, one: ModelVersion, way: tuple[Status, ...], *, kind: str) -> ModelVersion:
        """Take *one* along *way*, remember each step, and read back where it stands.

        Raises:
            Conflict: it does not stand now where it was seen.
        """
        if not way:
            return one
        origins = (one.status, *way)
        for origin, to in zip(origins, way, strict=False):
            self._remember(one.version, kind, origin, to, "done")
        row = self.connection.execute(
            _SET_STATUS,
            {
                "of_model": self.model_id,
                "of_version": one.version,
                "from": one.status,
                "to": way[-1],
                "now_at": self.generation,
                "deployed": self.at if way[-1] == "production" else one.deployed_at,
            },
        ).first()
        if row is None:
            raise Conflict(
                say(
                    "{version} is not in {status} any more: somebody else was first; look again",
                    version=one.name,
                    status=one.status,
                )
            )
        return ModelVersion(*row)

    def remember_registration(self, version: str, *, kind: str = "registered") -> None:
        """Note that *version* has come, in training."""
        self._remember(version, kind, None, "training", "done")

    def remember_failure(self, version: str, from_status: Status | None, to_status: Status) -> None:
        """Note that *version* did not get to *to_status*."""
        self._remember(version, "refused", from_status, to_status, "failed")

    def write_moves(self) -> None:
        """Write what is to be remembered, all of it at once."""
        if self._steps:
            self.connection.execute(_INSERT_MOVE, self._steps)

    def _remember(self, version: str, kind: str, origin: Status | None, to: Status, outcome: str) -> None:
        self._steps.append(
            {
                "model_id": self.model_id,
                "version": version,
                "kind": kind,
                "from_status": origin,
                "to_status": to,
                "outcome": outcome,
                "at": self.at,
                "actor": self.by.actor,
                "automatic": self.by.automatic,
                "because": self.by.because,
                "evidence": self.by.evidence,
            }
        )


@contextmanager
def changing(
    database: Database, model_id: str, by: By, *, now: datetime, even_if_frozen: bool = False
) -> Iterator[Change]:
    """A transaction on *model_id*, committed at the end of the block and undone by an exception.

    Raises:
        UnknownModel: nothing of it was ever registered.
        Frozen: the change is automatic, and automatic moves are switched off.
    """
    with database.writing() as connection:
        change = locked(connection, model_id, by, now=now)
        if change is None:
            raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))
        if by.automatic and not even_if_frozen:
            refuse_if_frozen(connection, model_id)
        yield change
        change.write_moves()


def locked(connection: sa.Connection, model_id: str, by: By, *, now: datetime) -> Change | None:
    """A change on *connection*, the model's lock taken; None where there is no such model."""
    row = connection.execute(_LOCK, {"locked": model_id, "now": now}).first()
    return None if row is None else Change(connection, model_id, row.generation, row.changed_at, by)


def locked_or_new(connection: sa.Connection, model_id: str, by: By, *, now: datetime) -> Change:
    """As :func:`locked`, for a model that may be new."""
    change = locked(connection, model_id, by, now=now)
    if change is None:
        insert_new(connection, models, {"model_id": model_id, "generation": 0, "changed_at": now}, key=["model_id"])
        change = locked(connection, model_id, by, now=now)
    assert change is not None  # noqa: S101
    return change


def is_frozen(connection: sa.Connection, model_id: str) -> bool:
    """Whether programs may not move versions of *model_id*."""
    return connection.execute(_IN_FORCE, {"frozen_model": model_id}).first() is not None


def refuse_if_frozen(connection: sa.Connection, model_id: str) -> None:
    """See that programs may move versions of *model_id*.

    Raises:
        Frozen: they may not.
    """
    row = connection.execute(_IN_FORCE, {"frozen_model": model_id}).first()
    if row is None:
        return
    if row.scope == "*":
        raise Frozen(
            say(
                "all models are frozen ({because}): automatic moves are off until `mlops models unfreeze`",
                because=row.because,
            )
        )
    raise Frozen(
        say(
            "{model!s} is frozen ({because}): automatic moves are off until `mlops models unfreeze`",
            model=model_id,
            because=row.because,
        )
    )


def expect_champion(champion: ModelVersion | None, expected: str | None, model_id: str) -> None:
    """See that the version in production is the one that the change was decided on.

    Raises:
        Conflict: it is another.
    """
    found = None if champion is None else champion.version
    if found != expected:
        raise Conflict(_another_serves(model_id, found, expected))


def _another_serves(model_id: str, found: str | None, expected: str | None) -> str:
    if found is None:
        return say(
            "{model!s} no version is in production, and the change was decided on {expected}: somebody else was first; "
            "look again",
            model=model_id,
            expected=expected,
        )
    if expected is None:
        return say(
            "{version} is in production, and the change was decided on no version: somebody else was first; look again",
            version=f"{model_id} {found}",
        )
    return say(
        "{version} is in production, and the change was decided on {expected}: somebody else was first; look again",
        version=f"{model_id} {found}",
        expected=expected,
    )
