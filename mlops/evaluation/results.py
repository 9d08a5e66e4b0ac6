"""What an evaluation answers: metrics with the units they were measured on, and single figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlops.evaluation._arrays import AnyArray, Floats
from mlops.evaluation.errors import LengthMismatch, NothingRelevant
from mlops.sentences import say


@dataclass(frozen=True)
class MetricResult:
    """One metric over many queries (or users).

    Attributes:
        name: such as ``ndcg@10``.
        values: shape (n_judged,): of each query that has a relevant item.
        query_ids: shape (n_judged,): whose value it is; row numbers where the input had no ids.
        n_queries: how many queries there were.
        n_without_relevant: how many of them have no relevant item; they are not in ``values``.
        convention: gain, discount, cutoff, ties, and what happens to queries with nothing relevant, in a sentence.
        higher_is_better: which way is up.
    """

    name: str
    values: Floats
    query_ids: AnyArray
    n_queries: int
    n_without_relevant: int
    convention: str
    higher_is_better: bool = True

    @cached_property
    def mean(self) -> float:
        """Mean over the queries that have a relevant item.

        Raises:
            NothingRelevant: there is no such query.
        """
        if not self.values.size:
            raise NothingRelevant(
                say(
                    "none of the {n:d} queries has a relevant item: there is no {metric!s}",
                    n=self.n_queries,
                    metric=self.name,
                )
            )
        return float(self.values.mean())

    def to_dict(self) -> dict[str, Any]:
        """The figures without the value of each query, for JSON; ``mean`` is None where there is none."""
        return {
            "metric": self.name,
            "mean": self.mean if self.values.size else None,
            "n_queries": self.n_queries,
            "n_without_relevant": self.n_without_relevant,
            "higher_is_better": self.higher_is_better,
            "convention": self.convention,
        }


def by_slice(result: MetricResult, labels: Mapping[Any, str]) -> dict[str, MetricResult]:
    """*result* apart for each group of queries, in the order of their labels.

    Args:
        result: of all queries.
        labels: group of each query, also of those with nothing relevant.
    Raises:
        LengthMismatch: a query has no label, or there are not as many labels as queries.
    """
    if len(labels) != result.n_queries:
        raise LengthMismatch(f"{result.n_queries} queries need as many labels, got {len(labels)}")
    judged = result.query_ids.tolist()
    unlabelled = next((query for query in judged if query not in labels), None)
    if unlabelled is not None:
        raise LengthMismatch(f"query {unlabelled!r} has no label")
    groups = np.array([labels[query] for query in judged], dtype=object)
    sizes: dict[str, int] = {}
    for label in labels.values():
        sizes[label] = sizes.get(label, 0) + 1
    return {label: _slice(result, groups == label, sizes[label]) for label in sorted(sizes)}


def _slice(result: MetricResult, chosen: AnyArray, n_queries: int) -> MetricResult:
    values = result.values[chosen]
    return MetricResult(
        name=result.name,
        values=values,
        query_ids=result.query_ids[chosen],
        n_queries=n_queries,
        n_without_relevant=n_queries - len(values),
        convention=result.convention,
        higher_is_better=result.higher_is_better,
    )


@dataclass(frozen=True)
class Evaluation:
    """All that gates know about one version.

    Attributes:
        label: which version, such as ``hybrid_ranker 1.1.0``.
        metrics: by name, with the value of each query.
        figures: single numbers by name, such as ``p95_ms`` or ``coverage``.
        golden: whether each golden query was answered as it must be, by its name.
        problems: what is wrong with the model's output; empty when valid, None when nobody looked.
    """

    label: str
    metrics: Mapping[str, MetricResult] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    golden: Mapping[str, bool] = field(default_factory=dict)
    problems: Sequence[str] | None = None
