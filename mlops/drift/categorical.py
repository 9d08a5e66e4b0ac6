"""Categories: how far a mix moved."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, xlogy

from mlops.drift.options import DriftOptions
from mlops.drift.result import Distribution, DriftResult, without_enough_data
from mlops.drift.shares import LEAST_EXPECTED, share_p

Counts = NDArray[np.float64]

MEASURE = "Jensen–Shannon distance"
N_BUCKETS = 128
N_DRAWN = 8
REST = "all others"
_BLOCK = 50_000
TEST = "chi-square, rare values pooled; Fisher's exact test for two"


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """A categorical column as a comparison needs it.

    Attributes:
        counts: by value, most frequent first, for the values that are kept.
        n_other: rows of all other values.
        n, n_missing: rows with a value, and without one.
        n_distinct: different values, at least; exact unless summaries were merged.
        buckets: rows of all values by a hash of the value; None where *counts* holds every value.
    """

    counts: Mapping[str, int]
    n_other: int
    n: int
    n_missing: int
    n_distinct: int
    buckets: tuple[int, ...] | None = None


def summarise(values: Any, *, max_categories: int) -> CategorySummary:
    """The counts of *values*, an Arrow array.

    Args:
        max_categories: the most frequent values that are kept, at least 1.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    counted = pc.value_counts(values.drop_null())
    labels, counts = pc.cast(counted.field("values"), pa.string()), counted.field("counts")
    # By label among equals, so that the same data gives the same summary.
    order = pc.sort_indices(
        pa.table({"count": counts, "label": labels}), [("count", "descending"), ("label", "ascending")]
    )[:max_categories]
    kept = dict(zip(labels.take(order).to_pylist(), counts.take(order).to_pylist(), strict=True))
    n, n_kept = pc.sum(counts).as_py() or 0, sum(kept.values())
    buckets = None
    if len(labels) > max_categories:
        buckets = tuple(_buckets(labels, counts.to_numpy()).tolist())
    return CategorySummary(kept, n - n_kept, n, values.null_count, len(labels), buckets)


def bucketed(summary: CategorySummary) -> Counts:
    """Rows by a hash of their value, shape (N_BUCKETS,)."""
    if summary.buckets is not None:
        return np.array(summary.buckets, dtype=np.float64)
    return _bucket_counts(summary.counts, list(summary.counts.values()))


def _buckets(labels: Any, counts: NDArray[Any]) -> Counts:
    total = np.zeros(N_BUCKETS)
    # As many Python strings at once as do not matter.
    for start in range(0, len(labels), _BLOCK):
        part = slice(start, start + _BLOCK)
        total += _bucket_counts(labels[part].to_pylist(), counts[part])
    return total


def _bucket_counts(labels: Iterable[str], counts: Any) -> Counts:
    at = [zlib.crc32(label.encode()) % N_BUCKETS for label in labels]
    rows = np.bincount(np.array(at, dtype=np.intp), weights=counts, minlength=N_BUCKETS)
    return rows.astype(np.float64)


def pooled(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """The same counts with rare cells made one, so that each expected count is 5 or more.

    Args:
        reference, current: shape (n_cells,), counts of the same values on either side.

    Returns:
        Both sides, with fewer cells; perhaps only one.
    """
    both = reference + current
    expected = both * min(reference.sum(), current.sum()) / max(both.sum(), 1.0)
    order = np.argsort(-expected, kind="stable")
    n_kept = int((expected >= LEAST_EXPECTED).sum())
    rest = order[n_kept:]
    if n_kept and expected[rest].sum() < LEAST_EXPECTED:
        # Still too rare together: they go to the rarest of the others.
        n_kept, rest = n_kept - 1, order[n_kept - 1 :]
    kept = order[:n_kept]
    if not len(rest):
        return reference[kept], current[kept]
    return np.append(reference[kept], reference[rest].sum()), np.append(current[kept], current[rest].sum())


def chi_square_p(reference: Counts, current: Counts) -> float:
    """p of Pearson's chi-square test that both sides have the same mix; 1.0 for a single cell.

    Args:
        reference, current: shape (n_cells,), no cell empty on both sides.
    """
    n, m, both = reference.sum(), current.sum(), reference + current
    # With both margins fixed this is the sum over all 2 B cells.
    statistic = float(((np.sqrt(m / n) * reference - np.sqrt(n / m) * current) ** 2 / both).sum())
    return float(chdtrc(len(both) - 1, statistic)) if len(both) > 1 else 1.0


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """Jensen–Shannon distance of two mixes, the root of the divergence in bits: 0 for equal, 1 for nothing shared."""
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    bits = (xlogy(p, p) + xlogy(q, q) - 2 * xlogy(middle, middle)).sum() / (2 * np.log(2))
    return float(np.sqrt(min(max(bits, 0.0), 1.0)))


def compare_categories(
    column: str, reference: CategorySummary, current: CategorySummary, *, options: DriftOptions
) -> DriftResult:
    """How far the mix of *column* moved. Where almost every value occurs once, there is nothing to compare."""
    n, m = reference.n, current.n
    sides = _cells(reference, current)
    cells = pooled(*sides)
    nothing_to_compare = len(cells[0]) < 2 < len(sides[0])
    if min(n, m) < options.minimum_n or nothing_to_compare:
        return without_enough_data(
            column, "categorical", measure=MEASURE, test=TEST, options=options, n_reference=n, n_current=m
        )
    p, score = _p(*cells), jensen_shannon(*cells)
    new = new_values(reference, current)
    new_share = sum(current.counts[value] for value in new) / m
    details: dict[str, Any] = {"n_new_values": len(new), "new_share": new_share, "n_cells": len(cells[0])}
    return DriftResult(
        column, "categorical", MEASURE, score, options.threshold, TEST, p, p, options.alpha, n, m, details,
        _drawn(reference, current),
    )  # fmt: skip


def new_values(reference: CategorySummary, current: CategorySummary) -> list[str]:
    """Values of *current* that *reference* does not have; none where it does not know all of its own."""
    if reference.n_other:
        return []
    return [value for value, count in current.counts.items() if count and value not in reference.counts]


def _drawn(reference: CategorySummary, current: CategorySummary) -> Distribution:
    """The values that are most frequent on either side, and the rest as one."""
    both = Counter(dict(reference.counts)) + Counter(dict(current.counts))
    values = [value for value, _ in both.most_common(N_DRAWN)]
    sides = [[side.counts.get(value, 0) / side.n for value in values] for side in (reference, current)]
    rest = [max(0.0, 1 - sum(shares)) for shares in sides]
    if max(rest) > 1e-9:
        values, sides = [*values, REST], [[*shares, left] for shares, left in zip(sides, rest, strict=True)]
    return Distribution(tuple(values), tuple(sides[0]), tuple(sides[1]))


def _p(reference: Counts, current: Counts) -> float:
    if len(reference) == 2:
        first, n_first, second, n_second = reference[0], reference.sum(), current[0], current.sum()
        return share_p(int(first), int(n_first), int(second), int(n_second))
    return chi_square_p(reference, current)


def _cells(reference: CategorySummary, current: CategorySummary) -> tuple[Counts, Counts]:
    """Counts of the same cells on either side, no cell empty on both."""
    if reference.n_other or current.n_other:
        # Not the values that one side has kept: they were chosen for being frequent there, and a mix that never moved
        # would look as if they had become rarer.
        before, now = bucketed(reference), bucketed(current)
    else:
        values = list(dict(reference.counts) | dict(current.counts))
        before, now = (
            np.array([side.counts.get(value, 0) for value in values], float) for side in (reference, current)
        )
    used = (before + now) > 0
    return before[used], now[used]
