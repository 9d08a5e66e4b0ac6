"""Artefacts in folders: ``models/artifacts/<digest>/`` with a ``manifest.json``, each appearing by rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlops.artefacts.manifest import MANIFEST_NAME, THE_MANIFEST, Digest, Manifest, files_in, is_a_digest
from mlops.errors import ArtefactDamaged, ArtefactError, ArtefactForeign, ArtefactMissing, ArtefactRefused
from mlops.files import sync_folder, write_folder, write_whole
from mlops.sentences import say

# A draft that is older was left by a process that died: writing one takes seconds.
_DRAFT_LIFETIME_SECONDS = 3_600
# How often to look again while others mend the same damaged artefact. One of them succeeds each time.
_TRIES = 20


class DiskArtefacts:
    """An :class:`~mlops.artefacts.ArtefactStore` below one folder, safe to use from several processes.

    Attributes:
        folder: holds a folder per artefact, named by its digest.
    """

    def __init__(self, folder: Path, *, signing_key: bytes | None = None) -> None:
        """Nothing is read or written yet.

        Args:
            signing_key: with it manifests are signed (HMAC-SHA-256), and only those signed with it are accepted.
        """
        self.folder = folder
        self._key = signing_key

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign with."""
        return self._key is not None

    def elsewhere(self, folder: Path) -> DiskArtefacts:
        """A store below another folder that signs and accepts as this one does."""
        return DiskArtefacts(folder, signing_key=self._key)

    def put(self, files: Mapping[str, bytes]) -> Digest:
        """See :class:`~mlops.artefacts.ArtefactStore`. The files are on the disk when this returns."""
        manifest = Manifest.of(files, key=self._key)
        digest = manifest.digest
        if not self._is_whole(digest):
            self._write(digest, {**files, MANIFEST_NAME: manifest.to_bytes()})
        return digest

    def get(self, digest: Digest) -> Mapping[str, bytes]:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        with _named(digest):
            manifest = self.manifest(digest)
            manifest.check_signature(self._key)
            files = self._read_files(digest)
            manifest.check_files(files)
            return files

    def manifest(self, digest: Digest) -> Manifest:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        folder = self._folder_of(digest)
        # Looked at first: a folder appears whole, so that one seen here has its manifest. Looked at after a failure,
        # it may have appeared since.
        if not folder.is_dir():
            raise ArtefactMissing(say("there is no folder {folder!s}", folder=folder))
        try:
            manifest = Manifest.parse((folder / MANIFEST_NAME).read_bytes())
        except OSError as error:
            raise ArtefactDamaged(
                say("{file} cannot be read: {error}", file=THE_MANIFEST, error=error.strerror)
            ) from error
        if manifest.digest != digest:
            raise ArtefactForeign(say("the manifest in its folder is that of {artefact}", artefact=manifest.digest))
        return manifest

    def sign(self, digest: Digest) -> None:
        """Sign what is kept under *digest* with our key, after its files were verified.

        Raises:
            ArtefactError: as :meth:`get`, but for the signature.
            ArtefactRefused: there is no key.
        """
        if self._key is None:
            raise ArtefactRefused("there is nothing to sign with: ARTIFACT_SIGNING_KEY is not set")
        with _named(digest):
            manifest = self.manifest(digest)
            manifest.check_files(self._read_files(digest))
        write_whole(self._folder_of(digest) / MANIFEST_NAME, manifest.signed(self._key).to_bytes())

    def digests(self) -> list[Digest]:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        try:
            return sorted(entry.name for entry in self.folder.iterdir() if is_a_digest(entry.name))
        except FileNotFoundError:
            return []

    def _is_whole(self, digest: Digest) -> bool:
        try:
            self.get(digest)
        except ArtefactError:
            return False
        return True

    def _write(self, digest: Digest, files: Mapping[str, bytes]) -> None:
        drafts = self.folder / ".drafts"
        _clear_old(drafts)
        draft = drafts / f"{os.getpid()}-{secrets.token_hex(6)}"
        try:
            write_folder(draft, files)
            self._move_in(draft, self._folder_of(digest))
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _move_in(self, draft: Path, target: Path) -> None:
        for tries_left in reversed(range(_TRIES)):
            try:
                draft.rename(target)
            except OSError:
                # Somebody else has written it meanwhile, or what lies there is not whole and must make room.
                if self._is_whole(target.name):
                    return
                if not tries_left:
                    raise
                _make_room(target, draft.with_name(f"{draft.name}-refused"))
            else:
                break
        sync_folder(self.folder)

    def _read_files(self, digest: Digest) -> dict[str, bytes]:
        try:
            return files_in(self._folder_of(digest))
        except ArtefactRefused as error:
            raise ArtefactDamaged(str(error)) from error
        except OSError as error:
            raise ArtefactDamaged(
                say("{file} cannot be read: {error}", file=error.filename, error=error.strerror)
            ) from error

    def _folder_of(self, digest: Digest) -> Path:
        if not is_a_digest(digest):
            raise ArtefactMissing(say("{text!r} is no digest: 64 hexadecimal digits", text=digest))
        return self.folder / digest


@contextlib.contextmanager
def _named(digest: Digest) -> Iterator[None]:
    """Puts the artefact's name before the message of an error about it."""
    try:
        yield
    except ArtefactError as error:
        raise type(error)(say("artefact {digest!s}: {error}", digest=digest[:12], error=error)) from error


def _make_room(target: Path, aside: Path) -> None:
    # Where it is gone, another process is mending the same artefact.
    with contextlib.suppress(FileNotFoundError):
        target.rename(aside)
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink()


def _clear_old(drafts: Path) -> None:
    drafts.mkdir(parents=True, exist_ok=True)
    for entry in drafts.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime > _DRAFT_LIFETIME_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)
