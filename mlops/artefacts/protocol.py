"""What every place for artefacts can do. One suite of tests runs on all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mlops.artefacts.manifest import Digest, Manifest


class ArtefactStore(Protocol):
    """Keeps the files of model versions under the digest of their content."""

    def put(self, files: Mapping[str, bytes]) -> Digest:
        """Keep *files*, content by relative path; the same content again changes nothing.

        Raises:
            ArtefactRefused: a name or format is not on the list of those that are safe to load.
        """

    def get(self, digest: Digest) -> Mapping[str, bytes]:
        """The files, verified. What is returned is what was verified: nothing is read a second time.

        Raises:
            ArtefactMissing: there is nothing under *digest*.
            ArtefactDamaged: a file was changed, cut short, taken away or added.
            ArtefactForeign: it is not what *digest* names, or not signed with our key.
            ArtefactRefused: a format is not on the list.
        """

    def manifest(self, digest: Digest) -> Manifest:
        """What the artefact says of itself: names, sizes and digests of its files, which are not read.

        Raises:
            ArtefactMissing, ArtefactDamaged: there is none, or it cannot be read.
            ArtefactForeign: it is another artefact's.
        """

    def digests(self) -> list[Digest]:
        """All digests that something is kept under, sorted."""
