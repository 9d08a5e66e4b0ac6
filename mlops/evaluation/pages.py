"""Evaluations, comparisons and gates as sections of a report page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops.reports import Badge, Chart, Interval, Prose, Section, Table, bar_chart, interval_plot
from mlops.reports.page import Block, Cell, Tone

if TYPE_CHECKING:
    from mlops.evaluation.results import MetricResult

_SLICES_SHOWN = 50
_TONES: dict[str, Tone] = {
    "better": "good",
    "not worse": "plain",
    "worse": "bad",
    "cannot tell": "note",
    "passed": "good",
    "failed": "bad",
    "valid": "good",
    "not valid": "bad",
}


def verdict_badge(verdict: str) -> Badge:
    """A verdict or an outcome, in its colour."""
    return Badge(verdict, _TONES.get(verdict, "plain"))


def metrics_section(results: Mapping[str, MetricResult]) -> Section:
    """Means, counts and conventions of metrics."""
    described = [result.to_dict() for result in results.values()]
    rows = [[one["metric"], one["mean"], one["n_queries"], one["n_without_relevant"]] for one in described]
    blocks: list[Block] = [
        Table(["metric", "mean", "queries", "of them without a relevant item"], rows),
        Prose("\n\n".join(f"{one['metric']}: {one['convention']}." for one in described)),
    ]
    return Section("Metrics", blocks)


def slices_section(column: str, slices: Mapping[str, Mapping[str, MetricResult]]) -> Section:
    """Means of each slice of the queries, one table and one chart a metric.

    Args:
        column: what the slices were made by.
        slices: ``{metric: {slice: result}}``.
    """
    blocks: list[Block] = []
    for name, all_parts in slices.items():
        parts = _largest(all_parts)
        if len(parts) < len(all_parts):
            blocks.append(Prose(f"{name}: the {len(parts)} of {len(all_parts)} slices with the most queries."))
        means = {label: result.to_dict()["mean"] for label, result in parts.items()}
        rows = [[label, means[label], part.n_queries, part.n_without_relevant] for label, part in parts.items()]
        blocks.append(Table([column, name, "queries", "without a relevant item"], rows))
        known = {label: mean for label, mean in means.items() if mean is not None}
        if known:
            drawing = bar_chart(list(known), list(known.values()), title=f"{name} by {column}")
            blocks.append(Chart(drawing, f"{name} by {column}"))
    return Section(f"By {column}", blocks)


def _largest(parts: Mapping[str, MetricResult]) -> dict[str, MetricResult]:
    """Of more than 50 slices, those with the most queries, in their order: nobody reads thousands."""
    kept = set(sorted(parts, key=lambda label: -parts[label].n_queries)[:_SLICES_SHOWN])
    return {label: part for label, part in parts.items() if label in kept}


def comparisons_section(comparisons: Sequence[Mapping[str, Any]]) -> Section:
    """Comparisons, as :meth:`~mlops.evaluation.comparison.Comparison.to_dict` gives them, with their intervals.

    A key ``label`` names a comparison, where several are of one metric.
    """
    intervals = [Interval(_label(one), one["effect"], one["low"], one["high"]) for one in comparisons]
    drawing = interval_plot(
        intervals,
        title="Effect of the challenger, with intervals",
        description="; ".join(one["sentence"] for one in comparisons),
        margin=max((one["margin"] for one in comparisons if one["higher_is_better"]), default=0.0),
    )
    rows: list[list[Cell]] = [
        [
            _label(one), verdict_badge(one["verdict"]), one["champion_mean"], one["challenger_mean"], one["effect"],
            one["low"], one["high"], one["p_adjusted"], one["smallest_detectable"], one["n_units"], one["n_better"],
            one["n_worse"], one["n_looks"],
        ]
        for one in comparisons
    ]  # fmt: skip
    columns = [
        "metric", "verdict", "champion", "challenger", "effect", "low", "high", "p", "smallest detectable", "units",
        "better", "worse", "looks",
    ]  # fmt: skip
    blocks: list[Block] = [
        Prose("\n\n".join(one["sentence"] for one in comparisons)),
        Chart(drawing, "Challenger minus champion: mean and interval; the line is no difference, dashed the margin."),
        Table(columns, rows),
        Prose(_how(comparisons[0])),
    ]
    return Section("Comparison with the champion", blocks)


def gates_section(gates: Sequence[Mapping[str, Any]]) -> Section:
    """Gates, as :meth:`~mlops.evaluation.gates.GateVerdict.to_dict` gives them."""
    rows: list[list[Cell]] = [[one["gate"], verdict_badge(one["outcome"]), one["sentence"]] for one in gates]
    return Section("Gates", [Table(["gate", "outcome", "why"], rows)])


def values_section(name: str, values: Mapping[str, Any]) -> Section:
    """Named values in a table; mappings and lists in them are written out."""
    return Section(name, [Table(["name", "value"], [[key, _cell(value)] for key, value in values.items()])])


def _label(one: Mapping[str, Any]) -> str:
    return str(one.get("label") or one["metric"])


def _how(one: Mapping[str, Any]) -> str:
    return (
        f"Paired by unit. The interval is a {one['method']} bootstrap of {one['n_resamples']:,} resamples with seed "
        f"{one['seed']}, and covers the effect in {1 - one['alpha']:.0%} of cases. p is of Fisher's randomisation "
        f"test, two-sided, and corrected for several challengers (Holm). The smallest detectable effect is found with "
        f"probability {one['power']:.0%}."
    )


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_cell(one)}" for key, one in value.items())
    return ", ".join(str(_cell(one)) for one in value)
