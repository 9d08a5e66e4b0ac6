"""Reads columns out of whatever table somebody has, and says what kind each is. Nothing is converted silently.

Pandas frames are read by the attributes they have; pandas itself is never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops.drift.options import Kind
from mlops.errors import DriftError

# Enough rows to tell sentences from labels.
_LOOKED_AT = 1_000
_LEAST_WORDS = 3.0


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        kind: how it is compared; None where it cannot be, and *type_name* says what it is.
        type_name: "numbers", "labels", "truth values", "texts", "vectors", "times", "no values", "mixed types", …
        values: numeric: float64, shape (n,), NaN where missing; embedding: float64, shape (n, n_dimensions), without
            missing rows; otherwise an Arrow array.
        n_rows: missing ones included.
    """

    name: str
    kind: Kind | None
    type_name: str
    values: Any
    n_rows: int


def column_names(data: Any) -> list[str]:
    """Names of the columns of *data*: an Arrow table, a frame with ``columns``, or a mapping of name to values.

    Raises:
        DriftError: it is none of these, or a name occurs twice.
    """
    found = [str(key) for key in _keys(data)]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DriftError(f"each column needs a name of its own, got {twice[0]!r} twice")
    return found


def read_column(data: Any, name: str, *, kind: Kind | None = None) -> Column:
    """The column *name* of *data*, read as *kind* where one is given and its values allow it."""
    values = data[next(key for key in _keys(data) if str(key) == name)]
    if kind == "time":
        return Column(name, "time", "times", None, len(values))
    numbers = _plain_numbers(values)
    if numbers is not None and kind != "categorical":
        return _of_numbers(name, numbers)
    return _of_arrow(name, values if numbers is None else numbers, kind)


def count_rows(data: Any) -> int:
    """Rows of *data*; 0 where it has no columns.

    Raises:
        DriftError: its columns differ in length.
    """
    if hasattr(data, "num_rows"):
        return int(data.num_rows)
    if not isinstance(data, Mapping):
        return len(data)
    lengths = {str(name): len(values) for name, values in data.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DriftError(f"all columns need the same length, got {shown}")
    return next(iter(lengths.values()), 0)


def _keys(data: Any) -> list[Any]:
    """Columns as *data* itself calls them: a frame may have numbers for names."""
    names = getattr(data, "column_names", None)
    if names is None:
        names = data.keys() if isinstance(data, Mapping) else getattr(data, "columns", None)
    if names is None:
        raise DriftError(f"data must be a table, a frame or a mapping of columns, got {type(data).__name__}")
    return list(names)


def _plain_numbers(values: Any) -> np.ndarray[Any, Any] | None:
    """*values* as a NumPy array where that costs no copy: arrays of numbers, and series that hold one."""
    if isinstance(values, np.ndarray):
        array = values
    elif isinstance(getattr(values, "dtype", None), np.dtype) and hasattr(values, "to_numpy"):
        array = values.to_numpy()
    else:
        return None
    return array if array.dtype.kind in "iuf" and array.ndim in (1, 2) else None


def _of_numbers(name: str, numbers: np.ndarray[Any, Any]) -> Column:
    values = numbers.astype(np.float64, copy=False)
    if values.ndim == 2:
        return Column(name, "embedding", "vectors", values[np.isfinite(values).all(axis=1)], len(values))
    if len(values) and np.isnan(values[0]) and np.isnan(values).all():
        return Column(name, None, "no values", None, len(values))
    return Column(name, "numeric", "numbers", values, len(values))


def _of_arrow(name: str, values: Any, kind: Kind | None) -> Column:
    import pyarrow as pa

    try:
        array = _arrow(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return Column(name, None, "mixed types", None, len(values))
    types, n = pa.types, len(array)
    if types.is_null(array.type) or array.null_count == n:
        return Column(name, None, "no values", None, n)
    if types.is_list(array.type) or types.is_large_list(array.type) or types.is_fixed_size_list(array.type):
        return _of_lists(name, array)
    if types.is_temporal(array.type):
        return Column(name, "time", "times", array, n)
    if types.is_integer(array.type) or types.is_floating(array.type) or types.is_decimal(array.type):
        if kind == "categorical":
            return Column(name, kind, "numbers", array, n)
        return _of_numbers(name, array.cast(pa.float64(), safe=False).to_numpy(False))
    return _of_labels(name, array, kind)


def _arrow(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray) and values.ndim > 1:
        raise pa.ArrowInvalid("more than one dimension")
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _of_lists(name: str, array: Any) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    present = array.drop_null()
    lengths = pc.unique(pc.list_value_length(present)).to_pylist()
    flat = pc.list_flatten(present)
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
        return Column(name, None, "lists", None, len(array))
    if len(lengths) != 1 or lengths[0] == 0:
        return Column(name, None, "vectors of different lengths", None, len(array))
    vectors = flat.cast(pa.float64()).to_numpy(False).reshape(-1, lengths[0])
    return Column(name, "embedding", "vectors", vectors[np.isfinite(vectors).all(axis=1)], len(array))


def _of_labels(name: str, array: Any, kind: Kind | None) -> Column:
    import pyarrow as pa

    is_dictionary = pa.types.is_dictionary(array.type)
    value_type = array.type.value_type if is_dictionary else array.type
    if pa.types.is_boolean(value_type):
        return Column(name, "categorical", "truth values", array, len(array))
    is_text = pa.types.is_string(value_type) or pa.types.is_large_string(value_type)
    if not (is_text or pa.types.is_string_view(value_type) or is_dictionary):
        return Column(name, None, str(value_type), None, len(array))
    if kind == "text" or (kind is None and not is_dictionary and _reads_like_text(array)):
        return Column(name, "text", "texts", array, len(array))
    return Column(name, "categorical", "labels", array, len(array))


def _reads_like_text(array: Any) -> bool:
    """Whether the values are mostly different and have several words each."""
    step = max(1, len(array) // _LOOKED_AT)
    seen = array.take(list(range(0, len(array), step))[:_LOOKED_AT]).drop_null().to_pylist()
    if not seen or len(set(seen)) <= 0.5 * len(seen):
        return False
    return sum(len(text.split()) for text in seen) / len(seen) >= _LEAST_WORDS
