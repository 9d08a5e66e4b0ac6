"""Evaluation that can carry a decision: metrics with their conventions, comparisons, gates, reports."""

from typing import TYPE_CHECKING, Any

from mlops.evaluation.classification import BinaryCounts, ClassificationResult, classification_metrics
from mlops.evaluation.comparison import Comparison, compare, compare_many, holm, smallest_detectable_effect
from mlops.evaluation.errors import (
    BadGate,
    BadInput,
    BadReport,
    EmptyInput,
    EvaluationError,
    LengthMismatch,
    NotFinite,
    NothingRelevant,
    UnknownMetric,
)
from mlops.evaluation.evaluator import ModelEvaluator
from mlops.evaluation.gates import (
    Gate,
    GateVerdict,
    beats,
    covers,
    gates_from,
    holds,
    keeps_golden,
    output_valid,
    run_gates,
    stays_above,
    stays_below,
)
from mlops.evaluation.lists import ListQuality, list_quality
from mlops.evaluation.ranking import evaluate_arrays, evaluate_run
from mlops.evaluation.regression import RegressionResult, regression_metrics
from mlops.evaluation.report import EvaluationReport
from mlops.evaluation.results import Evaluation, MetricResult, by_slice
from mlops.evaluation.retrieval import retrieval_counts

if TYPE_CHECKING:
    from mlops.evaluation._lists import query_labels
    from mlops.evaluation.looks import HoldoutLooks, holdout_id_of
    from mlops.validation import ModelValidator

__all__ = [
    "BadGate",
    "BadInput",
    "BadReport",
    "BinaryCounts",
    "ClassificationResult",
    "Comparison",
    "EmptyInput",
    "Evaluation",
    "EvaluationError",
    "EvaluationReport",
    "Gate",
    "GateVerdict",
    "HoldoutLooks",
    "LengthMismatch",
    "ListQuality",
    "MetricResult",
    "ModelEvaluator",
    "ModelValidator",
    "NotFinite",
    "NothingRelevant",
    "RegressionResult",
    "UnknownMetric",
    "beats",
    "by_slice",
    "classification_metrics",
    "compare",
    "compare_many",
    "covers",
    "evaluate_arrays",
    "evaluate_run",
    "gates_from",
    "holdout_id_of",
    "holds",
    "holm",
    "keeps_golden",
    "list_quality",
    "output_valid",
    "query_labels",
    "regression_metrics",
    "retrieval_counts",
    "run_gates",
    "smallest_detectable_effect",
    "stays_above",
    "stays_below",
]


def __getattr__(name: str) -> Any:
    # Most who measure need no database and no tables, whose modules take longer to import than all the others here.
    if name in ("HoldoutLooks", "holdout_id_of"):
        from mlops.evaluation import looks

        return getattr(looks, name)
    if name == "query_labels":
        from mlops.evaluation._lists import query_labels

        return query_labels
    if name == "ModelValidator":
        # `from mlops.evaluation import ModelValidator`, as the owner's first package had it.
        from mlops.validation import ModelValidator

        return ModelValidator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
