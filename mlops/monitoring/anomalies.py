"""Unusual values in a list, and a measure that got worse: numbers in, a verdict out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.monitoring.degradation import degradation, degradations, series_of

Method = Literal["robust", "zscore"]
Floats = NDArray[np.float64]

# The median absolute deviation of a normal distribution is this share of its standard deviation.
MAD_OF_ONE_SD = 0.6745
# E|x - mean| of a normal distribution is 1/1.2533 of its standard deviation.
_SD_PER_MEAN_DEVIATION = 1.2533
_FLOOR_SHARE = 0.01
FEWEST_ROBUST = 7


def robust_scale(values: Floats, *, center: float) -> float:
    """A standard deviation that outliers do not move: MAD / 0.6745 around *center*, the median.

    Where more than half of the values are equal the MAD is 0: then the mean absolute deviation times 1.2533 stands in,
    and at least 1 % of the median. 0.0 only where all values are 0, or all equal and the median is 0.

    Args:
        values: finite, at least one.
    """
    deviations = np.abs(values - center)
    mad = float(np.median(deviations))
    if mad > 0:
        return mad / MAD_OF_ONE_SD
    return max(_SD_PER_MEAN_DEVIATION * float(deviations.mean()), _FLOOR_SHARE * abs(center))


def robust_scores(values: Floats) -> Floats:
    """0.6745 (x - median) / MAD of each value (Iglewicz & Hoaglin 1993); all 0.0 where all values are equal."""
    center = float(np.median(values))
    return _scores(values, center, robust_scale(values, center=center))


def z_scores(values: Floats) -> Floats:
    """(x - mean) / sd of each value, with the sample's sd (n - 1). The largest |z| is at most (n - 1) / sqrt(n)."""
    return _scores(values, float(values.mean()), float(values.std(ddof=1)))


def _scores(values: Floats, center: float, scale: float) -> Floats:
    return np.zeros_like(values) if scale == 0 else (values - center) / scale


def fewest_for(method: Method, threshold: float) -> int:
    """How many values it takes before anything can be told.

    ``robust``: 7. ``zscore``: the smallest n with (n - 1) / sqrt(n) > *threshold*: below it no value can be an anomaly
    whatever it is, for 3.0 up to n = 10.
    """
    if method == "robust":
        return FEWEST_ROBUST
    n = max(3, math.floor(threshold**2))
    while (n - 1) / math.sqrt(n) <= threshold:
        n += 1
    return n


class AnomalyDetector:
    """Anomalies in a list, and degradation of measures. Holds no state: ``anomaly_detector`` is one for all."""

    def detect_anomalies(
        self, values: ArrayLike, threshold: float = 3.0, *, method: Method = "robust"
    ) -> dict[str, Any]:
        """The values that lie further than *threshold* standard deviations from the middle.

        Args:
            values: shape (n,). What is not finite is left out, and counted in ``n_ignored``.
            threshold: of the absolute score, more than 0.
            method: ``robust`` scores by median and MAD, which outliers do not move; ``zscore`` by mean and sd.

        Returns:
            ``anomalies`` and ``anomaly_indices`` (positions in *values*), ``anomaly_count``, ``anomaly_rate`` (of the
            finite values, 0 to 1), ``scores`` of the anomalies, ``method``, ``threshold``, ``n``, ``n_ignored``,
            ``verdict``: ``ok``, ``anomalies`` or ``not enough data``, and ``reason`` in a sentence.

        Raises:
            ValueError: *values* has more than one dimension, *threshold* is not above 0, or *method* is unknown.
        """
        given = _one_dimension(values)
        _check(threshold, method)
        positions = np.flatnonzero(np.isfinite(given))
        finite = given[positions]
        fewest = fewest_for(method, threshold)
        if finite.size < fewest:
            reason = _too_few(finite.size, fewest, method, threshold)
            found, scores = positions[:0], finite[:0]
        else:
            scores = robust_scores(finite) if method == "robust" else z_scores(finite)
            is_far = np.abs(scores) > threshold
            found, scores = positions[is_far], scores[is_far]
            reason = f"{found.size} of {finite.size} values have a score above {threshold:g} ({method})"
        return {
            "anomalies": given[found].tolist(),
            "anomaly_indices": found.tolist(),
            "anomaly_count": int(found.size),
            "anomaly_rate": found.size / finite.size if finite.size else 0.0,
            "scores": scores.tolist(),
            "method": method,
            "threshold": threshold,
            "n": int(finite.size),
            "n_ignored": int(given.size - finite.size),
            "verdict": "not enough data" if finite.size < fewest else "anomalies" if found.size else "ok",
            "reason": reason,
        }

    def detect_performance_degradation(
        self,
        metrics: Any,
        window_size: int = 10,
        threshold: float = 0.1,
        *,
        higher_is_better: bool | Mapping[str, bool] | None = None,
    ) -> dict[str, Any]:
        """Whether the last *window_size* values are worse than all before them, by *threshold* or more.

        Args:
            metrics: a sequence of numbers, oldest first; or several, as a mapping from names to sequences, or as a
                sequence of mappings, one for each time (what is missing or no number there is left out).
            window_size: at least 2. As many values are needed before the window.
            threshold: relative change that counts, such as 0.1 for a tenth; above 0.
            higher_is_better: for all, or by name. Default by name: latency, errors, losses and the like are better
                when lower; anything else, and a plain sequence, when higher.

        Returns:
            For one sequence what :func:`~mlops.monitoring.degradation.degradation` gives; for several the same by name
            under ``metrics``, with ``degradation_detected``, ``degraded`` (names) and ``verdict`` over all. The
            intervals of several hold together (Bonferroni), so twenty healthy ones are no alarm.

        Raises:
            ValueError: an argument is out of range, or *metrics* is neither of these.
        """
        series = series_of(metrics)
        if isinstance(series, Mapping):
            return degradations(series, higher_is_better=higher_is_better, window_size=window_size, threshold=threshold)
        is_up = higher_is_better if isinstance(higher_is_better, bool) else True
        return degradation(series, higher_is_better=is_up, window_size=window_size, threshold=threshold)


def _one_dimension(values: ArrayLike) -> Floats:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        raise ValueError(f"values must have one dimension, got shape {given.shape}")
    return given


def _check(threshold: float, method: str) -> None:
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold}")
    if method not in {"robust", "zscore"}:
        raise ValueError(f"method must be robust or zscore, got {method!r}")


def _too_few(n: int, fewest: int, method: Method, threshold: float) -> str:
    if method == "zscore":
        return f"of {n} values none can have a z-score above {threshold:g}; that takes at least {fewest}"
    return f"{n} values are too few to tell what is usual; that takes at least {fewest}"


anomaly_detector = AnomalyDetector()
