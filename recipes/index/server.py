"""A Qdrant server, through ``qdrant-client`` (extra ``qdrant``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from qdrant_client import QdrantClient, models

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

_BATCH = 256
_IN_MEMORY = ":memory:"


def connect(host: str, *, api_key: str | None) -> QdrantClient:
    """A client for *host*: a URL or a host name, with or without port.

    ``:memory:``, with or without a name behind it, is qdrant-client's own engine, the same one throughout the process.
    """
    if host.startswith(_IN_MEMORY):
        return _in_memory(host)
    url = host if "://" in host else f"http://{host}"
    # Each call says so where the server is away; a check of its version in a thread of its own would only warn.
    return QdrantClient(url=url, api_key=api_key, timeout=10, check_compatibility=False)


class _InMemory(QdrantClient):
    """An engine that outlives whoever closes it, as a server would."""

    def close(self, *_: Any, **__: Any) -> None:
        pass


@lru_cache(maxsize=8)
def _in_memory(host: str) -> QdrantClient:  # noqa: ARG001
    return _InMemory(_IN_MEMORY)


class QdrantStore:
    """One collection of a Qdrant server."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    @classmethod
    def create(cls, client: QdrantClient, collection: str, *, dimensions: int) -> QdrantStore:
        """The collection, made where it is missing; what an interrupted build left in it is kept."""
        with _reported():
            if not client.collection_exists(collection):
                client.create_collection(
                    collection,
                    vectors_config={
                        name: models.VectorParams(size=dimensions, distance=models.Distance.DOT)
                        for name in DENSE_FIELDS
                    },
                    sparse_vectors_config={
                        name: models.SparseVectorParams(modifier=models.Modifier.IDF) for name in WORD_FIELDS
                    },
                )
                _index_payload(client, collection)
        return cls(client, collection)

    @classmethod
    def open(cls, client: QdrantClient, collection: str) -> QdrantStore:
        """The collection.

        Raises:
            IndexUnavailable: it is missing, or the server does not answer.
        """
        with _reported():
            if not client.collection_exists(collection):
                raise IndexUnavailable(
                    say("the Qdrant server has no collection {name!r}; run: recipes index", name=collection)
                )
        return cls(client, collection)

    def upsert(self, points: Sequence[IndexPoint]) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            for start in range(0, len(points), _BATCH):
                batch = [_point(point) for point in points[start : start + _BATCH]]
                self._client.upsert(self._collection, points=batch, wait=True)

    def finish(self) -> None:
        """See :class:`~recipes.index.store.VectorStore`. The server optimises by itself."""

    def flush(self) -> None:
        """Nothing to do: the server has acknowledged each batch."""

    def count(self) -> int:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            return self._client.count(self._collection, exact=True).count

    def known(self, numbers: Sequence[int]) -> dict[int, KnownVectors]:
        """See :class:`~recipes.index.store.VectorStore`."""
        with _reported():
            records = self._client.retrieve(
                self._collection, list(numbers), with_payload=["content_hash"], with_vectors=list(DENSE_FIELDS)
            )
        return {int(record.id): known_vectors(record) for record in records}

    def search(self, searches: Sequence[Search], rules: Constraints) -> list[Hits]:
        """See :class:`~recipes.index.store.VectorStore`."""
        requests = [_request(search, rules) for search in searches]
        with _reported():
            answers = self._client.query_batch_points(self._collection, requests=requests)
        return [[(int(point.id), point.score) for point in answer.points] for answer in answers]

    def close(self) -> None:
        """See :class:`~recipes.index.store.VectorStore`."""
        self._client.close()


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except IndexUnavailable:
        raise
    except Exception as error:
        raise IndexUnavailable(say("the Qdrant server does not answer: {error}", error=error)) from error


def _index_payload(client: QdrantClient, collection: str) -> None:
    if client.init_options.get("location") == ":memory:":
        return  # qdrant-client's own engine has no payload indexes, and warns
    for name in KEYWORD_FIELDS:
        client.create_payload_index(collection, name, models.PayloadSchemaType.KEYWORD)
    client.create_payload_index(collection, "minutes_floor", models.PayloadSchemaType.INTEGER)


def _point(point: IndexPoint) -> models.PointStruct:
    vectors: dict[str, Any] = {"name": point.name.tolist(), "ingredients": point.ingredients.tolist()}
    for field, terms in (("name_words", point.name_words), ("body_words", point.body_words)):
        indices, values = document_words(terms)
        vectors[field] = models.SparseVector(indices=indices, values=values)
    return models.PointStruct(id=point.recipe_no, vector=vectors, payload=payload_of(point))


def _request(search: Search, rules: Constraints) -> models.QueryRequest:
    conditions = conditions_of(rules, search.include)
    among = None
    vector: Any
    if isinstance(search, DenseSearch):
        vector = search.vector.tolist()
        among = search.among
    else:
        indices, values = query_words(search.terms)
        vector = models.SparseVector(indices=indices, values=values)
    return models.QueryRequest(query=vector, using=search.field, limit=search.limit, filter=_filter(conditions, among))


def _filter(conditions: Conditions, among: Sequence[int] | None) -> models.Filter | None:
    must: list[Any] = [_has(field, values) for field, values in conditions.must]
    if among is not None:
        must.append(models.HasIdCondition(has_id=list(among)))
    if conditions.max_minutes is not None:
        must.append(models.FieldCondition(key="minutes_floor", range=models.Range(lte=conditions.max_minutes)))
    must_not: list[Any] = [_has(field, values) for field, values in conditions.must_not]
    return models.Filter(must=must, must_not=must_not) if must or must_not else None


def _has(field: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
