"""A drift report as one HTML page that can be read without us."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from mlops.drift.result import DriftReport, DriftResult
from mlops.reports import Badge, Chart, Legend, Prose, Section, Table, bar_pair, histogram_pair, render_page
from mlops.reports.page import Block, Cell, Tone

_TONES: dict[str, Tone] = {
    "drifted": "bad", "drift": "bad", "stable": "good", "no drift": "good", "not enough data": "note",
}  # fmt: skip
# What drifted is always drawn, the rest as far as a page of some hundred kilobytes goes.
MOST_CHARTS = 60


def drift_page(report: DriftReport, *, title: str = "Data drift", made_at: datetime | None = None) -> str:
    """The page as HTML, under 300 kB for 50 columns.

    Args:
        made_at: aware; when the check was made.
    """
    sections = [_results(report)]
    if report.findings:
        sections.append(_findings(report))
    sections += [Section("Distributions", list(_charts(report))), _how(report)]
    badge = Badge(report.verdict, _TONES[report.verdict])
    return render_page(title, sections, lead=report.sentence, verdict=badge, made_at=made_at)


def _results(report: DriftReport) -> Section:
    columns = ("column", "verdict", "effect", "limit", "p", "adjusted p", "reference", "current", "compared as")
    return Section("Columns", [Table(columns, [_row(result) for result in _worst_first(report)])])


def _row(result: DriftResult) -> list[Cell]:
    badge = Badge(result.verdict, _TONES[result.verdict])
    figures: list[Cell] = [result.score, result.threshold, result.p, result.adjusted_p]
    return [result.column, badge, *figures, result.n_reference, result.n_current, result.kind]


def _worst_first(report: DriftReport) -> list[DriftResult]:
    return sorted(report.results, key=lambda result: (not result.drifted, -(result.score or 0.0)))


def _findings(report: DriftReport) -> Section:
    rows: list[list[Cell]] = [
        [finding.column, Badge(finding.kind, "bad" if finding.is_problem else "note"), finding.sentence]
        for finding in report.findings
    ]
    return Section("Findings", [Table(("column", "what", "in words"), rows)])


def _charts(report: DriftReport) -> Iterator[Block]:
    yield Legend()
    for result in _worst_first(report)[:MOST_CHARTS]:
        chart = _chart(result)
        if chart is not None:
            yield chart


def _chart(result: DriftResult) -> Chart | None:
    drawn = result.distribution
    if drawn is None:
        return None
    title = f"Shares of {result.column}"
    if result.kind == "categorical":
        labels = cast(tuple[str, ...], drawn.bins)
        drawing = bar_pair(labels, drawn.reference, drawn.current, title=title, description=result.sentence)
    else:
        edges = cast(tuple[float, ...], drawn.bins)
        drawing = histogram_pair(edges, drawn.reference, drawn.current, title=title, description=result.sentence)
    return Chart(drawing, result.sentence)


def _how(report: DriftReport) -> Section:
    options = report.options
    measures = dict.fromkeys(f"{result.kind}: {result.measure}; p from {result.test}." for result in report.results)
    text = (
        f"A column has drifted where its effect is at least {options.threshold:g} and its p value, corrected over all "
        f"comparisons of this check ({options.correction}), is at most {options.alpha:g}. With much data everything is "
        f"significant, and with little data every effect is large: neither alone is a reason. Fewer than "
        f"{options.minimum_n} values are not judged. The first and the last bar of a distribution of numbers take "
        f"what lies beyond them."
    )
    return Section("How this was judged", [Prose("\n\n".join([text, *measures]))])
