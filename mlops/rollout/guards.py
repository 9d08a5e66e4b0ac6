"""What must not get worse while a challenger takes over: guardrails by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from mlops.errors import BadPlan, UnknownGuard
from mlops.sentences import listed, say

Kind = Literal["rate", "latency", "preference", "streak"]
Stage = Literal["shadow", "interleave", "canary", "watch"]

_ALL: tuple[Stage, ...] = ("shadow", "interleave", "canary", "watch")
_SEEN: tuple[Stage, ...] = ("interleave", "canary", "watch")


@dataclass(frozen=True, slots=True)
class Guard:
    """One thing that is watched.

    Attributes:
        metric: what is counted for it; see :meth:`mlops.rollout.router.CanaryRouter.observe`.
        kind: ``rate``: share of the requests with an event. ``latency``: share of the requests that are slower than a
            line, the 95th percentile of the champion when the comparison began, so that a percentile is guarded by
            an exact test of a proportion. ``preference``: share of the interleaved lists with a winner that the
            challenger won. ``streak``: the challenger fails several times in a row; no test.
        margin: by which part the odds of the event may get worse; a breach needs evidence of more.
        least_difference: a breach also needs rates that differ by this much, since with much traffic everything
            differs. It can only make the guard calmer.
        usual_line: the rate that a promoted challenger is held to where its champion was not seen; None: to none.
        stages: in which it can be held against a challenger.
        what: the event, for sentences.
    """

    name: str
    metric: str
    kind: Kind
    higher_is_better: bool
    margin: float
    least_difference: float
    usual_line: float | None
    stages: tuple[Stage, ...]
    what: str


GUARDS = {
    guard.name: guard
    for guard in (
        Guard("error_rate", "error", "rate", False, 0.5, 0.001, 0.05, _ALL, say("requests that failed")),
        Guard(
            "p95_latency",
            "latency",
            "latency",
            False,
            0.5,
            0.01,
            None,
            _SEEN,
            say("requests slower than the champion's p95"),
        ),
        Guard("click_rate", "click", "rate", True, 0.1, 0.0, None, ("canary", "watch"), say("lists that were clicked")),
        Guard(
            "preference",
            "preference",
            "preference",
            True,
            0.0,
            0.0,
            None,
            ("interleave",),
            say("interleaved lists won"),
        ),
        Guard("output_valid", "invalid", "rate", False, 0.0, 0.0, 0.01, _ALL, say("answers that failed validation")),
        Guard("crash_loop", "crash", "streak", False, 0.0, 0.0, None, _ALL, say("failures in a row")),
    )
}
# So many failures of the challenger in a row, in one process, are a crash loop.
STREAK = 5
# Watched whether it was asked for or not: a model that cannot answer needs no statistics.
ALWAYS = ("output_valid", "crash_loop")


def guards_named(names: Iterable[str], *, always: Iterable[str] = ALWAYS) -> tuple[Guard, ...]:
    """The guards of *names*, then those that are *always* watched; ``error_rate:0.2`` sets the margin.

    Raises:
        UnknownGuard: a name is none.
        BadPlan: a margin is no number that is allowed, or a name comes twice.
    """
    found = [_guard_from(text) for text in names]
    known = [guard.name for guard in found]
    if len(set(known)) != len(known):
        raise BadPlan(say("guards must be named once each, got {known:s}", known=listed(known)))
    return (*found, *(GUARDS[name] for name in always if name not in known))


def _guard_from(text: str) -> Guard:
    name, sign, margin = text.strip().partition(":")
    if name not in GUARDS:
        raise UnknownGuard(say("there is no guard {name!r}; there are {known:s}", name=name, known=listed(GUARDS)))
    return replace(GUARDS[name], margin=_margin(name, margin)) if sign else GUARDS[name]


def _margin(name: str, text: str) -> float:
    highest = 1.0 if GUARDS[name].higher_is_better else 50.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < highest:
        raise BadPlan(
            say(
                "the margin of {guard!s} must be at least 0 and less than {highest:g}, got {text!r}",
                guard=name,
                highest=highest,
                text=text,
            )
        )
    return value
