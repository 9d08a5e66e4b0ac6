"""Building an index: derive documents, encode what is new, fill the engine, swap it in."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.catalog import Catalogue
from recipes.encoder import Encoder
from recipes.errors import IndexUnavailable
from recipes.index.document import Document, document_of
from recipes.index.items import ItemTableWriter
from recipes.index.library import IndexLibrary, Manifest
from recipes.index.store import IndexPoint, KnownVectors, Vector, VectorStore
from recipes.lexicon import Lexicon

_log = logging.getLogger("recipes.index")

# Counts up with every change to what an index holds or how it is derived.
FORMAT = 4


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build has come."""

    n_done: int
    n_total: int
    n_encoded: int


OnProgress = Callable[[BuildProgress], None]
_Vectors = dict[int, tuple[Vector, Vector]]


class IndexBuilder:
    """Builds indexes of *catalogue* into *library*."""

    def __init__(self, catalogue: Catalogue, library: IndexLibrary, encoder: Encoder, lexicon: Lexicon) -> None:
        self._catalogue = catalogue
        self._library = library
        self._encoder = encoder
        self._lexicon = lexicon

    def name(self) -> str:
        """Name of the index that the catalogue, the encoder and the lexicon now call for."""
        return self._name_for(self._catalogue.fingerprint())

    def is_current(self) -> bool:
        """Whether the current index is the one that :meth:`name` calls for."""
        current = self._library.current()
        name = self.name()
        # One that was built anew has something behind its name.
        return current is not None and (current.name == name or current.name.startswith(f"{name}-"))

    def build(self, on_progress: OnProgress = lambda progress: None, *, anew: bool = False) -> Manifest:
        """Build the index and make it current. Vectors of unchanged recipes are taken from the index before.

        A build that was interrupted goes on where it stopped. One that is already current is left alone.

        Args:
            anew: build although it is current, and encode everything again.

        Raises:
            EncoderUnavailable, IndexUnavailable: a part that it needs does not answer.
        """
        with self._library.build_lock():
            current = self._library.current()
            if current is not None and self.is_current() and not anew:
                return current
            # As of now: what changes while it is built makes the index stale.
            fingerprint = self._catalogue.fingerprint()
            name = self._name_for(fingerprint)
            if anew:
                # A name of its own: the index before serves until this one is finished.
                name = f"{name}-{secrets.token_hex(3)}"
            building = self._library.folder / f"{name}.building"
            building.mkdir(parents=True, exist_ok=True)
            manifest = self._fill(building, name, fingerprint, [] if anew else self._sources(), on_progress)
            finished = self._library.folder / name
            if finished.exists():
                shutil.rmtree(finished)
            building.rename(finished)
            self._library.make_current(name)
            return manifest

    def _name_for(self, fingerprint: str) -> str:
        recipe_for = f"{FORMAT}:{self._library.engine}:{self._encoder.name}:{self._lexicon.fingerprint}"
        made_how = hashlib.blake2b(recipe_for.encode(), digest_size=4).hexdigest()
        return f"recipes-{fingerprint}-{made_how}"

    def _fill(
        self, folder: Path, name: str, fingerprint: str, before: Sequence[VectorStore], on_progress: OnProgress
    ) -> Manifest:
        items = ItemTableWriter()
        n_done = n_encoded = 0
        n_total = self._catalogue.count()
        with contextlib.ExitStack() as opened:
            for source in before:
                opened.callback(source.close)
            store = self._library.create_store(folder, name, dimensions=self._encoder.dimensions)
            opened.callback(store.close)
            for documents in self._documents():
                here = store.known([document.recipe_no for document in documents])
                fresh = [document for document in documents if not _is_up_to_date(document, here)]
                vectors, n_new = self._vectors(fresh, before)
                store.upsert([_point(document, *vectors[document.recipe_no]) for document in fresh])
                for document in documents:
                    items.add(document)
                n_done += len(documents)
                n_encoded += n_new
                on_progress(BuildProgress(n_done, n_total, n_encoded))
            store.finish()
        items.write(folder / "items.npz")
        manifest = Manifest(
            name=name,
            fingerprint=fingerprint,
            encoder=self._encoder.name,
            dimensions=self._encoder.dimensions,
            n_recipes=n_done,
            engine=self._library.engine,
        )
        manifest.write(folder)
        return manifest

    def _documents(self) -> Iterator[list[Document]]:
        for batch in self._catalogue.walk():
            yield [document_of(stored, self._lexicon) for stored in batch]

    def _sources(self) -> list[VectorStore]:
        """The current index, if its vectors can be used again."""
        return self._library.open_vectors(encoder_name=self._encoder.name)

    def _vectors(self, documents: Sequence[Document], before: Sequence[VectorStore]) -> tuple[_Vectors, int]:
        vectors: _Vectors = {}
        for source in before:
            known = _known_to(source, documents)
            for document in documents:
                if _is_up_to_date(document, known):
                    found = known[document.recipe_no]
                    vectors[document.recipe_no] = (found.name, found.ingredients)
        new = [document for document in documents if document.recipe_no not in vectors]
        names = self._encoder.encode([document.name for document in new])
        foods = self._encoder.encode([document.foods for document in new])
        for document, name, ingredients in zip(new, names, foods, strict=True):
            vectors[document.recipe_no] = (name, ingredients)
        return vectors, len(new)


def _known_to(source: VectorStore, documents: Sequence[Document]) -> dict[int, KnownVectors]:
    """What *source* holds of *documents*; nothing where it is damaged, since everything can be encoded again."""
    try:
        return source.known([document.recipe_no for document in documents])
    except IndexUnavailable as error:
        _log.warning("no vectors are taken from the index before: %s", error)
        return {}


def _is_up_to_date(document: Document, known: dict[int, KnownVectors]) -> bool:
    found = known.get(document.recipe_no)
    return found is not None and found.content_hash == document.made_from


def _point(document: Document, name: Vector, ingredients: Vector) -> IndexPoint:
    return IndexPoint(
        recipe_no=document.recipe_no,
        content_hash=document.made_from,
        name=name,
        ingredients=ingredients,
        name_words=list(document.name_terms),
        body_words=list(document.body_terms),
        contains=document.contains,
        unknown=document.unknown,
        minutes_floor=document.minutes_floor,
        meals=document.meals,
    )
