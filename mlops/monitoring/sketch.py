"""Many values in little room: exact count, mean, extremes and deviation; quantiles that are off by 1 % at most.

Quantiles come from a DDSketch (Masson, Rim, Lee, PVLDB 2019): values are counted in bins whose edges grow by a constant
factor g, so that the middle of a bin is within (g - 1) / (g + 1) of everything in it, relative to the value. Two
sketches are merged by adding their counts, and nothing is lost by it. Negative values have bins of their own, and so
has zero.

What is bounded: magnitudes from 1e-140 to 1e140 (below counts as zero, above is refused by whoever records), and
``MAX_BINS`` occupied bins. Where there would be more, the bins nearest to zero are counted as zero. Values of one sign
that lie within a factor of 1e17 of each other never need that many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RELATIVE_ERROR = 0.01
MAX_BINS = 2048
LARGEST = 1e140
SMALLEST = 1e-140

# A hair finer than promised: a value on a bin's edge may be counted on either side of it.
_FINER = RELATIVE_ERROR * 0.999
_GROWTH = (1 + _FINER) / (1 - _FINER)
_LOG_GROWTH = math.log(_GROWTH)
_MIDDLE = 2 / (1 + _GROWTH)
# Added to the bin's number, so that codes of positive values are positive, and fit into 16 bits.
_OFFSET = math.ceil(-math.log(SMALLEST) / _LOG_GROWTH) + 1
# A table of counts is faster than sorting from about here on.
_MANY = 256


@dataclass(frozen=True, slots=True)
class Sketch:
    """A summary of *count* values, at least one.

    Attributes:
        squares: sum of squared differences from the mean.
        codes: occupied bins, ascending as their values are; shape (n_bins,).
        counts: values in each of them.
    """

    count: int
    mean: float
    squares: float
    low: float
    high: float
    codes: NDArray[np.int16]
    counts: NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, values: Floats) -> Sketch:
        """The summary of *values*: shape (n,), n at least 1, none beyond ``LARGEST``, no NaN."""
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        codes, counts = _counted(codes_of(values))
        return cls(len(values), mean, squares, float(values.min()), float(values.max()), *_bounded(codes, counts))

    @property
    def std(self) -> float:
        """Standard deviation of these very values (of the population, as NumPy's default): 0.0 for one."""
        return math.sqrt(self.squares / self.count)

    @property
    def total(self) -> float:
        """Sum of the values."""
        return self.mean * self.count

    @property
    def n_bytes(self) -> int:
        """Memory, with what Python adds to it."""
        return self.codes.nbytes + self.counts.nbytes + 450

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Quantiles as ``numpy.quantile`` has them: linear between the two nearest ranks.

        Each of the two is within 1 % of the true value, so the result is too where both have the same sign; between
        values of unlike sign it is within 1 % of the larger magnitude.

        Args:
            shares: each 0 to 1.
        """
        ranks = np.asarray(shares, dtype=np.float64) * (self.count - 1)
        below = np.floor(ranks)
        # Both at once: pages ask for hundreds of sketches.
        first, second = np.split(self._at(np.concatenate((below, np.ceil(ranks)))), 2)
        mixed = first + (second - first) * (ranks - below)
        return [float(value) for value in np.clip(mixed, self.low, self.high)]

    def n_up_to(self, edges: Floats) -> NDArray[np.int64]:
        """How many values are at most each of *edges* (ascending), to the 2 % that an edge's bin is wide."""
        places = np.searchsorted(self.codes, codes_of(edges), side="right")
        return np.concatenate(([0], np.cumsum(self.counts, dtype=np.int64)))[places]

    def _at(self, ranks: Floats) -> Floats:
        up_to = np.cumsum(self.counts, dtype=np.int64)
        places = np.searchsorted(up_to, ranks, side="right")
        found = values_of(self.codes[np.minimum(places, len(self.codes) - 1)])
        # The ends are known exactly.
        found[ranks <= 0] = self.low
        found[ranks >= self.count - 1] = self.high
        return found


def merged(sketches: Sequence[Sketch]) -> Sketch:
    """The summary of all values of *sketches* (at least one) together, whatever their order.

    Mean and squares as in Chan, Golub, LeVeque (1979): squares within, and those of the means around the common one.
    """
    if len(sketches) == 1:
        return sketches[0]
    sizes = np.array([one.count for one in sketches], dtype=np.float64)
    means = np.array([one.mean for one in sketches])
    count = sum(one.count for one in sketches)
    mean = float(means @ (sizes / count))
    squares = math.fsum(one.squares for one in sketches) + float(np.square(means - mean) @ sizes)
    codes, counts = _summed(
        np.concatenate([one.codes for one in sketches]), np.concatenate([one.counts for one in sketches])
    )
    low, high = min(one.low for one in sketches), max(one.high for one in sketches)
    return Sketch(count, mean, squares, low, high, *_bounded(codes, counts))


def merged_or_none(sketches: Iterable[Sketch]) -> Sketch | None:
    """As :func:`merged`; None where there is nothing to merge."""
    found = list(sketches)
    return merged(found) if found else None


def codes_of(values: Floats) -> NDArray[np.int32]:
    """The bin of each value: its number, shifted and signed; 0 for what is as good as zero."""
    sizes = np.abs(values)
    is_zero = sizes < SMALLEST
    numbers = np.ceil(np.log(np.where(is_zero, 1.0, np.minimum(sizes, LARGEST))) / _LOG_GROWTH) + _OFFSET
    return np.where(is_zero, 0.0, np.copysign(numbers, values)).astype(np.int32)


def values_of(codes: NDArray[np.signedinteger]) -> Floats:
    """The value that stands for each bin: within 1 % of all that are in it."""
    numbers = np.abs(codes.astype(np.float64)) - _OFFSET
    return np.where(codes == 0, 0.0, np.sign(codes) * np.exp(numbers * _LOG_GROWTH) * _MIDDLE)


def _counted(codes: NDArray[np.int32]) -> tuple[NDArray[np.signedinteger], NDArray[np.int64]]:
    if len(codes) < _MANY:
        return np.unique(codes, return_counts=True)
    lowest = codes.min()
    table = np.bincount(codes - lowest)
    occupied = np.flatnonzero(table)
    return occupied + lowest, table[occupied]


def _summed(
    codes: NDArray[np.int16], counts: NDArray[np.unsignedinteger]
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64]]:
    wide = codes.astype(np.int32)
    lowest = wide.min()
    # Counts in floats are exact up to 9e15.
    table = np.bincount(wide - lowest, weights=counts)
    occupied = np.flatnonzero(table)
    return occupied + lowest, table[occupied].astype(np.int64)


def _bounded(
    codes: NDArray[np.signedinteger], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int16], NDArray[np.unsignedinteger]]:
    n_over = len(codes) - MAX_BINS
    if n_over > 0:
        # One bin more goes, as zero needs its own.
        nearest = np.argpartition(np.abs(codes), n_over)[: n_over + 1]
        collapsed = codes.copy()
        collapsed[nearest] = 0
        order = np.argsort(collapsed, kind="stable")
        codes, starts = np.unique(collapsed[order], return_index=True)
        counts = np.add.reduceat(counts[order], starts)
    kind = np.uint32 if counts.max() < 2**32 else np.uint64
    return codes.astype(np.int16), counts.astype(kind)
