"""What an artefact consists of, and the digest that follows from it."""

from __future__ import annotations

import errno
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from mlops.artefacts.formats import refuse_unsafe
from mlops.errors import ArtefactDamaged, ArtefactForeign, ArtefactRefused
from mlops.sentences import say

Digest = str  # 64 hexadecimal digits
MANIFEST_NAME = "manifest.json"
THE_MANIFEST = say("the manifest")
_FORMAT = 1
_IS_A_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path with forward slashes, its size in bytes, its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of an artefact, sorted by path. *hmac* is the signature of the rest, where a key was set."""

    files: tuple[FileEntry, ...]
    hmac: str | None = None

    @classmethod
    def of(cls, files: Mapping[str, bytes], *, key: bytes | None = None) -> Manifest:
        """The manifest of *files*, signed where there is a *key*.

        Raises:
            ArtefactRefused: there is no file, or a path or format is not allowed.
        """
        if not files:
            raise ArtefactRefused(say("an artefact has at least one file"))
        for path, content in files.items():
            _refuse_path(path)
            refuse_unsafe(path, content)
        _refuse_files_as_folders(files)
        entries = (FileEntry(path, len(files[path]), hashlib.sha256(files[path]).hexdigest()) for path in sorted(files))
        return cls(tuple(entries)).signed(key)

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """From the content of a manifest file.

        Raises:
            ArtefactDamaged: it is none.
        """
        try:
            fields = orjson.loads(text)
            if fields["format"] != _FORMAT:
                raise ArtefactDamaged(
                    say(
                        "the manifest has format {format}, this release reads {readable}",
                        format=fields["format"],
                        readable=_FORMAT,
                    )
                )
            files = tuple(_entry(f["path"], f["size"], f["sha256"]) for f in fields["files"])
            signature = fields.get("hmac")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtefactDamaged(say("{file} cannot be read: {error}", file=THE_MANIFEST, error=error)) from error
        if not files or len({entry.path for entry in files}) < len(files):
            raise ArtefactDamaged(say("the manifest cannot be used: it names no file, or one twice"))
        if not isinstance(signature, str | None):
            raise ArtefactDamaged(
                say("the manifest cannot be used: its signature is {signature!r}", signature=signature)
            )
        return cls(files, signature)

    @property
    def digest(self) -> Digest:
        """SHA-256 of what the manifest says of the files; it does not depend on the signature."""
        return hashlib.sha256(self._signed_part()).hexdigest()

    def signed(self, key: bytes | None) -> Manifest:
        """The same, signed with *key*; unsigned where there is none."""
        return Manifest(self.files, None if key is None else self._signature(key))

    def check_signature(self, key: bytes | None) -> None:
        """See that we have signed it. Without a *key* there is nothing to see.

        Raises:
            ArtefactForeign: it is not signed, or with another key.
        """
        if key is None:
            return
        if self.hmac is None:
            raise ArtefactForeign(say("it is not signed, and ARTIFACT_SIGNING_KEY is set"))
        if not hmac.compare_digest(self.hmac.encode(), self._signature(key).encode()):
            raise ArtefactForeign(say("it was signed with another key than ARTIFACT_SIGNING_KEY"))

    def check_files(self, files: Mapping[str, bytes]) -> None:
        """See that *files* are those of the manifest.

        Raises:
            ArtefactDamaged: one was changed, cut short, taken away or added; the message names it.
            ArtefactRefused: a format is not on the list.
        """
        listed = {entry.path for entry in self.files}
        if extra := sorted(set(files) - listed):
            raise ArtefactDamaged(say("the file {file!s} is not in the manifest", file=extra[0]))
        for entry in self.files:
            content = files.get(entry.path)
            if content is None:
                raise ArtefactDamaged(say("the file {file!s} is missing", file=entry.path))
            if len(content) != entry.size:
                raise ArtefactDamaged(
                    say(
                        "the file {file!s} has {n:d} bytes, and was written with {size:d}",
                        file=entry.path,
                        n=len(content),
                        size=entry.size,
                    )
                )
            if hashlib.sha256(content).hexdigest() != entry.sha256:
                raise ArtefactDamaged(say("the file {file!s} was changed: its SHA-256 is another", file=entry.path))
            refuse_unsafe(entry.path, content)

    def to_bytes(self) -> bytes:
        """The content of its file: JSON that a person can read."""
        fields = orjson.loads(self._signed_part())
        if self.hmac is not None:
            fields["hmac"] = self.hmac
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def _signed_part(self) -> bytes:
        files = [{"path": entry.path, "sha256": entry.sha256, "size": entry.size} for entry in self.files]
        return orjson.dumps({"files": files, "format": _FORMAT}, option=orjson.OPT_SORT_KEYS)

    def _signature(self, key: bytes) -> str:
        return hmac.new(key, self._signed_part(), hashlib.sha256).hexdigest()


def files_in(folder: Path) -> dict[str, bytes]:
    """The files below *folder* by relative path, but for a manifest; the way to register what a program has written.

    Raises:
        ArtefactRefused: there is a link or something else that is neither file nor folder.
        OSError: *folder* is none, or cannot be read.
    """
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(folder))
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtefactRefused(say("{file} is a link or no ordinary file", file=path.relative_to(folder)))
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST_NAME:
            files[name] = path.read_bytes()
    return files


def is_a_digest(text: str) -> bool:
    """Whether *text* has the form of a :data:`Digest`."""
    return _IS_A_DIGEST.fullmatch(text) is not None


def _entry(path: str, size: int, sha256: str) -> FileEntry:
    """What a manifest says of one file, none of which is to be trusted.

    Raises:
        ValueError, TypeError: it cannot be so.
    """
    _refuse_path(path)
    if type(size) is not int or not 0 <= size < 2**63:
        raise ValueError(say("{file} cannot have {size!r} bytes", file=path, size=size))
    if not is_a_digest(sha256):
        raise ValueError(say("{file} cannot have the SHA-256 {sha256!r}", file=path, sha256=sha256))
    return FileEntry(path, size, sha256)


def _refuse_files_as_folders(files: Mapping[str, bytes]) -> None:
    for path in files:
        for parent in PurePosixPath(path).parents:
            if parent.as_posix() in files:
                raise ArtefactRefused(
                    say("{parent!r} is a file and a folder, that of {file!r}", parent=parent.as_posix(), file=path)
                )


def _refuse_path(path: str) -> None:
    parts = PurePosixPath(path).parts
    if (
        not parts
        or "\\" in path
        or not path.isprintable()
        or path.startswith("/")
        or ".." in parts
        or path == MANIFEST_NAME
    ):
        raise ArtefactRefused(say("{file!r} cannot be the path of a file of an artefact", file=path))
    if PurePosixPath(path).as_posix() != path:
        raise ArtefactRefused(
            say("{file!r} must be written {right!r}", file=path, right=PurePosixPath(path).as_posix())
        )
