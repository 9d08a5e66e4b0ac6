"""What a challenger would have earned, from what was logged while another policy chose: before any traffic is risked.

Every logged choice brings its propensity, the probability with which it was made. The estimators:

- IPS, inverse propensity scoring (Horvitz & Thompson 1952): mean of ``weight · reward``;
- SNIPS, self-normalised (Swaminathan & Joachims 2015): ``sum(weight · reward) / sum(weight)``;
- DR, doubly robust (Dudík, Langford & Li 2011): the prediction of a reward model, corrected by weighted residuals.

``weight`` is the target's probability over the propensity, clipped from above where that is asked for (Ionides 2008).
An estimate that rests on a handful of rows is refused rather than printed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlops.errors import TooLittleOverlap
from mlops.sentences import say

Floats = NDArray[np.float64]
Method = Literal["ips", "snips", "dr"]

# Below this many rows' worth of evidence, no number is given.
FLOOR = 100.0


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """An estimate, and what is needed to believe it.

    Attributes:
        value: estimated mean reward of the target policy.
        standard_error: of it; asymptotic.
        effective_sample_size: ``sum(weight)² / sum(weight²)`` (Kish): as many equally weighted rows say as much.
        largest_weight: after clipping.
        share_of_largest: what the largest weight is of all weights, 0 to 1.
        n_clipped: how many weights were clipped. Clipping trades variance for bias towards the logging policy.
        logged: mean reward of the logging policy itself, for comparison.
    """

    method: Method
    value: float
    standard_error: float
    n: int
    effective_sample_size: float
    largest_weight: float
    share_of_largest: float
    n_clipped: int
    clip: float | None
    logged: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval by the normal approximation; of one look, not of many."""
        half = 1.959964 * self.standard_error
        return self.value - half, self.value + half


def off_policy_estimate(
    rewards: ArrayLike,
    propensities: ArrayLike,
    target: ArrayLike,
    *,
    method: Method = "snips",
    clip: float | None = None,
    predicted_logged: ArrayLike | None = None,
    predicted_target: ArrayLike | None = None,
    floor: float = FLOOR,
) -> OffPolicyEstimate:
    """Estimate the mean reward of a target policy.

    Args:
        rewards: of each logged choice, shape (n,).
        propensities: of that choice under the policy that made it, more than 0 and at most 1, shape (n,).
        target: probability of that choice under the target policy, 0 to 1, shape (n,); 0 or 1 where it does not draw.
        clip: largest weight, more than 0; None: no clipping.
        predicted_logged: for ``dr``: the reward that a model predicts for the logged choice, shape (n,).
        predicted_target: for ``dr``: its mean prediction under the target policy in the same situation, shape (n,).
        floor: smallest effective sample size for which a number is given.

    Raises:
        ValueError: an argument has the wrong shape or values.
        TooLittleOverlap: the effective sample size is below *floor*.
    """
    reward = _floats("rewards", rewards)
    weights, n_clipped = _weights(_same(reward, "propensities", propensities), _same(reward, "target", target), clip)
    size = _effective_size(weights)
    if size < floor:
        raise TooLittleOverlap(
            say(
                "the logged choices say as much about this policy as {size:.1f} choices of its own, and {floor:g} are "
                "needed: {n:d} rows, largest weight {largest:.3g}",
                size=size,
                floor=floor,
                n=len(reward),
                largest=weights.max(initial=0.0),
            )
        )
    value, error = _estimate(method, reward, weights, predicted_logged, predicted_target)
    return OffPolicyEstimate(
        method=method,
        value=value,
        standard_error=error,
        n=len(reward),
        effective_sample_size=size,
        largest_weight=float(weights.max()),
        share_of_largest=float(weights.max() / weights.sum()),
        n_clipped=n_clipped,
        clip=clip,
        logged=float(reward.mean()),
    )


def _weights(propensity: Floats, target: Floats, clip: float | None) -> tuple[Floats, int]:
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("propensities must be more than 0 and at most 1")
    if not ((target >= 0) & (target <= 1)).all():
        raise ValueError("target must lie between 0 and 1")
    weights: Floats = target / propensity
    if clip is None:
        return weights, 0
    if not clip > 0:
        raise ValueError(f"clip must be more than 0, got {clip}")
    return np.minimum(weights, clip), int((weights > clip).sum())


def _effective_size(weights: Floats) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _estimate(
    method: Method, reward: Floats, weights: Floats, logged: ArrayLike | None, target: ArrayLike | None
) -> tuple[float, float]:
    n = len(reward)
    if method == "ips":
        return _mean_and_error(weights * reward)
    if method == "snips":
        value = float((weights * reward).sum() / weights.sum())
        # By the delta method, for a ratio of two means.
        return value, float(np.sqrt(((weights * (reward - value)) ** 2).sum()) / weights.sum())
    if method == "dr":
        if logged is None or target is None:
            raise ValueError("dr needs predicted_logged and predicted_target")
        predicted, wanted = _same(reward, "predicted_logged", logged), _same(reward, "predicted_target", target)
        return _mean_and_error(wanted + weights * (reward - predicted))
    raise ValueError(f"method must be ips, snips or dr, got {method!r} for {n} rows")


def _mean_and_error(values: Floats) -> tuple[float, float]:
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()), spread / math.sqrt(len(values))


def _floats(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must have the shape (n,) with n of 1 or more, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def _same(reward: Floats, name: str, values: ArrayLike) -> Floats:
    array = _floats(name, values)
    if array.shape != reward.shape:
        raise ValueError(f"{name} must have the shape of rewards {reward.shape}, got {array.shape}")
    return array
