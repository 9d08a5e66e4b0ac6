"""Arguments as arrays, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite
from mlops.sentences import say

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
AnyArray = NDArray[Any]


def numbers(values: ArrayLike, name: str) -> AnyArray:
    """*values* as an array of real numbers, copied only where their type asks for it.

    Raises:
        BadInput: they are no real numbers, or rows differ in length.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise BadInput(f"{name} has rows of different lengths; pad them and pass a mask") from error
    if array.dtype == object:
        array = _from_objects(array, name)
    if array.dtype.kind not in "biuf":
        raise BadInput(f"{name} must hold real numbers, got the type {array.dtype}")
    return array


def _from_objects(array: AnyArray, name: str) -> Floats:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} must hold real numbers: {error}") from error


def vector(values: ArrayLike, name: str, *, finite: bool = True) -> Floats:
    """*values* as a vector of float64, not empty.

    Raises:
        BadInput: it is no vector of real numbers.
        EmptyInput: there is none.
        NotFinite: a number is NaN or infinite, unless *finite* is False.
    """
    array = numbers(values, name)
    if array.ndim != 1:
        raise BadInput(f"{name} must have one dimension, got the shape {array.shape}")
    if not array.size:
        raise EmptyInput(f"{name} is empty")
    floats = array.astype(np.float64, copy=False)
    if finite:
        check_finite(floats, name)
    return floats


def check_finite(values: AnyArray, name: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        NotFinite: with the first place where there is one.
    """
    ok = np.isfinite(values)
    if not ok.all():
        at = tuple(int(index) for index in np.argwhere(~ok)[0])
        where = at[0] if len(at) == 1 else at
        raise NotFinite(
            say("{name!s}[{place}] is {value}; every number must be finite", name=name, place=where, value=values[at])
        )


def check_same_shape(first: AnyArray, second: AnyArray, names: tuple[str, str]) -> None:
    """Refuse arrays of different shape.

    Raises:
        LengthMismatch: with both shapes.
    """
    if first.shape != second.shape:
        raise LengthMismatch(f"{names[0]} has the shape {first.shape}, {names[1]} has {second.shape}")
