"""Gates: small named checks that a challenger passes or not, each with its figures and one sentence."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mlops.evaluation.comparison import Comparison, compare
from mlops.evaluation.errors import BadGate, BadInput
from mlops.evaluation.results import Evaluation
from mlops.sentences import listed, say

Outcome = Literal["passed", "failed", "cannot tell"]
Figures = Mapping[str, float | int | str | None]


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate says.

    Attributes:
        gate: its name, such as ``beats(ndcg@10)``.
        outcome: ``passed``, ``failed``, or ``cannot tell`` where a figure is missing or there is too little data.
        sentence: why, with the figures.
        figures: what the outcome rests on.
    """

    gate: str
    outcome: Outcome
    sentence: str
    figures: Figures = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the challenger may go on. ``cannot tell`` does not pass."""
        return self.outcome == "passed"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Gate = Callable[[Evaluation, Evaluation], GateVerdict]
"""A check of (challenger, champion)."""


def run_gates(gates: Sequence[Gate], challenger: Evaluation, champion: Evaluation) -> list[GateVerdict]:
    """The verdict of every gate, also of those after one that failed."""
    return [gate(challenger, champion) for gate in gates]


def beats(metric: str, *, by: float = 0.0, alpha: float = 0.05) -> Gate:
    """The target metric is better: its comparison says so, and the mean gains at least *by*.

    Args:
        metric: name of a metric with the value of each query, such as ``ndcg@10``.
        by: 0 or more, in units of the metric.
        alpha: share of false alarms that is accepted.
    Raises:
        BadGate: *by* or *alpha* is out of range.
    """
    _check_range("beats", "by", by, low=0)
    _check_level("beats", alpha)
    name = f"beats({metric})"

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        compared = _compared(name, metric, challenger, champion, alpha=alpha)
        if isinstance(compared, GateVerdict):
            return compared
        gain = compared.effect if compared.higher_is_better else -compared.effect
        if compared.verdict == "better" and gain < by:
            return GateVerdict(name, "failed", _gains_too_little(metric, compared, by), _figures_of(compared))
        outcome: Outcome = "passed" if compared.verdict == "better" else "failed"
        if compared.verdict == "cannot tell":
            outcome = "cannot tell"
        return GateVerdict(name, outcome, compared.sentence, _figures_of(compared))

    return gate


def holds(metric: str, *, slack: float = 0.0, alpha: float = 0.05) -> Gate:
    """A guardrail: not worse by more than *slack*.

    A metric with the value of each query is compared with its interval; a single figure (where higher is better, such
    as ``coverage``) is compared as it is.

    Args:
        metric: name of a metric or a figure.
        slack: 0 or more, in units of the metric.
        alpha: share of false alarms that is accepted.
    Raises:
        BadGate: *slack* or *alpha* is out of range.
    """
    _check_range("holds", "slack", slack, low=0)
    _check_level("holds", alpha)
    name = f"holds({metric})"

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        if metric in challenger.figures and metric in champion.figures:
            return _figure_holds(name, metric, challenger.figures[metric], champion.figures[metric], slack)
        compared = _compared(name, metric, challenger, champion, margin=slack, alpha=alpha)
        if isinstance(compared, GateVerdict):
            return compared
        outcomes: dict[str, Outcome] = {"better": "passed", "not worse": "passed", "worse": "failed"}
        return GateVerdict(
            name, outcomes.get(compared.verdict, "cannot tell"), compared.sentence, _figures_of(compared)
        )

    return gate


def stays_below(figure: str, limit: float) -> Gate:
    """A figure of the challenger, such as ``p95_ms``, is below *limit*, whatever the champion's is.

    Raises:
        BadGate: *limit* is not finite.
    """
    _check_range("stays_below", "limit", limit)
    return _bounded(f"stays_below({figure})", figure, limit, lambda value: value < limit, _below)


def stays_above(figure: str, limit: float) -> Gate:
    """A figure of the challenger, such as ``coverage``, is *limit* or more, whatever the champion's is.

    Raises:
        BadGate: *limit* is not finite.
    """
    _check_range("stays_above", "limit", limit)
    return _bounded(f"stays_above({figure})", figure, limit, lambda value: value >= limit, _above)


def covers(at_least: float, *, slack: float = 1.0) -> Gate:
    """The figure ``coverage``, 0 to 1, is *at_least* so much, and at most *slack* below the champion's.

    Raises:
        BadGate: an argument lies outside 0 to 1.
    """
    for argument, value in (("at_least", at_least), ("slack", slack)):
        _check_range("covers", argument, value, low=0, high=1)
    bounded, held = stays_above("coverage", at_least), holds("coverage", slack=slack)

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        verdict = bounded(challenger, champion)
        if verdict.passed and slack < 1:
            verdict = held(challenger, champion)
        return GateVerdict("covers", verdict.outcome, verdict.sentence, verdict.figures)

    return gate


def keeps_golden(*, at_most_lost: int = 0) -> Gate:
    """Golden queries that the champion answers as it must, the challenger does too.

    Args:
        at_most_lost: how many may be lost, 0 or more.
    Raises:
        BadGate: *at_most_lost* is below 0.
    """
    _check_range("keeps_golden", "at_most_lost", at_most_lost, low=0)

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        kept = [query for query, is_right in champion.golden.items() if is_right]
        unasked = [query for query in kept if query not in challenger.golden]
        if not kept or unasked:
            unknown = say("{query!r} was not asked", query=unasked[0]) if unasked else say("the champion answers none")
            return GateVerdict("keeps_golden", "cannot tell", _incomparable(say("Golden queries"), unknown))
        lost = [query for query in kept if not challenger.golden[query]]
        outcome: Outcome = "passed" if len(lost) <= at_most_lost else "failed"
        figures = {"lost": len(lost), "golden": len(kept)}
        return GateVerdict("keeps_golden", outcome, _lost_of(lost, len(kept), at_most_lost), figures)

    return gate


def output_valid() -> Gate:
    """Whoever looked at the challenger's output found nothing wrong."""

    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        del champion
        if challenger.problems is None:
            return GateVerdict("output_valid", "cannot tell", say("Nobody looked at the challenger's output."))
        n_problems = len(challenger.problems)
        if not n_problems:
            return GateVerdict("output_valid", "passed", say("The output is valid."), {"problems": 0})
        sentence = say(
            "The output has {n:d} problem(s), the first: {problem}.", n=n_problems, problem=challenger.problems[0]
        )
        return GateVerdict("output_valid", "failed", sentence, {"problems": n_problems})

    return gate


_FACTORIES: dict[str, Callable[..., Gate]] = {
    "beats": beats,
    "holds": holds,
    "stays_below": stays_below,
    "stays_above": stays_above,
    "covers": covers,
    "keeps_golden": keeps_golden,
    "output_valid": output_valid,
}

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
}


def gates_from(configuration: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """Gates as TOML or JSON has them: ``[{"gate": "beats", "metric": "ndcg@10", "by": 0.01}, …]``.

    The other keys of a mapping are the arguments of the gate's function here.

    Raises:
        BadGate: with the number of the gate, counted from 1, and what is wrong with it.
    """
    if isinstance(configuration, Mapping | str):
        raise BadGate(f"gates must be a list of mappings, got {type(configuration).__name__}")
    return [_gate_from(number, entry) for number, entry in enumerate(configuration, start=1)]


def _gate_from(number: int, entry: Any) -> Gate:
    if not isinstance(entry, Mapping) or "gate" not in entry:
        raise BadGate(f"gate {number} must be a mapping with the key 'gate', got {entry!r}")
    factory = _FACTORIES.get(entry["gate"]) if isinstance(entry["gate"], str) else None
    if factory is None:
        raise BadGate(f"gate {number} is {entry['gate']!r}; there are {', '.join(_FACTORIES)}")
    arguments = {key: value for key, value in entry.items() if key != "gate"}
    where = f"gate {number} ({entry['gate']})"
    _check_arguments(where, factory, arguments)
    try:
        return factory(**arguments)
    except BadGate as error:
        raise BadGate(f"{where}: {error}") from error


def _check_arguments(where: str, factory: Callable[..., Gate], arguments: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        raise BadGate(f"{where} has no argument {unknown[0]!r}; it takes {', '.join(parameters) or 'none'}")
    for name, parameter in parameters.items():
        if name not in arguments:
            if parameter.default is inspect.Parameter.empty:
                raise BadGate(f"{where} needs the argument {name!r}")
            continue
        _check_type(f"{where}: {name}", arguments[name], str(parameter.annotation))


def _check_type(what: str, value: Any, annotation: str) -> None:
    expected, words = _TYPES[annotation]
    if not isinstance(value, expected) or isinstance(value, bool):
        raise BadGate(f"{what} must be {words}, got {value!r}")


def _compared(
    name: str, metric: str, challenger: Evaluation, champion: Evaluation, **options: float
) -> Comparison | GateVerdict:
    for evaluation in (challenger, champion):
        if metric not in evaluation.metrics:
            return GateVerdict(name, "cannot tell", _has_no(evaluation, metric))
    try:
        return compare(champion.metrics[metric], challenger.metrics[metric], **options)  # type: ignore[arg-type]
    except BadInput as error:
        return GateVerdict(name, "cannot tell", _incomparable(metric, str(error)))


def _has_no(evaluation: Evaluation, name: str) -> str:
    return say("{version!s} has no {metric!s}.", version=evaluation.label, metric=name)


def _incomparable(what: str, why: str) -> str:
    return say("{what} cannot be compared: {why}.", what=what, why=why)


def _gains_too_little(metric: str, compared: Comparison, by: float) -> str:
    figures = compared.sentence.removeprefix("Better: ").removesuffix(".")
    better = say("{metric!s}: better: {figures}.", metric=metric, figures=figures)
    return f"{better} {say('That is less than the {asked:,} asked for.', asked=_short(by))}"


def _lost_of(lost: Sequence[str], n_kept: int, at_most: int) -> str:
    if not lost:
        return say("{n:d} of {of:d} golden queries are lost; at most {limit:d} may be.", n=0, of=n_kept, limit=at_most)
    return say(
        "{n:d} of {of:d} golden queries are lost: {queries:s}; at most {limit:d} may be.",
        n=len(lost),
        of=n_kept,
        queries=listed(map(repr, lost[:3])) + (" …" if len(lost) > 3 else ""),
        limit=at_most,
    )


def _figures_of(one: Comparison) -> Figures:
    names = ("champion_mean", "challenger_mean", "effect", "low", "high", "p_value", "n_units", "margin")
    return {"verdict": one.verdict, **{name: getattr(one, name) for name in names}}


def _figure_holds(name: str, figure: str, now: float, before: float, slack: float) -> GateVerdict:
    figures = {"challenger": now, "champion": before, "slack": slack}
    if not (math.isfinite(now) and math.isfinite(before)):
        unknown = say("{figure} is {before} before and {now} now.", figure=figure, before=before, now=now)
        return GateVerdict(name, "cannot tell", unknown, {"slack": slack})
    short = [_short(value) for value in (before, now, slack)]
    if now >= before - slack:
        return GateVerdict(name, "passed", _within(figure, *short), figures)
    return GateVerdict(name, "failed", _beyond(figure, *short), figures)


def _within(figure: str, before: float, now: float, slack: float) -> str:
    return say(
        "{figure} {before:,} → {now:,}, within the slack of {slack:,}.",
        figure=figure,
        before=before,
        now=now,
        slack=slack,
    )


def _beyond(figure: str, before: float, now: float, slack: float) -> str:
    return say(
        "{figure} {before:,} → {now:,}, beyond the slack of {slack:,}.",
        figure=figure,
        before=before,
        now=now,
        slack=slack,
    )


def _below(figure: str, value: float, limit: float) -> str:
    return say("{figure} is {value:,}; it must be below {limit:,}.", figure=figure, value=value, limit=limit)


def _above(figure: str, value: float, limit: float) -> str:
    return say("{figure} is {value:,}; it must be at or above {limit:,}.", figure=figure, value=value, limit=limit)


def _short(value: float) -> float:
    """*value* with at most four significant digits, or whole where it is large."""
    short = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(short) if float(short).is_integer() else short


def _bounded(
    name: str,
    figure: str,
    limit: float,
    is_right: Callable[[float], bool],
    told: Callable[[str, float, float], str],
) -> Gate:
    def gate(challenger: Evaluation, champion: Evaluation) -> GateVerdict:
        del champion
        value = challenger.figures.get(figure, math.nan)
        if not math.isfinite(value):
            return GateVerdict(name, "cannot tell", _has_no(challenger, figure), {"limit": limit})
        outcome: Outcome = "passed" if is_right(value) else "failed"
        sentence = told(figure, _short(value), _short(limit))
        return GateVerdict(name, outcome, sentence, {figure: value, "limit": limit})

    return gate


def _check_range(gate: str, name: str, value: float, *, low: float = -math.inf, high: float = math.inf) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        span = f"from {low:g} to {high:g}" if high < math.inf else f"{low:g} or more" if low > -math.inf else "finite"
        raise BadGate(f"{name} of {gate} must be {span}, got {value}")


def _check_level(gate: str, alpha: float) -> None:
    if not 0 < alpha < 1:
        raise BadGate(f"alpha of {gate} must lie between 0 and 1, got {alpha}")
