"""The metrics of one model by the names of the product's contract, as plain floats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import AnyArray, check_same_shape, numbers
from mlops.evaluation.classification import Average, classification_metrics
from mlops.evaluation.errors import BadInput, EmptyInput
from mlops.evaluation.ranking import evaluate_arrays
from mlops.evaluation.regression import regression_metrics
from mlops.evaluation.retrieval import retrieval_counts


class ModelEvaluator:
    """Metrics of predictions; it keeps nothing between calls.

    Every method raises :class:`~mlops.evaluation.errors.BadInput` (a ``ValueError``) for what cannot be measured:
    nothing there, lengths that differ, NaN.
    """

    def calculate_ranking_metrics(self, y_true: ArrayLike, y_pred: ArrayLike) -> dict[str, float]:
        """Errors of predicted scores; where the truth is graded, also how well they order.

        The truth is graded when no label is negative, at least one is above 0, and it is either 2-D (a row for each
        query) or whole numbers in 1-D (one query). ``ndcg`` and ``mrr`` then look at whole lists; see
        :func:`~mlops.evaluation.ranking.evaluate_arrays` for their convention.

        Args:
            y_true: shape (n,) or (n_queries, n_candidates).
            y_pred: the same shape.
        Returns:
            ``mse``, ``mae``, ``rmse``, ``r2_score``, all over all numbers, and with graded labels ``ndcg`` and ``mrr``.
        """
        truth, predicted = numbers(y_true, "y_true"), numbers(y_pred, "y_pred")
        check_same_shape(truth, predicted, ("y_true", "y_pred"))
        errors = regression_metrics(truth.ravel(), predicted.ravel())
        answer = {"mse": errors.mse, "mae": errors.mae, "rmse": errors.rmse, "r2_score": errors.r2_score}
        if _is_graded(truth):
            results = evaluate_arrays(_rows(truth, "y_true"), _rows(predicted, "y_pred"), metrics=["ndcg", "mrr"])
            answer |= {name: result.mean for name, result in results.items()}
        return answer

    def calculate_classification_metrics(
        self, y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "auto", positive: Any = 1
    ) -> dict[str, float]:
        """``accuracy``, ``precision``, ``recall`` and ``f1_score`` of predicted classes.

        Of class 1 where labels are 0 and 1, else the mean over classes weighted with how often each is true; *average*
        and *positive* choose, see :func:`~mlops.evaluation.classification.classification_metrics`.
        """
        result = classification_metrics(y_true, y_pred, average=average, positive=positive)
        return {name: getattr(result, name) for name in ("accuracy", "precision", "recall", "f1_score")}

    def calculate_retrieval_metrics(
        self, y_true: ArrayLike, y_scores: ArrayLike, threshold: float = 0.5
    ) -> dict[str, float]:
        """What is found by taking every item whose score is *threshold* or more.

        Returns:
            ``accuracy``, ``precision``, ``recall``, ``f1_score``, ``specificity``, and the counts
            ``tp fp tn fn``, whole numbers.
        """
        counts = retrieval_counts(y_true, y_scores, threshold=threshold)
        shares = ("accuracy", "precision", "recall", "f1_score", "specificity")
        found: dict[str, float] = {name: float(getattr(counts, name)) for name in shares}
        return {**found, **{name: int(getattr(counts, name)) for name in ("tp", "fp", "tn", "fn")}}

    def calculate_ndcg(self, y_true: ArrayLike, y_scores: ArrayLike, k: int = 5) -> float:
        """Mean nDCG of the first *k* ranks, gain linear in the label.

        Args:
            y_true: shape (n,) for one query, or (n_queries, n_candidates); not negative.
            y_scores: the same shape.
            k: at least 1.
        Raises:
            NothingRelevant: no label is above 0.
        """
        if k < 1:
            raise BadInput(f"k must be at least 1, got {k}")
        return self._mean(f"ndcg@{int(k)}", y_true, y_scores)

    def calculate_mrr(self, y_true: ArrayLike, y_scores: ArrayLike) -> float:
        """Mean of 1 / rank of the first relevant item, one whose label is above 0.

        Args:
            y_true: shape (n,) for one query, or (n_queries, n_candidates); not negative.
            y_scores: the same shape.
        Raises:
            NothingRelevant: no label is above 0.
        """
        return self._mean("mrr", y_true, y_scores)

    @staticmethod
    def _mean(name: str, y_true: ArrayLike, y_scores: ArrayLike) -> float:
        relevance, scores = _rows(numbers(y_true, "y_true"), "y_true"), _rows(numbers(y_scores, "y_scores"), "y_scores")
        check_same_shape(relevance, scores, ("y_true", "y_scores"))
        return evaluate_arrays(relevance, scores, metrics=[name])[name].mean


def _is_graded(truth: AnyArray) -> bool:
    if truth.min() < 0 or not truth.any():
        return False
    return truth.ndim == 2 or bool((truth == np.floor(truth)).all())


def _rows(array: AnyArray, name: str) -> AnyArray:
    """One query as one row."""
    if array.ndim not in (1, 2):
        raise BadInput(f"{name} must have one or two dimensions, got the shape {array.shape}")
    if not array.size:
        raise EmptyInput(f"{name} is empty")
    return array[None, :] if array.ndim == 1 else array
