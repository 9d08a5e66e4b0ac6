"""The folder of indexes: which one is current, opening it, clearing away the others.

var/index/current            name of the index that is served
var/index/<name>/            one finished index, never changed
    manifest.json            what it was made from
    items.npz                what the ranker looks up
    edge/                    Qdrant Edge's folder, where the engine runs in the process
var/index/<name>.building/   one being built; an interrupted build goes on in it
var/index/private/<pid>/     copies for the other processes: an Edge folder belongs to one at a time
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from mlops.sentences import say
from recipes.errors import IndexUnavailable
from recipes.index.edge import EdgeStore, FolderInUse
from recipes.index.items import ItemTable
from recipes.index.search import RecipeIndex
from recipes.index.store import VectorStore

_N_OLD_KEPT = 1


@dataclass(frozen=True, slots=True)
class QdrantServer:
    """Where a Qdrant server answers."""

    host: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index was made from."""

    name: str
    fingerprint: str
    encoder: str
    dimensions: int
    n_recipes: int
    engine: str

    def write(self, folder: Path) -> None:
        """Write it into *folder*."""
        text = json.dumps({key: getattr(self, key) for key in self.__slots__}, indent=2)
        (folder / "manifest.json").write_text(text + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read that of *folder*.

        Raises:
            IndexUnavailable: it is missing or damaged.
        """
        try:
            fields: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
            return cls(**fields)
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(folder, error) from error


class IndexLibrary:
    """All indexes below one folder."""

    def __init__(self, folder: Path, *, server: QdrantServer | None = None) -> None:
        self.folder = folder
        self._server = server

    @property
    def engine(self) -> str:
        """``edge`` or ``server``."""
        return "edge" if self._server is None else "server"

    def current_name(self) -> str | None:
        """Name of the current index, None before the first was built."""
        try:
            return (self.folder / "current").read_text("utf-8").strip() or None
        except OSError:
            return None

    def current(self) -> Manifest | None:
        """Manifest of the current index, None where there is none or it is damaged."""
        name = self.current_name()
        if name is None:
            return None
        try:
            return Manifest.read(self.folder / name)
        except IndexUnavailable:
            return None

    def make_current(self, name: str) -> None:
        """Point at the finished index *name*, and clear away all but it and the one before."""
        before = self.current_name()
        pointer = self.folder / f"current.{os.getpid()}"
        pointer.write_text(name + "\n", "utf-8")
        pointer.replace(self.folder / "current")
        self._clear(keep={name, before} if _N_OLD_KEPT else {name})

    def open(self, *, encoder_name: str) -> RecipeIndex:
        """Open the current index.

        Raises:
            IndexUnavailable: there is none, it is damaged, its engine does not answer, or its vectors are from another
                encoder.
        """
        name = self.current_name()
        if name is None:
            raise IndexUnavailable(say("there is no index in {folder!s} yet; run: recipes index", folder=self.folder))
        folder = self.folder / name
        manifest = Manifest.read(folder)
        if manifest.encoder != encoder_name:
            raise IndexUnavailable(
                say(
                    "the index holds vectors of {theirs}, the encoder is {ours}; run: recipes index",
                    theirs=manifest.encoder,
                    ours=encoder_name,
                )
            )
        try:
            items = ItemTable.read(folder / "items.npz")
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            raise _damaged(folder, error) from error
        store = self._open_store(folder, manifest)
        with contextlib.ExitStack() as undo:
            undo.callback(store.close)
            # An engine that misses a file may open without a word and without what was in it.
            if not manifest.n_recipes == len(items) == store.count():
                raise _damaged(folder, say("it should hold {n} recipes, and does not", n=manifest.n_recipes))
            store.known(items.numbers[:1].tolist())
            undo.pop_all()
        return RecipeIndex(name=name, fingerprint=manifest.fingerprint, store=store, items=items)

    def open_vectors(self, *, encoder_name: str) -> list[VectorStore]:
        """The current index's store, to take vectors from; empty where it cannot serve that."""
        manifest = self.current()
        if manifest is None or manifest.encoder != encoder_name or manifest.engine != self.engine:
            return []
        try:
            return [self._open_store(self.folder / manifest.name, manifest)]
        except IndexUnavailable:
            return []

    def create_store(self, folder: Path, name: str, *, dimensions: int) -> EdgeStore | Any:
        """The store of an index being built in *folder*, with what an interrupted build left in it."""
        if self._server is not None:
            from recipes.index.server import QdrantStore, connect

            client = connect(self._server.host, api_key=self._server.api_key)
            return QdrantStore.create(client, name, dimensions=dimensions)
        edge = folder / "edge"
        if edge.exists():
            with contextlib.suppress(IndexUnavailable):
                return EdgeStore.open(edge)
            shutil.rmtree(edge)
        return EdgeStore.create(edge, dimensions=dimensions)

    @contextlib.contextmanager
    def build_lock(self) -> Iterator[None]:
        """One build at a time; a second one waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "build.lock"):
            yield

    def _open_store(self, folder: Path, manifest: Manifest) -> VectorStore:
        if manifest.engine == "server":
            if self._server is None:
                raise IndexUnavailable(
                    say("the index lies on a Qdrant server, and QDRANT_HOST is not set; run: recipes index")
                )
            from recipes.index.server import QdrantStore, connect

            client = connect(self._server.host, api_key=self._server.api_key)
            return QdrantStore.open(client, manifest.name)
        if self._server is not None:
            raise IndexUnavailable(say("QDRANT_HOST is set, and the index lies in a local folder; run: recipes index"))
        try:
            return EdgeStore.open(folder / "edge")
        except FolderInUse:
            return self._open_copy(folder)

    def _open_copy(self, folder: Path) -> VectorStore:
        private = self.folder / "private"
        _remove_copies_of_the_dead(private)
        copy = private / str(os.getpid()) / f"{folder.name}-{secrets.token_hex(4)}"
        try:
            shutil.copytree(folder / "edge", copy, copy_function=_copy_with_holes)
            return _PrivateStore(EdgeStore.open(copy), copy)
        except (OSError, IndexUnavailable) as error:
            shutil.rmtree(copy, ignore_errors=True)
            raise IndexUnavailable(say("no copy of the index could be made: {error}", error=error)) from error

    def _clear(self, *, keep: set[str | None]) -> None:
        for entry in self.folder.iterdir():
            if entry.is_dir() and entry.name not in keep and entry.name != "private":
                shutil.rmtree(entry, ignore_errors=True)


class _PrivateStore(EdgeStore):
    """A copy that goes with the process that made it."""

    def __init__(self, store: EdgeStore, folder: Path) -> None:
        super().__init__(store._shard)
        self._folder = folder

    def close(self) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._folder.parent.rmdir()


def _copy_with_holes(source: str, target: str) -> None:
    """Copy a file without its blocks of zeros: the engine's files have hundreds of megabytes that take no room."""
    zeros = bytes(1 << 16)
    with Path(source).open("rb") as reader, Path(target).open("wb") as writer:
        while block := reader.read(len(zeros)):
            if block == zeros:
                writer.seek(len(block), os.SEEK_CUR)
            else:
                writer.write(block)
        writer.truncate()


def _damaged(folder: Path, problem: object) -> IndexUnavailable:
    return IndexUnavailable(
        say("the index in {folder!s} is damaged: {problem}; run: recipes index --anew", folder=folder, problem=problem)
    )


def _remove_copies_of_the_dead(private: Path) -> None:
    for entry in private.glob("*"):
        if entry.name.isdigit() and not _is_alive(int(entry.name)):
            shutil.rmtree(entry, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
