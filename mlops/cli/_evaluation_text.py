"""What ``mlops evaluate`` and ``mlops compare`` print for people: apart, since Rich takes a while to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

from mlops.cli.output import console

if TYPE_CHECKING:
    from mlops.evaluation import Comparison, MetricResult

_COLOURS = {"better": "green", "not worse": "default", "worse": "red", "cannot tell": "yellow"}

_out = console()


def print_metrics(results: Mapping[str, MetricResult]) -> None:
    """The mean of each metric."""
    table = Table("metric", *(_right(head) for head in ("mean", "queries", "nothing relevant")), box=None)
    for name, result in results.items():
        table.add_row(name, f"{result.mean:.4f}", str(result.n_queries), str(result.n_without_relevant))
    _out.print(table)


def print_slices(name: str, column: str, parts: Mapping[str, MetricResult]) -> None:
    """A metric in each part of a slice."""
    table = Table(escape(column), *(_right(head) for head in (name, "queries", "nothing relevant")), box=None)
    for label, part in parts.items():
        mean = f"{part.mean:.4f}" if part.values.size else "–"
        table.add_row(escape(label), mean, str(part.n_queries), str(part.n_without_relevant))
    _out.print(table)


def print_conventions(results: Mapping[str, MetricResult]) -> None:
    """What each metric takes for granted."""
    for name, result in results.items():
        _out.print(f"[dim]{name}: {escape(result.convention)}[/dim]")


def print_comparisons(compared: Mapping[str, Comparison]) -> None:
    """The verdict on each challenger, and what it rests on."""
    heads = ("champion", "challenger", "effect", "low", "high", "p", "units")
    table = Table("challenger", "verdict", *(_right(head) for head in heads), box=None)
    for name, one in compared.items():
        colour = _COLOURS[one.verdict]
        figures = (one.champion_mean, one.challenger_mean, one.effect, one.low, one.high)
        table.add_row(
            escape(name),
            f"[{colour}]{one.verdict}[/{colour}]",
            *(f"{figure:.4f}" for figure in figures),
            f"{one.p_adjusted:.3g}",
            str(one.n_units),
        )
    _out.print(table)
    for name, one in compared.items():
        _out.print(f"{escape(name)}: {escape(one.sentence)}")


def _right(head: str) -> Column:
    return Column(head, justify="right")
