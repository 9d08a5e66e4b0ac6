"""What is to be done with a rollout now, and why in one sentence. Reads nothing, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mlops.rollout.judging import Look
from mlops.rollout.state import Rollout
from mlops.sentences import say

Kind = Literal["stay", "interleave", "canary", "promote", "roll_back", "void", "expire", "finish"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do.

    Attributes:
        step: for ``canary``: which of the plan's shares comes next.
    """

    kind: Kind
    sentence: str
    step: int = -1


def decide(rollout: Rollout, look: Look, *, now: datetime, frozen: bool) -> Decision:
    """The decision.

    What protects people comes first, and is done in a freeze and in a pause, too: sending no more requests to a
    challenger, or voiding a comparison, makes nothing worse. All else waits for their end.
    """
    breached = look.breached
    if breached:
        taken_back = say("{version} is taken back.", version=_who(rollout))
        return Decision("roll_back", f"{taken_back} {'. '.join(each.sentence for each in breached)}.")
    if look.sample_ratio.mismatch and rollout.status == "canary":
        return Decision("void", _void(rollout, look))
    if frozen or rollout.paused_at is not None:
        why = "automatic moves are frozen" if frozen else "it is paused"
        return Decision("stay", f"{rollout.name} stays as it is: {why}.")
    if rollout.status == "watch":
        return _watched(rollout, now)
    if now >= rollout.ends_at:
        return _expired(rollout)
    return _next(rollout, look, now)


def _next(rollout: Rollout, look: Look, now: datetime) -> Decision:
    plan = rollout.plan
    seconds = {"shadow": plan.shadow_seconds, "interleave": plan.interleave_seconds}.get(
        rollout.status, plan.hold_seconds
    )
    if (now - rollout.stage_began_at).total_seconds() < seconds:
        return Decision("stay", f"{rollout.name}: no guard alarmed so far; this stage goes on.")
    n_seen, what = _seen(rollout, look)
    if n_seen < plan.least_requests:
        return Decision(
            "stay",
            f"{rollout.name} waits: {n_seen} {what} in this stage, "
            f"{plan.least_requests} needed; quiet traffic proves nothing.",
        )
    if rollout.status == "shadow" and plan.interleave_seconds > 0:
        shares = say(
            "{version} shares {share} of the lists: no guard alarmed.",
            version=_who(rollout),
            share=f"{100 * plan.interleave_share:.3g}%",
        )
        return Decision("interleave", shares)
    step = rollout.step + 1
    if step < len(plan.shares):
        gets = say(
            "{version} gets {share} of the users: no guard alarmed.",
            version=_who(rollout),
            share=f"{100 * plan.shares[step]:.3g}%",
        )
        return Decision("canary", gets + _preferred(rollout, look), step)
    return _last(rollout, look)


def _seen(rollout: Rollout, look: Look) -> tuple[int, str]:
    """What the stage has seen so far; of lists that were shared those whose time to be clicked is up."""
    if rollout.status != "interleave":
        return look.n_challenger, "requests answered"
    return look.n_judged, "interleaved lists judged"


def _preferred(rollout: Rollout, look: Look) -> str:
    found = look.interleaving
    if rollout.status != "interleave" or found is None:
        return ""
    won = say(
        "Of the lists of both it won {won:d}, and {champion} {lost:d}.",
        won=found.n_challenger,
        champion=rollout.champion,
        lost=found.n_champion,
    )
    return f" {won}"


def _last(rollout: Rollout, look: Look) -> Decision:
    target = next((each for each in look.readings if each.guard == rollout.plan.target), None)
    if rollout.plan.target is not None and (target is None or not _is_not_worse(rollout, target.guard, look)):
        shown = rollout.plan.target if target is None else target.sentence
        return Decision("stay", f"{rollout.name} waits until its target shows that it is not worse. {shown}.")
    return Decision("promote", say("{version} is promoted: no guard alarmed in any stage.", version=_who(rollout)))


def _is_not_worse(rollout: Rollout, name: str, look: Look) -> bool:
    """Whether the whole confidence sequence lies on the good side of the margin."""
    guard = next(each for each in rollout.plan.watched if each.name == name)
    reading = next(each for each in look.readings if each.guard == name)
    if reading.low is None or reading.high is None:
        return False
    if guard.higher_is_better:
        return reading.low >= 1 - guard.margin
    return reading.high <= 1 + guard.margin


def _watched(rollout: Rollout, now: datetime) -> Decision:
    if (now - rollout.stage_began_at).total_seconds() < rollout.plan.watch_seconds:
        return Decision("stay", f"{rollout.name}: promoted, and watched.")
    stays = say("{version} stays in production: no guard alarmed while it was watched.", version=_who(rollout))
    return Decision("finish", stays)


def _expired(rollout: Rollout) -> Decision:
    if rollout.plan.default == "promote":
        promoted = say(
            "{version} is promoted by default: the longest time of {rollout} is over, and no guard alarmed.",
            version=_who(rollout),
            rollout=rollout.name,
        )
        return Decision("promote", promoted)
    stays = say(
        "{champion} stays in production by default: the longest time of {rollout} is over without a promotion.",
        champion=rollout.champion,
        rollout=rollout.name,
    )
    return Decision("expire", stays)


def _void(rollout: Rollout, look: Look) -> str:
    ratio = look.sample_ratio
    void = say("{rollout} is void: users were not split as promised.", rollout=rollout.name)
    came = say(
        "{n:d} came to the challenger, and {expected:.0f} were expected of {of:d} (p = {p:.2g}).",
        n=ratio.n_challenger,
        expected=ratio.expected_challenger,
        of=ratio.n_challenger + ratio.n_champion,
        p=ratio.p_value,
    )
    return f"{void} {came}"


def _who(rollout: Rollout) -> str:
    return f"{rollout.model_id} {rollout.challenger}"
