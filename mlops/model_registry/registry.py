"""The registry: versions that stand still, one in production, every move remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mlops.artefacts import ArtefactStore, files_in
from mlops.clock import Clock, utc_now
from mlops.errors import (
    ApprovalRequired,
    ArtefactError,
    ArtefactMissing,
    Conflict,
    IllegalMove,
    NothingToRollBackTo,
    UnknownModel,
    UnknownVersion,
    VersionExists,
)
from mlops.model_registry import _approvals, _freezes, _rows
from mlops.model_registry._approvals import ApprovalPolicy
from mlops.model_registry._change import By, changing, expect_champion, is_frozen, locked_or_new
from mlops.model_registry._rows import versions
from mlops.model_registry.document import registry_document, to_bytes
from mlops.model_registry.metadata import Lineage, ModelMetadata, content_of, evidence_text
from mlops.model_registry.profiles import with_profile
from mlops.model_registry.reading import RegistryReader, unknown
from mlops.model_registry.records import Approval, Freeze, ModelVersion
from mlops.model_registry.states import Status, checked_status, steps
from mlops.model_registry.view import RegistryView
from mlops.people import system_user
from mlops.sentences import say
from mlops.store import Database, insert_new

if TYPE_CHECKING:
    from mlops.drift import ReferenceProfile

_AS_SEEN: Any = object()


class ModelRegistry(RegistryReader):
    """Model versions, their states and moves, in the state database. Safe to use from threads and processes.

    Everything that changes something takes *actor* (default: the user of this process) and *because*, and is one
    transaction: it happens whole or not at all, and returns what it reads back. ``automatic=True`` says that a program
    decided, which a freeze forbids.
    """

    def __init__(
        self,
        database: Database | None = None,
        *,
        artefacts: ArtefactStore | None = None,
        view_path: Path | None = None,
        approval: ApprovalPolicy | None = None,
        clock: Clock = utc_now,
        actor: str | None = None,
    ) -> None:
        """A registry in *database*, whose tables are there.

        Args:
            database: default: the one that the environment's settings name, with everything else that they name.
            artefacts: where files of versions are kept; without one, versions have none.
            view_path: the file that shows the registry; None for no such file.
            approval: which promotions need a person; default: none.
            actor: who makes changes where a call does not say it; default: the user of this process.
        """
        if database is None:
            from mlops.model_registry.opening import parts_for

            found = parts_for()
            database, artefacts = found.database, artefacts or found.artefacts
            view_path, approval = view_path or found.view_path, approval or found.approval
        super().__init__(database, artefacts)
        self.approval = approval or ApprovalPolicy()
        self._view = (
            None if view_path is None else RegistryView(view_path, lambda: to_bytes(registry_document(database)))
        )
        self._clock = clock
        self._actor = actor

    # --- Versions ---------------------------------------------------------------------------------------------------

    def register_model(
        self,
        metadata: ModelMetadata,
        *,
        artefact: Mapping[str, bytes] | Path | None = None,
        lineage: Lineage | None = None,
        profile: ReferenceProfile | None = None,
    ) -> str:
        """Register a version, and return its name, such as ``hybrid_ranker_1.0.1``. See :meth:`register`."""
        return self.register(metadata, artefact=artefact, lineage=lineage, profile=profile).name

    def register(
        self,
        metadata: ModelMetadata,
        *,
        artefact: Mapping[str, bytes] | Path | None = None,
        lineage: Lineage | None = None,
        profile: ReferenceProfile | None = None,
        because: str = say("registered"),
        actor: str | None = None,
        automatic: bool = False,
    ) -> ModelVersion:
        """Register a version; the same content again changes nothing.

        Args:
            artefact: its files: content by relative path, or a folder. They are on the disk before the version is.
            lineage: the data, code and seed that it came from.
            profile: of the data that it was trained on; kept among its files as ``reference_profile.json``.

        Raises:
            VersionExists: the version is there, with other content.
            InvalidMetadata: something in it cannot be kept.
            ArtefactRefused: a file's format is not on the list of those that are safe to load, or there is a *profile*
                and a file of its name.
            ApprovalRequired: ``metadata.status`` is production, and a person has to approve that; the version is kept.
        """
        content = content_of(metadata, lineage)
        digest = self._keep(artefact, profile)
        by = By(self._who(actor), because, automatic)
        found = self._insert(metadata, content, digest, by)
        self._changed()
        return self._advance(found, checked_status(metadata.status), by)

    # --- Moves ------------------------------------------------------------------------------------------------------

    def promote(
        self,
        model_id: str,
        version: str,
        *,
        because: str,
        evidence: Any = None,
        actor: str | None = None,
        automatic: bool = False,
        expected: str | None = _AS_SEEN,
        approval_required: bool = False,
    ) -> ModelVersion:
        """Put a version into production, and archive the one that was; a version in training passes through validation.

        Args:
            evidence: what the decision rests on, such as the comparison with the champion; kept with the move.
            expected: the champion that the decision was made against (None: none); by default the one that is in
                production when the call begins.
            approval_required: a person has to approve it, whatever the policy says.

        Raises:
            UnknownModel, UnknownVersion: there is no such version.
            IllegalMove: it is archived.
            Conflict: another version is in production than *expected*: somebody else was first.
            ArtefactError: its files are not what was registered, so it could not serve.
            ApprovalRequired: a person has to approve it; the request is recorded.
            Frozen: *automatic*, and automatic moves are switched off.
        """
        by = By(self._who(actor), because, automatic, evidence_text(evidence))
        one, champion = self._seen(model_id, version)
        if expected is not _AS_SEEN:
            expect_champion(champion, expected, model_id)
        if not steps(one.name, one.status, "production"):
            return one
        self._check_files(one)
        if approval_required or self.approval.needs(model_id):
            raise self._requested(one, champion, by)
        with changing(self.database, model_id, by, now=self._clock()) as change:
            promoted = change.promote(one, champion, kind="moved")
        self._changed()
        return promoted

    def rollback(
        self,
        model_id: str,
        *,
        because: str,
        to: str | None = None,
        actor: str | None = None,
        automatic: bool = False,
        expected: str | None = _AS_SEEN,
    ) -> ModelVersion:
        """Go back to the version that served before the one in production, and archive that one.

        Going back twice goes back two versions, never to and fro. A version whose files are not whole, or that could
        not serve, is passed over.

        Args:
            to: an archived version that has served; default: the last one that can.
            expected: the champion to go back from (None: none), so that a rollback asked for twice goes back once; by
                default the one that is in production when the call begins.

        Raises:
            UnknownModel, UnknownVersion: there is no such version.
            NothingToRollBackTo: none served before, or *to* never did.
            ArtefactError: the files of *to* are not what was registered.
            Conflict: another version is in production than *expected*: somebody else was first.
            Frozen: *automatic*, and automatic moves are switched off.
        """
        by = By(self._who(actor), because, automatic)
        champion, target = self._where_back_to(model_id, to, expected)
        with changing(self.database, model_id, by, now=self._clock()) as change:
            restored = change.promote(target, champion, kind="rolled_back")
        self._changed()
        return restored

    def refuse(self, model_id: str, version: str, *, because: str, actor: str | None = None) -> ModelVersion | None:
        """Note that the version in production could not serve, and go back to the last one that can.

        What a serving process calls when a model fails to load or to answer. Nothing moves where automatic moves are
        frozen, where *version* is not in production any more, or where there is nothing to go back to; the failed
        move is remembered all the same.

        Returns:
            The version in production afterwards.
        """
        by = By(self._who(actor), because, automatic=True)
        seen = target = None
        with suppress(NothingToRollBackTo, ArtefactError):
            seen, target = self._where_back_to(model_id, None)
        with changing(self.database, model_id, by, now=self._clock(), even_if_frozen=True) as change:
            one, champion = change.version_and_champion(version)
            change.remember_failure(version, "validation", "production")
            # The target was found from the champion that was seen, and is of use for this one only.
            is_the_one = seen is not None and champion is not None and one.version == champion.version == seen.version
            if is_the_one and target is not None and not is_frozen(change.connection, model_id):
                back, _ = change.version_and_champion(target.version)
                change.move(one, ("archived",), kind="refused")
                champion = change.move(back, ("production",), kind="rolled_back")
        self._changed()
        return champion

    def archive(
        self,
        model_id: str,
        version: str,
        *,
        because: str,
        actor: str | None = None,
        automatic: bool = False,
        retire: bool = True,
    ) -> ModelVersion:
        """Archive a version. The one in production may be: then the model is retired until a rollback or promotion.

        Args:
            retire: False: not the one in production.

        Raises:
            UnknownModel, UnknownVersion: there is no such version.
            IllegalMove: it is in production, and *retire* is False.
            Frozen: *automatic*, and automatic moves are switched off.
        """
        by = By(self._who(actor), because, automatic)
        return self._move(model_id, version, "archived", by, may_retire=retire)

    def validate(
        self,
        model_id: str,
        version: str,
        *,
        because: str,
        evidence: Any = None,
        actor: str | None = None,
        automatic: bool = False,
    ) -> ModelVersion:
        """Move a version from training to validation.

        Raises:
            UnknownModel, UnknownVersion: there is no such version.
            IllegalMove: it is not in training.
            Frozen: *automatic*, and automatic moves are switched off.
        """
        by = By(self._who(actor), because, automatic, evidence_text(evidence))
        return self._move(model_id, version, "validation", by)

    def update_model_status(
        self,
        model_id: str,
        version: str,
        status: str,
        *,
        because: str = "update_model_status",
        actor: str | None = None,
    ) -> bool:
        """Move a version to *status*; True where it stands there now, False for an unknown version.

        Raises:
            InvalidMetadata: *status* is none.
            IllegalMove: no move leads there.
            ApprovalRequired, Conflict, ArtefactError: see :meth:`promote`.
        """
        wanted = checked_status(status)
        try:
            if wanted == "production":
                self.promote(model_id, version, because=because, actor=actor)
            else:
                self._move(model_id, version, wanted, By(self._who(actor), because))
        except (UnknownModel, UnknownVersion):
            return False
        return True

    def archive_model(self, model_id: str, version: str) -> bool:
        """Archive a version; False for an unknown one. See :meth:`archive`."""
        return self.update_model_status(model_id, version, "archived", because="archive_model")

    # --- Approval and freeze ----------------------------------------------------------------------------------------

    def approve(
        self, model_id: str, version: str, *, because: str, actor: str | None = None, request: int | None = None
    ) -> ModelVersion:
        """Approve the promotion that waits, and carry it out in the same transaction.

        Args:
            request: number of the request that was looked at; default: the one that waits when the call begins.

        Raises:
            ApprovalRefused: none waits, or another one than *request*; or *actor* requested it and may not approve it.
            Conflict: another version is in production than when it was requested: its evidence is of no use now.
            UnknownModel, UnknownVersion, IllegalMove, ArtefactError: see :meth:`promote`.
        """
        by = By(self._who(actor), because)
        self._check_files(self._seen(model_id, version)[0])
        with changing(self.database, model_id, by, now=self._clock()) as change:
            waiting = _approvals.the_pending(change.connection, model_id, version, request)
            one, champion = change.version_and_champion(version)
            expect_champion(champion, waiting.champion, model_id)
            _approvals.decide(change.connection, waiting, "approved", self.approval, by, now=change.at)
            change.by = By(
                by.actor,
                say(
                    "{because} (requested by {requester!s}: {why})",
                    because=because,
                    requester=waiting.requested_by,
                    why=waiting.because,
                ),
                False,
                evidence_text(waiting.evidence),
            )
            promoted = change.promote(one, champion, kind="moved")
        self._changed()
        return promoted

    def reject(
        self, model_id: str, version: str, *, because: str, actor: str | None = None, request: int | None = None
    ) -> Approval:
        """Reject the promotion that waits; whoever requested it may do so too.

        Args:
            request: as in :meth:`approve`.

        Raises:
            ApprovalRefused: none waits, or another one than *request* does.
            UnknownModel: there is no such model.
        """
        by = By(self._who(actor), because)
        with changing(self.database, model_id, by, now=self._clock()) as change:
            waiting = _approvals.the_pending(change.connection, model_id, version, request)
            rejected = _approvals.decide(change.connection, waiting, "rejected", self.approval, by, now=change.at)
        self._changed()
        return rejected

    def freeze(self, model_id: str | None = None, *, because: str, actor: str | None = None) -> Freeze:
        """Switch automatic moves off, for one model or all. Where they are off, the freeze in force stays.

        Raises:
            UnknownModel: there is no such model.
        """
        by = By(self._who(actor), because)
        scope = self._scope(model_id)
        with self.database.writing() as connection:
            kept = _freezes.freeze(connection, scope, by, now=self._clock())
        self._changed()
        return kept

    def unfreeze(self, model_id: str | None = None, *, because: str, actor: str | None = None) -> Freeze | None:
        """Switch automatic moves on again; None where they were not off. A freeze of all models is lifted by itself."""
        by = By(self._who(actor), because)
        scope = _freezes.ALL if model_id is None else model_id
        with self.database.writing() as connection:
            lifted = _freezes.lift(connection, scope, by, now=self._clock())
        self._changed()
        return lifted

    # --- End --------------------------------------------------------------------------------------------------------

    @property
    def view_path(self) -> Path | None:
        """The file that shows the registry, None where there is none."""
        return None if self._view is None else self._view.path

    def refresh_view(self) -> None:
        """Bring the file that shows the registry up to date now, where it is not."""
        if self._view is not None:
            self._view.write_now()

    def view_may_be_old(self) -> None:
        """Have the file that shows the registry looked at within a second, and written where it is not up to date."""
        self._changed()

    def close(self) -> None:
        """Write what is left to write. The database stays open: it belongs to who made it."""
        if self._view is not None:
            self._view.close()

    # --- Inside -----------------------------------------------------------------------------------------------------

    def _keep(self, artefact: Mapping[str, bytes] | Path | None, profile: ReferenceProfile | None) -> str | None:
        files = with_profile(files_in(artefact) if isinstance(artefact, Path) else artefact, profile)
        if files is None:
            return None
        if self.artefacts is None:
            raise ArtefactMissing(say("this registry has no place for artefacts"))
        return self.artefacts.put(files)

    def _insert(self, metadata: ModelMetadata, content: str, digest: str | None, by: By) -> ModelVersion:
        row = {
            "model_id": metadata.model_id,
            "version": metadata.version,
            "status": "training",
            "content": content,
            "artefact": digest,
            "registered_at": metadata.registered_at,
        }
        with self.database.writing() as connection:
            known = _rows.one_version(connection, metadata.model_id, metadata.version)
            if known is not None:
                return _the_same(known, content, digest)
            change = locked_or_new(connection, metadata.model_id, by, now=self._clock())
            if not insert_new(
                connection, versions, {**row, "generation": change.generation}, key=["model_id", "version"]
            ):
                # Somebody else has registered it while this one waited for the model's lock.
                found, _ = change.version_and_champion(metadata.version)
                return _the_same(found, content, digest)
            change.remember_registration(metadata.version)
            change.write_moves()
            return ModelVersion(
                metadata.model_id,
                metadata.version,
                "training",
                content,
                digest,
                metadata.registered_at,
                None,
                change.generation,
            )

    def _advance(self, one: ModelVersion, wanted: Status, by: By) -> ModelVersion:
        """Take a version that was just registered to where its metadata want it."""
        if one.status != "training" or wanted == "training":
            return one
        try:
            if wanted != "production":
                return self._move(one.model_id, one.version, wanted, by)
            return self.promote(one.model_id, one.version, because=by.because, actor=by.actor, automatic=by.automatic)
        except (Conflict, IllegalMove):
            # Several workers that start together register the same: one of them has taken it there.
            found, _ = self._seen(one.model_id, one.version)
            if found.status == "training":
                raise
            return found

    def _move(self, model_id: str, version: str, to: Status, by: By, *, may_retire: bool = True) -> ModelVersion:
        with changing(self.database, model_id, by, now=self._clock()) as change:
            one, _ = change.version_and_champion(version)
            if one.status == "production" and not may_retire:
                raise _would_retire(one)
            moved = change.move(one, steps(one.name, one.status, to), kind="moved")
        self._changed()
        return moved

    def _seen(self, model_id: str, version: str) -> tuple[ModelVersion, ModelVersion | None]:
        with self.database.reading() as connection:
            one, champion = _rows.version_and_champion(connection, model_id, version)
            if one is None:
                raise unknown(connection, model_id, version)
            return one, champion

    def _champion_of_a_known(self, model_id: str) -> ModelVersion | None:
        with self.database.reading() as connection:
            _see_that_it_is_known(connection, model_id)
            return _rows.champion(connection, model_id)

    def _where_back_to(
        self, model_id: str, to: str | None, expected: str | None = _AS_SEEN
    ) -> tuple[ModelVersion | None, ModelVersion]:
        """The version in production, and the one to go back to."""
        one, champion = (None, self._champion_of_a_known(model_id)) if to is None else self._seen(model_id, to)
        if expected is not _AS_SEEN:
            expect_champion(champion, expected, model_id)
        if one is None:
            return champion, self._first_whole(model_id, self.versions_before(model_id))
        if one.status != "archived" or one.version not in self._serving_order(model_id).ever:
            raise NothingToRollBackTo(
                say(
                    "{version} is {status}, and is no version to go back to",
                    version=f"{model_id} {to}",
                    status=one.status,
                )
            )
        self._check_files(one)
        return champion, one

    def _first_whole(self, model_id: str, candidates: Sequence[ModelVersion]) -> ModelVersion:
        first_error: ArtefactError | None = None
        for one in candidates:
            try:
                self._check_files(one)
            except ArtefactError as error:
                first_error = first_error or error
            else:
                return one
        if first_error is not None:
            raise first_error
        raise NothingToRollBackTo(say("no earlier version of {model!s} served", model=model_id))

    def _check_files(self, one: ModelVersion) -> None:
        if one.artefact is not None and self.artefacts is not None:
            self.artefacts.get(one.artefact)

    def _requested(self, one: ModelVersion, champion: ModelVersion | None, by: By) -> ApprovalRequired:
        with changing(self.database, one.model_id, by, now=self._clock()) as change:
            waiting = _approvals.request(change.connection, one, champion, by, now=change.at)
        self._changed()
        return ApprovalRequired(
            say(
                "the promotion of {version} waits for approval as request {request:d}: {command}",
                version=f"{one.model_id} {one.version}",
                request=waiting.approval_id,
                command=f"mlops models approve {one.model_id} {one.version}",
            ),
            approval_id=waiting.approval_id,
        )

    def _scope(self, model_id: str | None) -> str:
        if model_id is None:
            return _freezes.ALL
        with self.database.reading() as connection:
            _see_that_it_is_known(connection, model_id)
        return model_id

    def _changed(self) -> None:
        if self._view is not None:
            self._view.changed()

    def _who(self, actor: str | None) -> str:
        if actor is None and self._actor is None:
            self._actor = system_user()
        return actor or self._actor or "unknown"


def _see_that_it_is_known(connection: sa.Connection, model_id: str) -> None:
    if connection.execute(_rows.GENERATION, {"model_id": model_id}).first() is None:
        raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))


def _the_same(known: ModelVersion, content: str, digest: str | None) -> ModelVersion:
    if not known.has_content(content, digest):
        raise VersionExists(
            say(
                "{version} is registered with other content; versions never change: register the next one",
                version=f"{known.model_id} {known.version}",
            )
        )
    return known


def _would_retire(one: ModelVersion) -> IllegalMove:
    return IllegalMove(
        say(
            "{version} is in production: archiving it retires the model; say `retire` if that is meant",
            version=f"{one.model_id} {one.version}",
        ),
        from_status="production",
        to_status="archived",
    )
