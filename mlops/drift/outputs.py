"""Outputs: does the model answer with other scores, more popular items, or fewer different ones?"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.drift import numeric
from mlops.drift.correction import corrected
from mlops.drift.options import DriftOptions
from mlops.drift.result import DriftReport, DriftResult, without_enough_data

_DEFAULTS = DriftOptions()
COVERAGE_MEASURE = "relative change of different items in equally many answers"
COVERAGE_TEST = "permutation of answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputWindow:
    """What a model answered in a window, one entry for each item that was shown.

    Attributes:
        request_ids: items with the same one were shown together.
        item_ids: what was shown.
        scores: of the model.
        popularity: of the item, from a source of its own such as its number of ratings. Counting how often the window
            itself shows an item would make every window look more popular to itself. None where it is not known.

    Raises:
        ValueError: the fields differ in length.
    """

    request_ids: Sequence[str]
    item_ids: Sequence[str]
    scores: Sequence[float]
    popularity: Sequence[float] | None = None

    def __post_init__(self) -> None:
        fields = {name: getattr(self, name) for name in self.__slots__}
        lengths = {name: len(values) for name, values in fields.items() if values is not None}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"every shown item needs one entry in each field, got {shown}")


def check_output_drift(
    reference: OutputWindow, current: OutputWindow, *, options: DriftOptions = _DEFAULTS
) -> DriftReport:
    """Compare the answers of two windows.

    The unit is the answer: the items of one depend on each other, and counting each as a witness of its own would
    make chance look like drift.
    """
    results = [_means("scores", reference, current, reference.scores, current.scores, options)]
    if reference.popularity is not None and current.popularity is not None:
        results.append(_means("popularity", reference, current, reference.popularity, current.popularity, options))
    results.append(compare_coverage(reference, current, options=options))
    adjusted = corrected(results, correction=options.correction)
    return DriftReport(adjusted, [], options, len(set(reference.request_ids)), len(set(current.request_ids)))


def compare_coverage(reference: OutputWindow, current: OutputWindow, *, options: DriftOptions) -> DriftResult:
    """How many different items the model shows.

    A longer window shows more different items without any drift: both sides are cut to equally many answers.
    """
    codes, answers, n_answers = _coded(reference, current)
    n, m = n_answers
    if min(n, m) < options.minimum_n:
        return without_enough_data(
            "coverage", "coverage", measure=COVERAGE_MEASURE, test=COVERAGE_TEST, options=options,
            n_reference=n, n_current=m,
        )  # fmt: skip
    rng = np.random.default_rng([options.seed, zlib.crc32(b"coverage")])
    size = min(n, m, options.max_rows)
    drawn = np.concatenate([rng.permutation(n)[:size], n + rng.permutation(m)[:size]])
    side = np.full(n + m, -1)
    counts = []
    for labels in [np.repeat([0, 1], size), *(rng.permutation(2 * size) % 2 for _ in range(options.n_permutations))]:
        side[drawn] = labels
        counts.append([_n_different(codes[side[answers] == label]) for label in (0, 1)])
    differences = np.abs(np.diff(counts, axis=1)[:, 0])
    p = float((differences >= differences[0]).mean())
    before, now = counts[0]
    details = {"reference_items": before, "current_items": now, "n_answers_compared": size}
    return DriftResult(
        "coverage", "coverage", COVERAGE_MEASURE, abs(now - before) / max(1, before), options.threshold, COVERAGE_TEST,
        p, p, options.alpha, n, m, details,
    )  # fmt: skip


def _means(
    name: str, reference: OutputWindow, current: OutputWindow, before: Any, now: Any, options: DriftOptions
) -> DriftResult:
    """How far the mean over each answer moved."""
    sides = [
        numeric.summarise(_mean_by(window.request_ids, np.asarray(values, dtype=np.float64)))
        for window, values in ((reference, before), (current, now))
    ]
    return numeric.compare_numeric(name, sides[0], sides[1], options=options)


def _mean_by(keys: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, at = np.unique(np.asarray(keys, dtype=str), return_inverse=True)
    means: NDArray[np.float64] = np.bincount(at, weights=values) / np.bincount(at)
    return means


def _coded(reference: OutputWindow, current: OutputWindow) -> tuple[NDArray[Any], NDArray[Any], tuple[int, int]]:
    """Items as numbers; the number of the answer that each belongs to; answers on either side."""
    items = np.asarray([*reference.item_ids, *current.item_ids], dtype=str)
    _, codes = np.unique(items, return_inverse=True)
    first, before = np.unique(np.asarray(reference.request_ids, dtype=str), return_inverse=True)
    second, now = np.unique(np.asarray(current.request_ids, dtype=str), return_inverse=True)
    return codes, np.concatenate([before, now + len(first)]), (len(first), len(second))


def _n_different(codes: NDArray[Any]) -> int:
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0
