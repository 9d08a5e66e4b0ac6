"""Artefacts in memory: for tests, ours and our users'."""

from __future__ import annotations

from collections.abc import Mapping

from mlops.artefacts.manifest import Digest, Manifest
from mlops.errors import ArtefactMissing
from mlops.sentences import say


class MemoryArtefacts:
    """An :class:`~mlops.artefacts.ArtefactStore` that goes with the process."""

    def __init__(self) -> None:
        self._kept: dict[Digest, dict[str, bytes]] = {}

    def put(self, files: Mapping[str, bytes]) -> Digest:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        digest = Manifest.of(files).digest
        self._kept[digest] = dict(files)
        return digest

    def get(self, digest: Digest) -> Mapping[str, bytes]:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        try:
            return dict(self._kept[digest])
        except KeyError:
            raise ArtefactMissing(say("there is no artefact {digest!s}", digest=digest)) from None

    def manifest(self, digest: Digest) -> Manifest:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        return Manifest.of(self.get(digest))

    def digests(self) -> list[Digest]:
        """See :class:`~mlops.artefacts.ArtefactStore`."""
        return sorted(self._kept)
