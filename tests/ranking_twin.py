"""Ranking metrics of one query in plain Python, slow and easy to read: the twin that the fast ones are held to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Item = TypeVar("Item", int, str)


def ranked_gains(scores: Mapping[Item, float], gains: Mapping[Item, float]) -> list[float]:
    """Gains by falling score; NaN last, equal scores by item."""

    def place(item: Item) -> tuple[bool, float, Item]:
        is_nan = math.isnan(scores[item])
        return is_nan, 0.0 if is_nan else -scores[item], item

    return [gains.get(item, 0.0) for item in sorted(scores, key=place)]


def dcg(gains: Sequence[float], k: int | None) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:k], start=1))


def ndcg(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return dcg(gains, k) / dcg(sorted(relevant, reverse=True), k)


def reciprocal_rank(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return next((1 / rank for rank, gain in enumerate(gains[:k], start=1) if gain > 0), 0.0)


def average_precision(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    total, n_hits = 0.0, 0
    for rank, gain in enumerate(gains[:k], start=1):
        if gain > 0:
            n_hits += 1
            total += n_hits / rank
    return total / len(relevant)


def recall(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return sum(gain > 0 for gain in gains[:k]) / len(relevant)


def precision(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return sum(gain > 0 for gain in gains[:k]) / (k or len(gains))


def hit_rate(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return float(any(gain > 0 for gain in gains[:k]))


def ndcg_exponential(gains: Sequence[float], relevant: Sequence[float], k: int | None) -> float:
    return ndcg([2**gain - 1 for gain in gains], [2**gain - 1 for gain in relevant], k)


TWINS = {
    "ndcg": ndcg,
    "ndcg_exp": ndcg_exponential,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "recall": recall,
    "precision": precision,
    "hit_rate": hit_rate,
}


def measure(name: str, scores: Mapping[Item, float], gains: Mapping[Item, float]) -> float | None:
    """The metric *name* of one query; None where nothing is relevant."""
    base, _, cutoff = name.partition("@")
    relevant = [gain for gain in gains.values() if gain > 0]
    if not relevant:
        return None
    return TWINS[base](ranked_gains(scores, gains), relevant, int(cutoff) if cutoff else None)
