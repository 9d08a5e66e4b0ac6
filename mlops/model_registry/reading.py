"""Reading the registry: versions, moves, what served when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mlops.artefacts import ArtefactStore, Manifest
from mlops.clock import in_utc
from mlops.errors import ArtefactMissing, InvalidMetadata, UnknownModel, UnknownVersion
from mlops.model_registry import _approvals, _freezes, _rows
from mlops.model_registry._rows import MOVE_COLUMNS, VERSION_COLUMNS, models, moves, versions
from mlops.model_registry.profiles import profile_in
from mlops.model_registry.records import Approval, Freeze, ModelSummary, ModelVersion, Move
from mlops.model_registry.serving_order import ServingOrder, served_last, serving_order
from mlops.model_registry.states import checked_status
from mlops.model_registry.versions import Bump, SemanticVersion, next_version
from mlops.sentences import listed, say
from mlops.store import Database

if TYPE_CHECKING:
    from mlops.drift import ReferenceProfile

_FIRST = "1.0.0"
_FARTHEST_BACK = 20


class RegistryReader:
    """The half of :class:`~mlops.model_registry.ModelRegistry` that changes nothing."""

    def __init__(self, database: Database, artefacts: ArtefactStore | None = None) -> None:
        self.database = database
        self.artefacts = artefacts
        # By model, with the mark of when it was made: a page of a model asks for it several times.
        self._orders: dict[str, tuple[Sequence[int | None], ServingOrder]] = {}

    def next_version(self, model_id: str, bump: Bump = "patch", *, base: str | None = None) -> str:
        """The next free version number: 1.0.0 for a new model.

        Args:
            bump: ``major``: interface or features changed; ``minor``: retrained on new data with new parameters;
                ``patch``: the same recipe on new data.
            base: the version it comes from; default: the one in production, else the highest.

        Raises:
            InvalidMetadata: *bump* is none of the three.
            UnknownVersion: *base* is no version of the model.
        """
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(versions.c.version).where(versions.c.model_id == model_id))
            known = [row.version for row in rows]
            champion = _rows.champion(connection, model_id)
        if not known:
            return _FIRST
        if base is None:
            base = max(known, key=SemanticVersion.parse) if champion is None else champion.version
        elif base not in known:
            raise UnknownVersion(say("{model!s} has no version {version}", model=model_id, version=base))
        return str(next_version(known, base=base, bump=bump))

    def get_model(self, model_id: str, version: str) -> ModelVersion | None:
        """A version, None where there is none."""
        with self.database.reading() as connection:
            return _rows.one_version(connection, model_id, version)

    def get_production_model(self, model_id: str) -> ModelVersion | None:
        """The version in production, None where there is none."""
        with self.database.reading() as connection:
            return _rows.champion(connection, model_id)

    def list_models(
        self,
        model_id: str | None = None,
        status: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[ModelVersion]:
        """Versions, newest first: of one model or all, in one status or any.

        Args:
            limit: at most so many, 1 or more; default: all.
            before: only those registered before this version of *model_id*, such as the last one of the page before.

        Raises:
            InvalidMetadata: *status* is none, or *before* is given without *model_id*.
            UnknownModel, UnknownVersion: *before* is no version of the model.
        """
        query = sa.select(*VERSION_COLUMNS).order_by(versions.c.number.desc()).limit(limit)
        if model_id is not None:
            query = query.where(versions.c.model_id == model_id)
        if status is not None:
            query = query.where(versions.c.status == checked_status(status))
        with self.database.reading() as connection:
            if before is not None:
                query = query.where(versions.c.number < _number(connection, model_id, before))
            return [ModelVersion(*row) for row in connection.execute(query).all()]

    def get_version_history(self, model_id: str) -> list[dict[str, Any]]:
        """All versions of a model, newest first, each as plain values with its ``moves``, oldest first."""
        with self.database.reading() as connection:
            query = (
                sa.select(*VERSION_COLUMNS).where(versions.c.model_id == model_id).order_by(versions.c.number.desc())
            )
            found = [ModelVersion(*row) for row in connection.execute(query).all()]
            made = _moves_of(connection, model_id)
        by_version: dict[str, list[dict[str, Any]]] = {each.version: [] for each in found}
        for move in made:
            by_version[move.version].append(move.to_dict())
        return [{**each.to_dict(), "moves": by_version[each.version]} for each in found]

    def model_ids(self) -> list[str]:
        """The models of which something was registered, by name: without a look at their versions."""
        with self.database.reading() as connection:
            return list(connection.execute(_rows.MODEL_IDS).scalars())

    def models(self, model_id: str | None = None) -> list[ModelSummary]:
        """Each model in one line, by name; or *model_id* alone, where there is such a model."""
        newest = sa.select(sa.func.max(versions.c.number).label("number"), sa.func.count().label("n_versions"))
        if model_id is not None:
            newest = newest.where(versions.c.model_id == model_id)
        counted = newest.group_by(versions.c.model_id).subquery()
        serving = versions.alias()
        query = (
            sa.select(models, versions.c.version, counted.c.n_versions, serving.c.version.label("production"))
            .join_from(counted, versions, versions.c.number == counted.c.number)
            .join(models, models.c.model_id == versions.c.model_id)
            .outerjoin(serving, sa.and_(serving.c.model_id == models.c.model_id, serving.c.status == "production"))
            .order_by(models.c.model_id)
        )
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
            frozen = _freezes.in_force(connection)
        return [
            ModelSummary(
                row.model_id, row.production, row.version, row.n_versions, row.generation, row.changed_at,
                is_frozen=_freezes.ALL in frozen or row.model_id in frozen,
            )
            for row in rows
        ]  # fmt: skip

    def generation(self, model_id: str) -> int:
        """How many changes the model has seen, 0 for an unknown one: a cheap question for who waits for the next."""
        with self.database.reading() as connection:
            return int(connection.execute(_rows.GENERATION, {"model_id": model_id}).scalar() or 0)

    def files(self, one: ModelVersion) -> Mapping[str, bytes]:
        """The files of a version, verified.

        Raises:
            ArtefactMissing: it has none, or they are gone.
            ArtefactError: they are not what was registered.
        """
        if one.artefact is None or self.artefacts is None:
            raise ArtefactMissing(say("{version} was registered without files", version=one.name))
        return self.artefacts.get(one.artefact)

    def manifest(self, one: ModelVersion) -> Manifest | None:
        """Names, sizes and digests of the files of a version, as they were registered; None where it has none.

        Raises:
            ArtefactError: they are gone, or the list of them is not what was registered.
        """
        if one.artefact is None or self.artefacts is None:
            return None
        return self.artefacts.manifest(one.artefact)

    def reference_profile(self, one: ModelVersion) -> ReferenceProfile | None:
        """The profile of the data that a version was trained on, verified; None where it was registered without.

        Raises:
            ArtefactError: its files are not what was registered.
            BadProfile: its file ``reference_profile.json`` is no profile.
        """
        return None if one.artefact is None else profile_in(self.files(one))

    def moves(
        self, model_id: str, version: str | None = None, *, limit: int | None = None, before: int | None = None
    ) -> list[Move]:
        """The moves of a model, or of one version of it, oldest first; failed ones among them.

        Args:
            limit: only the newest, so many at most, 1 or more; default: all.
            before: only those before the move of this number, such as the oldest one of the page before.
        """
        with self.database.reading() as connection:
            return _moves_of(connection, model_id, version, limit=limit, before=before)

    def latest_moves(self, *, limit: int) -> list[Move]:
        """The newest moves of all models, newest first, without their evidence."""
        columns = [sa.null().label(each.name) if each.name == "evidence" else each for each in MOVE_COLUMNS]
        query = sa.select(*columns).order_by(moves.c.move_id.desc()).limit(limit)
        with self.database.reading() as connection:
            return _rows.to_moves(connection.execute(query).all())

    def latest_freezes(self, *, limit: int) -> list[Freeze]:
        """The freezes that began last, newest first, lifted ones among them."""
        with self.database.reading() as connection:
            return _freezes.latest(connection, limit)

    def at(self, model_id: str, time: datetime) -> ModelVersion | None:
        """The version that was in production at *time* (without a zone: UTC), None where there was none.

        Its status is that of today.
        """
        with self.database.reading() as connection:
            made = connection.execute(_rows.SERVED_AT, {"model_id": model_id, "time": in_utc(time)})
            version = served_last((row.version, row.to_status) for row in made)
            return None if version is None else _rows.one_version(connection, model_id, version)

    def versions_before(self, model_id: str, *, limit: int = _FARTHEST_BACK) -> list[ModelVersion]:
        """The versions that a rollback can reach, the nearest first, twenty or *limit* at most."""
        champion = self.get_production_model(model_id)
        names = self._serving_order(model_id).before(None if champion is None else champion.version)[:limit]
        with self.database.reading() as connection:
            found = (_rows.one_version(connection, model_id, name) for name in names)
            return [one for one in found if one is not None]

    def _serving_order(self, model_id: str) -> ServingOrder:
        """Made of all moves of production; read anew only where there has been a move."""
        with self.database.reading() as connection:
            mark = tuple(connection.execute(_rows.LAST_CHANGE, {"model_id": model_id}).one())
            known = self._orders.get(model_id)
            if known is not None and known[0] == mark:
                return known[1]
            rows = connection.execute(_rows.PRODUCTION_MOVES, {"model_id": model_id}).all()
        order = serving_order((row.version, row.kind, row.to_status) for row in rows)
        self._orders[model_id] = mark, order
        return order

    def approvals(
        self,
        model_id: str | None = None,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: int | None = None,
    ) -> Sequence[Approval]:
        """Requests for promotion, newest first: of one model or all; ``pending``, ``approved``, ``rejected`` or any.

        Args:
            limit: at most so many, 1 or more; default: all.
            before: only those before the request of this number.
        """
        with self.database.reading() as connection:
            return _approvals.listed(connection, model_id, state, limit=limit, before=before)

    def freezes(self) -> Mapping[str, Freeze]:
        """The freezes in force: by model, and ``*`` for all."""
        with self.database.reading() as connection:
            return _freezes.in_force(connection)


def _moves_of(
    connection: sa.Connection,
    model_id: str,
    version: str | None = None,
    *,
    limit: int | None = None,
    before: int | None = None,
) -> list[Move]:
    # From the newest on, or a limit would keep the oldest.
    query = sa.select(*MOVE_COLUMNS).where(moves.c.model_id == model_id).order_by(moves.c.move_id.desc()).limit(limit)
    if version is not None:
        query = query.where(moves.c.version == version)
    if before is not None:
        query = query.where(moves.c.move_id < before)
    return _rows.to_moves(reversed(connection.execute(query).all()))


def _number(connection: sa.Connection, model_id: str | None, version: str) -> int:
    if model_id is None:
        raise InvalidMetadata("before", f"is a version of one model, so it needs model_id, got {version!r}")
    query = sa.select(versions.c.number).where(versions.c.model_id == model_id, versions.c.version == version)
    number: int | None = connection.execute(query).scalar()
    if number is None:
        raise unknown(connection, model_id, version)
    return number


def unknown(connection: sa.Connection, model_id: str, version: str) -> UnknownModel | UnknownVersion:
    rows = connection.execute(
        sa.select(versions.c.version).where(versions.c.model_id == model_id).order_by(versions.c.number.desc()).limit(3)
    )
    known = [row.version for row in rows]
    if not known:
        return UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))
    return UnknownVersion(
        say(
            "{model!s} has no version {version}; the newest are {known:s}",
            model=model_id,
            version=version,
            known=listed(known),
        )
    )
