"""Despliegues: what is on its way into production, what its guards say, what was decided before and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from mlops.errors import UnknownRollout
from mlops.http.console.ask import Ask
from mlops.http.console.evidence import expected_blocks, guard_blocks, shadow_blocks
from mlops.http.console.parts import Parts
from mlops.http.console.shown import rollout_link, state, version_link, who, why
from mlops.http.console.view import Action, Actions, ConsoleBlock, Details, Pager, Panel, View
from mlops.http.console.views.model_actions import unbar
from mlops.http.console.views.models import freeze_of
from mlops.reports import Badge, Facts, Link, Prose, Said, Table
from mlops.reports.page import Cell
from mlops.rollout.judging import Look
from mlops.rollout.state import Bar, Rollout, RolloutEvent

_PAGE = 50
_DRAWN = 12
_MOST_BARS = 20
_STAGE_SECONDS: Mapping[str, str] = {
    "shadow": "shadow_seconds",
    "interleave": "interleave_seconds",
    "canary": "hold_seconds",
    "watch": "watch_seconds",
}


def rollouts(parts: Parts, ask: Ask) -> View:
    """What is under way, of each model; what was before; which versions are barred."""
    t = ask.words
    under_way = parts.rollouts.under_way()
    panels = [
        Panel(
            f"rollout-{each.rollout_id}",
            t("rollouts.under_way", model=each.model_id, challenger=each.challenger, champion=each.champion or "–"),
            _under_way(parts, ask, each),
        )
        for each in under_way
    ]
    if not under_way:
        panels.append(Panel("under-way", t("rollouts.now"), [Prose(t("rollouts.none_under_way"))]))
    bars = parts.rollouts.bars()
    panels.append(Panel("rollouts", t("rollouts.history"), _history(parts, ask)))
    if bars:
        panels.append(Panel("barred", t("rollouts.barred"), _barred(ask, bars)))
    return View(t("menu.rollouts"), lead=t.count("rollouts.lead", len(under_way)), panels=panels)


def rollout(parts: Parts, ask: Ask) -> View:
    """One rollout: each decision with its sentence, its figures and the charts that led to it.

    Raises:
        UnknownRollout: there is none of this number.
    """
    t = ask.words
    found = parts.rollouts.get(ask.path_number("rollout_id", UnknownRollout))
    events = parts.rollouts.events(found.rollout_id)
    panels = [Panel("rollout", t("rollouts.what"), [_facts(ask, found), Said(found.because, "")])]
    if found.is_open:
        panels = [Panel("rollout", t("rollouts.what"), _under_way(parts, ask, found))]
    panels += [
        Panel("decisions", t("rollouts.decisions"), [*_expected(ask, events), *_decisions(ask, events)]),
        Panel("plan", t("rollouts.plan"), [_plan(ask, found)]),
    ]
    return View(
        t(
            "rollouts.one",
            rollout=found.rollout_id,
            model=found.model_id,
            challenger=found.challenger,
            champion=found.champion or "–",
        ),
        lead=t.get(f"rollouts.is.{found.status}", "").format(
            challenger=found.challenger, champion=found.champion or "–"
        ),
        verdict=state(ask, "rollout", found.status),
        panels=panels,
        trail=[Link(t("menu.rollouts"), ask.link("despliegues"))],
    )


def _under_way(parts: Parts, ask: Ask, found: Rollout) -> Sequence[ConsoleBlock]:
    look = parts.rollouts.look(found)
    figures = look.figures()
    blocks: list[ConsoleBlock] = [
        _facts(ask, found),
        Said(found.because, ""),
        Prose(what_next(ask, found, look, is_frozen=freeze_of(parts, found.model_id) is not None)),
        Actions(_hand(ask, found)),
    ]
    if figures["guards"]:
        return [*blocks, *guard_blocks(figures, ask, folded=False), *_split(ask, look)]
    return [*blocks, Prose(ask.words("rollouts.no_readings")), *shadow_blocks(figures["shadow"], ask)]


def _facts(ask: Ask, found: Rollout) -> Facts:
    return Facts(
        [
            ("rollout", rollout_link(ask, found.rollout_id)),
            ("stage", state(ask, "rollout", found.status)),
            ("paused_at", found.paused_at),
            ("share", ask.words.share(found.share) if found.is_open else None),
            ("challenger", version_link(ask, found.model_id, found.challenger)),
            ("champion", None if found.champion is None else version_link(ask, found.model_id, found.champion)),
            ("started_at", found.started_at),
            ("started_by", found.started_by),
            ("stage_began_at", found.stage_began_at if found.is_open else None),
            ("ended_at", found.ended_at),
        ]
    )


def what_next(ask: Ask, found: Rollout, look: Look, *, is_frozen: bool) -> str:
    """What happens next to a rollout under way, when at the earliest, and what may come instead."""
    t = ask.words
    if look.breached:
        return t("rollouts.next_back", champion=found.champion or "–")
    if is_frozen or found.paused_at is not None:
        return t("rollouts.next_frozen" if is_frozen else "rollouts.next_paused")
    plan = found.plan
    due = found.stage_began_at + timedelta(seconds=getattr(plan, _STAGE_SECONDS.get(found.status, "hold_seconds")))
    if found.status == "watch":
        return t("rollouts.next_finish", at=t.time(due), challenger=found.challenger)
    step = found.step + 1
    if found.status == "shadow" and plan.interleave_seconds > 0:
        what = t(
            "rollouts.next_interleave",
            share=t.share(plan.interleave_share),
            challenger=found.challenger,
            champion=found.champion or "–",
        )
    elif step < len(plan.shares):
        what = t("rollouts.next_share", share=t.share(plan.shares[step]), challenger=found.challenger)
    else:
        what = t("rollouts.next_promotion", challenger=found.challenger)
    sentence = t("rollouts.next", at=_when(ask, due), what=what)
    n_seen = look.n_judged if found.status == "interleave" else look.n_challenger
    if n_seen < plan.least_requests:
        key = "rollouts.next_lists" if found.status == "interleave" else "rollouts.next_requests"
        sentence += " " + t(key, n=t.number(n_seen), needed=t.number(plan.least_requests))
    if step >= len(plan.shares) and plan.target is not None:
        sentence += " " + t("rollouts.next_target", guard=t.get(f"states.guard.{plan.target}", plan.target))
    return (
        sentence
        + " "
        + t(f"rollouts.at_the_end.{plan.default}", at=t.time(found.ends_at), champion=found.champion or "–")
    )


def _when(ask: Ask, due: datetime) -> str:
    return ask.words("rollouts.at_once") if due <= ask.now else ask.words("rollouts.from", at=ask.words.time(due))


def _split(ask: Ask, look: Look) -> Sequence[ConsoleBlock]:
    """Whether users came to both arms as promised: without that no comparison counts."""
    ratio = look.sample_ratio
    if ratio.n_challenger + ratio.n_champion == 0:
        return []
    t = ask.words
    badge = Badge(t("rollouts.split_wrong"), "bad") if ratio.mismatch else Badge(t("rollouts.split_right"), "good")
    return [
        Facts(
            [
                ("split", badge),
                ("n_challenger", ratio.n_challenger),
                ("expected_challenger", round(ratio.expected_challenger)),
                ("n_champion", ratio.n_champion),
                ("p_value", t.p_value(ratio.p_value)),
            ]
        )
    ]


def _hand(ask: Ask, found: Rollout) -> list[Action]:
    t = ask.words
    address = f"/models/{found.model_id}/rollout"
    names = {
        "model": found.model_id,
        "challenger": found.challenger,
        "champion": found.champion or "–",
        "share": t.share(found.share),
    }
    body = {"rollout_id": found.rollout_id}
    hand = "resume" if found.paused_at is not None else "pause"
    items = [Action(hand, f"{address}/{hand}", t(f"rollouts.will_{hand}", **names), body)]
    if found.status != "watch":
        items.append(
            Action("promote_now", f"{address}/promote-now", t("rollouts.will_promote", **names), body, tone="good")
        )
    key = "rollouts.will_stop_watching" if found.status == "watch" else "rollouts.will_abort"
    return [*items, Action("abort", f"{address}/abort", t(key, **names), body, tone="bad")]


def _history(parts: Parts, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    found = parts.rollouts.history(limit=_PAGE + 1, before=ask.number("antes"))
    page = found[:_PAGE]
    if not page:
        return [Prose(t("rollouts.none"))]
    columns = [
        "rollout",
        "rollout_state",
        "model",
        "challenger",
        "champion",
        "started_at",
        "started_by",
        "ended_at",
        "reason",
    ]
    rows: list[list[Cell]] = [
        [
            rollout_link(ask, each.rollout_id),
            state(ask, "rollout", each.status),
            each.model_id,
            version_link(ask, each.model_id, each.challenger),
            None if each.champion is None else version_link(ask, each.model_id, each.champion),
            each.started_at,
            each.started_by,
            each.ended_at,
            why(each.because, automatic=False),
        ]
        for each in page
    ]
    blocks: list[ConsoleBlock] = [Table(columns, rows)]
    return [*blocks, Pager({"antes": str(page[-1].rollout_id)})] if len(found) > _PAGE else blocks


def _barred(ask: Ask, bars: Sequence[Bar]) -> Sequence[ConsoleBlock]:
    blocks: list[ConsoleBlock] = [Prose(ask.words("rollouts.what_barred"))]
    for each in bars[-_MOST_BARS:]:
        facts = Facts(
            [
                ("version", version_link(ask, each.model_id, each.version, with_model=True)),
                ("barred_at", each.barred_at),
                ("barred_by", each.barred_by),
            ]
        )
        blocks += [facts, Said(each.because, ""), Actions([unbar(ask, each)])]
    return blocks


def _decisions(ask: Ask, events: Sequence[RolloutEvent]) -> Sequence[ConsoleBlock]:
    """All in a table, newest first; the figures of the newest ones folded away below."""
    newest = list(reversed(events))
    rows: list[list[Cell]] = [
        [
            each.at,
            state(ask, "event", each.kind),
            who(ask, each.actor, automatic=each.automatic),
            why(each.sentence, automatic=each.automatic),
        ]
        for each in newest
    ]
    blocks: list[ConsoleBlock] = [Table(["at", "event", "actor", "sentence"], rows)]
    with_figures = [each for each in newest if each.figures.get("guards")][:_DRAWN]
    return [*blocks, *(_figures(ask, each) for each in with_figures)]


def _expected(ask: Ask, events: Sequence[RolloutEvent]) -> Sequence[ConsoleBlock]:
    return expected_blocks(events[0].figures.get("expected") or {}, ask) if events else []


def _figures(ask: Ask, event: RolloutEvent) -> Details:
    t = ask.words
    summary = t("rollouts.figures_of", event=state(ask, "event", event.kind).text, at=t.time(event.at))
    return Details(summary, guard_blocks(event.figures, ask))


def _plan(ask: Ask, found: Rollout) -> Facts:
    t, plan = ask.words, found.plan
    hours = {name: getattr(plan, f"{name}_seconds") / 3600 for name in ("shadow", "interleave", "hold", "watch", "max")}
    return Facts(
        [
            *((f"{name}_hours", value) for name, value in hours.items()),
            ("interleave_share", t.share(plan.interleave_share) if plan.interleave_seconds else None),
            ("shares", ", ".join(t.share(each) for each in plan.shares)),
            ("guards", ", ".join(t.get(f"states.guard.{each.name}", each.name) for each in plan.watched)),
            ("target", plan.target),
            ("alpha", plan.alpha),
            ("least_requests", plan.least_requests),
            ("at_the_end", t(f"rollouts.default.{plan.default}")),
        ]
    )
