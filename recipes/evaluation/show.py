"""Evaluations for people and programs: tables in a terminal, JSON, one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from mlops.clock import utc_now
from mlops.evaluation import MetricResult
from mlops.evaluation.pages import (
    comparisons_section,
    gates_section,
    metrics_section,
    slices_section,
    values_section,
    verdict_badge,
)
from mlops.reports import Prose, Section, render_page, shown_number
from recipes.evaluation.results import Evaluated
from recipes.evaluation.versions import Decision
from recipes.ranker import MODEL_ID

Slices = Mapping[str, Mapping[str, MetricResult]]
_COLOURS = {"better": "green", "not better": "red", "cannot tell": "yellow", "passed": "green", "failed": "red"}
_PROBLEMS_SHOWN = 5


def slices_of(evaluated: Evaluated, names: Sequence[str]) -> dict[str, Slices]:
    """Those of *names* that this source has, by name."""
    return {name: evaluated.slices(name) for name in names if name in evaluated.labels}


def body(versions: Sequence[Sequence[Evaluated]], names: Sequence[str], decision: Decision | None) -> dict[str, Any]:
    """Everything as JSON has it.

    Args:
        versions: each measured on the same sources; the first is the one asked about.
        names: of slices.
    """
    written: dict[str, Any] = {
        "model_id": MODEL_ID,
        "versions": [
            {"version": one[0].version, "sources": [_source(each, names) for each in one]} for one in versions
        ],
    }
    if decision is not None:
        written["decision"] = {
            "outcome": decision.outcome,
            "champion": decision.champion,
            "challenger": decision.challenger,
            "comparisons": {source: one.to_dict() for source, one in decision.comparisons.items()},
            "gates": [verdict.to_dict() for verdict in decision.gates],
        }
    return written


def _source(evaluated: Evaluated, names: Sequence[str]) -> dict[str, Any]:
    return {
        "source": evaluated.source,
        "about": evaluated.about,
        "metrics": _described(evaluated.metrics),
        "figures": dict(evaluated.figures),
        "by": {
            name: {metric: _described(parts) for metric, parts in slices.items()}
            for name, slices in slices_of(evaluated, names).items()
        },
        "problems": None if evaluated.problems is None else list(evaluated.problems),
        "golden_lost": [query for query, is_right in evaluated.golden.items() if not is_right],
    }


def _described(results: Mapping[str, MetricResult]) -> dict[str, Any]:
    return {name: result.to_dict() for name, result in results.items()}


def page(versions: Sequence[Sequence[Evaluated]], names: Sequence[str], decision: Decision | None) -> str:
    """Everything as one self-contained page; arguments as for :func:`body`."""
    sections = [section for one in versions for each in one for section in _sections(each, names)]
    title = f"Evaluation of {MODEL_ID} {versions[0][0].version}"
    if decision is None:
        return render_page(title, sections, made_at=utc_now())
    first = _decision_sections(decision)
    title = f"{title} against {decision.champion}"
    return render_page(title, [*first, *sections], verdict=verdict_badge(decision.outcome), made_at=utc_now())


def _decision_sections(decision: Decision) -> Iterator[Section]:
    bodies = [{"label": source, **one.to_dict()} for source, one in decision.comparisons.items()]
    if bodies:
        yield comparisons_section(bodies)
    yield gates_section([verdict.to_dict() for verdict in decision.gates])


def _sections(evaluated: Evaluated, names: Sequence[str]) -> Iterator[Section]:
    head = f"{evaluated.version}: {evaluated.source}"
    measured = metrics_section(evaluated.metrics)
    yield replace(measured, heading=head, blocks=[Prose(_sentence(evaluated.about)), *measured.blocks])
    yield values_section(f"{head}, figures", evaluated.figures)
    for name, slices in slices_of(evaluated, names).items():
        yield replace(slices_section(name, slices), heading=f"{head}, by {name}")
    said = [*(evaluated.problems or ()), *_lost(evaluated)]
    if said:
        yield Section(f"{head}, problems", [Prose("\n\n".join(_sentence(one) for one in said))])


def _lost(evaluated: Evaluated) -> list[str]:
    return [f"not as it must be: {query}" for query, is_right in evaluated.golden.items() if not is_right]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def print_all(
    versions: Sequence[Sequence[Evaluated]], names: Sequence[str], decision: Decision | None, out: Console
) -> None:
    """Everything as tables, one column a version; arguments as for :func:`body`."""
    for each in zip(*versions, strict=True):
        first = each[0]
        out.print(f"\n[bold]{first.source}[/bold]  {escape(first.about)}")
        out.print(_values(each))
        for name in names:
            if name in first.labels:
                out.print(_slice_table(each, name))
        for one in each:
            _print_problems(one, out)
    if decision is not None:
        _print_decision(decision, out)


def _values(versions: Sequence[Evaluated]) -> Table:
    heads = (Column(one.version, justify="right") for one in versions)
    table = Table(MODEL_ID, *heads, Column("queries", justify="right"), box=None)
    for name, result in versions[0].metrics.items():
        table.add_row(name, *(_mean(one.metrics[name]) for one in versions), str(len(result.values)))
    for name in versions[0].figures:
        table.add_row(name, *(_figure(one.figures.get(name)) for one in versions), "")
    if versions[0].golden:
        kept = (f"{sum(one.golden.values())} of {len(one.golden)}" for one in versions)
        table.add_row("as they must be", *kept, "")
    return table


def _slice_table(versions: Sequence[Evaluated], name: str) -> Table:
    """The first metric, which decides, of each group; the page and the JSON have them all."""
    metric = next(iter(versions[0].metrics))
    parts = [one.slices(name)[metric] for one in versions]
    heads = (Column(f"{metric} {one.version}", justify="right") for one in versions)
    table = Table(escape(name), *heads, Column("queries", justify="right"), box=None)
    for label, part in parts[0].items():
        table.add_row(
            escape(label), *(_mean(one[label]) if label in one else "–" for one in parts), str(part.n_queries)
        )
    return table


def _print_problems(evaluated: Evaluated, out: Console) -> None:
    said = [*(evaluated.problems or ()), *_lost(evaluated)]
    for problem in said[:_PROBLEMS_SHOWN]:
        out.print(f"[yellow]{evaluated.version}: {escape(problem)}[/yellow]")
    if len(said) > _PROBLEMS_SHOWN:
        out.print(f"[yellow]{evaluated.version}: and {len(said) - _PROBLEMS_SHOWN} more[/yellow]")


def _print_decision(decision: Decision, out: Console) -> None:
    colour = _COLOURS[decision.outcome]
    words = f"{decision.challenger} against {decision.champion}: [{colour}]{decision.outcome}[/{colour}]"
    out.print(f"\n[bold]decision[/bold]  {words}")
    for source, one in decision.comparisons.items():
        out.print(f"{source}: {escape(one.sentence)}")
    for verdict in decision.gates:
        out.print(f"{verdict.gate}: [{_COLOURS[verdict.outcome]}]{verdict.outcome}[/]; {escape(verdict.sentence)}")


def _mean(result: MetricResult) -> str:
    return f"{result.mean:.4f}" if result.values.size else "–"


def _figure(value: float | None) -> str:
    return "–" if value is None else shown_number(value)
