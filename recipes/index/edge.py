"""Qdrant's engine inside the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from mlops.sentences import say
from recipes.constraints import Constraints
from recipes.errors import IndexUnavailable
from recipes.index.store import (
    DENSE_FIELDS,
    KEYWORD_FIELDS,
    WORD_FIELDS,
    Conditions,
    DenseSearch,
    Hits,
    IndexPoint,
    KnownVectors,
    Search,
    conditions_of,
    document_words,
    known_vectors,
    payload_of,
    query_words,
)

# Points per update: larger ones hold the GIL longer without being faster.
_BATCH = 500
_MAX_SEGMENT_KB = 8_000_000
# On 73,000 recipes the nearest 100 are found to 96 % with this breadth. Under a filter that leaves a quarter of them, a
# plain graph search finds 56 %, ACORN (Patel et al. 2024) 97 %. Candidates are found on vectors of 8 bits a number;
# their exact similarity is asked for afterwards.
_FAST = edge.QuantizationSearchParams(rescore=False)
_WIDE = edge.SearchParams(hnsw_ef=160, quantization=_FAST)
_ACORN = edge.SearchParams(acorn=edge.AcornSearchParams(enable=True), quantization=_FAST)
# Among given recipes: the exact cosine.
_EXACT = edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))


class EdgeStore:
    """A folder of Qdrant Edge. One process at a time can have it open."""

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._shard = shard

    @classmethod
    def create(cls, folder: Path, *, dimensions: int) -> EdgeStore:
        """A new, empty one in *folder*."""
        folder.mkdir(parents=True, exist_ok=True)
        config = edge.EdgeConfig(
            vectors={
                name: edge.EdgeVectorParams(
                    dimensions,
                    edge.Distance.Dot,
                    datatype=edge.VectorStorageDatatype.Float16,
                    quantization_config=edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True),
                )
                for name in DENSE_FIELDS
            },
            sparse_vectors={name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for name in WORD_FIELDS},
            # One segment: each further one is searched as well, at nearly the full price.
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, max_segment_size=_MAX_SEGMENT_KB),
        )
        store = cls(edge.EdgeShard.create(str(folder), config))
        # Without graphs per payload value: they take most of the building time, and the filtered search that we use
        # (ACORN) does not need them.
        fields: dict[str, Any] = {name: edge.KeywordIndexParams(enable_hnsw=False) for name in KEYWORD_FIELDS}
        fields["minutes_floor"] = edge.IntegerIndexParams(lookup=False, range=True, enable_hnsw=False)
        for name, parameters in fields.items():
            store._shard.update(edge.UpdateOperation.create_field_index(name, parameters))
        return store

    @classmethod
    def open(cls, folder: Path) -> EdgeStore:
        """The one in *folder*.

        Raises:
            FolderInUse: another process has it open.
            IndexUnavailable: it is missing or damaged.
        """
        with _reported(folder):
            return cls(edge.EdgeShard.load(str(folder)))

    def upsert(self, points: Sequence[IndexPoint]) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        for start in range(0, len(points), _BATCH):
            batch = [_edge_point(point) for point in points[start : start + _BATCH]]
            with _reported():
                self._shard.update(edge.UpdateOperation.upsert_points(batch))

    def finish(self) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            self._shard.optimize()
            self._shard.flush()

    def flush(self) -> None:
        """Make what was added so far durable."""
        self._shard.flush()

    def count(self) -> int:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            return self._shard.count(edge.CountRequest(exact=True))

    def known(self, numbers: Sequence[int]) -> dict[int, KnownVectors]:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            records = self._shard.retrieve(list(numbers), with_payload=["content_hash"], with_vector=list(DENSE_FIELDS))
            return {int(record.id): known_vectors(record) for record in records}

    def search(self, searches: Sequence[Search], rules: Constraints) -> list[Hits]:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            # One by one: as one batch, eight filtered searches take three times as long.
            answers = [self._shard.query(_request(search, rules)) for search in searches]
        return [[(int(point.id), point.score) for point in answer] for answer in answers]

    def close(self) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        self._shard.close()


class FolderInUse(IndexUnavailable):
    """Another process has the folder open."""


@contextmanager
def _reported(opened: Path | None = None) -> Iterator[None]:
    try:
        yield
    except IndexUnavailable:
        raise
    except BaseException as error:
        if "WouldBlock" in str(error):
            raise FolderInUse(_problem(opened, say("another process has it open"))) from error
        # On damaged files the engine may panic: an exception of its own, which is no Exception and cannot be imported.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise IndexUnavailable(_problem(opened, error)) from error
        raise


def _problem(opened: Path | None, cause: object) -> str:
    if opened is None:
        return say("the index does not answer: {cause}", cause=cause)
    return say("the index in {folder!s} cannot be opened: {cause}", folder=opened, cause=cause)


def _edge_point(point: IndexPoint) -> edge.Point:
    vectors: dict[str, Any] = {"name": point.name.tolist(), "ingredients": point.ingredients.tolist()}
    for field, terms in (("name_words", point.name_words), ("body_words", point.body_words)):
        indices, values = document_words(terms)
        vectors[field] = edge.SparseVector(indices=indices, values=values)
    return edge.Point(point.recipe_no, vectors, payload_of(point))


def _request(search: Search, rules: Constraints) -> edge.QueryRequest:
    conditions = conditions_of(rules, search.include)
    among = None
    parameters = None
    vector: Any
    if isinstance(search, DenseSearch):
        vector = search.vector.tolist()
        among = search.among
        parameters = _parameters(search, conditions)
    else:
        indices, values = query_words(search.terms)
        vector = edge.SparseVector(indices=indices, values=values)
    return edge.QueryRequest(
        search.limit,
        query=edge.Query.Nearest(vector, using=search.field),
        filter=_filter(conditions, among),
        params=parameters,
    )


def _parameters(search: DenseSearch, conditions: Conditions) -> edge.SearchParams:
    if search.among is not None:
        return _EXACT
    # The second opinion may miss some; the searches beside it find them.
    return _ACORN if conditions and search.field == "name" else _WIDE


def _filter(conditions: Conditions, among: Sequence[int] | None) -> edge.Filter | None:
    must: list[Any] = [_has(field, values) for field, values in conditions.must]
    if among is not None:
        must.append(edge.HasIdCondition(set(among)))
    if conditions.max_minutes is not None:
        limit = edge.RangeFloat(lte=float(conditions.max_minutes))
        must.append(edge.FieldCondition("minutes_floor", range=limit))
    must_not: list[Any] = [_has(field, values) for field, values in conditions.must_not]
    return edge.Filter(must=must, must_not=must_not) if must or must_not else None


def _has(field: str, values: Sequence[str]) -> edge.FieldCondition:
    return edge.FieldCondition(field, match=edge.MatchAny(list(values)))
