"""What a model predicts: shape, finite numbers, range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def output_issues(
    predictions: Any,
    *,
    expected_shape: Sequence[int | None] | None = None,
    value_range: tuple[float, float] | None = None,
) -> list[str]:
    """One sentence for each thing that is wrong with *predictions*; none for a valid output.

    Args:
        predictions: numbers in an array, a nested list or a series.
        expected_shape: None or -1 stands for any length.
        value_range: least and largest value, both allowed.

    Raises:
        ValueError: the range is upside down.
    """
    if value_range is not None and not value_range[0] <= value_range[1]:
        raise ValueError(f"value_range must go from least to largest, got {value_range}")
    try:
        values = np.asarray(predictions)
    except ValueError:
        return ["The predictions have rows of different lengths."]
    if values.dtype.kind not in "iuf":
        return [f"The predictions must be numbers, got {_kind(values)}."]
    return list(_issues(values, expected_shape, value_range))


def _issues(values: Any, shape: Sequence[int | None] | None, value_range: tuple[float, float] | None) -> Iterator[str]:
    if values.size == 0:
        yield "There are no predictions."
    if shape is not None and not _fits(values.shape, shape):
        wanted = "(" + ", ".join("any" if size in {None, -1} else str(size) for size in shape) + ")"
        yield f"The shape must be {wanted}, got {values.shape}."
    n_nan, n_infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if n_nan:
        yield f"{n_nan} of {values.size} predictions are NaN."
    if n_infinite:
        yield f"{n_infinite} of {values.size} predictions are infinite."
    if value_range is not None:
        finite = values[np.isfinite(values)]
        outside = finite[(finite < value_range[0]) | (finite > value_range[1])]
        if len(outside):
            extremes = f"{outside.min():g} to {outside.max():g}"
            some = f"{len(outside)} of {values.size} predictions"
            yield f"{some} outside {value_range[0]:g} to {value_range[1]:g}: {extremes}."


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(other in {None, -1, size} for size, other in zip(shape, wanted, strict=True))


def _kind(values: Any) -> str:
    kinds = {"b": "truth values", "U": "text", "S": "bytes", "c": "complex numbers", "M": "times", "m": "durations"}
    return kinds.get(values.dtype.kind, "objects")
