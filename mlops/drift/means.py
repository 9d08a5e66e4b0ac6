"""The owner's rule: a column has drifted where its mean changed by more than a tenth.

It is easy to explain, and blind to the number of rows and to any change that keeps the mean.
:func:`mlops.drift.check_drift` has neither weakness.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.drift import categorical
from mlops.drift.columns import Column, column_names, read_column

METHOD = "relative_mean_change"
# Below so many values a mean near zero is taken as it is.
_LEAST_FOR_STANDARD_ERROR = 30


def relative_mean_change(baseline: ArrayLike, current: ArrayLike) -> float:
    """|mean of *current* - mean of *baseline*| / |mean of *baseline*|, without NaN and infinite values.

    A relative change needs something to be relative to. Where the baseline's mean is zero, or from 30 values on within
    three standard errors of zero, its standard deviation takes the place of the mean; where that is zero as well, the
    change is 0.0 for the same mean and infinite for any other.

    Args:
        baseline, current: shape (n,) and (m,).

    Raises:
        ValueError: a side has no finite value.
    """
    before, now = _finite("baseline", baseline), _finite("current", current)
    change = abs(float(now.mean()) - float(before.mean()))
    # Rounding, such as 0.1 + 0.2 - 0.3, is no change.
    largest = max(float(np.abs(before).max()), float(np.abs(now).max()))
    if change <= 1e-12 * largest:
        return 0.0
    scale = _scale(before)
    return change / scale if scale > 1e-12 * largest else math.inf


def mean_changes(baseline: Any, current: Any, *, threshold: float = 0.1) -> dict[str, dict[str, Any]]:
    """The rule for every column of *baseline*, by name.

    Categories have no mean: for them it is the share of rows that would have to change their value, the total
    variation distance. A column that is missing, has changed its type or lost its values has drifted. Columns of
    times, texts and vectors are not judged, and those that only *current* has are named.

    Args:
        baseline, current: tables (Arrow, pandas, mapping of arrays).
        threshold: the largest change that is none, 0 or more.

    Returns:
        For each column: method, change (None where none can be told, or nothing is there to be relative to), threshold,
        drifted, sentence, and further figures.

    Raises:
        ValueError: *threshold* is negative.
        DriftError: a side is no table.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be 0 or more, got {threshold}")
    now = column_names(current)
    before = column_names(baseline)
    details = {}
    for name in before:
        found = read_column(current, name) if name in set(now) else None
        details[name] = _judged(read_column(baseline, name), found, threshold)
    for name in now:
        if name not in details:
            details[name] = _fields(None, threshold, drifted=False, sentence=f"{name} is new, nothing to compare with.")
    return details


def _judged(before: Column, now: Column | None, threshold: float) -> dict[str, Any]:
    name = before.name
    if now is None:
        return _fields(None, threshold, drifted=True, sentence=f"{name} is missing.")
    if before.type_name == "no values" or before.kind not in {"numeric", "categorical"}:
        return _fields(None, threshold, drifted=False, sentence=f"{name} is not judged: it held {before.type_name}.")
    if before.kind == now.kind == "numeric":
        return _of_means(name, before.values, now.values, threshold)
    if now.type_name == "no values":
        return _fields(None, threshold, drifted=now.n_rows > 0, sentence=f"{name} has no values any more.")
    if before.type_name == now.type_name:
        return _of_mixes(name, before.values, now.values, threshold)
    sentence = f"{name} held {before.type_name} and now holds {now.type_name}."
    return _fields(None, threshold, drifted=True, sentence=sentence)


def _of_means(name: str, before: Any, now: Any, threshold: float) -> dict[str, Any]:
    if not all(np.isfinite(side).any() for side in (before, now)):
        return _fields(None, threshold, drifted=False, sentence=f"{name} is not judged: a side has no finite values.")
    change = relative_mean_change(before, now)
    means = [float(_finite(name, side).mean()) for side in (before, now)]
    sentence = f"The mean of {name} went from {means[0]:.4g} to {means[1]:.4g}"
    shown = f"a change of {change:.1%}" if math.isfinite(change) else "from a constant zero"
    # JSON knows no infinity.
    told = change if math.isfinite(change) else None
    fields = _fields(told, threshold, drifted=change > threshold, sentence=f"{sentence}, {shown}.")
    return fields | {"baseline_mean": means[0], "current_mean": means[1]}


def _of_mixes(name: str, before: Any, now: Any, threshold: float) -> dict[str, Any]:
    sides = [dict(_shares(values)) for values in (before, now)]
    labels = sides[0].keys() | sides[1].keys()
    change = sum(abs(sides[0].get(label, 0.0) - sides[1].get(label, 0.0)) for label in labels) / 2
    sentence = f"{change:.1%} of the rows of {name} would have to change their value."
    fields = _fields(change, threshold, drifted=change > threshold, sentence=sentence)
    return fields | {"method": "total_variation_distance"}


def _shares(values: Any) -> Iterator[tuple[str, float]]:
    summary = categorical.summarise(values, max_categories=len(values))
    return ((label, count / summary.n) for label, count in summary.counts.items())


def _fields(change: float | None, threshold: float, *, drifted: bool, sentence: str) -> dict[str, Any]:
    return {"method": METHOD, "change": change, "threshold": threshold, "drifted": drifted, "sentence": sentence}


def _scale(values: NDArray[np.float64]) -> float:
    mean, sd = abs(float(values.mean())), float(values.std())
    few = len(values) < _LEAST_FOR_STANDARD_ERROR
    is_zero = mean <= 1e-12 * sd or (not few and mean < 3 * sd / math.sqrt(len(values)))
    return sd if is_zero else mean


def _finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).ravel()
    finite: NDArray[np.float64] = array[np.abs(array) < 1e140]
    if not len(finite):
        raise ValueError(f"{name} has no finite value")
    return finite
