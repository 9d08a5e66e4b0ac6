"""Column by column: which rows are certainly right, found without looking at each.

The answer may err in one direction only. A row that is called right is right; any other is looked at by itself, so that
what is reported never depends on this module.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.validation.schema import ANNOTATIONS, Schema, is_date_time, surplus

Mask = NDArray[np.bool_]


class ColumnChecker:
    """Finds the rows of an Arrow table that are certainly valid."""

    def __init__(self, schema: Schema, table: Any) -> None:
        self._schema = schema
        self._table = table

    def certain_rows(self, definition: Any) -> Mask:
        """Shape (n_rows,): True where the row is valid without doubt."""
        known = self._schema.resolved(definition)
        if isinstance(known, bool):
            return self._all(known)
        certain = self._all(True)
        for keyword, wanted in known.items():
            if keyword not in ANNOTATIONS and not keyword.startswith("x-"):
                certain &= self._row_keyword(keyword, wanted, known)
        return certain

    def _row_keyword(self, keyword: str, wanted: Any, known: Mapping[str, Any]) -> Mask:
        if keyword == "type":
            return self._all("object" in wanted if isinstance(wanted, list) else wanted == "object")
        if keyword == "required":
            return self._every(self._is_present(name, known) for name in wanted)
        if keyword == "properties":
            return self._every(self._values(name, of) for name, of in wanted.items() if name in self._names)
        if keyword == "patternProperties":
            found = ((name, of) for pattern, of in wanted.items() for name in self._names if re.search(pattern, name))
            return self._every(self._values(name, of) for name, of in found)
        if keyword == "additionalProperties":
            return self._every(self._values(name, wanted) for name in surplus(dict.fromkeys(self._names), known))
        if keyword == "anyOf" and all(isinstance(choice, Mapping) and set(choice) == {"required"} for choice in wanted):
            # With properties of its own a choice could see null where the row, read by `known`, has nothing.
            ways = (self._every(self._is_present(name, known) for name in choice["required"]) for choice in wanted)
            return _any(ways)
        return self._all(False)

    @property
    def _names(self) -> list[str]:
        names: list[str] = self._table.column_names
        return names

    def _all(self, value: bool) -> Mask:
        return np.full(self._table.num_rows, value)

    def _every(self, masks: Any) -> Mask:
        certain = self._all(True)
        for mask in masks:
            certain &= mask
        return certain

    def _is_present(self, name: str, known: Mapping[str, Any]) -> Mask:
        if name not in self._names:
            return self._all(False)
        of = known.get("properties", {}).get(name, known.get("additionalProperties", True))
        return self._all(True) if self._schema.accepts_null(of) else ~_nulls(self._table[name])

    def _values(self, name: str, definition: Any) -> Mask:
        """Where the cell of column *name* is valid, or null and thus absent or allowed."""
        array = _plain(self._table[name])
        return self._certain_values(array, definition) | _nulls(array)

    def _certain_values(self, array: Any, definition: Any) -> Mask:
        import pyarrow as pa

        known = self._schema.resolved(definition)
        if isinstance(known, bool):
            return np.full(len(array), known)
        if pa.types.is_struct(array.type):
            return ColumnChecker(self._schema, pa.Table.from_struct_array(array)).certain_rows(known)
        certain = np.full(len(array), True)
        for keyword, wanted in known.items():
            if keyword not in ANNOTATIONS and not keyword.startswith("x-"):
                certain &= self._keyword(keyword, wanted, array)
        return certain

    def _keyword(self, keyword: str, wanted: Any, array: Any) -> Mask:
        if keyword == "anyOf":
            return _any([self._certain_values(array, choice) for choice in wanted])
        if keyword == "allOf":
            return _all_of([self._certain_values(array, choice) for choice in wanted])
        if keyword == "items":
            return self._items(array, wanted)
        check = _KEYWORDS.get(keyword)
        return check(array, wanted) if check else np.full(len(array), False)

    def _items(self, array: Any, wanted: Any) -> Mask:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            return np.full(len(array), False)
        items = pc.list_flatten(array)
        wrong = ~self._certain_values(items, wanted) | _nulls(items)
        owners = pc.list_parent_indices(array).to_numpy()[wrong]
        certain = np.full(len(array), True)
        certain[owners] = False
        return certain


def _any(masks: Iterable[Mask]) -> Mask:
    return functools.reduce(np.logical_or, masks)


def _all_of(masks: Iterable[Mask]) -> Mask:
    return functools.reduce(np.logical_and, masks)


def _plain(column: Any) -> Any:
    """A column as one array, without dictionary."""
    import pyarrow as pa

    array = column.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _nulls(array: Any) -> Mask:
    mask: Mask = array.is_null().to_numpy(zero_copy_only=False).astype(bool)
    return mask


def _of_type(array: Any, wanted: Any) -> Mask:
    names = wanted if isinstance(wanted, list) else [wanted]
    return _any([_is_type(array, name) for name in names])


def _is_type(array: Any, name: str) -> Mask:
    import pyarrow as pa

    types, kind = pa.types, array.type
    if types.is_floating(kind) and name in {"number", "integer"}:
        values = _floats(array)
        finite = np.isfinite(values)
        return finite if name == "number" else finite & (np.where(finite, values, 0.5) % 1 == 0)
    matching: dict[str, Callable[[Any], bool]] = {
        "number": types.is_integer,
        "integer": types.is_integer,
        "string": lambda of: _is_text(of) or types.is_timestamp(of),
        "boolean": types.is_boolean,
        "array": lambda of: types.is_list(of) or types.is_large_list(of),
    }
    fits = matching.get(name)
    return np.full(len(array), bool(fits and fits(kind)))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _floats(array: Any) -> NDArray[np.float64]:
    values: NDArray[np.float64] = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return values


def _numeric(test: Callable[[NDArray[np.float64], Any], Mask]) -> Callable[[Any, Any], Mask]:
    def check(array: Any, wanted: Any) -> Mask:
        import pyarrow as pa

        if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
            # The keyword says nothing about other types.
            return np.full(len(array), True)
        values = _floats(array)
        # From 2⁵³ on neighbouring whole numbers are one float: such a row is looked at by itself.
        exact: Mask = (np.abs(values) < 2**53) & (abs(wanted) < 2**53)
        return test(values, wanted) & exact

    return check


def _sized(text: bool, test: Callable[[NDArray[Any], Any], Mask]) -> Callable[[Any, Any], Mask]:
    def check(array: Any, wanted: Any) -> Mask:
        import pyarrow as pa
        import pyarrow.compute as pc

        is_list = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
        if not (_is_text(array.type) if text else is_list):
            return np.full(len(array), not pa.types.is_timestamp(array.type))
        sizes = (pc.utf8_length if text else pc.list_value_length)(array)
        return test(pc.fill_null(sizes, 0).to_numpy(), wanted)

    return check


def _by_value(test: Callable[[Any, Any], bool], *, text_only: bool) -> Callable[[Any, Any], Mask]:
    """A check that is made once for each different value."""

    def check(array: Any, wanted: Any) -> Mask:
        import pyarrow as pa

        if not _is_text(array.type):
            whole = pa.types.is_integer(array.type) or pa.types.is_boolean(array.type)
            if text_only or not whole:
                return np.full(len(array), text_only and whole)
        encoded = array.dictionary_encode()
        fits = np.array([bool(test(value, wanted)) for value in encoded.dictionary.to_pylist()] + [False])
        found: Mask = fits[encoded.indices.fill_null(len(fits) - 1).to_numpy()]
        return found

    return check


def _format(array: Any, wanted: Any) -> Mask:
    import pyarrow as pa

    if wanted != "date-time":
        return np.full(len(array), True)
    if pa.types.is_timestamp(array.type):
        return np.full(len(array), array.type.tz is not None)
    return _by_value(lambda value, _: is_date_time(value), text_only=True)(array, wanted)


def _among(value: Any, wanted: Any) -> bool:
    # In JSON true is not 1, as it is in Python.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in wanted)


_KEYWORDS: dict[str, Callable[[Any, Any], Mask]] = {
    "type": _of_type,
    "enum": _by_value(_among, text_only=False),
    "const": _by_value(lambda value, wanted: _among(value, [wanted]), text_only=False),
    "minimum": _numeric(lambda values, wanted: values >= wanted),
    "maximum": _numeric(lambda values, wanted: values <= wanted),
    "exclusiveMinimum": _numeric(lambda values, wanted: values > wanted),
    "exclusiveMaximum": _numeric(lambda values, wanted: values < wanted),
    "minLength": _sized(True, lambda sizes, wanted: sizes >= wanted),
    "maxLength": _sized(True, lambda sizes, wanted: sizes <= wanted),
    "minItems": _sized(False, lambda sizes, wanted: sizes >= wanted),
    "maxItems": _sized(False, lambda sizes, wanted: sizes <= wanted),
    "pattern": _by_value(lambda value, wanted: re.search(wanted, value) is not None, text_only=True),
    "format": _format,
}
