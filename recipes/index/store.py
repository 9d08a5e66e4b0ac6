"""What the index asks of a vector engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet, TokenizerType

from recipes.constraints import WORD_MARK, Constraints

DenseField = Literal["name", "ingredients"]
WordField = Literal["name_words", "body_words"]
Vector = NDArray[np.float32]

DENSE_FIELDS: tuple[DenseField, ...] = ("name", "ingredients")
WORD_FIELDS: tuple[WordField, ...] = ("name_words", "body_words")


@dataclass(frozen=True, slots=True)
class IndexPoint:
    """What the engine keeps of one recipe.

    Attributes:
        minutes_floor: minutes that it takes at least; 0 where nothing is known.
        contains, unknown: as in :class:`~recipes.contents.Contents`.
    """

    recipe_no: int
    content_hash: str
    name: Vector
    ingredients: Vector
    name_words: Sequence[str]
    body_words: Sequence[str]
    contains: Sequence[str]
    unknown: Sequence[str]
    minutes_floor: int
    meals: Sequence[str]


@dataclass(frozen=True, slots=True)
class KnownVectors:
    """The vectors that an engine holds for a recipe, and the content they were made from."""

    content_hash: str
    name: Vector
    ingredients: Vector


@dataclass(frozen=True, slots=True)
class DenseSearch:
    """The *limit* recipes nearest to *vector*; with *among*, only those of these numbers."""

    field: DenseField
    vector: Vector
    limit: int
    among: Sequence[int] | None = None
    include: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WordSearch:
    """The *limit* recipes with the best BM25 for *terms*."""

    field: WordField
    terms: Sequence[str]
    limit: int
    include: Sequence[str] = ()


Search = DenseSearch | WordSearch


# Broad concepts that are often excluded. "Has none of it" is kept of each recipe as such: looking it up is several
# times as fast as looking through what every recipe contains.
BROAD_CONCEPTS = (
    "animal_product", "meat", "seafood", "fish", "shellfish", "dairy", "lactose", "egg", "gluten", "nut", "soy",
    "added_sugar", "alcohol", "pork",
)  # fmt: skip
KEYWORD_FIELDS = ("contains", "lacks", "unknown", "meals")


def payload_of(point: IndexPoint) -> dict[str, Any]:
    """What an engine keeps of *point* beside its vectors."""
    return {
        "content_hash": point.content_hash,
        "contains": list(point.contains),
        "lacks": [concept for concept in BROAD_CONCEPTS if concept not in point.contains],
        "unknown": list(point.unknown),
        "minutes_floor": point.minutes_floor,
        "meals": list(point.meals),
    }


def known_vectors(record: Any) -> KnownVectors:
    """The vectors in a *record* that an engine gave back; both engines' records have ``payload`` and ``vector``."""
    return KnownVectors(
        content_hash=str((record.payload or {}).get("content_hash")),
        name=np.asarray(record.vector["name"], dtype=np.float32),
        ingredients=np.asarray(record.vector["ingredients"], dtype=np.float32),
    )


@dataclass(frozen=True, slots=True)
class Conditions:
    """A filter in no engine's words: for each field of *must* a point has one of the values, for *must_not* none."""

    must: tuple[tuple[str, tuple[str, ...]], ...]
    must_not: tuple[tuple[str, tuple[str, ...]], ...]
    max_minutes: int | None

    def __bool__(self) -> bool:
        return bool(self.must or self.must_not or self.max_minutes is not None)


def conditions_of(rules: Constraints, include: Sequence[str]) -> Conditions:
    """The filter of a search under *rules* for recipes with everything in *include*."""
    wanted = (*include, *rules.include) if rules.strict else include
    broad = [concept for concept in BROAD_CONCEPTS if concept in rules.exclude]
    others = tuple(sorted(rules.exclude.difference(broad)))
    must = [_wanted(concept) for concept in dict.fromkeys(wanted)]
    must += [("lacks", (concept,)) for concept in broad]
    if rules.strict and rules.meals:
        must.append(("meals", tuple(rules.meals)))
    must_not = [("contains", others), ("unknown", tuple(sorted(rules.exclude_words)))]
    return Conditions(tuple(must), tuple((name, values) for name, values in must_not if values), rules.max_minutes)


def _wanted(concept: str) -> tuple[str, tuple[str, ...]]:
    field = "unknown" if concept.startswith(WORD_MARK) else "contains"
    return field, (concept.removeprefix(WORD_MARK),)


Hits = list[tuple[int, float]]


class VectorStore(Protocol):
    """A collection of points in a vector engine. Safe to search from several threads."""

    def upsert(self, points: Sequence[IndexPoint]) -> None:
        """Add *points*, replacing those with the same number."""
        ...

    def finish(self) -> None:
        """Build what makes searches fast, and make everything durable."""
        ...

    def count(self) -> int:
        """How many points there are."""
        ...

    def known(self, numbers: Sequence[int]) -> dict[int, KnownVectors]:
        """The vectors of those of *numbers* that are there."""
        ...

    def search(self, searches: Sequence[Search], rules: Constraints) -> list[Hits]:
        """For each search its (number, score) pairs, best first; none that breaks *rules* (those never relaxed).

        Raises:
            IndexUnavailable: the engine does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@lru_cache(maxsize=1)
def _bm25() -> Bm25:
    config = Bm25Config(
        k=1.2,
        b=0.5,
        avg_len=30.0,
        tokenizer=TokenizerType.Whitespace,
        lowercase=False,
        stopwords=StopwordsSet(set(), set()),
        stemmer=DisabledStemmer(),
    )
    return Bm25(config)


def document_words(terms: Sequence[str]) -> tuple[list[int], list[float]]:
    """Sparse BM25 vector of a document's terms: indices and weights. The engine adds the IDF."""
    sparse = _bm25().embed_document(" ".join(terms))
    return list(sparse.indices), list(sparse.values)


def query_words(terms: Sequence[str]) -> tuple[list[int], list[float]]:
    """Sparse vector of a query's terms."""
    sparse = _bm25().embed_query(" ".join(terms))
    return list(sparse.indices), list(sparse.values)
