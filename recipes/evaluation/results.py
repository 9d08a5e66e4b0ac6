"""What measuring a version on one source answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops.evaluation import Evaluation, MetricResult, by_slice
from mlops.evaluation.errors import BadInput
from recipes.ranker import MODEL_ID


@dataclass(frozen=True)
class Evaluated:
    """One version, measured on one source.

    Attributes:
        source: ``queries``, ``golden``, ``feedback`` or ``interactions``.
        about: what was measured how, in a sentence.
        qrels: gain of each relevant recipe, by query, answer or user.
        metrics: by name, the one that decides first.
        figures: single numbers; None where nothing is known.
        labels: by slice, the group of each query.
        problems: what is wrong with the answers; None where nobody looked.
        golden: whether each golden query was answered as it must be.
    """

    source: str
    about: str
    version: str
    qrels: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, MetricResult]
    figures: Mapping[str, float | None]
    labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    problems: Sequence[str] | None = None
    golden: Mapping[str, bool] = field(default_factory=dict)

    def slices(self, name: str) -> dict[str, dict[str, MetricResult]]:
        """``{metric: {label: result}}`` of one slice.

        Raises:
            BadInput: there is no such slice.
        """
        if name not in self.labels:
            raise BadInput(f"{self.source} has no column {name}; it has {', '.join(self.labels)}")
        return {metric: by_slice(result, self.labels[name]) for metric, result in self.metrics.items()}

    @property
    def for_gates(self) -> Evaluation:
        """What gates know."""
        return Evaluation(
            label=f"{MODEL_ID} {self.version}",
            metrics=self.metrics,
            figures={name: value for name, value in self.figures.items() if value is not None},
            golden=self.golden,
            problems=self.problems,
        )


def scores_by_place(ranked: Sequence[str]) -> dict[str, float]:
    """Scores that keep the order of *ranked*: an answer's order is made by rules first, and by scores only then."""
    return {recipe_id: float(len(ranked) - place) for place, recipe_id in enumerate(ranked)}
