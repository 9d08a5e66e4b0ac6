"""How far predicted numbers are from true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import Floats, check_same_shape, vector
from mlops.evaluation.errors import NotFinite


@dataclass(frozen=True, slots=True)
class RegressionResult:
    """Errors of *n* predictions.

    Attributes:
        mse: mean squared error, in squared units of the target.
        mae: mean absolute error, in units of the target.
        rmse: square root of ``mse``, in units of the target.
        r2_score: 1 - squared errors / squared distances of the truth from its mean: 1 is perfect, 0 is as good as
            predicting the mean, below 0 worse. Where the truth is constant: 1 if every prediction is right, else 0.
        n: how many predictions there were.
    """

    mse: float
    mae: float
    rmse: float
    r2_score: float
    n: int


def regression_metrics(y_true: ArrayLike, y_pred: ArrayLike) -> RegressionResult:
    """Errors of predicted numbers.

    Args:
        y_true: shape (n,), finite.
        y_pred: shape (n,), finite.
    Raises:
        BadInput: see its subclasses: nothing there, different lengths, NaN, or an error too large for a float.
    """
    truth, predicted = vector(y_true, "y_true"), vector(y_pred, "y_pred")
    check_same_shape(truth, predicted, ("y_true", "y_pred"))
    with np.errstate(over="ignore"):
        errors = truth - predicted
        squared = errors * errors
        mse, spread = float(squared.mean()), _squared_spread(truth)
    if not math.isfinite(mse) or not math.isfinite(spread):
        raise NotFinite("y_true and y_pred are too large: the square of an error does not fit a float")
    return RegressionResult(
        mse=mse,
        mae=float(np.abs(errors).mean()),
        rmse=math.sqrt(mse),
        r2_score=_r2(float(squared.sum()), spread),
        n=len(truth),
    )


def _squared_spread(truth: Floats) -> float:
    # A constant is told by its values: its computed mean can be off by a rounding error.
    if (truth == truth[0]).all():
        return 0.0
    centred = truth - truth.mean()
    return float((centred * centred).sum())


def _r2(squared_errors: float, squared_spread: float) -> float:
    if squared_spread == 0.0:
        return 1.0 if squared_errors == 0.0 else 0.0
    return 1.0 - squared_errors / squared_spread
