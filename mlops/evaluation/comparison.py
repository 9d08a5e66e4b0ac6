"""Is the challenger better than the champion? Paired per query or user, with an interval, a p-value and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from mlops.evaluation._arrays import Floats, check_finite, check_same_shape, vector
from mlops.evaluation._resampling import bca_levels, bootstrap_means, randomisation_p_value
from mlops.evaluation.errors import BadInput, EmptyInput, LengthMismatch, NotFinite
from mlops.evaluation.results import MetricResult
from mlops.sentences import listed, say

Verdict = Literal["better", "not worse", "worse", "cannot tell"]
Method = Literal["percentile", "bca"]
Values = MetricResult | Mapping[Any, float] | ArrayLike
"""A result, ``{unit: value}``, or an array of values in the same order of units for both versions."""

# Below this the bootstrap's intervals are too narrow to be believed.
MIN_UNITS = 20
_LARGEST = 1e100


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against the champion on the same units.

    Attributes:
        verdict: ``better``: the whole interval is on the good side of zero, and p is at most ``alpha``. ``not worse``:
            it is on the good side of ``margin``. ``worse``: it is on the bad side of zero, and p is at most ``alpha``.
            ``cannot tell``: none of these, or too few units.
        sentence: the verdict and what it rests on.
        effect: mean over units of challenger - champion, in units of the metric.
        low: lower end of the bootstrap interval of the effect, which covers it with probability 1 - ``alpha``.
        high: its upper end.
        effect_relative: effect / mean of the champion; None where that is 0.
        p_value: of Fisher's randomisation test, two-sided: how often random signs of the differences give a mean that
            is as far from zero.
        p_adjusted: the same after Holm's correction for several challengers; equal to ``p_value`` for one.
        smallest_detectable: the effect that this many units would show as different with probability ``power``;
            None for a single unit.
        n_units: queries or users that both were measured on.
        n_better: of these, where the challenger is strictly better; ``n_worse``: strictly worse.
        n_looks: how many decisions looked at this holdout, this one included; None where nobody counted.
    """

    metric: str
    verdict: Verdict
    sentence: str
    champion_mean: float
    challenger_mean: float
    effect: float
    effect_relative: float | None
    low: float
    high: float
    p_value: float
    p_adjusted: float
    smallest_detectable: float | None
    n_units: int
    n_better: int
    n_worse: int
    margin: float
    alpha: float
    power: float
    n_resamples: int
    seed: int
    method: str
    higher_is_better: bool
    n_looks: int | None

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Rules:
    margin: float
    alpha: float
    power: float
    n_resamples: int
    seed: int
    method: Method
    higher_is_better: bool
    n_looks: int | None
    min_units: int


def compare(
    champion: Values,
    challenger: Values,
    *,
    margin: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    n_resamples: int = 10_000,
    seed: int = 0,
    higher_is_better: bool | None = None,
    method: Method = "percentile",
    metric: str | None = None,
    n_looks: int | None = None,
    min_units: int = MIN_UNITS,
) -> Comparison:
    """Compare two versions on the same queries or users.

    Args:
        champion: values of the version that serves; see :data:`Values`. Results and mappings must name the same units.
        challenger: values of the other one, in the same form.
        margin: how much worse still counts as not worse, 0 or more, in units of the metric.
        alpha: share of false alarms that is accepted, between 0 and 1.
        power: for ``smallest_detectable``, between 0 and 1.
        n_resamples: of the bootstrap, and of the randomisation test unless all signs can be tried; at least 100.
        seed: the same seed gives the same numbers.
        higher_is_better: which way is up. Default: as the results say, else True.
        method: ``percentile``, or ``bca`` (bias-corrected and accelerated, Efron 1987) for skewed differences.
        metric: name shown. Default: that of the results, else ``value``.
        n_looks: see :class:`~mlops.evaluation.looks.HoldoutLooks`.
        min_units: with fewer, the verdict is ``cannot tell``.
    Raises:
        BadInput: an option is out of range, or see its subclasses: nothing there, other units, NaN.
    """
    rules = _Rules(
        margin, alpha, power, n_resamples, seed, method, _direction(champion, higher_is_better), n_looks, min_units
    )
    _check(rules)
    before, after = _paired(champion, challenger)
    largest = max(float(np.abs(before).max()), float(np.abs(after).max()))
    if largest > _LARGEST:
        raise NotFinite(
            say(
                "a value of {value:.3g} is too large to be summed up; the largest is {largest:g}",
                value=largest,
                largest=_LARGEST,
            )
        )
    return _decided(_measured(before, after, rules, _name(champion, metric)), min_units)


def compare_many(
    champion: Values, challengers: Mapping[str, Values], *, min_units: int = MIN_UNITS, **options: Any
) -> dict[str, Comparison]:
    """Compare each challenger with the champion; p-values are corrected with Holm's step-down method (1979).

    A challenger is better or worse only when its corrected p-value is at most ``alpha``. Those with too few units have
    no verdict, and no part in the correction.

    Args:
        champion: as in :func:`compare`.
        challengers: by name, each as in :func:`compare`.
        min_units: as in :func:`compare`.
        options: the others of :func:`compare`.
    Raises:
        BadInput: as :func:`compare`, or there is no challenger.
    """
    if not challengers:
        raise EmptyInput("challengers is empty")
    alone = {name: compare(champion, one, min_units=min_units, **options) for name, one in challengers.items()}
    adjusted = holm({name: one.p_value for name, one in alone.items() if one.n_units >= min_units})
    return {
        name: _decided(replace(one, p_adjusted=adjusted.get(name, one.p_value)), min_units)
        for name, one in alone.items()
    }


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for being many (Holm 1979): each at most *alpha* keeps the chance of any false alarm there."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def smallest_detectable_effect(differences: ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The mean difference that as many units, as spread out as *differences*, would show with probability *power*.

    (z of 1 - alpha / 2 + z of power) · standard deviation / sqrt(n): the normal approximation of a paired test.

    Args:
        differences: shape (n,), n at least 2.
        alpha: two-sided.
        power: between 0 and 1.
    """
    values = vector(differences, "differences")
    if len(values) < 2:
        raise EmptyInput("the smallest detectable effect needs two differences at least")
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    return float(z * values.std(ddof=1) / math.sqrt(len(values)))


def _check(rules: _Rules) -> None:
    for name in ("alpha", "power"):
        value = getattr(rules, name)
        if not 0 < value < 1:
            raise BadInput(f"{name} must lie between 0 and 1, got {value}")
    if not (math.isfinite(rules.margin) and rules.margin >= 0):
        raise BadInput(f"margin must be 0 or more, got {rules.margin}")
    if rules.n_resamples < 100:
        raise BadInput(f"n_resamples must be at least 100, got {rules.n_resamples}")
    if rules.method not in ("percentile", "bca"):
        raise BadInput(f"method must be 'percentile' or 'bca', got {rules.method!r}")
    if rules.min_units < 2:
        raise BadInput(f"min_units must be at least 2, got {rules.min_units}")


def _direction(values: Values, given: bool | None) -> bool:
    if given is not None:
        return given
    return values.higher_is_better if isinstance(values, MetricResult) else True


def _name(values: Values, given: str | None) -> str:
    if given is not None:
        return given
    return values.name if isinstance(values, MetricResult) else "value"


def _paired(champion: Values, challenger: Values) -> tuple[Floats, Floats]:
    named = [_by_unit(values) for values in (champion, challenger)]
    if named[0] is None or named[1] is None:
        if named[0] is not named[1]:
            raise BadInput("champion and challenger must both name their units, or both be arrays in the same order")
        before, after = vector(cast(Any, champion), "champion"), vector(cast(Any, challenger), "challenger")
        check_same_shape(before, after, ("champion", "challenger"))
        return before, after
    return _aligned(named[0], named[1])


def _by_unit(values: Values) -> dict[Any, float] | None:
    if isinstance(values, MetricResult):
        return dict(zip(values.query_ids.tolist(), values.values.tolist(), strict=True))
    return dict(values) if isinstance(values, Mapping) else None


def _aligned(champion: dict[Any, float], challenger: dict[Any, float]) -> tuple[Floats, Floats]:
    if not champion:
        raise EmptyInput(say("champion has no unit"))
    if champion.keys() != challenger.keys():
        some = sorted(map(repr, champion.keys() ^ challenger.keys()))[:3]
        raise LengthMismatch(
            say(
                "champion ({before:d} units) and challenger ({after:d}) were not measured on the same units; only one "
                "of them has {units}",
                before=len(champion),
                after=len(challenger),
                units=listed(some),
            )
        )
    # In the order of the champion's units, so that a seed gives the same numbers whatever the challenger's order.
    before = np.array(list(champion.values()), np.float64)
    after = np.array([challenger[unit] for unit in champion], np.float64)
    check_finite(before, "champion")
    check_finite(after, "challenger")
    return before, after


def _measured(before: Floats, after: Floats, rules: _Rules, name: str) -> Comparison:
    differences = after - before
    rng = np.random.default_rng(rules.seed)
    effect, champion_mean = float(differences.mean()), float(before.mean())
    low, high = _interval(differences, rules, rng)
    sign = 1 if rules.higher_is_better else -1
    p_value = randomisation_p_value(differences, n_resamples=rules.n_resamples, rng=rng)
    return Comparison(
        metric=name,
        verdict="cannot tell",
        sentence="",
        champion_mean=champion_mean,
        challenger_mean=float(after.mean()),
        effect=effect,
        effect_relative=effect / champion_mean if champion_mean else None,
        low=low,
        high=high,
        p_value=p_value,
        p_adjusted=p_value,
        smallest_detectable=_detectable(differences, rules),
        n_units=len(differences),
        n_better=int(np.count_nonzero(sign * differences > 0)),
        n_worse=int(np.count_nonzero(sign * differences < 0)),
        margin=rules.margin,
        alpha=rules.alpha,
        power=rules.power,
        n_resamples=rules.n_resamples,
        seed=rules.seed,
        method=rules.method,
        higher_is_better=rules.higher_is_better,
        n_looks=rules.n_looks,
    )


def _interval(differences: Floats, rules: _Rules, rng: np.random.Generator) -> tuple[float, float]:
    means = bootstrap_means(differences, n_resamples=rules.n_resamples, rng=rng)
    levels = (rules.alpha / 2, 1 - rules.alpha / 2)
    if rules.method == "bca":
        levels = bca_levels(differences, means, levels)
    low, high = np.quantile(means, levels)
    return float(low), float(high)


def _detectable(differences: Floats, rules: _Rules) -> float | None:
    if len(differences) < 2:
        return None
    return smallest_detectable_effect(differences, alpha=rules.alpha, power=rules.power)


def _decided(one: Comparison, min_units: int) -> Comparison:
    if one.n_units < min_units:
        few = say(
            "Cannot tell: {n:d} units are too few to tell; {wanted:d} are needed.", n=one.n_units, wanted=min_units
        )
        return replace(one, verdict="cannot tell", sentence=few)
    verdict = _verdict(one)
    return replace(one, verdict=verdict, sentence=_sentence(one, verdict))


def _verdict(one: Comparison) -> Verdict:
    worst, best = (one.low, one.high) if one.higher_is_better else (-one.high, -one.low)
    is_significant = one.p_adjusted <= one.alpha
    if worst > 0 and is_significant:
        return "better"
    if worst >= -one.margin:
        return "not worse"
    return "worse" if best < 0 and is_significant else "cannot tell"


def _sentence(one: Comparison, verdict: Verdict) -> str:
    told = [_told(verdict, _figures(one))]
    if verdict == "not worse":
        told.append(say("at most {margin:g} worse.", margin=one.margin))
    if verdict == "cannot tell":
        told.append(
            say("{n:d} units show effects from {effect:.4f} on.", n=one.n_units, effect=one.smallest_detectable)
        )
    if one.n_looks and one.n_looks > 1:
        told.append(say("look number {n:d} at this holdout.", n=one.n_looks))
    return f"{'; '.join(each.removesuffix('.') for each in told)}."


def _told(verdict: Verdict, figures: str) -> str:
    return {
        "better": say("Better: {figures}.", figures=figures),
        "not worse": say("Not worse: {figures}.", figures=figures),
        "worse": say("Worse: {figures}.", figures=figures),
        "cannot tell": say("Cannot tell: {figures}.", figures=figures),
    }[verdict]


def _figures(one: Comparison) -> str:
    interval = say(
        "{low:+.4f} to {high:+.4f}, p = {p:.3g}, {n:d} units",
        low=one.low,
        high=one.high,
        p=one.p_adjusted,
        n=one.n_units,
    )
    if one.effect_relative is None:
        return say(
            "{metric!s} {before:.4f} → {after:.4f}, {effect:+.4f}, {level:.0%} interval {interval}",
            metric=one.metric,
            before=one.champion_mean,
            after=one.challenger_mean,
            effect=one.effect,
            level=1 - one.alpha,
            interval=interval,
        )
    return say(
        "{metric!s} {before:.4f} → {after:.4f}, {effect:+.4f} ({relative:+.1%}), {level:.0%} interval {interval}",
        metric=one.metric,
        before=one.champion_mean,
        after=one.challenger_mean,
        effect=one.effect,
        relative=one.effect_relative,
        level=1 - one.alpha,
        interval=interval,
    )
