"""What lists are like beside being relevant: how much of the catalogue they show, how new, varied and fair they are.

A list holds item numbers, 0 to ``n_items - 1``, best first; a place of -1 is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import Floats, Integers, check_finite, numbers, vector
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ListQuality:
    """Figures of many lists.

    Attributes:
        coverage: share of the catalogue that is in at least one list, 0 to 1.
        novelty: mean self-information of the items shown, in bits; None without popularities.
        diversity: mean distance (1 - cosine) of two items in a list, 0 to 2; None without vectors.
        gini: Gini index of the items' exposure: 0 when all are shown equally often, near 1 when few take all.
        popularity_bias: mean popularity of the items shown, divided by the mean over the catalogue: 1 is no bias,
            above 1 favours popular items; None without popularities.
        n_lists: how many lists there were.
        n_shown: how many places held an item.
    """

    coverage: float
    novelty: float | None
    diversity: float | None
    gini: float
    popularity_bias: float | None
    n_lists: int
    n_shown: int


def list_quality(
    lists: ArrayLike, *, n_items: int, popularity: ArrayLike | None = None, vectors: ArrayLike | None = None
) -> ListQuality:
    """All figures of *lists* at once.

    Args:
        lists: shape (n_lists, k), see the top of this module.
        n_items: size of the catalogue.
        popularity: shape (n_items,): how often each item was used, 0 or more; at least one above 0.
        vectors: shape (n_items, n_dimensions), none of length 0.
    Raises:
        BadInput: see its subclasses.
    """
    places = checked_lists(lists, n_items)
    weights = None if popularity is None else _popularity(popularity, n_items)
    return ListQuality(
        coverage=coverage(places, n_items=n_items),
        novelty=None if weights is None else novelty(places, popularity=weights),
        diversity=None if vectors is None else diversity(places, vectors=vectors),
        gini=gini_of_exposure(places, n_items=n_items),
        popularity_bias=None if weights is None else popularity_bias(places, popularity=weights),
        n_lists=len(places),
        n_shown=int(np.count_nonzero(places >= 0)),
    )


def checked_lists(lists: ArrayLike, n_items: int) -> Integers:
    """*lists* as whole numbers, each -1 or one of the catalogue, and none twice in a list.

    Raises:
        EmptyInput: no list, or no item in any of them.
        BadInput: an item is not in the catalogue, or twice in a list.
    """
    places = numbers(lists, "lists")
    if places.ndim != 2:
        raise BadInput(f"lists must have the shape (n_lists, k), got {places.shape}")
    if places.dtype.kind not in "iu" and places.size:
        raise BadInput(f"lists must hold item numbers, got the type {places.dtype}")
    if not (places.size and (places >= 0).any()):
        raise EmptyInput("lists hold no item")
    if places.min() < -1 or places.max() >= n_items:
        raise BadInput(f"lists hold item numbers {places.min()} to {places.max()}; right are -1 to {n_items - 1}")
    ordered = np.sort(places, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        raise BadInput(f"list {int(np.argwhere(twice)[0][0])} holds an item twice")
    return places.astype(np.int64, copy=False)


def coverage(lists: ArrayLike, *, n_items: int) -> float:
    """Share of the catalogue that is in at least one list, 0 to 1."""
    places = checked_lists(lists, n_items)
    return int(np.count_nonzero(_exposure(places, n_items))) / n_items


def novelty(lists: ArrayLike, *, popularity: ArrayLike) -> float:
    """Mean self-information, -log2 of the share of all use that an item has, over every place that holds one, in bits.

    Zhou et al. (2010), with one added to each count, so that items never used have a finite value.

    Args:
        lists: shape (n_lists, k).
        popularity: shape (n_items,): how often each item was used.
    """
    counts = _popularity(popularity)
    places = checked_lists(lists, len(counts))
    bits = -np.log2((counts + 1) / (counts + 1).sum())
    return float(bits[places[places >= 0]].mean())


def popularity_bias(lists: ArrayLike, *, popularity: ArrayLike) -> float:
    """Mean popularity of the items shown, divided by the mean popularity of the catalogue: 1 is no bias."""
    counts = _popularity(popularity)
    places = checked_lists(lists, len(counts))
    return float(counts[places[places >= 0]].mean() / counts.mean())


def gini_of_exposure(lists: ArrayLike, *, n_items: int) -> float:
    """Gini index of how often each item of the catalogue is shown, 0 to (n_items - 1) / n_items.

    Half the mean absolute difference of two items' exposure, divided by the mean exposure; items never shown count.
    """
    counts = np.sort(_exposure(checked_lists(lists, n_items), n_items)).astype(np.float64)
    ranks = np.arange(1, n_items + 1)
    return float(((2 * ranks - n_items - 1) @ counts) / (n_items * counts.sum()))


def diversity(lists: ArrayLike, *, vectors: ArrayLike) -> float:
    """Mean distance, 1 - cosine, of the pairs within a list, 0 to 2; mean over the lists with two items or more.

    Ziegler et al. (2005) call its complement intra-list similarity. All pairs of a list follow from the length of the
    sum of its unit vectors, so that no pair is ever computed.

    Args:
        lists: shape (n_lists, k).
        vectors: shape (n_items, n_dimensions).
    Raises:
        EmptyInput: no list has two items.
        BadInput: a vector has the length 0, or see its subclasses.
    """
    units = _unit_vectors(vectors)
    places = checked_lists(lists, len(units))
    sizes = np.count_nonzero(places >= 0, axis=1)
    places = places[sizes >= 2]
    if not len(places):
        raise EmptyInput("diversity needs a list with two items at least")
    rows = max(1, _CHUNK // (places.shape[1] * units.shape[1]))
    parts = [_mean_distances(places[start : start + rows], units) for start in range(0, len(places), rows)]
    return float(np.concatenate(parts).mean())


def _mean_distances(places: Integers, units: Floats) -> Floats:
    held = places >= 0
    shown = units[places] * held[:, :, None]
    sizes = held.sum(axis=1)
    total = shown.sum(axis=1)
    # |sum|² is the number of items, for each with itself, and twice the sum of the cosines of all pairs.
    cosines = ((total * total).sum(axis=1) - sizes) / (sizes * (sizes - 1))
    return np.asarray(np.clip(1.0 - cosines, 0.0, 2.0))


def _exposure(places: Integers, n_items: int) -> Integers:
    return np.bincount(places[places >= 0], minlength=n_items)


def _popularity(popularity: ArrayLike, n_items: int | None = None) -> Floats:
    counts = vector(popularity, "popularity")
    if n_items is not None and len(counts) != n_items:
        raise LengthMismatch(f"popularity has {len(counts)} items, the catalogue {n_items}")
    if counts.min() < 0 or not counts.any():
        raise BadInput("popularity must hold counts of 0 or more, at least one above 0")
    return counts


def _unit_vectors(vectors: ArrayLike) -> Floats:
    array = numbers(vectors, "vectors").astype(np.float64)
    if array.ndim != 2 or not array.size:
        raise BadInput(f"vectors must have the shape (n_items, n_dimensions), got {array.shape}")
    check_finite(array, "vectors")
    largest = np.abs(array).max(axis=1, keepdims=True)
    if not largest.all():
        raise BadInput(f"vectors[{int(np.flatnonzero(largest == 0)[0])}] is all zeros: it has no direction")
    array /= largest  # The square of a very small or large number would not fit a float.
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True))
