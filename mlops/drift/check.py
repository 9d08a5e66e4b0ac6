"""The whole check: every column of a table against the same column of an earlier one, or of its profile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.drift.categorical import CategorySummary, compare_categories, new_values
from mlops.drift.columns import column_names, count_rows, read_column
from mlops.drift.correction import corrected
from mlops.drift.numeric import NumericSummary, compare_numeric
from mlops.drift.options import DriftOptions
from mlops.drift.profile import ReferenceProfile
from mlops.drift.result import DriftReport, DriftResult, Finding
from mlops.drift.shares import compare_shares
from mlops.drift.summary import ColumnSummary, summarise_column
from mlops.drift.vectors import Encoder, VectorSummary, compare_vectors, hashed_words
from mlops.errors import DriftError
from mlops.sentences import listed, say

_DEFAULTS = DriftOptions()
_SHOWN_VALUES = 5
MOST_PERMUTATIONS = 10_000


def check_drift(
    reference: Any, current: Any, *, options: DriftOptions = _DEFAULTS, encode: Encoder = hashed_words
) -> DriftReport:
    """Compare *current* with *reference*, column by column.

    A column has drifted where its effect reaches ``options.threshold`` and its p value, corrected over all tests of
    this check, is at most ``options.alpha``. New, missing, constant and retyped columns are findings.

    Args:
        reference: a table (Arrow, pandas, mapping of arrays) or a :class:`ReferenceProfile`.
        current: a table.
        encode: turns texts into vectors, one row each; for a profile the same one as when it was made.

    Raises:
        DriftError: a side is no table, or a column's vectors have changed their dimensions.
    """
    return Checker(options=options, encode=encode).check(reference, current)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """A check with its options, to be used again."""

    options: DriftOptions = _DEFAULTS
    encode: Encoder = hashed_words

    def check(self, reference: Any, current: Any) -> DriftReport:
        """As :func:`check_drift`."""
        before, now = column_names(_columns_of(reference)), column_names(current)
        common = [name for name in before if name in set(now)]
        unknown = sorted(set(self.options.kinds) - set(before) - set(now))
        if unknown:
            raise DriftError(f"no side has the column {unknown[0]!r} that a kind was given for")
        findings = [_missing(name) for name in before if name not in set(now)]
        findings += [_new(name) for name in now if name not in set(before)]
        results: list[DriftResult] = []
        for name in common:
            # One column at a time: two tables of a million rows are sorted without being copied as a whole.
            was = self._reference_column(reference, name)
            found = self._read(current, name, like=was)
            results += self._results(was, found, n_columns=len(common))
            findings += self._findings(was, found, n_columns=len(common))
        rows = (_rows_of(reference), count_rows(current))
        return DriftReport(corrected(results, correction=self.options.correction), findings, self.options, *rows)

    def _reference_column(self, reference: Any, name: str) -> ColumnSummary:
        if isinstance(reference, ReferenceProfile):
            return reference.columns[name]
        return self._read(reference, name, like=None)

    def _read(self, data: Any, name: str, *, like: ColumnSummary | None) -> ColumnSummary:
        kind = self.options.kinds.get(name) or (like.kind if like else None)
        column = read_column(data, name, kind=kind)
        return summarise_column(column, options=self.options, encode=self.encode)

    def _results(self, was: ColumnSummary, found: ColumnSummary, *, n_columns: int) -> Iterator[DriftResult]:
        options = self.options
        if was.kind and found.kind in {was.kind, None} and was.n_missing + found.n_missing > 0:
            sides = (was.n_missing, was.n_rows), (found.n_missing, found.n_rows)
            yield compare_shares(was.name, *sides, options=options, kind="missing")
        before, now = was.summary, found.summary
        if was.type_name != found.type_name:
            return
        if isinstance(before, NumericSummary) and isinstance(now, NumericSummary):
            yield compare_numeric(was.name, before, now, options=options)
        elif isinstance(before, CategorySummary) and isinstance(now, CategorySummary):
            yield compare_categories(was.name, before, now, options=options)
        elif isinstance(before, VectorSummary) and isinstance(now, VectorSummary):
            # Fewer permutations could not reach alpha after the correction, whatever the drift.
            needed = math.ceil(min(2 * n_columns / options.alpha, MOST_PERMUTATIONS))
            n_permutations = max(options.n_permutations, needed)
            yield compare_vectors(was.name, before, now, options=options, n_permutations=n_permutations)
            if before.lengths and now.lengths:
                yield compare_numeric(f"{was.name} (words)", before.lengths, now.lengths, options=options)

    def _findings(self, was: ColumnSummary, found: ColumnSummary, *, n_columns: int) -> Iterator[Finding]:
        by_chance = self.options.alpha / n_columns
        if found.type_name == "no values" and was.kind:
            if found.n_rows and (was.n_missing / was.n_rows) ** found.n_rows <= by_chance:
                yield Finding(was.name, "no values", say("{column!s} has no values any more.", column=was.name))
        elif was.type_name != found.type_name and was.type_name != "no values":
            sentence = say(
                "{column!s} held {before} and now holds {now}.",
                column=was.name,
                before=was.type_name,
                now=found.type_name,
            )
            yield Finding(was.name, "type changed", sentence)
        elif was.summary is None:
            sentence = say("{column!s} is not judged: it holds {what}.", column=was.name, what=was.type_name)
            yield Finding(was.name, "not judged", sentence)
        else:
            yield from _of_values(was, found, by_chance=by_chance)


def _of_values(was: ColumnSummary, found: ColumnSummary, *, by_chance: float) -> Iterator[Finding]:
    value = found.constant
    is_news = value is not None and was.constant is None
    # The other values may be absent from a small window by chance.
    if is_news and found.summary and was.share_of(value or 0.0) ** found.summary.n <= by_chance:
        yield Finding(
            was.name, "became constant", say("{column!s} is {value} in every row now.", column=was.name, value=value)
        )
    if isinstance(was.summary, CategorySummary) and isinstance(found.summary, CategorySummary):
        new = new_values(was.summary, found.summary)
        if new:
            share = sum(found.summary.counts[value] for value in new) / found.summary.n
            yield Finding(was.name, "new values", _of_new(was.name, new, share))


def _of_new(column: str, new: Sequence[str], share: float) -> str:
    if len(new) == 1:
        return say(
            "{column!s} has a new value in {share:.2%} of the rows: {value}.", column=column, share=share, value=new[0]
        )
    return say(
        "{column!s} has {n:d} new values in {share:.2%} of the rows: {values:s}.",
        column=column,
        n=len(new),
        share=share,
        values=listed([*new[:_SHOWN_VALUES], *(["…"] if len(new) > _SHOWN_VALUES else [])]),
    )


def _missing(name: str) -> Finding:
    return Finding(name, "missing column", say("{column!s} is missing: the reference has it.", column=name))


def _new(name: str) -> Finding:
    return Finding(name, "new column", say("{column!s} is new: the reference does not have it.", column=name))


def _columns_of(reference: Any) -> Any:
    return reference.columns if isinstance(reference, ReferenceProfile) else reference


def _rows_of(reference: Any) -> int:
    return reference.n_rows if isinstance(reference, ReferenceProfile) else count_rows(reference)
