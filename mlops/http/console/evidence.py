"""What a decision rests on, drawn: the comparison with the champion, gates, guards."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.shown import as_kept, state
from mlops.http.console.view import ConsoleBlock, Details
from mlops.reports import Badge, Chart, Interval, Prose, PValue, Said, Table, interval_plot
from mlops.reports.page import Cell
from mlops.rollout.pages import evidence_chart, ratio_chart

_MOST_ROWS = 60
# A time as it is kept.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$")
_INTERVAL = ("effect", "low", "high")


def evidence_blocks(evidence: Any, ask: Ask) -> Sequence[ConsoleBlock]:
    """*evidence* as it was kept with a move, an approval or a job: whatever of it has a known form is drawn."""
    if not isinstance(evidence, Mapping):
        return [] if evidence is None else [Prose(str(evidence))]
    blocks: list[ConsoleBlock] = []
    if isinstance(evidence.get("sentence"), str):
        blocks.append(Said(evidence["sentence"]))
    gates = evidence.get("verdicts") or evidence.get("gates")
    if gates:
        blocks += _gates(gates, ask)
    comparisons = evidence.get("comparisons") or ([evidence] if "challenger_mean" in evidence else [])
    if comparisons:
        blocks += _comparisons(comparisons, ask)
    if isinstance(evidence.get("comparison"), Mapping):
        blocks += _both(evidence["comparison"], ask)
    if evidence.get("guards"):
        blocks += guard_blocks(evidence, ask)
    return blocks or plain_blocks(evidence, ask)


def plain_blocks(values: Mapping[str, Any], ask: Ask, caption: str = "") -> Sequence[ConsoleBlock]:
    """*values* of no known form: each in a row, mappings flattened; each list of mappings as a table of its own.

    Args:
        caption: of the first table.
    """
    rows, tables = _plain_rows(values, ask)
    blocks: list[ConsoleBlock] = [Table(["name", "value"], rows[:_MOST_ROWS], caption)] if rows else []
    return [*blocks, *tables]


def guard_blocks(figures: Mapping[str, Any], ask: Ask, *, folded: bool = True) -> Sequence[ConsoleBlock]:
    """What the guards of a rollout said at a time, with their confidence sequences drawn.

    Args:
        folded: away, the charts over time.
    """
    guards = figures["guards"]
    blocks: list[ConsoleBlock] = [guard_table(guards, ask), *_guard_plot(guards, ask)]
    series = figures.get("series", ())
    ratios, evidence = (list(_guard_charts(series, guards, ask, kind)) for kind in ("ratio", "evidence"))
    if not folded:
        blocks, ratios = [*blocks, *ratios], []
    if ratios or evidence:
        summary = ask.words("rollouts.over_time" if folded else "rollouts.evidence_over_time")
        blocks.append(Details(summary, [*ratios, *evidence]))
    preferred = preferred_blocks(figures.get("interleaving") or {}, ask)
    return [*blocks, *preferred, *shadow_blocks(figures.get("shadow") or {}, ask)]


def guard_table(guards: Sequence[Mapping[str, Any]], ask: Ask) -> Table:
    """One row a guard: both rates, the interval of their odds ratio, the evidence against what is needed."""
    t = ask.words
    columns = ["guard", "guard_state", "challenger_rate", "champion_rate", "odds_ratio", "evidence", "evidence_needed"]
    rows: list[list[Cell]] = []
    for each in guards:
        low, high = each["low"], each["high"]
        has_interval = each["needed"] > 0 and each["n_champion"] > 0 and bool(low or high)
        rows.append(
            [
                t.get(f"states.guard.{each['guard']}", each["guard"]),
                Badge(t("rollouts.alarm"), "bad") if each["breached"] else Badge(t("rollouts.calm"), "good"),
                _rate(each["challenger"], each["n_challenger"], ask),
                _rate(each["champion"], each["n_champion"], ask),
                _span(low, high, ask) if has_interval else None,
                None if each["needed"] <= 0 else _e_value(each["log_evidence"]),
                None if each["needed"] <= 0 else _e_value(each["needed"]),
            ]
        )
    return Table(columns, rows, t("rollouts.guards_caption"))


def shadow_blocks(shadow: Mapping[str, Any], ask: Ask) -> Sequence[ConsoleBlock]:
    """How answers aside compare with those that were given."""
    if not shadow:
        return []
    rows = [[ask.words.get(f"states.shadow.{name}", name), value] for name, value in sorted(shadow.items())]
    return [Table(["name", "value"], rows, ask.words("rollouts.shadow_caption"))]


def preferred_blocks(preferred: Mapping[str, Any], ask: Ask) -> Sequence[ConsoleBlock]:
    """Whose items were clicked in lists of both rankings."""
    rows: list[list[Cell]] = [
        [ask.words.get(f"states.preferred.{name}", name), PValue(value) if name == "p_value" else value]
        for name, value in preferred.items()
        if name != "verdict"
    ]
    return [Table(["name", "value"], rows, ask.words("rollouts.preferred_caption"))] if rows else []


def expected_blocks(expected: Mapping[str, Any], ask: Ask) -> Sequence[ConsoleBlock]:
    """What was expected of a challenger before it began: the sentence, and each estimate with its interval."""
    if not expected:
        return []
    columns = ("value", "low", "high", "effective_sample_size")
    rows: list[list[Cell]] = [
        [ask.words.get(f"states.expected.{name}", name), *(found.get(column) for column in columns)]
        for name, found in expected["figures"].items()
    ]
    blocks: list[ConsoleBlock] = [Said(expected["sentence"])]
    return [*blocks, Table(["name", *columns], rows, ask.words("rollouts.expected_caption"))] if rows else blocks


def _gates(gates: Sequence[Mapping[str, Any]], ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    drawn = [(each["gate"], each["figures"]) for each in gates if _has_interval(each.get("figures"))]
    blocks: list[ConsoleBlock] = list(_plot([(name, figures) for name, figures in drawn], ask))
    rows: list[list[Cell]] = [
        [each["gate"], state(ask, "verdict", each["outcome"]), Said(each["sentence"])] for each in gates
    ]
    return [*blocks, Table(["gate", "verdict", "sentence"], rows, t("evidence.gates"))]


def _comparisons(comparisons: Sequence[Mapping[str, Any]], ask: Ask) -> Sequence[ConsoleBlock]:
    named = [(str(each.get("label") or each.get("metric")), each) for each in comparisons]
    columns = ["metric", "verdict", "champion", "challenger", "effect", "low", "high", "n_units", "sentence"]
    rows: list[list[Cell]] = [
        [
            name,
            state(ask, "verdict", str(each.get("verdict"))),
            each.get("champion_mean"),
            each.get("challenger_mean"),
            *(each.get(end) for end in _INTERVAL),
            each.get("n_units"),
            Said(str(each.get("sentence", ""))),
        ]
        for name, each in named
    ]
    drawn = [(name, each) for name, each in named if _has_interval(each)]
    return [*_plot(drawn, ask), Table(columns, rows, ask.words("evidence.comparison"))]


def _both(comparison: Mapping[str, Any], ask: Ask) -> Sequence[ConsoleBlock]:
    """Figures of challenger and champion side by side."""
    found = {arm: _figures(comparison.get(arm) or {}) for arm in ("champion", "challenger")}
    names = list(dict.fromkeys([*found["challenger"], *found["champion"]]))
    if not names:
        return []
    rows: list[list[Cell]] = [
        [name, before, now, None if before is None or now is None else now - before]
        for name in names[:_MOST_ROWS]
        for before, now in [(found["champion"].get(name), found["challenger"].get(name))]
    ]
    return [Table(["metric", "champion", "challenger", "difference"], rows, ask.words("evidence.both"))]


def _figures(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    means = {str(each["metric"]): each["mean"] for each in evaluation.get("metrics", ())}
    return {**means, **evaluation.get("figures", {})}


def _plot(named: Sequence[tuple[str, Mapping[str, Any]]], ask: Ask) -> Iterator[Chart]:
    if not named:
        return
    t = ask.words
    intervals = [Interval(name, *(float(each[end]) for end in _INTERVAL)) for name, each in named]
    description = "; ".join(
        t(
            "evidence.interval",
            name=one.label,
            effect=_signed(one.estimate, ask),
            low=t.number(one.low),
            high=t.number(one.high),
        )
        for one in intervals
    )
    drawing = interval_plot(intervals, title=t("evidence.plot"), description=description, show=t.number)
    yield Chart(drawing, t("evidence.plot_caption"))


def _guard_plot(guards: Sequence[Mapping[str, Any]], ask: Ask) -> Iterator[Chart]:
    """Odds ratios as they stand: at 1 both arms are alike."""
    t = ask.words
    known = [each for each in guards if each["low"] and each["high"] and each["needed"] > 0]
    if not known:
        return
    # In octaves: half as often and twice as often are equally far from "alike".
    intervals = [
        Interval(
            t.get(f"states.guard.{each['guard']}", each["guard"]),
            (math.log2(each["low"]) + math.log2(each["high"])) / 2,
            math.log2(each["low"]),
            math.log2(each["high"]),
        )
        for each in known
    ]
    description = "; ".join(
        f"{one.label}: {_span(each['low'], each['high'], ask)}" for one, each in zip(intervals, known, strict=True)
    )
    drawing = interval_plot(
        intervals,
        title=t("rollouts.ratios"),
        description=description,
        show=lambda octaves: t.number(float(f"{2**octaves:.2g}")),
    )
    rows = [
        {"name": one.label, "low": each["low"], "high": each["high"]}
        for one, each in zip(intervals, known, strict=True)
    ]
    yield Chart(drawing.told_by(rows), t("rollouts.ratios_caption"))


def _guard_charts(
    series: Sequence[Mapping[str, Any]], guards: Sequence[Mapping[str, Any]], ask: Ask, kind: str
) -> Iterator[Chart]:
    """Charts over time of each guard that has some: of a *kind*, ``ratio`` or ``evidence``."""
    t = ask.words
    draw = ratio_chart if kind == "ratio" else evidence_chart
    for guard in guards:
        name = t.get(f"states.guard.{guard['guard']}", guard["guard"])
        drawing = draw(series, guard, title=t(f"rollouts.{kind}_chart", guard=name), show=t.number)
        if drawing is not None:
            yield Chart(drawing, t(f"rollouts.{kind}_caption", guard=name))


def _has_interval(figures: Any) -> bool:
    return isinstance(figures, Mapping) and all(isinstance(figures.get(end), int | float) for end in _INTERVAL)


def _rate(events: int, n: int, ask: Ask) -> str | None:
    return (
        ask.words(
            "evidence.rate", share=ask.words.share(events / n), events=ask.words.number(events), n=ask.words.number(n)
        )
        if n
        else None
    )


def _span(low: float | None, high: float | None, ask: Ask) -> str:
    shown = [
        ("0" if low is None else ask.words.number(float(f"{low:.3g}"))),
        "∞" if high is None else ask.words.number(float(f"{high:.3g}")),
    ]
    return ask.words("evidence.span", low=shown[0], high=shown[1])


def _e_value(log_evidence: float) -> float:
    value = math.exp(min(log_evidence, 700.0))
    # Nobody tells one that is so small from nothing.
    return float(f"{value:.3g}") if value >= 0.001 else 0.0


def _signed(value: float, ask: Ask) -> str:
    return f"{'+' if value > 0 else ''}{ask.words.number(value)}"


def _plain_rows(values: Mapping[str, Any], ask: Ask, prefix: str = "") -> tuple[list[list[Cell]], list[Table]]:
    """(rows, tables) of *values*: names of what lies deeper are joined by dots."""
    rows: list[list[Cell]] = []
    tables: list[Table] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            more = _plain_rows(value, ask, f"{prefix}{name}.")
            rows += more[0]
            tables += more[1]
        elif isinstance(value, list | tuple) and value and all(isinstance(each, Mapping) for each in value):
            tables.append(_table_of(value, ask, f"{prefix}{name}"))
        else:
            rows.append([f"{prefix}{name}", _plain(value, ask)])
    return rows, tables


def _table_of(values: Sequence[Mapping[str, Any]], ask: Ask, caption: str) -> Table:
    columns = list(dict.fromkeys(name for each in values for name in each))
    rows = [[_plain(each.get(name), ask) for name in columns] for each in values[:_MOST_ROWS]]
    return Table(columns, rows, caption)


def _plain(value: Any, ask: Ask) -> Cell:
    if isinstance(value, str) and _MOMENT.match(value):
        return datetime.fromisoformat(value)
    if isinstance(value, str | int | float | None):
        return as_kept(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(each, ask)}" for name, each in value.items()) or None
    if isinstance(value, list | tuple):
        # A comma may part a number from its decimals.
        gap = "; " if any(isinstance(each, float) for each in value) else ", "
        return gap.join(_text(each, ask) for each in value) or None
    return str(value)


def _text(value: Any, ask: Ask) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return ask.words.number(value) if is_number else str(value)
