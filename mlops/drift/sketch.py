"""Sketches: summaries made small, merged, and written down.

A numeric sketch keeps quantiles in the middle of equal shares. With 256 of them the share of values up to any number
is known to 0.2 %; a merge adds as much again at most, and every sketch says how far off it may be. Category counts are
exact as long as there are no more values than are kept; beyond that all are counted by a hash of the value as well.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.drift.categorical import N_BUCKETS, CategorySummary, bucketed
from mlops.drift.numeric import FloatArray, NumericSummary
from mlops.drift.vectors import VectorSummary
from mlops.errors import DriftError


def shrunk(summary: NumericSummary, *, size: int) -> NumericSummary:
    """*summary* with at most *size* points, and the rank error that this costs: 1 / (2 size)."""
    n = len(summary.points)
    if n <= size:
        return summary
    at = ((np.arange(size) + 0.5) * n / size).astype(np.intp)
    error = summary.rank_error + 0.5 / size
    return NumericSummary(summary.points[at], summary.n, summary.n_missing, error, summary.mean, summary.squares)


def merged(first: NumericSummary, second: NumericSummary, *, size: int) -> NumericSummary:
    """The summary of both together, with at most *size* points. Mean and deviation stay exact."""
    n = first.n + second.n
    n_missing = first.n_missing + second.n_missing
    if n == 0:
        return NumericSummary(first.points, 0, n_missing, 0.0, 0.0, 0.0)
    step = second.mean - first.mean
    mean = first.mean + step * second.n / n
    squares = first.squares + second.squares + step**2 * first.n * second.n / n
    points, error = _merged_points(first, second, size=size)
    return NumericSummary(points, n, n_missing, error, mean, squares)


def merged_categories(first: CategorySummary, second: CategorySummary, *, size: int) -> CategorySummary:
    """The counts of both together, with at most *size* values kept.

    Where a value was among the rest of a side, its merged count is what the other side knows of it, which is too small.
    What is compared then are the buckets, and they stay exact.
    """
    counts = Counter(dict(first.counts)) + Counter(dict(second.counts))
    n, n_missing = first.n + second.n, first.n_missing + second.n_missing
    hidden = max(side.n_distinct - len(side.counts) for side in (first, second))
    n_distinct = max(first.n_distinct, second.n_distinct, len(counts) + hidden)
    n_other = n - counts.total()
    buckets = _exact(bucketed(first) + bucketed(second)) if n_other else None
    return kept_categories(CategorySummary(counts, n_other, n, n_missing, n_distinct, buckets), size=size)


def kept_categories(summary: CategorySummary, *, size: int) -> CategorySummary:
    """*summary* with its *size* most frequent values, by name among equals."""
    ranked = sorted(summary.counts.items(), key=lambda item: (-item[1], item[0]))[:size]
    n_other = summary.n - sum(count for _, count in ranked)
    buckets = _exact(bucketed(summary)) if n_other else None
    return CategorySummary(dict(ranked), n_other, summary.n, summary.n_missing, summary.n_distinct, buckets)


def _exact(buckets: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(count) for count in buckets)


def _vector_size(size: int) -> int:
    # There are sixteen projections, and what a profile is compared with is a sample of some thousand rows.
    return max(10, size // 4)


def shrunk_vectors(summary: VectorSummary, *, size: int) -> VectorSummary:
    """*summary* without its rows: what lies along the projections is left."""
    lengths = summary.lengths and shrunk(summary.lengths, size=size)
    along = tuple(shrunk(one, size=_vector_size(size)) for one in summary.projections)
    return VectorSummary(summary.kind, None, along, summary.n_dimensions, summary.n, summary.n_missing, lengths=lengths)


def merged_vectors(first: VectorSummary, second: VectorSummary, *, size: int) -> VectorSummary:
    """The projections of both together.

    Raises:
        DriftError: they have different dimensions.
    """
    if first.n_dimensions != second.n_dimensions:
        raise DriftError(f"vectors of {first.n_dimensions} and {second.n_dimensions} dimensions cannot be merged")
    pairs = zip(first.projections, second.projections, strict=True)
    along = tuple(merged(one, other, size=_vector_size(size)) for one, other in pairs)
    lengths = merged(first.lengths, second.lengths, size=size) if first.lengths and second.lengths else None
    n, n_missing = first.n + second.n, first.n_missing + second.n_missing
    return VectorSummary(first.kind, None, along, first.n_dimensions, n, n_missing, lengths=lengths)


def _merged_points(first: NumericSummary, second: NumericSummary, *, size: int) -> tuple[FloatArray, float]:
    sides = [side for side in (first, second) if side.n]
    points = np.concatenate([side.points for side in sides])
    n = sum(side.n for side in sides)
    error = sum(side.rank_error * side.n for side in sides) / n
    is_whole = all(len(side.points) == side.n for side in sides)
    order = np.argsort(points, kind="stable")
    if is_whole and len(points) <= size:
        return points[order], error
    weights = np.concatenate([np.full(len(side.points), side.n / len(side.points)) for side in sides])
    up_to = np.cumsum(weights[order])
    n_points = min(size, len(points))
    middles = (np.arange(n_points) + 0.5) * up_to[-1] / n_points
    at = np.minimum(np.searchsorted(up_to, middles, side="right"), len(points) - 1)
    return points[order][at], error + 0.5 / n_points


def checked_count(value: Any) -> int:
    """*value*, if it is a whole number from 0.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a count must be a whole number from 0, got {value!r}")
    return value


def numeric_to_dict(summary: NumericSummary) -> dict[str, Any]:
    """As plain data; floats come back exactly."""
    return {
        "points": summary.points.tolist(), "n": summary.n, "n_missing": summary.n_missing,
        "rank_error": summary.rank_error, "mean": summary.mean, "squares": summary.squares,
    }  # fmt: skip


def numeric_from_dict(fields: Any) -> NumericSummary:
    """The opposite of :func:`numeric_to_dict`.

    Raises:
        KeyError, TypeError, ValueError: *fields* is not what it wrote.
    """
    points = np.array([_number(value) for value in fields["points"]], dtype=np.float64)
    if (np.diff(points) < 0).any():
        raise ValueError("points must be ascending")
    n, n_missing = checked_count(fields["n"]), checked_count(fields["n_missing"])
    if (n == 0) != (len(points) == 0):
        raise ValueError(f"{n} values cannot have {len(points)} points")
    rank_error, mean, squares = (_number(fields[name]) for name in ("rank_error", "mean", "squares"))
    return NumericSummary(points, n, n_missing, rank_error, mean, squares)


def categories_to_dict(summary: CategorySummary) -> dict[str, Any]:
    """As plain data."""
    names = ("n_other", "n", "n_missing", "n_distinct", "buckets")
    return {"counts": dict(summary.counts)} | {name: getattr(summary, name) for name in names}


def categories_from_dict(fields: Any) -> CategorySummary:
    """The opposite of :func:`categories_to_dict`.

    Raises:
        KeyError, TypeError, ValueError: *fields* is not what it wrote.
    """
    counts = {str(value): checked_count(count) for value, count in dict(fields["counts"]).items()}
    n_other, n, n_missing, n_distinct = (
        checked_count(fields[name]) for name in ("n_other", "n", "n_missing", "n_distinct")
    )
    if sum(counts.values()) + n_other != n:
        raise ValueError(f"the counts sum up to {sum(counts.values()) + n_other}, not to {n}")
    buckets = fields["buckets"] and tuple(map(checked_count, fields["buckets"]))
    if n_other and (buckets is None or len(buckets) != N_BUCKETS or sum(buckets) != n):
        raise ValueError(f"values that are not kept need {N_BUCKETS} buckets that sum up to {n}")
    return CategorySummary(counts, n_other, n, n_missing, n_distinct, buckets)


def vectors_to_dict(summary: VectorSummary) -> dict[str, Any]:
    """As plain data."""
    fields = {name: getattr(summary, name) for name in ("kind", "n_dimensions", "n", "n_missing")}
    fields["projections"] = [numeric_to_dict(one) for one in summary.projections]
    fields["lengths"] = summary.lengths and numeric_to_dict(summary.lengths)
    return fields


def vectors_from_dict(fields: Any) -> VectorSummary:
    """The opposite of :func:`vectors_to_dict`.

    Raises:
        KeyError, TypeError, ValueError: *fields* is not what it wrote.
    """
    along = tuple(numeric_from_dict(one) for one in fields["projections"])
    lengths = None if fields["lengths"] is None else numeric_from_dict(fields["lengths"])
    n_dimensions, n, n_missing = (checked_count(fields[name]) for name in ("n_dimensions", "n", "n_missing"))
    return VectorSummary(str(fields["kind"]), None, along, n_dimensions, n, n_missing, lengths=lengths)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError(f"a number must be finite, got {value!r}")
    return float(value)
