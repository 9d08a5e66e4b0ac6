"""Ranking many short lists at once, exactly and with stable ties."""

from __future__ import annotations

import numpy as np

from mlops.evaluation._arrays import Flags, Floats, Integers

_SIGN_AND_BELOW = np.int64(0x7FFF_FFFF_FFFF_FFFF)
# Above minus infinity, whose key is 0x7FF0…: the keys of scores that are NaN, and of places that hold no candidate.
_NAN_KEY = np.int64(0x7FFD_0000_0000_0000)
_PADDING_KEY = np.int64(0x7FFE_0000_0000_0000)


def ranking(scores: Floats, *, depth: int, mask: Flags | None = None) -> Integers:
    """Positions of the *depth* best candidates of each row, highest score first.

    Equal scores stand in the order of their positions; NaN comes after every number, padding after NaN.

    A score and its position go into one integer, so that a plain sort, which is several times faster than a stable
    argsort, does the work. The position takes the lowest bits of the score: rows where that puts two candidates in the
    wrong order are found and sorted again in the slow way.

    Args:
        scores: shape (n_rows, n_candidates).
        depth: at most n_candidates.
        mask: True where there is a candidate; shape as *scores*.
    Returns:
        Shape (n_rows, depth).
    """
    scores = scores + 0.0  # Also makes -0.0, whose bits differ, equal to 0.0.
    if mask is not None:
        scores[~mask] = 0.0
    low_bits = np.int64((1 << max(scores.shape[1] - 1, 1).bit_length()) - 1)
    keys = _descending(scores)
    _mark_nan(keys, scores)
    if mask is not None:
        keys[~mask] = _PADDING_KEY
    keys &= ~low_bits
    keys |= np.arange(scores.shape[1])
    keys.sort(axis=1)
    order = keys[:, :depth] & low_bits
    for row in _rows_in_doubt(keys, scores, low_bits, depth):
        order[row] = _slowly(scores[row], None if mask is None else mask[row])[:depth]
    return order


def _descending(scores: Floats) -> Integers:
    """Integers that fall as the score rises. Of a negative float, the larger bits mean the smaller number."""
    bits = scores.view(np.int64)
    keys: Integers = bits >> 63
    keys &= _SIGN_AND_BELOW
    keys ^= bits
    np.invert(keys, out=keys)
    return keys


def _mark_nan(keys: Integers, scores: Floats) -> None:
    # One pass without a temporary array tells most chunks, which have none, from the others.
    if np.isnan(scores.max(initial=-np.inf)):
        keys[np.isnan(scores)] = _NAN_KEY


def _rows_in_doubt(keys: Integers, scores: Floats, low_bits: np.int64, depth: int) -> list[int]:
    """Rows where neighbours differ only in bits that the position took, and stand in the wrong order."""
    if not _loses_bits(scores, low_bits):
        return []
    last = min(depth + 1, keys.shape[1])
    alike = (keys[:, 1:last] ^ keys[:, : last - 1]) <= low_bits
    rows = np.flatnonzero(alike.any(axis=1))
    doubtful: list[int] = []
    for row in rows.tolist():
        ordered = scores[row, keys[row] & low_bits]
        same = np.flatnonzero(keys[row, 1:] ^ keys[row, :-1] <= low_bits)
        if (ordered[same + 1] > ordered[same]).any():
            doubtful.append(row)
    return doubtful


def _loses_bits(scores: Floats, low_bits: np.int64) -> bool:
    return bool((np.bitwise_or.reduce(scores.view(np.int64), axis=None) & low_bits) != 0)


def _slowly(scores: Floats, mask: Flags | None) -> Integers:
    numbers = np.where(np.isnan(scores), -np.inf, scores)
    kind = np.isnan(scores).astype(np.int8) if mask is None else np.where(mask, np.isnan(scores), 2)
    return np.lexsort((-numbers, kind))
