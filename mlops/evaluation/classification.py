"""How often predicted classes are the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import AnyArray, Floats, check_same_shape
from mlops.evaluation.errors import BadInput, EmptyInput, NotFinite

Average = Literal["auto", "binary", "macro", "weighted"]


@dataclass(frozen=True, slots=True)
class BinaryCounts:
    """The confusion matrix of two classes, and what follows from it.

    A ratio of nothing to nothing is 0: precision where nothing was predicted positive, recall where nothing is
    positive, specificity where nothing is negative, F1 where both precision and recall are 0.
    """

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def accuracy(self) -> float:
        """Share of predictions that are right."""
        return _ratio(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """Share of the predicted positives that are positive."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the positives that were predicted so."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1_score(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def specificity(self) -> float:
        """Share of the negatives that were predicted so."""
        return _ratio(self.tn, self.tn + self.fp)


@dataclass(frozen=True)
class ClassificationResult:
    """Precision, recall and F1 as *average* says, and the matrix behind them.

    Attributes:
        average: ``binary`` (of the positive class), ``macro`` (plain mean over classes) or ``weighted`` (mean weighted
            with how often each class is true).
        labels: the classes of truth and prediction together, in rising order.
        confusion: shape (n_labels, n_labels): row is the truth, column the prediction.
        counts: of the positive class; None unless *average* is ``binary``.
    """

    accuracy: float
    precision: float
    recall: float
    f1_score: float
    average: str
    labels: list[Any]
    confusion: AnyArray
    counts: BinaryCounts | None


def classification_metrics(
    y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "auto", positive: Any = 1
) -> ClassificationResult:
    """Accuracy, precision, recall and F1 of predicted classes.

    A class that is never predicted has precision 0, one that is never true recall 0. A macro mean goes over every
    class that the truth or the prediction has.

    Args:
        y_true: shape (n,): numbers, text or booleans.
        y_pred: shape (n,), of the same type.
        average: see :class:`ClassificationResult`. ``auto`` is ``binary`` for labels out of 0 and 1, else ``weighted``.
        positive: the class that ``binary`` is about; every other one is negative.
    Raises:
        BadInput: see its subclasses: nothing there, different lengths, NaN, labels of different types, or a positive
            class that never occurs.
    """
    truth, predicted = _labels(y_true, "y_true"), _labels(y_pred, "y_pred")
    check_same_shape(truth, predicted, ("y_true", "y_pred"))
    labels, confusion = _confusion(truth, predicted)
    chosen = _chosen(average, labels)
    accuracy = float(np.trace(confusion) / len(truth))
    if chosen == "binary":
        counts = _counts_of(positive, labels, confusion)
        scores = (counts.precision, counts.recall, counts.f1_score)
    else:
        counts = None
        scores = _averaged(confusion, chosen)
    return ClassificationResult(accuracy, *scores, chosen, labels.tolist(), confusion, counts)


def _labels(values: ArrayLike, name: str) -> AnyArray:
    labels = np.asarray(values)
    if labels.ndim != 1:
        raise BadInput(f"{name} must have one dimension, got the shape {labels.shape}")
    if not labels.size:
        raise EmptyInput(f"{name} is empty")
    if labels.dtype.kind == "O":
        labels = _typed_labels(labels, name)
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise NotFinite(f"{name} holds NaN; a class must be known")
    if labels.dtype.kind not in "biufUT":
        raise BadInput(f"{name} must hold numbers, text or booleans, got {labels.dtype}")
    return labels.astype(np.int64) if labels.dtype.kind == "b" else labels


def _typed_labels(labels: AnyArray, name: str) -> AnyArray:
    """Objects, as a pandas column of text holds them, as what they are."""
    kinds = {type(label) for label in labels}
    if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise BadInput(f"{name} must hold labels of one type, and none that is missing; it has {names}")
    return np.array(labels.tolist())


def _confusion(truth: AnyArray, predicted: AnyArray) -> tuple[AnyArray, AnyArray]:
    if (truth.dtype.kind in "UT") != (predicted.dtype.kind in "UT"):
        raise BadInput(f"y_true holds {truth.dtype}, y_pred {predicted.dtype}: labels must be of one type")
    labels, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    n = len(labels)
    pairs = codes[: len(truth)] * n + codes[len(truth) :]
    return labels, np.bincount(pairs, minlength=n * n).reshape(n, n)


def _chosen(average: Average, labels: AnyArray) -> str:
    if average == "auto":
        return "binary" if labels.dtype.kind in "iuf" and np.isin(labels, (0, 1)).all() else "weighted"
    if average not in ("binary", "macro", "weighted"):
        raise BadInput(f"average must be 'auto', 'binary', 'macro' or 'weighted', got {average!r}")
    return average


def _counts_of(positive: Any, labels: AnyArray, confusion: AnyArray) -> BinaryCounts:
    known = labels.tolist()
    if positive not in known and not set(known) <= {0, 1}:
        raise BadInput(f"positive is {positive!r}, which neither y_true nor y_pred has; they have {known[:10]}")
    if positive not in known:
        return BinaryCounts(0, 0, int(confusion.sum()), 0)
    at = known.index(positive)
    tp = int(confusion[at, at])
    fp, fn = int(confusion[:, at].sum()) - tp, int(confusion[at].sum()) - tp
    return BinaryCounts(tp, fp, int(confusion.sum()) - tp - fp - fn, fn)


def _averaged(confusion: AnyArray, average: str) -> tuple[float, float, float]:
    hits, predicted, true = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    weights = true / true.sum() if average == "weighted" else np.full(len(true), 1 / len(true))
    precision, recall = _ratios(hits, predicted), _ratios(hits, true)
    f1 = _ratios(2 * hits, predicted + true)
    return float(weights @ precision), float(weights @ recall), float(weights @ f1)


def _ratios(parts: AnyArray, wholes: AnyArray) -> Floats:
    return np.divide(parts, wholes, out=np.zeros(len(parts)), where=wholes > 0)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
