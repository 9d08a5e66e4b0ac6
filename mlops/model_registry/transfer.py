"""Taking a registry from here to there: export to a folder, import from one, or from a forerunner's file."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mlops.artefacts import ArtefactStore, Digest, DiskArtefacts
from mlops.errors import ArtefactError, ArtefactMissing, InvalidExport, UnknownModel, VersionExists
from mlops.files import sync_folder, write_whole
from mlops.model_registry import _freezes, _rows
from mlops.model_registry._change import By, Change, locked_or_new
from mlops.model_registry._rows import VERSION_COLUMNS, models, moves, versions
from mlops.model_registry.document import registry_document, to_bytes
from mlops.model_registry.forerunner import from_forerunner
from mlops.model_registry.incoming import Incoming, IncomingMove, IncomingVersion, decoded, from_document
from mlops.model_registry.records import ModelVersion
from mlops.model_registry.registry import ModelRegistry
from mlops.sentences import say

DOCUMENT_NAME = "registry.json"
ARTEFACTS_NAME = "artifacts"
# Clocks of two machines differ; a time further ahead than that is no time at which something happened.
_FURTHEST_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    folder: Path
    n_models: int
    n_versions: int
    n_artefacts: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "folder": str(self.folder), "models": self.n_models, "versions": self.n_versions,
            "artefacts": self.n_artefacts,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came in.

    Attributes:
        imported: versions that are new here, as ``model_id version``.
        skipped: versions that were here already, with the same content.
        notes: what did not come in as the file has it, and why.
    """

    imported: tuple[str, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"imported": list(self.imported), "skipped": list(self.skipped), "notes": list(self.notes)}


def export_registry(registry: ModelRegistry, folder: Path, *, model_id: str | None = None) -> ExportReport:
    """Write the registry to *folder*, which appears whole or not at all.

    It holds ``registry.json`` and ``artifacts/<digest>/``, verified as they are copied. Requests for approval stay
    where they are: they ask for something here.

    Args:
        folder: new, or empty.
        model_id: only this model.

    Raises:
        FileExistsError: *folder* is there, and not empty.
        UnknownModel: there is no such model.
        ArtefactError: the files of a version are not what was registered; the message names it.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already; name a folder that is new or empty")
    document = registry_document(registry.database, model_id=model_id)
    if model_id is not None and not document["models"]:
        raise UnknownModel(f"nothing of a model {model_id!r} was ever registered")
    with _drafted(folder) as draft:
        n_artefacts = _copy_artefacts(registry, document, draft / ARTEFACTS_NAME)
        write_whole(draft / DOCUMENT_NAME, to_bytes(document))
    described = document["models"].values()
    return ExportReport(folder, len(described), sum(len(model["versions"]) for model in described), n_artefacts)


def import_registry(
    registry: ModelRegistry, path: Path, *, keep_production: bool = False, actor: str | None = None
) -> ImportReport:
    """Import versions with their moves, all of them or, where something is wrong, none.

    Versions that are here with the same content are skipped. A freeze comes with its models. Artefacts are verified
    before anything is written, and signed here where there is a key: then only those signed with it come in. No
    approval is asked for: an import brings back what was decided already.

    Args:
        path: a folder that an export wrote, such as ``models/``; a ``registry.json``; or that of the forerunner.
        keep_production: where another version is in production here, let an imported one come in archived.

    Raises:
        InvalidExport: *path* is no registry, or a value in it cannot be, which the message names; or it brings a
            version in production where another one is, and not *keep_production*.
        VersionExists: a version is here, with other content.
        ArtefactError: the files of a version are missing or not what was registered; the message names both.
        Conflict: somebody else registered the same meanwhile.
    """
    who, now = registry._who(actor), registry._clock()
    document, beside = _found(path)
    incoming = _read(document, actor=who)
    _refuse_the_future(incoming, now)
    arrival = _Arrival(
        incoming,
        by=By(who, say("imported from {file!s}", file=document.name)),
        now=now,
        keep_production=keep_production,
    )
    with registry.database.reading() as connection:
        new = arrival.new_versions(connection)
        arrival.check_production(connection, new)
    _bring_artefacts(registry, new, beside)
    with registry.database.writing() as connection:
        report = arrival.write(connection)
    registry._changed()
    return report


# --- Export ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _drafted(folder: Path) -> Iterator[Path]:
    """A folder aside that takes the name of *folder* at the end of the block, and goes where the block fails."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.mkdir(parents=True)
    try:
        yield draft
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_folder(folder.parent)


def _copy_artefacts(registry: ModelRegistry, document: Mapping[str, Any], folder: Path) -> int:
    """Copy what versions of *document* name to *folder*, and return how many that were."""
    target = _store_like(registry.artefacts, folder)
    copied: set[Digest] = set()
    for model_id, model in document["models"].items():
        for version, fields in model["versions"].items():
            digest = fields["artefact"]
            if digest is not None and digest not in copied:
                target.put(_files_of(f"{model_id} {version}", digest, [registry.artefacts]))
                copied.add(digest)
    if copied:
        (folder / ".drafts").rmdir()
    return len(copied)


def _store_like(store: ArtefactStore | None, folder: Path) -> DiskArtefacts:
    return store.elsewhere(folder) if isinstance(store, DiskArtefacts) else DiskArtefacts(folder)


def _files_of(name: str, digest: Digest, stores: Iterable[ArtefactStore | None]) -> Mapping[str, bytes]:
    """The files under *digest* in the first of *stores* that has them, verified.

    Raises:
        ArtefactError: none has them, or they are not whole; the message names version and digest.
    """
    for store in stores:
        try:
            if store is not None:
                return store.get(digest)
        except ArtefactMissing:
            continue
        except ArtefactError as error:
            raise type(error)(f"{name}: {error} ({digest})") from error
    raise ArtefactMissing(f"{name}: its artefact {digest} is missing")


# --- Import: reading ------------------------------------------------------------------------------------------------


def _found(path: Path) -> tuple[Path, Path]:
    """The document at *path*, and the folder of the artefacts beside it."""
    document = path / DOCUMENT_NAME if path.is_dir() else path
    if not document.is_file():
        raise InvalidExport(f"there is no file {document}; name a {DOCUMENT_NAME}, or a folder with one")
    return document, document.parent / ARTEFACTS_NAME


def _read(path: Path, *, actor: str) -> Incoming:
    try:
        document = decoded(path.read_bytes())
        if document.get("format") is None and "models" not in document:
            return from_forerunner(document, source=path.name, actor=actor)
        return from_document(document)
    except InvalidExport as error:
        raise InvalidExport(f"{path.name}: {error}") from error


def _refuse_the_future(incoming: Incoming, now: datetime) -> None:
    # The next move of a model is never dated before its last one: a far time would stay for good.
    for one in incoming.versions:
        if one.moves[-1].at > now + _FURTHEST_AHEAD:
            raise InvalidExport(
                f"{one.name}: its last move is dated {one.moves[-1].at.isoformat()}, which must not lie ahead of now, "
                f"{now.isoformat(timespec='seconds')}"
            )


def _bring_artefacts(registry: ModelRegistry, new: list[IncomingVersion], beside: Path) -> None:
    """Verify the artefacts of all, then copy those that are not here."""
    stores = [registry.artefacts, _store_like(registry.artefacts, beside)]
    with_files = {one.artefact: one.name for one in new if one.artefact is not None}
    if with_files and registry.artefacts is None:
        raise ArtefactMissing(f"{next(iter(with_files.values()))} has files, and this registry has no place for them")
    for digest, name in with_files.items():
        _files_of(name, digest, stores)
    for digest, name in with_files.items():
        if registry.artefacts is not None:
            registry.artefacts.put(_files_of(name, digest, stores))


# --- Import: writing ------------------------------------------------------------------------------------------------


class _Arrival:
    """One import, in one transaction."""

    def __init__(self, incoming: Incoming, *, by: By, now: datetime, keep_production: bool) -> None:
        self._incoming = incoming
        self._by = by
        self._now = now
        self._keep_production = keep_production
        self._notes = list(incoming.notes)

    def new_versions(self, connection: sa.Connection, model_id: str | None = None) -> list[IncomingVersion]:
        """Those that are not here: of all models, or one.

        Raises:
            VersionExists: one is here, with other content.
        """
        wanted = [one for one in self._incoming.versions if model_id in (None, one.model_id)]
        known = _known(connection, {one.model_id for one in wanted})
        for one in wanted:
            here = known.get((one.model_id, one.version))
            if here is not None and not here.has_content(one.content, one.artefact):
                raise VersionExists(f"{one.name} is registered here with other content; nothing was imported")
        return [one for one in wanted if (one.model_id, one.version) not in known]

    def check_production(self, connection: sa.Connection, new: list[IncomingVersion]) -> None:
        """See that none of *new* is in production where another version is, unless that one is to stay."""
        for one in new:
            serving = _rows.champion(connection, one.model_id)
            if one.status == "production" and serving is not None and not self._keep_production:
                raise InvalidExport(
                    f"{one.name} is in production in the file, and {serving.version} is in production here; "
                    "nothing was imported. With keep_production (--keep-production) it comes in archived"
                )

    def write(self, connection: sa.Connection) -> ImportReport:
        """Write all that is new, and say what that was."""
        was_empty = connection.execute(sa.select(models.c.model_id).limit(1)).first() is None
        imported: list[str] = []
        # Always in the order of their names: two imports at once must not wait for each other.
        for model_id in self._incoming.by_model():
            imported += [one.name for one in self._write_model(connection, model_id, was_empty=was_empty)]
        reason = self._incoming.frozen.get(_freezes.ALL)
        if was_empty and reason is not None:
            self._freeze(connection, _freezes.ALL, reason)
        here = set(imported)
        skipped = tuple(one.name for one in self._incoming.versions if one.name not in here)
        return ImportReport(tuple(imported), skipped, tuple(self._notes))

    def _write_model(self, connection: sa.Connection, model_id: str, *, was_empty: bool) -> list[IncomingVersion]:
        if not self.new_versions(connection, model_id):
            return []
        last = max(one.moves[-1].at for one in self._incoming.versions if one.model_id == model_id)
        change = locked_or_new(connection, model_id, self._by, now=max(self._now, last))
        # Asked again, now that nobody else can register any.
        new = self.new_versions(connection, model_id)
        self.check_production(connection, new)
        new = [self._as_it_comes_in(one, change) for one in new]
        if new:
            connection.execute(sa.insert(versions), [_version_row(one, change) for one in new])
            made = sorted(((move, one) for one in new for move in one.moves), key=lambda each: each[0].number)
            connection.execute(sa.insert(moves), [_move_row(one, move) for move, one in made])
            self._freeze_model(connection, model_id, was_empty=was_empty)
        return new

    def _as_it_comes_in(self, one: IncomingVersion, change: Change) -> IncomingVersion:
        """*one*; archived, by one more move that says so, where another version stays in production."""
        serving = _rows.champion(change.connection, one.model_id)
        if one.status != "production" or serving is None:
            return one
        because = say(
            "{imported}: {version} stays in production here", imported=self._by.because, version=serving.version
        )
        self._notes.append(f"{one.name} comes in archived: {serving.version} stays in production here")
        number = max(move.number for each in self._incoming.versions for move in each.moves) + 1
        archived = IncomingMove(
            number, "imported", "production", "archived", "done", change.at, self._by.actor, False, because, None
        )
        return replace(one, status="archived", moves=(*one.moves, archived))

    def _freeze_model(self, connection: sa.Connection, model_id: str, *, was_empty: bool) -> None:
        reason = self._incoming.frozen.get(model_id)
        if reason is None and not was_empty:
            # The freeze of all there holds for what came from there, and not for what was here.
            reason = self._incoming.frozen.get(_freezes.ALL)
        if reason is not None:
            self._freeze(connection, model_id, reason)

    def _freeze(self, connection: sa.Connection, scope: str, reason: str) -> None:
        _freezes.freeze(connection, scope, By(self._by.actor, reason), now=self._now)
        what = "all models are" if scope == _freezes.ALL else f"{scope} is"
        self._notes.append(f"{what} frozen, as in the file: {reason}")


def _known(connection: sa.Connection, model_ids: set[str]) -> dict[tuple[str, str], ModelVersion]:
    query = sa.select(*VERSION_COLUMNS).where(versions.c.model_id.in_(model_ids))
    return {(row.model_id, row.version): ModelVersion(*row) for row in connection.execute(query)}


def _version_row(one: IncomingVersion, change: Change) -> dict[str, Any]:
    return {
        "model_id": one.model_id,
        "version": one.version,
        "status": one.status,
        "content": one.content,
        "artefact": one.artefact,
        "registered_at": one.registered_at,
        "deployed_at": one.deployed_at,
        "generation": change.generation,
    }


def _move_row(one: IncomingVersion, move: IncomingMove) -> dict[str, Any]:
    fields = {name: getattr(move, name) for name in IncomingMove.__slots__ if name != "number"}
    return {"model_id": one.model_id, "version": one.version, **fields}
