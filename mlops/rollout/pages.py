"""A rollout for people, weeks later: each decision's sentence, figures and chart, as text and as one page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from mlops.reports import (
    Badge,
    Bounds,
    Chart,
    Prose,
    Section,
    Table,
    line_chart,
    render_page,
    sequence_chart,
    shown_number,
)
from mlops.reports.page import Block, Tone
from mlops.rollout.state import Rollout, RolloutEvent

Show = Callable[[float], str]

# In powers of two: eight times.
_WIDEST = 3.0
_MARKS = "▁▂▃▄▅▆▇█"
_TONES: Mapping[str, Tone] = {"promoted": "good", "rolled_back": "bad", "aborted": "note", "expired": "note"}


def sparkline(series: Sequence[Mapping[str, Any]], guard: str, *, needed: float) -> str:
    """The evidence against a challenger over time, one mark a look, the highest where it reaches what is needed.

    Args:
        series: as an event's figures have it.
        needed: log e-value of an alarm; 0 for a guard without a test, which has no chart.
    """
    values = [point["evidence"][guard] for point in series if guard in point["evidence"]]
    if not values or needed <= 0:
        return ""
    top = len(_MARKS) - 1
    return "".join(_MARKS[round(top * min(max(value / needed, 0.0), 1.0))] for value in values)


def rollout_page(rollout: Rollout, events: Sequence[RolloutEvent]) -> str:
    """The page of a rollout, as one HTML document."""
    return render_page(
        f"Rollout {rollout.rollout_id}: {rollout.model_id} {rollout.champion} → {rollout.challenger}",
        [Section(f"{event.kind}, by {event.actor}", list(_blocks(event))) for event in events],
        lead=rollout.because,
        verdict=Badge(rollout.status, _TONES.get(rollout.status, "plain")),
        made_at=events[-1].at if events else rollout.started_at,
    )


def _blocks(event: RolloutEvent) -> Iterator[Block]:
    yield Prose(event.sentence)
    yield from _expected(event.figures.get("expected"))
    guards = event.figures.get("guards", ())
    if guards:
        yield Table(
            ("guard", "challenger", "of", "champion", "of", "odds ratio from", "to", "e-value", "needed", "alarm"),
            [_row(guard) for guard in guards],
            caption=f"at {event.at:%Y-%m-%d %H:%M:%S} UTC",
        )
    shadow = event.figures.get("shadow")
    if shadow:
        yield Table(("answers aside", "value"), sorted(shadow.items()), caption="compared with what was answered")
    preferred = event.figures.get("interleaving")
    if preferred:
        yield Table(("interleaved lists", "value"), _preferred(preferred), caption="whose items were clicked")
    for guard in guards:
        yield from _charts(event, guard)


def _expected(expected: Mapping[str, Any] | None) -> Iterator[Block]:
    if expected is None:
        return
    yield Prose(expected["sentence"])
    figures = expected["figures"]
    if figures:
        columns = ("value", "low", "high", "effective_sample_size", "largest_weight", "n_clipped", "n")
        yield Table(
            ("expected by", "value", "from", "to", "effective sample size", "largest weight", "clipped", "of"),
            [(name, *(found.get(column) for column in columns)) for name, found in figures.items()],
            caption="from what was logged while others chose; difference: challenger less champion",
        )


def _preferred(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("won by the challenger", found["n_challenger"]),
        ("won by the champion", found["n_champion"]),
        ("won by nobody", found["n_ties"]),
        ("the challenger's share of those won", found["share"]),
        ("that share is at least", found["low"]),
        ("that share is at most", found["high"]),
        ("p against one half, always valid", found["p_value"]),
    ]


def _row(guard: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        guard["guard"], guard["challenger"], guard["n_challenger"], guard["champion"], guard["n_champion"],
        guard["low"], guard["high"], math.exp(min(guard["log_evidence"], 700.0)), math.exp(guard["needed"]),
        Badge("alarm", "bad") if guard["breached"] else Badge("no", "good"),
    )  # fmt: skip


def evidence_chart(
    series: Sequence[Mapping[str, Any]], guard: Mapping[str, Any], *, title: str, show: Show = shown_number
) -> Markup | None:
    """The evidence against a challenger over time, with the line at which *guard* alarms.

    None where there is none: a guard without a test has no evidence.

    Args:
        series: as an event's figures have it.
        guard: one of these figures' guards.
        title: what a screen reader says.
        show: number to text.
    """
    name = guard["guard"]
    points = [point for point in series if name in point["evidence"]]
    if not points or guard["needed"] <= 0:
        return None
    return line_chart(
        [datetime.fromisoformat(point["at"]) for point in points],
        [point["evidence"][name] for point in points],
        title=title,
        threshold=guard["needed"],
        show=show,
    )


def ratio_chart(
    series: Sequence[Mapping[str, Any]], guard: Mapping[str, Any], *, title: str, show: Show = shown_number
) -> Markup | None:
    """The confidence sequence of the odds ratio over time, challenger to champion; None where there was none.

    Arguments as in :func:`evidence_chart`.
    """
    name = guard["guard"]
    looks = [
        (datetime.fromisoformat(point["at"]), *point["interval"][name])
        for point in series
        if name in point.get("interval", {})
    ]
    points = [_octaves(*look) for look in looks]
    if all(each.low is None and each.high is None for each in points):
        return None
    drawing = sequence_chart(
        points,
        title=title,
        zero=0.0,
        reach=(-_WIDEST, _WIDEST),
        show=lambda octaves: show(float(f"{2**octaves:.2g}")),
    )
    return drawing.told_by([{"at": at, "low": low, "high": high} for at, low, high in looks])


def _octaves(at: datetime, low: float | None, high: float | None) -> Bounds:
    """An interval of ratios in powers of two; beyond eight times, where the first few requests are, an end is open.

    An interval that lies beyond eight times as a whole is drawn as one that begins there.
    """
    below = math.log2(low) if low else -math.inf
    above = -math.inf if high == 0 else math.inf if high is None else math.log2(high)
    return Bounds(
        at,
        None if below < -_WIDEST else min(below, _WIDEST),
        None if above > _WIDEST else max(above, -_WIDEST),
    )


def _charts(event: RolloutEvent, guard: Mapping[str, Any]) -> Iterator[Chart]:
    name, series = guard["guard"], event.figures.get("series", ())
    evidence = evidence_chart(series, guard, title=f"evidence against the challenger: {name}")
    if evidence is not None:
        yield Chart(evidence, caption=f"{name}: log e-value over time; the guard alarms at the line")
    ratio = ratio_chart(series, guard, title=f"odds ratio, challenger to champion: {name}")
    if ratio is not None:
        yield Chart(ratio, caption=f"{name}: confidence sequence of the odds ratio; at 1 both arms are alike")
