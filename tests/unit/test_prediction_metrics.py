"""Regression, classification and retrieval metrics: scikit-learn as oracle, and defined answers at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from mlops.evaluation.classification import BinaryCounts, classification_metrics
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite, NothingRelevant
from mlops.evaluation.evaluator import ModelEvaluator
from mlops.evaluation.regression import regression_metrics
from mlops.evaluation.retrieval import retrieval_counts

CLOSE = {"rel": 1e-12, "abs": 1e-12}
NUMBERS = st.floats(-1e6, 1e6)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30)
CLASSES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=40)
FLAGS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)

# scikit-learn checks its arguments for longer than it computes.
FEWER = settings(max_examples=40)


def _columns(pairs: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    first, second = zip(*pairs, strict=True)
    return list(first), list(second)


# Regression


def test_errors_worked_by_hand() -> None:
    result = regression_metrics([1, 2, 3, 6], [1, 2, 5, 5])
    assert (result.mse, result.mae, result.rmse, result.n) == (1.25, 0.75, math.sqrt(1.25), 4)
    assert result.r2_score == pytest.approx(1 - 5 / 14)


@FEWER
@given(PAIRS)
def test_scikit_learn_agrees_on_errors(pairs: list[tuple[float, float]]) -> None:
    truth, predicted = _columns(pairs)
    result = regression_metrics(truth, predicted)
    assert result.mse == pytest.approx(sk.mean_squared_error(truth, predicted), **CLOSE)
    assert result.mae == pytest.approx(sk.mean_absolute_error(truth, predicted), **CLOSE)
    assert result.rmse == pytest.approx(sk.root_mean_squared_error(truth, predicted), **CLOSE)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=30))
def test_scikit_learn_agrees_on_r2_constant_columns_among_them(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = _columns(pairs)
    assert regression_metrics(truth, predicted).r2_score == pytest.approx(sk.r2_score(truth, predicted), **CLOSE)


@pytest.mark.parametrize(
    ("truth", "predicted", "r2"),
    [([5], [5], 1.0), ([5], [4], 0.0), ([0.1] * 3, [0.1] * 3, 1.0), ([0.1] * 3, [0.1, 0.1, 0.2], 0.0)],
)
def test_a_constant_truth_has_a_defined_r2(truth: list[float], predicted: list[float], r2: float) -> None:
    assert regression_metrics(truth, predicted).r2_score == r2


@given(st.lists(NUMBERS, min_size=1))
def test_perfect_predictions_have_no_error(truth: list[float]) -> None:
    result = regression_metrics(truth, truth)
    assert (result.mse, result.mae, result.rmse, result.r2_score) == (0, 0, 0, 1)


@given(PAIRS)
def test_the_mean_error_is_never_above_the_root_of_the_mean_squared_one(pairs: list[tuple[float, float]]) -> None:
    result = regression_metrics(*_columns(pairs))
    # The square of an error below 1e-162 is 0 in floats.
    assert result.mae <= result.rmse * (1 + 1e-12) + 1e-150


def test_a_tiny_error_on_a_constant_truth_is_not_perfect() -> None:
    assert regression_metrics([0.0, 0.0], [0.0, 1e-230]).r2_score == 0.0


@pytest.mark.parametrize(
    ("truth", "predicted", "error", "reason"),
    [
        ([], [], EmptyInput, "y_true is empty"),
        ([1.0], [], EmptyInput, "y_pred is empty"),
        ([1.0, 2.0], [1.0], LengthMismatch, r"\(2,\).*\(1,\)"),
        ([1.0, math.nan], [1.0, 2.0], NotFinite, r"y_true\[1\] is nan"),
        ([1.0], [math.inf], NotFinite, r"y_pred\[0\] is inf"),
        ([1e200], [-1e200], NotFinite, "too large"),
        ([1e200, 0], [1e200, 0], NotFinite, "too large"),
        ([None, 1.0], [1.0, 2.0], NotFinite, "y_true"),
        (["a"], ["b"], BadInput, "real numbers"),
        ([1j], [1.0], BadInput, "real numbers"),
        ([[1.0]], [[1.0]], BadInput, "one dimension"),
    ],
)
def test_numbers_that_cannot_be_compared_are_refused(
    truth: Any, predicted: Any, error: type[BadInput], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        regression_metrics(truth, predicted)


# Classification


@FEWER
@given(CLASSES, st.sampled_from(["macro", "weighted"]))
def test_scikit_learn_agrees_on_classes(pairs: list[tuple[str, str]], average: Any) -> None:
    truth, predicted = _columns(pairs)
    result = classification_metrics(truth, predicted, average=average)
    theirs = sk.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
    assert (result.precision, result.recall, result.f1_score) == pytest.approx(theirs[:3], **CLOSE)
    assert result.accuracy == pytest.approx(sk.accuracy_score(truth, predicted), **CLOSE)
    assert result.labels == sorted({*truth, *predicted})
    # With a class more, since scikit-learn warns where there is only one.
    expected = sk.confusion_matrix(truth, predicted, labels=[*result.labels, "none"])
    assert result.confusion.tolist() == expected[:-1, :-1].tolist()


@FEWER
@given(FLAGS)
def test_scikit_learn_agrees_on_two_classes(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = _columns(pairs)
    result = classification_metrics(truth, predicted)
    theirs = sk.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    assert (result.precision, result.recall, result.f1_score) == pytest.approx(theirs[:3], **CLOSE)
    assert result.counts is not None
    tn, fp, fn, tp = sk.confusion_matrix(truth, predicted, labels=[0, 1]).ravel().tolist()
    assert result.counts == BinaryCounts(tp, fp, tn, fn)


@given(FLAGS)
def test_specificity_is_the_recall_of_the_other_class(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = _columns(pairs)
    counts = classification_metrics(truth, predicted).counts
    swapped = classification_metrics([1 - one for one in truth], [1 - one for one in predicted])
    assert counts is not None
    assert counts.specificity == swapped.recall


def test_automatic_means_the_positive_class_for_zero_and_one_and_weighted_else() -> None:
    assert classification_metrics([0, 1], [0, 1]).average == "binary"
    assert classification_metrics([True, False], [True, True]).average == "binary"
    assert classification_metrics([1, 2], [1, 2]).average == "weighted"
    assert classification_metrics(["a"], ["b"]).average == "weighted"


def test_the_positive_class_can_be_named() -> None:
    result = classification_metrics(["sí", "no", "sí"], ["sí", "sí", "no"], average="binary", positive="sí")
    assert result.counts == BinaryCounts(tp=1, fp=1, tn=0, fn=1)
    assert (result.precision, result.recall) == (0.5, 0.5)


def test_a_column_of_text_from_pandas_is_taken() -> None:
    frame = pd.DataFrame({"truth": ["a", "b"], "predicted": ["a", "a"]})
    for kind in (object, "str"):
        assert classification_metrics(frame["truth"].astype(kind), frame["predicted"].astype(kind)).accuracy == 0.5


def test_whole_numbers_that_pandas_holds_as_objects_are_taken() -> None:
    nullable = pd.Series([0, 1, 1], dtype="Int64")
    assert classification_metrics(nullable, nullable.astype(object)).average == "binary"
    with pytest.raises(BadInput, match="none that is missing; it has NoneType, int"):
        classification_metrics(pd.Series([0, None, 1], dtype=object), [0, 1, 1])


def test_only_negatives_have_defined_ratios() -> None:
    result = classification_metrics([0, 0], [0, 0])
    assert result.counts == BinaryCounts(tp=0, fp=0, tn=2, fn=0)
    assert (result.accuracy, result.precision, result.recall, result.f1_score) == (1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("truth", "predicted", "options", "error", "reason"),
    [
        ([], [], {}, EmptyInput, "empty"),
        ([1], [1, 0], {}, LengthMismatch, "shape"),
        ([math.nan], [1], {}, NotFinite, "NaN"),
        (["a"], [1], {}, BadInput, "one type"),
        (np.array(["a", None], dtype=object), ["a", "b"], {}, BadInput, "none that is missing"),
        ([[1]], [[1]], {}, BadInput, "one dimension"),
        ([1, 2], [1, 2], {"average": "micro"}, BadInput, "'micro'"),
        ([1, 2], [1, 2], {"average": "binary", "positive": 3}, BadInput, "positive is 3"),
    ],
)
def test_classes_that_cannot_be_compared_are_refused(
    truth: Any, predicted: Any, options: Any, error: type[BadInput], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        classification_metrics(truth, predicted, **options)


# Retrieval


def test_the_threshold_itself_is_let_through() -> None:
    counts = retrieval_counts([1, 1, 0, 0], [0.5, 0.49, 0.5, 0.1])
    assert counts == BinaryCounts(tp=1, fp=1, tn=1, fn=1)


@FEWER
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=30), st.floats(0, 1))
def test_scikit_learn_agrees_at_a_threshold(pairs: list[tuple[bool, float]], threshold: float) -> None:
    truth, scores = _columns(pairs)
    counts = retrieval_counts(truth, scores, threshold=threshold)
    found = [score >= threshold for score in scores]
    assert [counts.tn, counts.fp, counts.fn, counts.tp] == sk.confusion_matrix(
        truth, found, labels=[False, True]
    ).ravel().tolist()
    assert counts.f1_score == pytest.approx(sk.f1_score(truth, found, zero_division=0), **CLOSE)


@pytest.mark.parametrize(
    ("truth", "scores", "threshold", "reason"),
    [
        ([2], [0.5], 0.5, "y_true holds 2.0"),
        ([1], [math.nan], 0.5, r"y_scores\[0\] is nan"),
        ([1], [0.5], math.nan, "threshold is nan"),
        ([], [], 0.5, "empty"),
    ],
)
def test_what_a_threshold_cannot_judge_is_refused(truth: Any, scores: Any, threshold: float, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        retrieval_counts(truth, scores, threshold=threshold)


# The contract


def test_the_owners_snippet_runs_as_printed() -> None:
    evaluator = ModelEvaluator()
    metrics = evaluator.calculate_ranking_metrics(np.array([4.5, 3.2, 1.0]), np.array([4.4, 3.0, 1.1]))
    assert list(metrics) == ["mse", "mae", "rmse", "r2_score"]
    assert metrics["mse"] == pytest.approx(0.02)
    assert all(type(value) is float for value in metrics.values())


def test_graded_labels_add_ranking_metrics() -> None:
    evaluator = ModelEvaluator()
    one_query = evaluator.calculate_ranking_metrics([0, 2, 1], [0.9, 0.8, 0.1])
    assert one_query["mrr"] == 0.5
    assert one_query["ndcg"] == pytest.approx((2 / math.log2(3) + 1 / 2) / (2 + 1 / math.log2(3)))
    two_queries = evaluator.calculate_ranking_metrics([[0.0, 0.5], [0.5, 0.0]], [[0.9, 0.8], [0.9, 0.8]])
    assert two_queries["mrr"] == 0.75


@pytest.mark.parametrize("truth", [[0.5, 1.5], [-1, 2], [0, 0], [[0, 0], [0, 0]], [[-1, 0], [1, 0]]])
def test_labels_that_are_not_graded_have_errors_only(truth: Any) -> None:
    assert set(ModelEvaluator().calculate_ranking_metrics(truth, truth)) == {"mse", "mae", "rmse", "r2_score"}


def test_classification_and_retrieval_answer_by_the_contracts_names() -> None:
    evaluator = ModelEvaluator()
    classified = evaluator.calculate_classification_metrics([1, 0, 1], [1, 1, 0])
    assert classified == {"accuracy": 1 / 3, "precision": 0.5, "recall": 0.5, "f1_score": 0.5}
    retrieved = evaluator.calculate_retrieval_metrics([1, 0, 1, 0], [0.9, 0.8, 0.1, 0.2], threshold=0.5)
    assert retrieved == {
        "accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1_score": 0.5, "specificity": 0.5,
        "tp": 1, "fp": 1, "tn": 1, "fn": 1,
    }  # fmt: skip
    assert {type(value) for value in classified.values()} == {float}
    assert [type(retrieved[name]) for name in ("recall", "tp", "fp", "tn", "fn")] == [float, int, int, int, int]


def test_the_average_and_the_positive_class_reach_classification() -> None:
    evaluator = ModelEvaluator()
    macro = evaluator.calculate_classification_metrics(["a", "a", "b"], ["a", "b", "b"], average="macro")
    named = evaluator.calculate_classification_metrics([2, 3], [2, 2], average="binary", positive=2)
    assert macro["precision"] == 0.75
    assert named["precision"] == 0.5


def test_ndcg_and_mrr_take_one_query_or_many() -> None:
    evaluator = ModelEvaluator()
    assert evaluator.calculate_ndcg([0, 1], [0.9, 0.1]) == pytest.approx(1 / math.log2(3))
    assert evaluator.calculate_ndcg([0, 1], [0.9, 0.1], k=1) == 0.0
    assert evaluator.calculate_mrr([[0, 1], [1, 0]], [[0.9, 0.1], [0.9, 0.1]]) == 0.75


def test_the_default_cutoff_of_ndcg_is_five() -> None:
    assert ModelEvaluator().calculate_ndcg([0, 0, 0, 0, 0, 1], [6, 5, 4, 3, 2, 1]) == 0.0


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda e: e.calculate_ndcg([0, 0], [1, 2]), NothingRelevant, "no ndcg@5"),
        (lambda e: e.calculate_ndcg([0, 1], [1, 2], k=0), BadInput, "k must be at least 1, got 0"),
        (lambda e: e.calculate_mrr([], []), EmptyInput, "y_true is empty"),
        (lambda e: e.calculate_mrr([1, 2], [1]), LengthMismatch, "y_scores"),
        (lambda e: e.calculate_mrr([[[1]]], [[[1]]]), BadInput, "one or two dimensions"),
        (lambda e: e.calculate_ranking_metrics([], []), EmptyInput, "y_true is empty"),
        (lambda e: e.calculate_ranking_metrics([[1, 2]], [1, 2]), LengthMismatch, "y_pred"),
    ],
)
def test_the_evaluator_refuses_what_cannot_be_measured(call: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        call(ModelEvaluator())
