"""What several pages show in the same way: states as badges, who did something and why, links to versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.view import Choice, Choices, ConsoleBlock
from mlops.model_registry.records import Freeze
from mlops.reports import Badge, Link, Said
from mlops.reports.page import Cell, Tone
from mlops.rollout.plan import RolloutPlan

MODEL = "modelo"

_TONES: Mapping[str, Mapping[str, Tone]] = {
    "version": {"production": "good", "validation": "note"},
    "job": {
        "running": "note",
        "evaluating": "note",
        "awaiting_approval": "note",
        "completed": "good",
        "failed": "bad",
    },
    "outcome": {"promoted": "good", "rolled out": "good", "failed": "bad"},
    "rollout": {
        "shadow": "note",
        "interleave": "note",
        "canary": "note",
        "watch": "note",
        "promoted": "good",
        "rolled_back": "bad",
        "aborted": "note",
        "expired": "note",
    },
    "event": {"promoted": "good", "rolled_back": "bad", "not_verified": "bad", "aborted": "note", "expired": "note"},
    "move": {"rolled_back": "bad", "refused": "bad", "failed": "bad", "production": "good"},
    "verdict": {
        "better": "good",
        "worse": "bad",
        "cannot tell": "note",
        "passed": "good",
        "failed": "bad",
    },
}


def state(ask: Ask, kind: str, value: str) -> Badge:
    """The state *value* of something of a *kind*, in words; as it is kept where there are none."""
    return Badge(ask.words.get(f"states.{kind}.{value.replace(' ', '_')}", value), _TONES[kind].get(value, "plain"))


def who(ask: Ask, actor: str, *, automatic: bool) -> str:
    """Who did something, and whether that is a program."""
    return ask.words("states.automatic", actor=actor) if automatic else actor


def why(text: str | None, *, automatic: bool) -> Said | None:
    """A reason as it was kept: programs write English, people write what they like."""
    return Said(text, "en" if automatic else "") if text else None


def as_kept(value: str | float | int | bool | None) -> Cell:
    """A value that was kept: words may be a sentence, or the words of people in a language that nobody knows."""
    return Said(value, "") if isinstance(value, str) and " " in value else value


def chosen_model(parts: Parts, ask: Ask) -> str | None:
    """The model that the address asks for, else the first; None where the application has none."""
    known = list(parts.model_ids())
    wanted = ask.params.get(MODEL)
    return wanted if wanted in known else next(iter(known), None)


def model_choices(parts: Parts, ask: Ask, chosen: str) -> Sequence[ConsoleBlock]:
    """The way to other models, where there are any."""
    known = list(parts.model_ids())
    if len(known) < 2:
        return []
    # What was leafed through belongs to the model that was left.
    options = [Choice(each, {MODEL: each, "antes": None, "movimientos": None}, each == chosen) for each in known]
    return [Choices(ask.words("states.model"), options)]


def version_link(ask: Ask, model_id: str, version: str, *, with_model: bool = False) -> Link:
    """A version, and the way to its page."""
    return Link(f"{model_id} {version}" if with_model else version, ask.link("modelos", model_id, version))


def job_link(ask: Ask, job_id: int) -> Link:
    """A job, and the way to its page."""
    return Link(f"#{job_id}", ask.link("reentrenamiento", str(job_id)))


def rollout_link(ask: Ask, rollout_id: int) -> Link:
    """A rollout, and the way to its page."""
    return Link(f"#{rollout_id}", ask.link("despliegues", str(rollout_id)))


def plan_sentence(ask: Ask, plan: RolloutPlan, *, champion: str) -> str:
    """What a rollout by *plan* does, step by step, what its guards watch, and what comes when its time is over."""
    t = ask.words
    guards = t.joined([t.get(f"states.guard.{each.name}", each.name) for each in plan.watched])
    sentences = [
        t("rollouts.plan_is", steps="; ".join(_steps(ask, plan, champion))),
        t("rollouts.plan_guards", guards=guards),
        t(f"rollouts.plan_over.{plan.default}", time=_length(ask, plan.max_seconds), champion=champion),
    ]
    return " ".join(sentences)


def _steps(ask: Ask, plan: RolloutPlan, champion: str) -> Iterator[str]:
    t = ask.words
    if plan.shadow_seconds:
        yield t("rollouts.plan_shadow", time=_length(ask, plan.shadow_seconds))
    if plan.interleave_seconds:
        time, share = _length(ask, plan.interleave_seconds), t.share(plan.interleave_share)
        yield t("rollouts.plan_interleave", time=time, share=share, champion=champion)
    shares = t.joined([t.share(each) for each in plan.shares])
    yield t("rollouts.plan_shares", shares=shares, time=_length(ask, plan.hold_seconds))
    yield t("rollouts.plan_watch", time=_length(ask, plan.watch_seconds))


def _length(ask: Ask, seconds: float) -> str:
    for unit, size in (("hours", 3_600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            return ask.words(f"rollouts.{unit}", n=ask.words.number(seconds / size))
    return ask.words("rollouts.seconds", n=ask.words.number(seconds))


def shortened(digest: str | None) -> str | None:
    """The beginning of a digest: enough to tell it from others."""
    return None if digest is None else digest[:16]


def freeze_scope(ask: Ask, freeze: Freeze) -> Cell:
    """Which models a freeze is of."""
    if freeze.scope == "*":
        return ask.words("overview.all_models")
    return Link(freeze.scope, ask.link("modelos", **{MODEL: freeze.scope}))
