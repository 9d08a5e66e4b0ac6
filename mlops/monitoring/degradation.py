"""Whether a measure got worse: the last values against those before, with an interval."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
_LOWER_IS_BETTER = re.compile(
    r"(^|_)(latency|error|errors|loss|mse|rmse|mae|ms|seconds|time|drop|dropped|failures?|memory|cpu|lag|drift)(_|$)"
)


def lower_is_better(name: str) -> bool:
    """Whether a measure called *name* is better when lower: ``api_latency_ms``, ``error_rate``, ``rmse``, …"""
    return _LOWER_IS_BETTER.search(name.lower()) is not None


def series_of(metrics: Any) -> Floats | dict[str, Floats]:
    """*metrics* as one series, or as several by name, oldest first; what is not finite is left out.

    Raises:
        ValueError: it is neither numbers, nor a mapping to numbers, nor mappings, one for each time.
    """
    if isinstance(metrics, Mapping):
        return {str(name): _finite(values, str(name)) for name, values in metrics.items()}
    rows = list(metrics) if isinstance(metrics, Sequence | np.ndarray) and not isinstance(metrics, str) else None
    if rows is None:
        raise ValueError(f"metrics must be numbers, or a mapping to them, got {type(metrics).__name__}")
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(str(name) for row in rows for name in row)
        return {name: _finite([row[name] for row in rows if _is_number(row.get(name))], name) for name in names}
    return _finite(rows, "metrics")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _finite(values: Any, name: str) -> Floats:
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {values!r:.80}") from None
    if given.ndim != 1:
        raise ValueError(f"{name} must be a sequence of numbers, got {values!r:.80}")
    kept: Floats = given[np.isfinite(given)]
    return kept


def degradation(
    series: Floats,
    *,
    higher_is_better: bool,
    window_size: int = 10,
    threshold: float = 0.1,
    confidence: float = CONFIDENCE,
) -> dict[str, Any]:
    """The mean of the last *window_size* values against the mean of all before.

    The interval is for the relative change of the mean, by the delta method with Welch's degrees of freedom: it takes
    the values as independent, so a series that wanders by itself asks for a wider threshold.

    Returns:
        ``verdict``: ``degraded`` where the change for the worse is at least *threshold* and the interval leaves no room
        for none at all; ``ok`` where it leaves no room for *threshold*; else ``cannot tell``; or ``not enough data``.
        ``degradation_detected`` (whether degraded), ``change`` (relative; below 0 is lower), ``interval`` (low, high)
        of it, ``baseline_mean``, ``current_mean``, ``n_baseline``, ``n_current``, ``threshold``, ``confidence``,
        ``higher_is_better``, and ``reason`` in a sentence. What cannot be computed is None.

    Raises:
        ValueError: *window_size* is below 2, or *threshold* is not above 0.
    """
    if window_size < 2:
        raise ValueError(f"window_size must be at least 2, got {window_size}")
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold}")
    baseline, current = series[:-window_size], series[-window_size:]
    about = {
        "threshold": threshold, "confidence": confidence, "higher_is_better": higher_is_better,
        "n_baseline": int(baseline.size), "n_current": int(current.size),
    }  # fmt: skip
    if baseline.size < window_size:
        return _untold(f"there are {series.size} values, and it takes {2 * window_size}", about)
    if baseline.mean() == 0:
        return _untold("the mean before is 0, so there is no relative change", about)
    change, low, high = relative_change(baseline, current, confidence=confidence)
    # Turned so that above 0 is for the worse.
    worst, least, worse = (-low, -high, -change) if higher_is_better else (high, low, change)
    verdict = "degraded" if worse >= threshold and least > 0 else "ok" if worst < threshold else "cannot tell"
    return {
        **about,
        "verdict": verdict,
        "degradation_detected": verdict == "degraded",
        "change": change,
        "interval": (low, high),
        "baseline_mean": float(baseline.mean()),
        "current_mean": float(current.mean()),
        "reason": f"the mean changed by {change:+.1%} ({low:+.1%} to {high:+.1%}); the line is {threshold:.1%} for the "
        "worse",
    }


def _untold(reason: str, about: Mapping[str, Any]) -> dict[str, Any]:
    unknown = dict.fromkeys(("change", "interval", "baseline_mean", "current_mean"))
    return {**about, "verdict": "not enough data", "degradation_detected": False, **unknown, "reason": reason}


def relative_change(baseline: Floats, current: Floats, *, confidence: float) -> tuple[float, float, float]:
    """(mean of *current* - mean of *baseline*) / |mean of *baseline*|, and both ends of its interval.

    Each has at least two values, and the mean of *baseline* is not 0.
    """
    # SciPy is heavy, and most of this package works without it.
    from scipy.special import stdtrit

    before, now = float(baseline.mean()), float(current.mean())
    change = (now - before) / abs(before)
    share_now = float(current.var(ddof=1)) / current.size / before**2
    share_before = float(baseline.var(ddof=1)) / baseline.size * now**2 / before**4
    variance = share_now + share_before
    if variance == 0:
        return change, change, change
    freedom = variance**2 / (share_now**2 / (current.size - 1) + share_before**2 / (baseline.size - 1))
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * variance**0.5
    return change, change - reach, change + reach


def degradations(
    series: Mapping[str, Floats],
    *,
    higher_is_better: bool | Mapping[str, bool] | None,
    window_size: int,
    threshold: float,
) -> dict[str, Any]:
    """:func:`degradation` of each series, with intervals that hold together for all of them (Bonferroni)."""
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(series))
    found = {
        name: degradation(
            values,
            higher_is_better=_is_up(name, higher_is_better),
            window_size=window_size,
            threshold=threshold,
            confidence=confidence,
        )
        for name, values in series.items()
    }
    degraded = [name for name, one in found.items() if one["degradation_detected"]]
    return {
        "degradation_detected": bool(degraded),
        "degraded": degraded,
        "verdict": _over_all([one["verdict"] for one in found.values()]),
        "metrics": found,
    }


def _is_up(name: str, higher_is_better: bool | Mapping[str, bool] | None) -> bool:
    if isinstance(higher_is_better, bool):
        return higher_is_better
    return (higher_is_better or {}).get(name, not lower_is_better(name))


def _over_all(verdicts: Sequence[str]) -> str:
    for verdict in ("degraded", "cannot tell", "ok"):
        if verdict in verdicts:
            return verdict
    return "not enough data"
