"""What ``mlops drift`` and ``mlops validate`` print for people: apart, since Rich takes a while to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from mlops.cli.output import console

if TYPE_CHECKING:
    from mlops.drift import DriftReport
    from mlops.validation import ValidationReport

_SHOWN_VIOLATIONS = 20
_COLOURS = {"drifted": "red", "stable": "green", "not enough data": "yellow"}

_out = console()


def print_drift(found: DriftReport) -> None:
    """A row for each column, then what stands out."""
    table = Table("column", "verdict", "effect", "p", "adjusted p", "reference", "current", "compared as", box=None)
    for result in found.results:
        colour = _COLOURS[result.verdict]
        figures = (_figure(value) for value in (result.score, result.p, result.adjusted_p))
        counts = f"{result.n_reference:,}", f"{result.n_current:,}"
        verdict = f"[{colour}]{result.verdict}[/{colour}]"
        table.add_row(escape(result.column), verdict, *figures, *counts, result.kind)
    _out.print(table)
    for finding in found.findings:
        _out.print(f"[{'red' if finding.is_problem else 'yellow'}]{escape(finding.sentence)}[/]")
    _out.print(f"[bold]{escape(found.sentence)}[/bold]")


def print_violations(found: ValidationReport) -> None:
    """The first violations, how many of each kind there are, and what could not be checked."""
    if found.violations:
        table = Table("row", "column", "rule", "value", "what would be right", box=None)
        for one in found.violations[:_SHOWN_VIOLATIONS]:
            row = "all" if one.row is None else str(one.row)
            table.add_row(row, *(escape(str(text)) for text in (one.column, one.rule, one.value, one.message)))
        _out.print(table)
        left = len(found.violations) - _SHOWN_VIOLATIONS
        if left > 0:
            _out.print(f"[dim]… and {left:,} more; --json prints all[/dim]")
        summary = Table("column", "rule", "violations", box=None)
        for (column, rule), n in found.counts.items():
            summary.add_row(escape(column), escape(rule), f"{n:,}")
        _out.print(summary)
    for sentence in found.unchecked:
        _out.print(f"[yellow]not checked: {escape(sentence)}[/yellow]")
    _out.print(f"[bold]{escape(found.sentence)}[/bold]")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
