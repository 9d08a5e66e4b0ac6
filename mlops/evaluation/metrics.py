"""Names of ranking metrics, and what each name means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mlops.evaluation._arrays import Floats, Integers
from mlops.evaluation.errors import EmptyInput, UnknownMetric

_NAME = re.compile(r"(?P<base>[a-z_]+)(?:@(?P<k>[1-9][0-9]*))?")
_CUTOFF_NEEDED = frozenset({"precision", "hit_rate"})


@dataclass(frozen=True, slots=True)
class Ranked:
    """Ranked lists of some queries, each of which has a relevant item.

    Attributes:
        gains: shape (n_queries, depth), best rank first; unjudged items and ranks beyond the list are 0.
        ideal: shape (n_queries, ideal_depth): gains of all relevant items, highest first, retrieved or not.
        n_relevant: shape (n_queries,): how many items are relevant, that is have a gain above 0.
    """

    gains: Floats
    ideal: Floats
    n_relevant: Integers


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: ``base`` is its kind; ``k`` its cutoff, None for the whole list."""

    base: str
    k: int | None = None

    @property
    def name(self) -> str:
        """As it is written: ``ndcg@10``, ``mrr``."""
        return self.base if self.k is None else f"{self.base}@{self.k}"

    @property
    def convention(self) -> str:
        """What the numbers mean, in a sentence."""
        cutoff = "no cutoff" if self.k is None else f"cut at rank {self.k}"
        return f"{_KINDS[self.base].convention}; {cutoff}; {_SHARED}"

    def of(self, ranked: Ranked) -> Floats:
        """The value of each query, shape (n_queries,), 0 to 1."""
        return _KINDS[self.base].measure(ranked, self.k)


def metric(name: str) -> Metric:
    """The metric of this name: ``ndcg ndcg_exp mrr map precision recall hit_rate``, and ``@k`` for a cutoff.

    Raises:
        UnknownMetric: there is none, the cutoff is no whole number from 1 on, or it is missing where one is needed.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["base"] not in _KINDS:
        kinds = ", ".join(sorted(_KINDS))
        raise UnknownMetric(f"unknown metric {name!r}; write one of {kinds}, with a cutoff such as ndcg@10")
    if match["k"] is None and match["base"] in _CUTOFF_NEEDED:
        raise UnknownMetric(f"{name} needs a cutoff, such as {name}@10")
    return Metric(match["base"], int(match["k"]) if match["k"] else None)


def metrics_of(names: Sequence[str]) -> list[Metric]:
    """The metrics of these names, each once.

    Raises:
        EmptyInput: there is no name.
        UnknownMetric: see :func:`metric`.
    """
    if isinstance(names, str):
        names = [names]
    if not names:
        raise EmptyInput("metrics is empty; name at least one, such as ndcg@10")
    return [metric(name) for name in dict.fromkeys(names)]


def depth_needed(metrics: Sequence[Metric], n_candidates: int) -> int:
    """How many ranks of a list *metrics* look at."""
    return max(n_candidates if metric.k is None else min(metric.k, n_candidates) for metric in metrics)


def ndcg(ranked: Ranked, k: int | None) -> Floats:
    """Normalised discounted cumulative gain: sum of gain / log2(rank + 1), divided by that of the best list there is.

    Järvelin & Kekäläinen (2002) with the discount of Burges et al. (2005), the gain linear in the label.
    """
    return np.asarray(_dcg(ranked.gains, k) / _dcg(ranked.ideal, k))


def ndcg_exponential(ranked: Ranked, k: int | None) -> Floats:
    """As :func:`ndcg`, with the gain ``2**label - 1`` of Burges et al. (2005)."""
    return ndcg(Ranked(_exponential(ranked.gains), _exponential(ranked.ideal), ranked.n_relevant), k)


def reciprocal_rank(ranked: Ranked, k: int | None) -> Floats:
    """1 / rank of the first relevant item; 0 where there is none among the first *k*."""
    hits = ranked.gains[:, :k] > 0
    first = hits.argmax(axis=1)
    found = np.take_along_axis(hits, first[:, None], axis=1)[:, 0]
    return np.asarray(found / (first + 1.0))


def average_precision(ranked: Ranked, k: int | None) -> Floats:
    """Mean, over all relevant items, of the precision at their rank; those not among the first *k* count as 0."""
    hits = (ranked.gains[:, :k] > 0).astype(np.float64)
    at_hits = np.cumsum(hits, axis=1) * hits @ (1.0 / np.arange(1, hits.shape[1] + 1))
    return np.asarray(at_hits / ranked.n_relevant)


def precision(ranked: Ranked, k: int | None) -> Floats:
    """Share of the first *k* ranks with a relevant item; ranks beyond the end of a list have none."""
    return np.asarray(_n_hits(ranked, k) / (k or ranked.gains.shape[1]))


def recall(ranked: Ranked, k: int | None) -> Floats:
    """Share of all relevant items that are among the first *k*."""
    return np.asarray(_n_hits(ranked, k) / ranked.n_relevant)


def hit_rate(ranked: Ranked, k: int | None) -> Floats:
    """1 where a relevant item is among the first *k*, else 0."""
    return np.asarray((ranked.gains[:, :k] > 0).any(axis=1), np.float64)


def _n_hits(ranked: Ranked, k: int | None) -> Floats:
    return np.asarray(np.count_nonzero(ranked.gains[:, :k] > 0, axis=1), np.float64)


def _dcg(gains: Floats, k: int | None) -> Floats:
    gains = gains[:, :k]
    return np.asarray(gains @ _discounts(gains.shape[1]))


@lru_cache(maxsize=8)
def _discounts(n: int) -> Floats:
    discounts: Floats = 1.0 / np.log2(np.arange(2, n + 2))
    discounts.setflags(write=False)
    return discounts


def _exponential(gains: Floats) -> Floats:
    # Not exp2(gains) - 1, which is 0 for a very small gain.
    return np.asarray(np.expm1(gains * np.log(2.0)))


@dataclass(frozen=True, slots=True)
class _Kind:
    measure: Callable[[Ranked, int | None], Floats]
    convention: str


_SHARED = (
    "ties broken by position in the input, or by item id where items have one; NaN scores last; "
    "mean over the queries that have a relevant item (gain above 0), the others counted apart"
)
_NDCG = "discount 1/log2(rank + 1), divided by the same sum over all relevant items in the best order"
_KINDS = {
    "ndcg": _Kind(ndcg, f"nDCG: gain linear in the label, {_NDCG}"),
    "ndcg_exp": _Kind(ndcg_exponential, f"nDCG: gain 2^label - 1, {_NDCG}"),
    "mrr": _Kind(reciprocal_rank, "reciprocal rank of the first relevant item, 0 where none is found"),
    "map": _Kind(average_precision, "average precision, divided by the number of all relevant items"),
    "precision": _Kind(precision, "share of the first k ranks with a relevant item, divided by k also in short lists"),
    "recall": _Kind(recall, "share of all relevant items that are found"),
    "hit_rate": _Kind(hit_rate, "1 where at least one relevant item is found, else 0"),
}
