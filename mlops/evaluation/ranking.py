"""Ranking metrics over many queries at once: nDCG, MRR, MAP, precision, recall and hit rate at any cutoff.

The inputs are arrays (:func:`evaluate_arrays`), or qrels and a run as mappings or tables (:func:`evaluate_run`). Both
go through the same arithmetic in chunks that fit the processor's cache, so that memory stays small.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import AnyArray, Flags, Floats, Integers, check_same_shape, numbers
from mlops.evaluation._order import ranking
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite
from mlops.evaluation.metrics import Metric, Ranked, depth_needed, metrics_of
from mlops.evaluation.results import MetricResult

Chunk = TypeVar("Chunk")

DEFAULT_METRICS = ("ndcg@10", "mrr", "map@10", "recall@10")
NanScores = Literal["last", "error"]
Missing = Literal["zero", "skip"]
Source = Any
"""``{query_id: {item_id: value}}``, an Arrow table, a pandas DataFrame, or whatever speaks Arrow's stream protocol."""

# Numbers a chunk holds: with its temporary arrays it stays within a second-level cache.
_CHUNK = 1 << 17
_LARGEST_GAIN = 1e100
_LARGEST_EXPONENT = 500


def evaluate_arrays(
    relevance: ArrayLike,
    scores: ArrayLike,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    mask: ArrayLike | None = None,
    query_ids: ArrayLike | None = None,
    nan_scores: NanScores = "last",
    n_threads: int | None = None,
) -> dict[str, MetricResult]:
    """Metrics of ranking each row of candidates by its scores.

    All relevant items must be among the candidates: the ideal list is made of them.

    Args:
        relevance: shape (n_queries, n_candidates), 0 for not relevant, above 0 the gain; never negative.
        scores: the same shape; the highest ranks first, equal ones in the order of the columns. They are compared as
            float64, in which whole numbers above 2**53 can become equal.
        metrics: names, see :func:`mlops.evaluation.metrics.metric`.
        mask: the same shape, False where a row has no candidate. Default: every place holds one.
        query_ids: shape (n_queries,), each once. Default: row numbers.
        nan_scores: ``last`` ranks them below every number, ``error`` refuses them.
        n_threads: that share the work; the values do not depend on it. Default: one a processor, at most 4.
    Returns:
        A result for each name, in the order asked for.
    Raises:
        BadInput: a shape, a type or a gain is wrong, or a score is NaN and must not be; see its subclasses.
    """
    chosen = metrics_of(metrics)
    gains, given = numbers(relevance, "relevance"), numbers(scores, "scores")
    _check_rows(gains, given)
    places = None if mask is None else _flags(mask, given)
    ids = _query_ids(query_ids, len(given))
    tally = _Tally.empty(chosen, len(given))

    def measure(rows: slice) -> None:
        part = None if places is None else places[rows]
        chunk_gains = _checked_gains(gains[rows], part)
        ideal = np.sort(chunk_gains, axis=1)[:, ::-1]
        tally.add(rows, chunk_gains, _checked_scores(given[rows], part, nan_scores), part, ideal)

    _for_each(measure, _even_chunks(*given.shape), n_threads)
    return tally.results(ids)


def evaluate_run(
    run: Source,
    qrels: Source,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    missing: Missing = "zero",
    nan_scores: NanScores = "last",
    n_threads: int | None = None,
) -> dict[str, MetricResult]:
    """Metrics of a run against what is relevant.

    Args:
        run: ``{query_id: {item_id: score}}``, or a table (Arrow, pandas, or whatever speaks Arrow's stream protocol)
            with the columns ``query_id``, ``item_id`` and ``score``. Equal scores rank in the order of their item ids.
        qrels: ``{query_id: {item_id: gain}}``, or a table with ``query_id``, ``item_id`` and ``gain``. Items that it
            does not name have the gain 0.
        metrics: names, see :func:`mlops.evaluation.metrics.metric`.
        missing: queries of *qrels* that the run does not answer count as answered with nothing (``zero``), or are left
            out (``skip``).
        nan_scores: ``last`` ranks them below every number, ``error`` refuses them.
        n_threads: that share the work; the values do not depend on it. Default: one a processor, at most 4.
    Returns:
        A result for each name, in the order asked for; queries in the order of their ids.
    Raises:
        BadInput: a column is missing or has the wrong type, an item stands twice in a query, a gain is negative.
    """
    # Not above: arrays need no pyarrow, which takes a tenth of a second to import.

    # Not above: arrays need no pyarrow, which takes a tenth of a second to import.
    from mlops.evaluation._lists import join

    chosen = metrics_of(metrics)
    if missing not in ("zero", "skip"):
        raise BadInput(f"missing must be 'zero' or 'skip', got {missing!r}")
    lists = join(run, qrels, keep_unanswered=missing == "zero")
    tally = _Tally.empty(chosen, lists.n_queries)

    def measure(rows: Integers) -> None:
        gains, scores, mask = lists.candidates(rows)
        ideal = lists.ideal(rows)
        _checked_gains(ideal, None)
        tally.add(rows, gains, _checked_scores(scores, mask, nan_scores), mask, ideal)

    _for_each(measure, list(lists.chunks(_CHUNK)), n_threads)
    return tally.results(lists.query_ids)


@dataclass(frozen=True)
class _Tally:
    """The values of each query, filled chunk by chunk. NaN until then, and where nothing is relevant."""

    metrics: list[Metric]
    values: Floats  # (n_metrics, n_queries)

    @classmethod
    def empty(cls, metrics: list[Metric], n_queries: int) -> _Tally:
        return cls(metrics, np.full((len(metrics), n_queries), np.nan))

    def add(self, rows: slice | Integers, gains: Floats, scores: Floats, mask: Flags | None, ideal: Floats) -> None:
        """Measure the queries *rows*. *ideal* holds the gains of all their relevant items, highest first."""
        if any(metric.base == "ndcg_exp" for metric in self.metrics):
            _check_exponents(ideal)
        n_relevant = np.count_nonzero(ideal > 0, axis=1)
        nothing = n_relevant == 0
        # Any value will do there, as long as it can be divided by: the results leave these queries out.
        ideal[nothing, 0] = 1.0
        order = ranking(scores, depth=depth_needed(self.metrics, scores.shape[1]), mask=mask)
        ranked = Ranked(np.take_along_axis(gains, order, axis=1), ideal, np.maximum(n_relevant, 1))
        for row, metric in enumerate(self.metrics):
            self.values[row, rows] = np.where(nothing, np.nan, metric.of(ranked))

    def results(self, query_ids: AnyArray) -> dict[str, MetricResult]:
        n_queries = len(query_ids)
        judged = ~np.isnan(self.values[0])
        n_without = n_queries - int(np.count_nonzero(judged))
        ids = query_ids[judged]
        return {
            metric.name: MetricResult(metric.name, values[judged], ids, n_queries, n_without, metric.convention)
            for metric, values in zip(self.metrics, self.values, strict=True)
        }


def _even_chunks(n_rows: int, n_columns: int) -> list[slice]:
    size = max(1, _CHUNK // n_columns)
    return [slice(start, start + size) for start in range(0, n_rows, size)]


def _for_each(measure: Callable[[Chunk], None], chunks: Sequence[Chunk], n_threads: int | None) -> None:
    """Measure every chunk. NumPy works without the interpreter's lock for most of it, and chunks share no place."""
    if n_threads is not None and n_threads < 1:
        raise BadInput(f"n_threads must be at least 1, got {n_threads}")
    if len(chunks) > 1:
        _let_freed_memory_be_reused()
    n_useful = min(n_threads or min(os.cpu_count() or 1, 4), len(chunks) // 4)
    if n_useful < 2:
        for chunk in chunks:
            measure(chunk)
        return
    with ThreadPoolExecutor(n_useful) as pool:
        for _ in pool.map(measure, chunks):
            continue


def _let_freed_memory_be_reused() -> None:
    # The C library gives freed blocks above a threshold back to the system, which hands out zeroed ones for the next
    # array: more than half of the time of a first call. It raises the threshold to the largest block that was ever
    # freed (mallopt(3), M_MMAP_THRESHOLD). This one is never touched, so it costs nothing.
    np.empty(16 << 20, np.uint8)


def _check_rows(relevance: AnyArray, scores: AnyArray) -> None:
    if scores.ndim != 2:
        raise BadInput(f"scores must have the shape (n_queries, n_candidates), got {scores.shape}; one query is [row]")
    check_same_shape(relevance, scores, ("relevance", "scores"))
    if not scores.size:
        raise EmptyInput(f"scores have the shape {scores.shape}: there is nothing to rank")


def _flags(mask: ArrayLike, scores: AnyArray) -> Flags:
    flags = np.asarray(mask)
    if flags.dtype != np.bool_:
        raise BadInput(f"mask must hold True and False, got the type {flags.dtype}")
    check_same_shape(flags, scores, ("mask", "scores"))
    return flags


def _query_ids(query_ids: ArrayLike | None, n_queries: int) -> AnyArray:
    if query_ids is None:
        return np.arange(n_queries)
    ids = np.asarray(query_ids)
    if ids.shape != (n_queries,):
        raise LengthMismatch(f"query_ids has the shape {ids.shape}, for {n_queries} queries")
    if len(set(ids.tolist())) < n_queries:
        raise BadInput("query_ids names a query twice; each row is a query of its own")
    return ids


def _checked_gains(gains: AnyArray, mask: Flags | None) -> Floats:
    if mask is not None:
        gains = np.where(mask, gains, 0)
    low, high = float(gains.min(initial=0)), float(gains.max(initial=0))
    if np.isnan(low):
        raise NotFinite("relevance holds NaN; write 0 for an item that is not relevant")
    if low < 0:
        raise BadInput(f"relevance holds the gain {low}; a gain is 0 (not relevant) or more")
    if high > _LARGEST_GAIN:
        raise NotFinite(f"relevance holds the gain {high}; the largest that can be summed up is {_LARGEST_GAIN}")
    return gains.astype(np.float64, copy=False)


def _check_exponents(gains: Floats) -> None:
    high = float(gains.max(initial=0))
    if high > _LARGEST_EXPONENT:
        raise NotFinite(f"ndcg_exp takes gains up to {_LARGEST_EXPONENT}, since it computes 2**gain; got {high}")


def _checked_scores(scores: AnyArray, mask: Flags | None, nan_scores: NanScores) -> Floats:
    floats = scores.astype(np.float64, copy=False)
    if nan_scores == "last":
        return floats
    if nan_scores != "error":
        raise BadInput(f"nan_scores must be 'last' or 'error', got {nan_scores!r}")
    is_nan = np.isnan(floats) if mask is None else np.isnan(floats) & mask
    if is_nan.any():
        raise NotFinite("a score is NaN; pass nan_scores='last' to rank such items below all others")
    return floats
