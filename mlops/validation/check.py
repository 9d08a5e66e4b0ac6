"""Validates data: a table by columns as far as they decide, rows of JSON one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from mlops.errors import UnreadableData
from mlops.validation.columns import ColumnChecker
from mlops.validation.rows import as_row, row_violations
from mlops.validation.rules import RuleContext, rule_violations
from mlops.validation.schema import RULES_KEYWORD, Schema, load_schema
from mlops.validation.violations import ValidationReport, Violation

MOST_VIOLATIONS = 10_000
_NOTHING: Mapping[str, Any] = {}


def validate_data(
    data: Any,
    *,
    schema: Schema | None = None,
    part: str | None = None,
    tables: Mapping[str, Any] = _NOTHING,
    now: datetime | None = None,
    max_violations: int = MOST_VIOLATIONS,
) -> ValidationReport:
    """What is wrong with *data*. Nothing is converted, so that "3" is no number.

    Args:
        data: an Arrow table, a frame, or a sequence of mappings, which are rows of JSON. A table cannot leave a cell
            out: null counts as an absent property where its schema does not take null.
        schema: default is the schema of this package.
        part: of the schema; default is the one whose columns are most like those of *data*.
        tables: other tables by name, for the rule ``references``; a mapping of columns or a table each.
        now: aware, for the rule ``freshness``.
        max_violations: of rows; after so many the rest is not looked at, and the report says so. At least 1.

    Raises:
        UnreadableData: *data* is neither, or its columns fit no part.
        BadSchema: *part* or a rule is unknown.
        ValueError: *max_violations* is below 1, or *now* has no time zone.
    """
    if max_violations < 1:
        raise ValueError(f"max_violations must be at least 1, got {max_violations}")
    if now is not None and now.tzinfo is None:
        raise ValueError(f"now must have a time zone, got {now.isoformat()}")
    schema = schema or load_schema()
    rows, table = _readable(data)
    names = table.column_names if table is not None else list(dict.fromkeys(name for row in rows for name in row))
    part = part or schema.fitting_part(names)
    rules = schema.part(part)[RULES_KEYWORD]
    n_rows = table.num_rows if table is not None else len(rows)
    found = _of_rows(rows, schema, part) if table is None else _of_table(table, schema, part)
    violations = list(islice(found, max_violations + 1))
    columns = _columns_of_rows(rows) if table is None else _columns_of_table(table)
    context = RuleContext(columns, n_rows, tables, now)
    of_rules = list(islice(rule_violations(rules, context), max_violations + 1))
    is_complete = max(len(violations), len(of_rules)) <= max_violations
    ordered = sorted(violations[:max_violations] + of_rules[:max_violations], key=_place)
    return ValidationReport(part, n_rows, ordered, context.unchecked, is_complete)


def _place(violation: Violation) -> tuple[int, str, str]:
    return -1 if violation.row is None else violation.row, violation.column, violation.rule


def _readable(data: Any) -> tuple[Sequence[Any], Any]:
    """*data* as rows of JSON, or as an Arrow table; the other is empty or None."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return [], data
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        try:
            return [], pa.Table.from_pandas(data, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UnreadableData(f"a column of the frame mixes types: {error}") from error
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return data, None
    raise UnreadableData(f"data must be a table, a frame or a sequence of mappings, got {type(data).__name__}")


def _of_rows(rows: Sequence[Any], schema: Schema, part: str) -> Iterator[Violation]:
    validator = schema.validator(part)
    for number, row in enumerate(rows):
        yield from row_violations(validator, row, number=number)


def _of_table(table: Any, schema: Schema, part: str) -> Iterator[Violation]:
    definition = schema.part(part)
    uncertain = np.flatnonzero(~ColumnChecker(schema, table).certain_rows(definition))
    validator = schema.validator(part)
    for start in range(0, len(uncertain), 1_000):
        numbers = uncertain[start : start + 1_000]
        cells = table.take(numbers).to_pylist(maps_as_pydicts="strict")
        for number, one in zip(numbers.tolist(), cells, strict=True):
            yield from row_violations(validator, as_row(one, definition, schema), number=number)


def _columns_of_table(table: Any) -> dict[str, Any]:
    import pyarrow as pa

    columns = {}
    for name in table.column_names:
        array = table[name].combine_chunks()
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        columns[name] = array
        if pa.types.is_struct(array.type):
            columns |= {f"{name}.{of.name}": array.field(of.name) for of in array.type}
    return columns


def _columns_of_rows(rows: Sequence[Any]) -> dict[str, Any]:
    """Columns whose values have one type; what mixes types is a violation of its rows already."""
    import pyarrow as pa

    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            array = pa.array([row.get(name) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            continue
        columns[name] = array
        if pa.types.is_struct(array.type):
            columns |= {f"{name}.{of.name}": array.field(of.name) for of in array.type}
    return columns
