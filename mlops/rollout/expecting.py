"""What a challenger is expected to earn, by what was logged while others chose: looked at before any traffic is risked.

A program that keeps propensities hands in an :data:`Expect`, or names one as an entry point of the group
``mlops.expectations``. A rollout does not begin where its challenger is clearly worse. Where nothing can be told, it
does: that is no evidence against a version.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mlops.errors import TooLittleOverlap
from mlops.rollout.off_policy import FLOOR, Floats, OffPolicyEstimate, off_policy_estimate
from mlops.sentences import say

Verdict = Literal["clearly worse", "not clearly worse", "cannot tell"]

# The group of entry points by which installed packages tell what they expect of their models' versions.
EXPECTATIONS = "mlops.expectations"
# Weights are clipped there in the estimate beside the one that decides.
CLIP = 20.0
# So many choices' worth of evidence must come from where the versions differ, for one to be called clearly worse.
LEAST_DIFFERENT = 30.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a challenger.

    Attributes:
        sentence: the verdict and what it rests on, or why nothing can be told.
        figures: each estimate by its name; empty where there is none.
    """

    verdict: Verdict
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"verdict": self.verdict, "sentence": self.sentence, "figures": dict(self.figures)}


# Of a model, its champion and its challenger; None where nothing is known of that model.
Expect = Callable[[str, str, str], Expected | None]


def expected_of(
    rewards: ArrayLike,
    propensities: ArrayLike,
    *,
    champion: ArrayLike,
    challenger: ArrayLike,
    predicted_logged: ArrayLike,
    predicted_challenger: ArrayLike,
    what: str,
    floor: float = FLOOR,
) -> Expected:
    """Compare two policies on the same logged choices.

    The challenger is clearly worse where the 95 % interval of its SNIPS less the champion's, by the delta method, lies
    below 0. Where both would have chosen alike, errors cancel; so what counts is where they differ.

    Args:
        rewards, propensities: see :func:`~mlops.rollout.off_policy_estimate`.
        champion, challenger: probability of each logged choice under either, 0 to 1, shape (n,).
        predicted_logged, predicted_challenger: for the doubly robust estimate, see there.
        what: is earned, for sentences: "clicks on the first recipe".
        floor: smallest effective sample size, of either, for which a number is given.
    """
    estimate = functools.partial(off_policy_estimate, rewards, propensities, floor=floor)
    try:
        of_champion = estimate(champion)
        snips = estimate(challenger)
        clipped = estimate(challenger, clip=CLIP)
        robust = estimate(
            challenger, method="dr", predicted_logged=predicted_logged, predicted_target=predicted_challenger
        )
    except TooLittleOverlap as refusal:
        return Expected("cannot tell", say("Off-policy: refused, since {refusal}.", refusal=refusal))
    reward, propensity, one, other = (
        np.asarray(each, np.float64) for each in (rewards, propensities, champion, challenger)
    )
    difference = _difference(reward, propensity, one, other, of_champion.value, snips.value)
    verdict: Verdict = "not clearly worse"
    if difference["high"] < 0:
        is_enough = difference["effective_sample_size"] >= LEAST_DIFFERENT
        verdict = "clearly worse" if is_enough else "cannot tell"
    figures = {
        "snips": _figures(snips), "clipped": _figures(clipped), "dr": _figures(robust),
        "champion": _figures(of_champion), "difference": difference,
    }  # fmt: skip
    return Expected(verdict, _sentence(verdict, what, figures), figures)


def _difference(
    reward: Floats, propensity: Floats, champion: Floats, challenger: Floats, value_champion: float, value: float
) -> dict[str, float]:
    """Challenger less champion, its interval, and how much evidence comes from where they differ."""
    one, other = challenger / propensity, champion / propensity
    pulls = one * (reward - value) / one.sum() - other * (reward - value_champion) / other.sum()
    half = 1.959964 * math.sqrt(float((pulls**2).sum()))
    differing = one[challenger != champion]
    squares = float((differing**2).sum())
    return {
        "value": value - value_champion,
        "low": value - value_champion - half,
        "high": value - value_champion + half,
        "effective_sample_size": float(differing.sum()) ** 2 / squares if squares else 0.0,
    }


def _figures(found: OffPolicyEstimate) -> dict[str, Any]:
    low, high = found.interval
    return {**asdict(found), "low": low, "high": high}


def _sentence(verdict: Verdict, what: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    told = _told(what, figures)
    return {
        "clearly worse": say("Off-policy, clearly worse: {figures}.", figures=told),
        "not clearly worse": say("Off-policy, not clearly worse: {figures}.", figures=told),
        "cannot tell": say("Off-policy, cannot tell: {figures}.", figures=told),
    }[verdict]


def _told(what: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    snips, difference = figures["snips"], figures["difference"]
    return say(
        "{what}, {value:.2%} expected ({low:.2%} to {high:.2%}; DR {dr:.2%}, clipped {clipped:.2%}), {champion:.2%} of "
        "the champion; difference {worst:+.2%} to {best:+.2%}; SNIPS over {n:d} choices, effective sample size "
        "{size:.0f}, {differing:.0f} where they differ",
        what=what,
        value=snips["value"],
        low=snips["low"],
        high=snips["high"],
        dr=figures["dr"]["value"],
        clipped=figures["clipped"]["value"],
        champion=figures["champion"]["value"],
        worst=difference["low"],
        best=difference["high"],
        n=snips["n"],
        size=snips["effective_sample_size"],
        differing=difference["effective_sample_size"],
    )


class InstalledExpectations:
    """What installed packages expect: an entry point of :data:`EXPECTATIONS`, named after the model.

    It leads to a function without arguments that makes an :data:`Expect` of the environment's settings.
    """

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._made: dict[str, Expect] = {}

    def __call__(self, model_id: str, champion: str, challenger: str) -> Expected | None:
        """See :data:`Expect`."""
        if model_id not in self._made:
            found = next((each for each in entry_points(group=EXPECTATIONS) if each.name == model_id), None)
            self._made[model_id] = _expects_nothing if found is None else found.load()()
        return self._made[model_id](model_id, champion, challenger)


def _expects_nothing(_model_id: str, _champion: str, _challenger: str) -> None:
    return None
