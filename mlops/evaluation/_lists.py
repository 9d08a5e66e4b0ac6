"""Qrels and runs, from mappings or tables, joined into lists of one query each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops.evaluation._arrays import AnyArray, Flags, Floats, Integers
from mlops.evaluation.errors import BadInput, EmptyInput

Source = Any  # See evaluate_run.
_NO_LABEL = "(none)"


@dataclass(frozen=True)
class JudgedLists:
    """What was answered to each query, and what was relevant: lists of different length, one after the other.

    Attributes:
        query_ids: shape (n_queries,), rising.
        gains: shape (n_answered,): of each answered item, queries in order, items by rising id.
        scores: shape (n_answered,).
        starts: shape (n_queries + 1,): where each query's answers begin and end.
        ideal_gains: shape (n_relevant,): of each relevant item, queries in order, highest gain first.
        ideal_starts: shape (n_queries + 1,).
    """

    query_ids: AnyArray
    gains: Floats
    scores: Floats
    starts: Integers
    ideal_gains: Floats
    ideal_starts: Integers

    @property
    def n_queries(self) -> int:
        """How many queries there are."""
        return len(self.query_ids)

    def chunks(self, size: int) -> Iterator[Integers]:
        """Query numbers, lists of like length together, so that padding them takes about *size* places or fewer."""
        lengths = np.diff(self.starts) + np.diff(self.ideal_starts) + 1
        order = np.argsort(lengths, kind="stable")
        start = 0
        while start < len(order):
            stop = min(start + max(1, size // int(lengths[order[start]])), len(order))
            fit = max(1, size // int(lengths[order[stop - 1]]))
            stop = min(start + fit, stop)
            yield order[start:stop]
            start = stop

    def candidates(self, rows: Integers) -> tuple[Floats, Floats, Flags]:
        """Gains, scores and mask of the answers to the queries *rows*, padded: shape (n_rows, longest), at least 1."""
        gains, mask = _padded(self.gains, self.starts, rows)
        scores, _ = _padded(self.scores, self.starts, rows)
        return gains, scores, mask

    def ideal(self, rows: Integers) -> Floats:
        """Gains of all relevant items of the queries *rows*, highest first, padded with 0."""
        return _padded(self.ideal_gains, self.ideal_starts, rows)[0]


def join(run: Source, qrels: Source, *, keep_unanswered: bool) -> JudgedLists:
    """The lists of *run* with the gains of *qrels*.

    Args:
        run: scores of items, as :func:`~mlops.evaluation.ranking.evaluate_run` takes them.
        qrels: gains of items.
        keep_unanswered: whether queries that only *qrels* has stay, with an empty list.
    Raises:
        BadInput: a column is missing or of the wrong type, a value is missing, an item stands twice in a query.
    """
    answered, judged = _columns(run, "run", "score"), _columns(qrels, "qrels", "gain")
    queries, (run_query, judged_query), (run_known, judged_known) = _encoded(
        [answered.query, judged.query], [answered.queries, judged.queries], "query_id"
    )
    items, (run_item, judged_item), _ = _encoded([answered.item, judged.item], [None, None], "item_id")
    names = (queries, items)
    run_key, scores = _sorted_by_key(run_query, run_item, answered.value, names, "run")
    judged_key, gains = _sorted_by_key(judged_query, judged_item, judged.value, names, "qrels")
    kept = run_known | judged_known if keep_unanswered else run_known
    if not kept.any():
        raise EmptyInput("neither run nor qrels has a query" if keep_unanswered else "run answers no query")
    n_items = max(len(items), 1)
    relevant = gains != 0  # A negative gain has to be seen later on, and refused.
    ideal_query, ideal_gains = judged_key[relevant] // n_items, gains[relevant]
    order = np.lexsort((-ideal_gains, ideal_query))
    lists = JudgedLists(
        query_ids=queries,
        gains=_looked_up(run_key, judged_key, gains),
        scores=scores,
        starts=_starts(run_key // n_items, len(queries)),
        ideal_gains=ideal_gains[order],
        ideal_starts=_starts(ideal_query, len(queries)),
    )
    return lists if kept.all() else _only(lists, np.flatnonzero(kept))


def query_labels(run: Source, qrels: Source, column: str) -> dict[Any, str]:
    """The label of each query of two tables, for :func:`~mlops.evaluation.results.by_slice`.

    Args:
        run: a table with ``query_id``.
        qrels: a table with ``query_id``.
        column: of *qrels*, or, where it has none of this name, of *run*. Queries without a value are ``(none)``.
    Raises:
        BadInput: neither has the column, or a query has two values in it.
    """
    tables = {"qrels": _table(qrels, "qrels"), "run": _table(run, "run")}
    for name, table in tables.items():
        _need(table, ("query_id",), name)
    owner = next((name for name, table in tables.items() if column in table.column_names), None)
    if owner is None:
        raise BadInput(f"neither qrels nor run has a column {column}")
    labels = _labels_of(tables[owner], column, name=owner)
    for name, table in tables.items():
        for query in pc.unique(_plain(table["query_id"], f"{name}.query_id")).to_pylist():
            labels.setdefault(query, _NO_LABEL)
    return labels


def _labels_of(table: pa.Table, column: str, *, name: str) -> dict[Any, str]:
    pairs = pa.table({"query": _plain(table["query_id"], "query_id"), "label": pc.cast(table[column], pa.string())})
    labels: dict[Any, str] = {}
    for row in pairs.group_by(["query", "label"]).aggregate([]).to_pylist():
        query, label = row["query"], row["label"] or _NO_LABEL
        if labels.setdefault(query, label) != label:
            raise BadInput(f"{name}: query {query!r} has two values of {column}: {labels[query]!r} and {label!r}")
    return labels


def rows_of(source: Source, name: str, value: str) -> pa.Table:
    """All rows of *source*: query, item and value, by rising query and item."""
    columns = _columns(source, name, value)
    table = pa.table({"query_id": columns.query, "item_id": columns.item, value: columns.value})
    return table.sort_by([("query_id", "ascending"), ("item_id", "ascending")])


@dataclass(frozen=True)
class _Columns:
    query: pa.Array
    item: pa.Array
    value: Floats
    queries: pa.Array | None = None  # Also those without an item, which only a mapping can name.


def _columns(source: Source, name: str, value: str) -> _Columns:
    if isinstance(source, Mapping):
        return _from_mapping(source, name, value)
    table = _table(source, name)
    _need(table, ("query_id", "item_id", value), name)
    for column in ("query_id", "item_id", value):
        if table[column].null_count:
            raise BadInput(f"{name} has {table[column].null_count} missing values in the column {column}")
    return _Columns(
        _plain(table["query_id"], f"{name}.query_id"),
        _plain(table["item_id"], f"{name}.item_id"),
        _floats(table[value], f"{name}.{value}"),
    )


def _table(source: Source, name: str) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    try:
        return pa.table(source)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise BadInput(
            f"{name} must be a mapping {{query_id: {{item_id: number}}}} or a table, got {type(source).__name__}"
        ) from error


def _need(table: pa.Table, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise BadInput(f"{name} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}")


def _from_mapping(source: Mapping[Any, Any], name: str, value: str) -> _Columns:
    queries: list[Any] = []
    items: list[Any] = []
    values: list[Any] = []
    for query, answers in source.items():
        if not isinstance(answers, Mapping):
            raise BadInput(f"{name}[{query!r}] must be a mapping {{item_id: {value}}}, got {type(answers).__name__}")
        queries.extend([query] * len(answers))
        items.extend(answers)
        values.extend(answers.values())
    return _Columns(
        _plain(_array(queries, f"{name} query ids"), "query_id"),
        _plain(_array(items, f"{name} item ids"), "item_id"),
        _floats(_array(values, f"{name} {value}s"), f"{name} {value}"),
        _plain(_array(list(source), f"{name} query ids"), "query_id"),
    )


def _array(values: list[Any], name: str) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadInput(f"{name} must all be of one type, such as text or whole numbers: {error}") from error


def _plain(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Ids as one array of int64 or text, so that those of two tables can be compared."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) and not column.null_count:
        return pa.array([], pa.null())
    if pa.types.is_integer(kind):
        target = pa.int64()
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        target = pa.large_string()
    else:
        raise BadInput(f"{name} must be whole numbers or text, got {kind}")
    if column.null_count:
        raise BadInput(f"{name} has {column.null_count} missing values")
    return pa.concat_arrays([chunk.cast(target) for chunk in column.chunks] or [pa.array([], target)])


def _floats(column: pa.ChunkedArray, name: str) -> Floats:
    if not len(column):
        return np.empty(0)
    try:
        values = column.cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise BadInput(f"{name} must be numbers, got {column.type}") from error
    if values.null_count:
        raise BadInput(f"{name} has {values.null_count} missing values")
    return np.asarray(values.to_numpy(), np.float64)


def _encoded(
    columns: list[pa.Array], more: list[pa.Array | None], name: str
) -> tuple[AnyArray, list[Integers], list[Flags]]:
    """The distinct ids of all *columns* in rising order, each column as numbers of them, and which ids each one has."""
    parts = [*columns, *(column for column in more if column is not None)]
    kinds = {part.type for part in parts if len(part)}
    if len(kinds) > 1:
        raise BadInput(f"{name} is {' in one and '.join(sorted(map(str, kinds)))} in the other of run and qrels")
    kind = kinds.pop() if kinds else pa.int64()
    encoded = pa.concat_arrays([part.cast(kind) for part in parts]).dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int32)  # Arrow's dictionaries count in int32, too.
    rank[order.to_numpy()] = np.arange(len(order))
    numbers = rank[encoded.indices.to_numpy()]
    split = np.split(numbers, np.cumsum([len(part) for part in parts])[:-1])
    known = [np.zeros(len(order), np.bool_) for _ in columns]
    named = [at for at, column in enumerate(more) if column is not None]
    for owner, part in zip([*range(len(columns)), *named], split, strict=True):
        known[owner][part] = True
    ids = encoded.dictionary.take(order).to_numpy(zero_copy_only=False)
    return ids, split[: len(columns)], known


def _sorted_by_key(
    query: Integers, item: Integers, values: Floats, names: tuple[AnyArray, AnyArray], source: str
) -> tuple[Integers, Floats]:
    """One number for each pair of query and item, rising, and the values in that order."""
    queries, items = names
    keys = query.astype(np.int64)
    keys *= max(len(items), 1)
    keys += item
    if not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if twice.size:
        at = divmod(int(keys[twice[0]]), len(items))
        raise BadInput(f"{source} names item {items[at[1]]!r} of query {queries[at[0]]!r} twice")
    return keys, values


def _looked_up(keys: Integers, known: Integers, values: Floats) -> Floats:
    """The value of each key, 0 where it is not known."""
    if not known.size:
        return np.zeros(len(keys))
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, values[at], 0.0)


def _starts(query: Integers, n_queries: int) -> Integers:
    return np.concatenate([[0], np.cumsum(np.bincount(query, minlength=n_queries))])


def _only(lists: JudgedLists, kept: Integers) -> JudgedLists:
    def chosen(starts: Integers) -> tuple[Flags, Integers]:
        lengths = np.diff(starts)
        is_kept = np.zeros(len(lengths), np.bool_)
        is_kept[kept] = True
        return np.repeat(is_kept, lengths), np.concatenate([[0], np.cumsum(lengths[kept])])

    answered, starts = chosen(lists.starts)
    relevant, ideal_starts = chosen(lists.ideal_starts)
    return JudgedLists(
        query_ids=lists.query_ids[kept],
        gains=lists.gains[answered],
        scores=lists.scores[answered],
        starts=starts,
        ideal_gains=lists.ideal_gains[relevant],
        ideal_starts=ideal_starts,
    )


def _padded(values: Floats, starts: Integers, rows: Integers) -> tuple[Floats, Flags]:
    begin, lengths = starts[rows], starts[rows + 1] - starts[rows]
    width = max(1, int(lengths.max(initial=0)))
    places = np.arange(width)
    mask = places < lengths[:, None]
    padded = np.zeros((len(rows), width))
    padded[mask] = values[(begin[:, None] + places)[mask]]
    return padded, mask
