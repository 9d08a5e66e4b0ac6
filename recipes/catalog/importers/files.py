"""Opening a file to import: plain, ``.gz`` or ``.zip``, with a count of the bytes read so far."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from recipes.errors import BadCatalogueFile

_PICKLE_ENDINGS = {".pkl", ".pickle", ".joblib"}
# What a broken, encrypted or exotic archive makes the standard library raise.
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


class Position(Protocol):
    """How far a reader has come, as a share from 0 to 1."""

    def __call__(self) -> float: ...


class _Bytes(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An opened file: its bytes without the packing, its name without it, and how much has been read."""

    content: IO[bytes]
    name: str
    position: Position


def check_readable(path: Path) -> None:
    """Refuse what cannot or must not be opened.

    Raises:
        BadCatalogueFile: no such file, a folder, empty, not ours to read, or a pickle (opening one can run code).
    """
    if not path.is_file():
        raise BadCatalogueFile(f"{path} is not a file")
    if not os.access(path, os.R_OK):
        raise BadCatalogueFile(f"{path} may not be read by this user")
    if _PICKLE_ENDINGS & {suffix.lower() for suffix in path.suffixes}:
        raise BadCatalogueFile(f"{path} is a pickle, and opening one can run code; save it as parquet or CSV instead")
    if path.stat().st_size == 0:
        raise BadCatalogueFile(f"{path} is empty")


def fingerprint(path: Path, *, salt: str) -> str:
    """Tells whether *path* is the same file as last time: its name and all of its bytes."""
    digest = hashlib.blake2b(f"{salt}:{path.name}:".encode(), digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def open_bytes(path: Path, *, inside: tuple[str, ...]) -> Iterator[Unpacked]:
    """The content of *path*, unpacked.

    Args:
        inside: endings that a member of a ``.zip`` must have; the archive must hold exactly one such.

    Raises:
        BadCatalogueFile: the archive is damaged, or holds none or several such members.
    """
    size = path.stat().st_size
    with path.open("rb") as packed:

        def position() -> float:
            return min(1.0, packed.tell() / size)

        packing = path.suffix.lower()
        if packing == ".gz":
            with gzip.open(packed) as content:
                yield Unpacked(_reported(path, content), path.stem, position)
        elif packing == ".zip":
            with _member(path, packed, inside) as (member, name):
                yield Unpacked(_reported(path, member), name, position)
        else:
            yield Unpacked(packed, path.name, position)


class _ReportedErrors(io.RawIOBase):
    """Turns the many errors of a damaged archive into one of ours."""

    def __init__(self, path: Path, inner: _Bytes) -> None:
        self._path = path
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            chunk = self._inner.read(len(buffer))
        except _DAMAGE as error:
            raise BadCatalogueFile(f"{self._path} is damaged: {error}") from error
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _reported(path: Path, inner: _Bytes) -> IO[bytes]:
    return io.BufferedReader(_ReportedErrors(path, inner), buffer_size=1 << 18)


@contextmanager
def _member(path: Path, packed: IO[bytes], inside: tuple[str, ...]) -> Iterator[tuple[IO[bytes], str]]:
    try:
        archive = zipfile.ZipFile(packed)
    except _DAMAGE as error:
        raise BadCatalogueFile(f"{path} is damaged: {error}") from error
    with archive:
        members = [name for name in archive.namelist() if name.lower().endswith(inside) and "__MACOSX" not in name]
        if len(members) != 1:
            found = ", ".join(members) or "none"
            raise BadCatalogueFile(f"{path} must hold one file ending in {' or '.join(inside)}, found {found}")
        try:
            unpacked = archive.open(members[0])
        except _DAMAGE as error:
            raise BadCatalogueFile(f"{path} is damaged, or locked by a password: {error}") from error
        with unpacked:
            yield unpacked, members[0]
