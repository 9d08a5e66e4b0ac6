"""A column in the form in which it is compared, whether it comes from data or from a profile."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from mlops.drift import categorical, numeric
from mlops.drift.categorical import CategorySummary
from mlops.drift.columns import Column
from mlops.drift.numeric import NumericSummary
from mlops.drift.options import DriftOptions, Kind
from mlops.drift.vectors import Encoder, VectorSummary, summarise_texts, summarise_vectors

Summary = NumericSummary | CategorySummary | VectorSummary
# Beyond it, values are so rare that they would be pooled anyway.
MAX_CATEGORIES = 10_000


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column.

    Attributes:
        kind, type_name: as in :class:`mlops.drift.columns.Column`.
        n_rows: missing ones included.
        summary: None where the column cannot be compared.
    """

    name: str
    kind: Kind | None
    type_name: str
    n_rows: int
    summary: Summary | None

    @property
    def n_missing(self) -> int:
        """Rows without a value that can be compared."""
        if self.summary is None:
            return self.n_rows if self.type_name == "no values" else 0
        return self.summary.n_missing

    def share_of(self, value: float | str) -> float:
        """Share of *value* among the values of a numeric or categorical column, 0 to 1."""
        if isinstance(self.summary, NumericSummary) and len(self.summary.points):
            return float((self.summary.points == value).mean())
        if isinstance(self.summary, CategorySummary) and self.summary.n:
            return self.summary.counts.get(str(value), 0) / self.summary.n
        return 0.0

    @property
    def constant(self) -> float | str | None:
        """The only value of the column; None where there are several, or none."""
        summary = self.summary
        if isinstance(summary, NumericSummary) and summary.n and summary.sd == 0.0:
            return float(summary.points[0])
        if isinstance(summary, CategorySummary) and summary.n and summary.n_distinct == 1:
            return next(value for value, count in summary.counts.items() if count)
        return None


def summarise_column(column: Column, *, options: DriftOptions, encode: Encoder) -> ColumnSummary:
    """*column* as it is compared."""
    return ColumnSummary(column.name, column.kind, column.type_name, column.n_rows, _summary(column, options, encode))


def _summary(column: Column, options: DriftOptions, encode: Encoder) -> Summary | None:
    if column.kind == "numeric":
        return numeric.summarise(column.values)
    if column.kind == "categorical":
        return categorical.summarise(column.values, max_categories=MAX_CATEGORIES)
    rng = np.random.default_rng([options.seed, zlib.crc32(column.name.encode())])
    if column.kind == "embedding":
        n_missing = column.n_rows - len(column.values)
        return summarise_vectors(column.values, n_missing=n_missing, max_rows=options.max_rows, rng=rng)
    if column.kind == "text":
        return summarise_texts(column.values, encode=encode, max_rows=options.max_rows, rng=rng)
    return None
