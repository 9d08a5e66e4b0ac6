"""What the guards say now: from the counts of all workers, and what the stop rules remember of the looks before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from scipy.special import betaincinv

from mlops.reports.figures import shown_number
from mlops.rollout.counts import Totals, bucket_seconds, percentile_bucket, slower_than
from mlops.rollout.guards import STREAK, Guard
from mlops.rollout.interleaving import Preference, log_evidence_losing, preference_of
from mlops.rollout.plan import RolloutPlan
from mlops.rollout.sample_ratio import SampleRatio, check_sample_ratio
from mlops.rollout.sequential import (
    LOG_ODDS,
    Block,
    Floats,
    log_evidence_above,
    log_evidence_worse,
    log_likelihood,
    odds_ratio_interval,
)
from mlops.rollout.state import ARMS, Status
from mlops.sentences import say

# So many requests of the champion make the line that its latency, and the challenger's, is held to.
LEAST_FOR_A_LINE = 200
_LONGEST_SERIES = 120
# Errors of a champion that had none are still possible: a line of 0 would be crossed by the first.
_LEAST_LINE = 0.001

State = Mapping[str, Any]
Counted = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one guard says.

    Attributes:
        challenger, champion: events of each arm, of so many requests, since the stage began. Of a preference: lists
            that each won, of those that somebody won.
        log_evidence: log e-value that the challenger is worse by more than *margin*.
        needed: at which the guard alarms.
        low, high: confidence sequence of the odds ratio, challenger to champion; None where there is no comparison.
        breached: the guard alarms.
    """

    guard: str
    what: str
    n_challenger: int
    challenger: int
    n_champion: int
    champion: int
    margin: float
    log_evidence: float
    needed: float
    low: float | None
    high: float | None
    breached: bool

    @property
    def sentence(self) -> str:
        """Both rates, and how sure it is; without a stop at its end."""
        if self.needed == 0:
            failed = say(
                "{guard}: the challenger failed {n:d} times in a row in one process, or could not be loaded.",
                guard=self.guard,
                n=STREAK,
            )
            return failed.removesuffix(".")
        parts = [self._rates()]
        if self.low is not None and self.high is not None:
            parts.append(say("odds ratio {low:.2f} to {high:.2f}", low=self.low, high=self.high))
        parts.append(
            say(
                "evidence {evidence} of {needed} needed.",
                evidence=_e_value(self.log_evidence),
                needed=_e_value(self.needed),
            )
        )
        return "; ".join(parts).removesuffix(".")

    def _rates(self) -> str:
        challenger = _rate(self.challenger, self.n_challenger)
        if not self.n_champion:
            return say(
                "{guard}: {what}: {challenger} of the challenger",
                guard=self.guard,
                what=self.what,
                challenger=challenger,
            )
        return say(
            "{guard}: {what}: {challenger} of the challenger, {champion} of the champion",
            guard=self.guard,
            what=self.what,
            challenger=challenger,
            champion=_rate(self.champion, self.n_champion),
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values; an infinite end is None."""
        values = {**asdict(self), "sentence": self.sentence}
        return {name: None if value in (math.inf, -math.inf) else value for name, value in values.items()}


def _rate(events: int, n: int) -> str:
    if not n:
        return say("no data")
    return say("{share:.2%} ({events:d} of {n:d})", share=events / n, events=events, n=n)


def _e_value(log_evidence: float) -> str:
    if log_evidence >= 20:
        return say("over 10⁸")
    value = math.exp(log_evidence)
    return shown_number(float(f"{value:.3g}")) if value >= 0.001 else say("under 0.001")


@dataclass(frozen=True, slots=True)
class Look:
    """All guards at one time, and what is to be remembered for the next look.

    Attributes:
        interleaving: whose items were preferred in the lists of both so far; None where none was old enough yet.
    """

    readings: tuple[Reading, ...]
    sample_ratio: SampleRatio
    n_challenger: int
    shadow: Mapping[str, float]
    interleaving: Preference | None
    state: State

    @property
    def n_judged(self) -> int:
        """Interleaved lists whose time to be clicked is up."""
        found = self.interleaving
        return 0 if found is None else found.n_challenger + found.n_champion + found.n_ties

    @property
    def breached(self) -> list[Reading]:
        """The guards that alarm."""
        return [reading for reading in self.readings if reading.breached]

    def figures(self) -> dict[str, Any]:
        """For the event of a decision."""
        return {
            "guards": [reading.to_dict() for reading in self.readings],
            "sample_ratio": asdict(self.sample_ratio),
            "shadow": dict(self.shadow),
            "interleaving": None if self.interleaving is None else asdict(self.interleaving),
            "series": list(self.state.get("series", ())),
        }


def begun(totals: Totals, guards: Sequence[Guard], status: Status, state: State) -> dict[str, Any]:
    """What is remembered when a stage begins: what was counted before it is no evidence in it."""
    line = state.get("line_bucket")
    seen = {guard.name: list(_counted(guard, totals, status, line)) for guard in guards}
    return {
        **{name: state[name] for name in ("line_bucket", "watch_lines", "canary_began_at") if name in state},
        "seen_at_start": seen,
        "seen": seen,
        "likelihood": {},
        "requests_at_start": totals.of(ARMS[status], "error").n,
        "series": [],
    }


def look(plan: RolloutPlan, totals: Totals, status: Status, state: State, *, now: datetime) -> Look:
    """Look at all guards.

    Args:
        state: what :func:`begun` or the look before gave to be remembered.
    """
    guards = plan.watched
    fresh = _with_line(totals, guards, status, dict(state))
    readings = tuple(_reading(guard, plan, totals, status, fresh) for guard in guards if _counts(guard, status, fresh))
    fresh["series"] = _longer(fresh.get("series", ()), now, readings)
    return Look(
        readings,
        check_sample_ratio(totals.splits()),
        totals.of(ARMS[status], "error").n - int(fresh.get("requests_at_start", 0)),
        _shadowed(totals),
        _preference(totals, plan.alpha_each),
        fresh,
    )


def watch_lines(plan: RolloutPlan, readings: Sequence[Reading]) -> dict[str, float]:
    """The rate of bad events that a promoted challenger is held to, by guard.

    The champion's rate, at the upper end of its 97.5 % interval (Clopper-Pearson), with the guard's margin on its odds.
    Where the champion was not seen: the guard's usual line, if it has one.
    """
    lines = {guard.name: guard.usual_line for guard in plan.watched if guard.usual_line is not None}
    for reading, guard in ((each, guard) for each in readings for guard in plan.watched if guard.name == each.guard):
        if guard.kind in ("streak", "preference") or not reading.n_champion:
            continue
        bad = reading.n_champion - reading.champion if guard.higher_is_better else reading.champion
        highest = float(betaincinv(bad + 1, reading.n_champion - bad, 0.975)) if bad < reading.n_champion else 0.999
        odds = highest / (1 - highest) * (1 / (1 - guard.margin) if guard.higher_is_better else 1 + guard.margin)
        lines[guard.name] = min(max(odds / (1 + odds), _LEAST_LINE), 0.999)
    return lines


def _preference(totals: Totals, alpha: float) -> Preference | None:
    sums = totals.of(ARMS["interleave"], "preference")
    if not sums.n:
        return None
    # Each list counts 1, -1 or 0.
    wins, losses = round((sums.squares + sums.total) / 2), round((sums.squares - sums.total) / 2)
    return preference_of(wins, losses, sums.n - wins - losses, alpha=alpha)


def _shadowed(totals: Totals) -> dict[str, float]:
    """What answers aside had in common with those given: mean overlaps; mean and deviation of scores; p95 of times."""
    found: dict[str, float] = {}
    for metric in ("overlap", "overlap_at_k", "score", "score_champion"):
        sums = totals.of("shadow", metric)
        if sums.mean is not None:
            found[f"{metric}_mean"] = sums.mean
            found[f"{metric}_sd"] = math.sqrt(sums.variance)
    for arm in ("shadow", "champion"):
        latencies = totals.latencies(arm)
        if found and latencies:
            found[f"p95_seconds_{arm}"] = bucket_seconds(percentile_bucket(latencies, 0.95))
    return found


def _with_line(totals: Totals, guards: Sequence[Guard], status: Status, state: dict[str, Any]) -> dict[str, Any]:
    """Draw the line of latency, once, before anything is held to it."""
    latencies = totals.latencies("champion")
    if state.get("line_bucket") is not None or sum(latencies.values()) < LEAST_FOR_A_LINE:
        return state
    state["line_bucket"] = percentile_bucket(latencies, 0.95)
    for guard in guards:
        if guard.kind == "latency":
            counted = list(_counted(guard, totals, status, state["line_bucket"]))
            state["seen"] = {**state["seen"], guard.name: counted}
            state["seen_at_start"] = {**state["seen_at_start"], guard.name: counted}
    return state


def _counts(guard: Guard, status: Status, state: State) -> bool:
    if status not in guard.stages:
        return False
    if status == "watch" and guard.kind != "streak" and guard.name not in state.get("watch_lines", {}):
        return False
    return guard.kind != "latency" or state.get("line_bucket") is not None


def _counted(guard: Guard, totals: Totals, status: Status, line_bucket: int | None) -> Counted:
    if guard.kind == "preference":
        # Counted once, for the list; it needs nothing remembered.
        return 0, 0, 0, 0
    arms = (ARMS[status], "champion")
    if guard.kind == "latency":
        found = [totals.latencies(arm) for arm in arms]
        pairs = [(sum(each.values()), 0 if line_bucket is None else slower_than(each, line_bucket)) for each in found]
    else:
        pairs = [(totals.of(arm, guard.metric).n, round(totals.of(arm, guard.metric).total)) for arm in arms]
    return (*pairs[0], *pairs[1])


def _reading(guard: Guard, plan: RolloutPlan, totals: Totals, status: Status, state: dict[str, Any]) -> Reading:
    if guard.kind == "preference":
        return _preferred(guard, plan, totals)
    counted = _counted(guard, totals, status, state.get("line_bucket"))
    since_start = _minus(counted, state["seen_at_start"][guard.name])
    if guard.kind == "streak":
        return _made(guard, since_start, evidence=0.0, needed=0.0, interval=None, breached=since_start[1] > 0)
    needed = -math.log(plan.alpha_each)
    if status == "watch":
        return _watched(guard, since_start, needed, state["watch_lines"][guard.name])
    likelihood = _remembered(guard, counted, state)
    evidence = log_evidence_worse(likelihood, margin=guard.margin, higher_is_better=guard.higher_is_better)
    interval = odds_ratio_interval(likelihood, alpha=plan.alpha_each)
    breached = evidence >= needed and _differs(guard, since_start)
    return _made(guard, since_start, evidence=evidence, needed=needed, interval=interval, breached=breached)


def _preferred(guard: Guard, plan: RolloutPlan, totals: Totals) -> Reading:
    needed, found = -math.log(plan.alpha_each), _preference(totals, plan.alpha_each)
    if found is None:
        return _made(guard, (0, 0, 0, 0), evidence=0.0, needed=needed, interval=None, breached=False)
    won, lost = found.n_challenger, found.n_champion
    evidence = log_evidence_losing(won, lost, margin=guard.margin)
    low, high = (share / (1 - share) if share < 1 else math.inf for share in (found.low, found.high))
    counted = (won + lost, won, won + lost, lost)
    return _made(guard, counted, evidence=evidence, needed=needed, interval=(low, high), breached=evidence >= needed)


def _remembered(guard: Guard, counted: Counted, state: dict[str, Any]) -> Floats:
    """The likelihood with the block since the last look in it. A block without both arms waits for the next look."""
    kept = state["likelihood"].get(guard.name)
    likelihood = np.zeros_like(LOG_ODDS) if kept is None else np.array(kept)
    n_challenger, challenger, n_champion, champion = _minus(counted, state["seen"][guard.name])
    if n_challenger and n_champion:
        likelihood = likelihood + log_likelihood(Block(n_challenger, challenger, n_champion, champion))
        state["likelihood"] = {**state["likelihood"], guard.name: likelihood.round(6).tolist()}
        state["seen"] = {**state["seen"], guard.name: list(counted)}
    return likelihood


def _watched(guard: Guard, since_start: Counted, needed: float, line: float) -> Reading:
    n, events = since_start[:2]
    bad = n - events if guard.higher_is_better else events
    evidence = log_evidence_above(bad, n, line=line)
    breached = evidence >= needed and bad / max(n, 1) - line >= guard.least_difference
    return _made(guard, (n, events, 0, 0), evidence=evidence, needed=needed, interval=None, breached=breached)


def _made(
    guard: Guard,
    counted: Counted,
    *,
    evidence: float,
    needed: float,
    interval: tuple[float, float] | None,
    breached: bool,
) -> Reading:
    low, high = interval or (None, None)
    return Reading(guard.name, guard.what, *counted, guard.margin, evidence, needed, low, high, breached)


def _differs(guard: Guard, counted: Counted) -> bool:
    n_challenger, challenger, n_champion, champion = counted
    if not n_challenger or not n_champion:
        return False
    return abs(challenger / n_challenger - champion / n_champion) >= guard.least_difference


def _minus(counted: Sequence[int], before: Sequence[int]) -> Counted:
    a, b, c, d = (max(now - then, 0) for now, then in zip(counted, before, strict=True))
    return a, b, c, d


def _finite(reading: Reading) -> list[float | None]:
    """The ends of the odds ratio's interval; None for one at infinity, which JSON cannot hold."""
    ends = (reading.low, reading.high)
    return [round(end, 4) if end is not None and math.isfinite(end) else None for end in ends]


def _longer(series: Sequence[Any], now: datetime, readings: Sequence[Reading]) -> list[Any]:
    """The series with one point more; every second one is dropped where it grows too long."""
    point = {
        "at": now.isoformat(),
        "evidence": {each.guard: round(each.log_evidence, 3) for each in readings},
        "interval": {each.guard: _finite(each) for each in readings if each.low is not None and each.high is not None},
    }
    longer = [*series, point]
    return longer if len(longer) <= _LONGEST_SERIES else [*longer[:-1:2], point]
