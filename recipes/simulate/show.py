"""A simulation as a person reads it: lines for a terminal, a page for a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from mlops.reports import Badge, Chart, Prose, Section, Table, render_page, shown_share
from mlops.reports.timeline import Line, Mark, Style, timeline_chart
from recipes.simulate.options import ArmName
from recipes.simulate.story import DAYS_TO_RECOVER, RECOVERED, LoopEvent, Simulation

_LABELS: dict[ArmName, str] = {"loop": "loop", "frozen": "1.0.0", "oracle": "oracle"}
_STYLES: dict[ArmName, Style] = {"loop": "first", "frozen": "second", "oracle": "limit"}
_SIGNS = {"alarm": "!", "retraining": "t", "verdict": "=", "promotion": "▲", "refusal": "×"}
_WEEK = 7


def summary(simulation: Simulation) -> list[str]:
    """The outcome in a few lines."""
    options, kept = simulation.options, simulation.kept
    last = {name: days[-1] for name, days in simulation.days.items()}
    lines = [
        f"Simulated: {options.n_cooks} cooks, {options.n_days} days, {simulation.n_recipes} recipes, "
        f"seed {options.seed}, {simulation.seconds:.0f} s.",
        f"True nDCG@3 on day {options.n_days}: loop {last['loop'].ndcg:.3f} ({last['loop'].version}), "
        f"1.0.0 {last['frozen'].ndcg:.3f}, oracle {last['oracle'].ndcg:.3f}: the loop gained "
        f"{_share(simulation.gained_share())} of the distance "
        f"({_share(simulation.gained_share(last_days=_WEEK))} over the last week).",
        f"Answers with a click on day {options.n_days}: loop {shown_share(last['loop'].click_share)}, "
        f"1.0.0 {shown_share(last['frozen'].click_share)}, oracle {shown_share(last['oracle'].click_share)}.",
        f"Promotions: {len(simulation.promotions)}, of them truly worse than what they replaced: "
        f"{sum(one.was_wrong for one in simulation.promotions)}.",
        f"Kept {kept.stored_answers} answers, {kept.stored_impressions} impressions, {kept.stored_events} events; "
        f"lost: {kept.lost}.",
    ]
    if options.drift_day is not None:
        lines.append(_recovery(simulation))
    return lines


def _share(value: float | None) -> str:
    return "–" if value is None else shown_share(value)


def _recovery(simulation: Simulation) -> str:
    before, days = simulation.lead_before_drift(), simulation.days_to_recover()
    day = simulation.options.drift_day
    if before is None or before <= 0:
        return f"Tastes drifted on day {day}, when the loop had no lead to lose."
    what = f"Tastes drifted on day {day}; the lead before was {before:.3f}, and {RECOVERED:.0%} of it"
    if days is None:
        return f"{what} did not come back."
    return f"{what} was back after {days} days (aim: {DAYS_TO_RECOVER})."


def story_page(simulation: Simulation, *, made_at: datetime) -> str:
    """The whole story as one HTML page."""
    lead, *rest = summary(simulation)
    return render_page(
        "Simulated: the loop at work",
        [
            Section("Outcome", [Prose("\n\n".join(rest))]),
            Section("True quality", [_chart(simulation, "ndcg", "true nDCG@3"), Prose(_CONVENTION)]),
            Section("Clicks", [_chart(simulation, "click_share", "share of answers with a click")]),
            Section("Cooked", [_chart(simulation, "cook_share", "share of answers of which something was cooked")]),
            Section("Promotions", [_promotions(simulation)]),
            Section("What the loop did", [_events(simulation.events)]),
        ],
        lead=lead,
        verdict=Badge("simulated", "note"),
        made_at=made_at,
    )


_CONVENTION = """Every cook, question and taste on this page is simulated. nDCG@3 takes as gain what a recipe is truly
worth to the cook and the question, which no model can see; the ideal is the best three recipes of the whole catalogue.
The oracle ranks the same candidates by that worth. 1.0.0 is the first version, never trained; its popularity learns."""


def _chart(simulation: Simulation, figure: Literal["ndcg", "click_share", "cook_share"], what: str) -> Chart:
    lines = [
        Line(_LABELS[name], [_finite(getattr(day, figure)) for day in days], _STYLES[name])
        for name, days in simulation.days.items()
    ]
    caption = f"Simulated {what} by day. ▲ promotion, t training, ! alarm, × refused; the dashed line is the drift."
    return Chart(timeline_chart(lines, _marks(simulation), title=f"{what} of three arms by day"), caption)


def _marks(simulation: Simulation) -> list[Mark]:
    """One sign a day: the weightiest thing that happened; the words of all of them."""
    by_day: dict[int, list[LoopEvent]] = {}
    for event in simulation.events:
        by_day.setdefault(event.day, []).append(event)
    order = ("promotion", "refusal", "alarm", "retraining", "verdict")
    marks = []
    for day, events in by_day.items():
        first = min(events, key=lambda event: order.index(event.kind))
        marks.append(Mark(day, _SIGNS[first.kind], "; ".join(event.sentence for event in events)))
    if simulation.options.drift_day is not None:
        marks.append(Mark(simulation.options.drift_day, "drift", "tastes drift", over_the_plot=True))
    return marks


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _promotions(simulation: Simulation) -> Table | Prose:
    if not simulation.promotions:
        return Prose("Nothing was promoted.")
    rows = [
        (one.day, f"{one.previous} → {one.version}", one.effect, f"{one.low:+.4f} to {one.high:+.4f}",
         Badge("truly worse", "bad") if one.was_wrong else Badge("truly better", "good"))
        for one in simulation.promotions
    ]  # fmt: skip
    return Table(
        ("day", "promoted", "true nDCG@3", "95 %", "verdict of the world"), rows,
        caption="Each promotion judged by the cooks' hidden tastes, on questions that nobody has asked yet.",
    )  # fmt: skip


def _events(events: Sequence[LoopEvent]) -> Table | Prose:
    if not events:
        return Prose("The loop did nothing.")
    return Table(("day", "what", "in words"), [(event.day, event.kind, event.sentence) for event in events])
