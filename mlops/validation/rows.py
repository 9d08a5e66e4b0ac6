"""Row by row: what exactly is wrong with one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from mlops.validation.schema import Schema
from mlops.validation.violations import Violation, shown


def row_violations(validator: Any, row: Any, *, number: int) -> Iterator[Violation]:
    """What the compiled *validator* finds in one *row*, by column."""
    errors = sorted(validator.iter_errors(row), key=lambda error: (_column(error), str(error.validator)))
    for error in errors:
        # `required` and its like are about a property that is not, or should not be, there.
        yield Violation(number, _column(error), str(error.validator), shown(error.instance), _message(error))


def as_row(cells: Mapping[str, Any], definition: Any, schema: Schema) -> dict[str, Any]:
    """A row of a table as JSON has it.

    A table cannot leave a cell out: null counts as an absent property where its schema does not take null. Times become
    text. Nothing else is changed.
    """
    known = schema.resolved(definition)
    row = {}
    for name, value in cells.items():
        of = known.get("properties", {}).get(name, known.get("additionalProperties", True))
        if value is not None or schema.accepts_null(of):
            row[name] = _as_json(value, of, schema)
    return row


def _as_json(value: Any, definition: Any, schema: Schema) -> Any:
    known = schema.resolved(definition)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return as_row(value, {} if isinstance(known, bool) else known, schema)
    if isinstance(value, list):
        items = True if isinstance(known, bool) else known.get("items", True)
        return [_as_json(item, items, schema) for item in value]
    return value


def _column(error: Any) -> str:
    path = ""
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".")


def _message(error: Any) -> str:
    wanted = error.validator_value
    if error.validator == "type":
        return f"must be {' or '.join([wanted] if isinstance(wanted, str) else wanted)}"
    messages = {
        "enum": f"must be one of {wanted}",
        "const": f"must be {wanted!r}",
        "minimum": f"must be at least {wanted}",
        "maximum": f"must be at most {wanted}",
        "exclusiveMinimum": f"must be above {wanted}",
        "exclusiveMaximum": f"must be below {wanted}",
        "minLength": f"must have at least {wanted} characters",
        "maxLength": f"must have at most {wanted} characters",
        "minItems": f"must have at least {wanted} items",
        "maxItems": f"must have at most {wanted} items",
        "uniqueItems": "must not repeat an item",
        "pattern": f"must match {wanted}",
        "format": f"must be a {wanted}",
        "anyOf": "fits none of the ways that are allowed",
        "required": "is required",
        "additionalProperties": "is not a known property",
    }  # fmt: skip
    return messages.get(error.validator) or str(error.message)[:200]
