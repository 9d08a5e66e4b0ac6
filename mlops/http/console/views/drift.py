"""Deriva: what is asked and shown today against what the champion learned from, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mlops.drift.result import DriftReport, DriftResult
from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.view import ConsoleBlock, Details, Panel, View
from mlops.http.console.views._figures import p_value, rounded
from mlops.http.console.views._windows import chosen_model, model_choices
from mlops.model_registry import ModelVersion
from mlops.monitoring.drift_book import DriftBook, KeptCheck
from mlops.reports import Badge, Chart, Facts, Legend, Link, Prose, Said, Table, bar_pair, histogram_pair
from mlops.reports.page import Cell, Tone

_TONES: dict[str, Tone] = {
    "drifted": "bad", "drift": "bad", "stable": "good", "no drift": "good", "not enough data": "note",
}  # fmt: skip
# What drifted is drawn openly, the rest folded away, as far as a page goes.
_MOST_OPEN, _MOST_FOLDED, _MOST_CHECKS, _CHECKS_OPEN = 12, 40, 50, 8
_MOST_NAMED = 5


def drift(parts: Parts, ask: Ask) -> View:
    """The newest drift check of a model: its columns worst first, drawn, and the checks before it."""
    t = ask.words
    model_id = chosen_model(parts, ask)
    heading = t("drift.columns")
    if model_id is None:
        return View(t("menu.drift"), panels=[Panel("columns", heading, [Prose(t("quality.no_model"))])])
    book = DriftBook(parts.registry.database)
    found = book.newest(model_id)
    choices = model_choices(parts, ask, model_id)
    if found is None:
        blocks: list[ConsoleBlock] = [*choices, Prose(t("drift.none", model=model_id))]
        return View(t("menu.drift"), lead=t("drift.lead_none"), panels=[Panel("columns", heading, blocks)])
    check, report = found
    panels = [
        Panel("columns", heading, [*choices, _about(check, report, ask), *_table(report, ask)]),
        *([_findings(report, ask)] if report.findings else []),
        *_drawn(report, ask),
        _checks(book.history(model_id, limit=_MOST_CHECKS), ask),
        _how(report, ask),
    ]
    lead = _lead(check, report, parts.registry.get_production_model(model_id), ask)
    return View(t("menu.drift"), lead=lead, verdict=_badge(check.verdict, ask), panels=panels)


def _lead(check: KeptCheck, report: DriftReport, champion: ModelVersion | None, ask: Ask) -> str:
    """How many columns drifted of those that were compared, what else stands out, and whether it is still of use."""
    t = ask.words
    counts = {"compared": t.number(len(report.compared_columns)), "at": t.time(check.made_at)}
    told = [t.count("drift.lead", len(report.drifted_columns), **counts)]
    problems = report.problem_columns
    if problems:
        names = t.joined(problems[:_MOST_NAMED]) + (", …" if len(problems) > _MOST_NAMED else "")
        told.append(t.count("drift.lead_problems", len(problems), columns=names))
    if champion is None:
        told.append(t("drift.none_serves", version=check.version))
    elif champion.version != check.version:
        told.append(t("drift.other_serves", version=check.version, champion=champion.version))
    return " ".join(told)


def _about(check: KeptCheck, report: DriftReport, ask: Ask) -> Facts:
    """What was compared with what."""
    t = ask.words
    effects, ps = _limits(report)
    return Facts(
        [
            ("made_at", check.made_at),
            ("reference", t("drift.reference_of", version=check.version)),
            ("n_reference", report.n_reference),
            ("current", t("drift.current_from", since=t.time(check.since), until=t.time(check.made_at))),
            ("n_current", report.n_current),
            ("effect_limit", effects[0] if len(effects) == 1 else _listed(effects, ask)),
            ("p_limit", ps[0] if len(ps) == 1 else _listed(ps, ask)),
        ]
    )


def _limits(report: DriftReport) -> tuple[list[float], list[float]]:
    """The limits of the effect and those of p: an application may hold some columns to stricter ones."""
    effects, ps = ({getattr(one, name) for one in report.results} for name in ("threshold", "alpha"))
    return sorted(effects or {report.options.threshold}), sorted(ps or {report.options.alpha})


def _listed(limits: Sequence[float], ask: Ask) -> str:
    return " / ".join(map(ask.words.number, limits))


def _worst_first(report: DriftReport) -> list[DriftResult]:
    return sorted(report.results, key=lambda one: (not one.drifted, -(one.score or 0.0), one.column))


def _table(report: DriftReport, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    if not report.results:
        return [Prose(t("drift.no_columns"))]
    rows: list[list[Cell]] = [
        [
            one.column,
            _badge(one.verdict, ask),
            rounded(one.score),
            one.threshold,
            p_value(one.adjusted_p),
            one.alpha,
            one.n_reference,
            one.n_current,
            t.get(f"drift.kinds.{one.kind}", one.kind),
            p_value(one.p),
        ]
        for one in _worst_first(report)
    ]
    columns = ["column", "verdict", "effect", "effect_limit", "adjusted_p", "p_limit", "n_reference", "n_current"]
    return [Table([*columns, "compared_as", "p"], rows, t("drift.table"))]


def _findings(report: DriftReport, ask: Ask) -> Panel:
    t = ask.words
    rows: list[list[Cell]] = [
        [
            one.column,
            Badge(t.get(f"drift.findings.{one.kind}", one.kind), "bad" if one.is_problem else "note"),
            Said(one.sentence),
        ]
        for one in report.findings
    ]
    return Panel("findings", t("drift.found"), [Table(["column", "finding", "sentence"], rows)])


def _drawn(report: DriftReport, ask: Ask) -> list[Panel]:
    """Reference and current over each other."""
    t = ask.words
    ordered = [one for one in _worst_first(report) if one.distribution is not None]
    shown = [_chart(one, ask) for one in ordered if one.drifted][:_MOST_OPEN]
    folded = [_chart(one, ask) for one in ordered if not one.drifted][:_MOST_FOLDED]
    if not shown and not folded:
        return []
    legend = Legend(t("drift.legend_reference"), t("drift.legend_current"))
    blocks: list[ConsoleBlock] = [legend, *shown] if shown else [Prose(t("drift.none_drifted"))]
    if folded:
        blocks.append(Details(t.count("drift.others", len(folded)), [legend, *folded]))
    return [Panel("distributions", t("drift.distributions"), blocks)]


def _chart(one: DriftResult, ask: Ask) -> Chart:
    t, drawn = ask.words, one.distribution
    assert drawn is not None  # noqa: S101 - whoever calls has looked
    text = _sentence(one, ask)
    title = t("drift.chart", column=one.column)
    if one.kind == "categorical":
        labels = [t.get(f"drift.categories.{label.replace(' ', '_')}", label) for label in map(str, drawn.bins)]
        drawing = bar_pair(labels, drawn.reference, drawn.current, title=title, description=text, show=t.share)
    else:
        edges = cast(tuple[float, ...], drawn.bins)
        drawing = histogram_pair(edges, drawn.reference, drawn.current, title=title, description=text, show=t.number)
    return Chart(drawing, text)


def _sentence(one: DriftResult, ask: Ask) -> str:
    t = ask.words
    counts = {"column": one.column, "n_current": t.number(one.n_current), "n_reference": t.number(one.n_reference)}
    if one.score is None or one.adjusted_p is None:
        return t("drift.not_judged", **counts)
    figures = {"effect": t.number(float(f"{one.score:.3g}")), "p": t.p_value(one.adjusted_p)}
    what = "drifted" if one.drifted else "too_small" if one.adjusted_p <= one.alpha else "stable"
    return t(f"drift.sentences.{what}", limit=t.number(one.threshold), **counts, **figures)


def _checks(found: Sequence[KeptCheck], ask: Ask) -> Panel:
    rows: list[list[Cell]] = [
        [one.made_at, _badge(one.verdict, ask), one.n_drifted, one.n_compared, one.version] for one in found
    ]
    columns = ["made_at", "verdict", "n_drifted", "n_compared", "version"]
    blocks: list[ConsoleBlock] = [Table(columns, rows[:_CHECKS_OPEN])]
    if len(rows) > _CHECKS_OPEN:
        older = rows[_CHECKS_OPEN:]
        blocks.append(Details(ask.words.count("drift.more_checks", len(older)), [Table(columns, older)]))
    return Panel("checks", ask.words("drift.checks"), blocks, width="half")


def _how(report: DriftReport, ask: Ask) -> Panel:
    t = ask.words
    effects, ps = _limits(report)
    limits = {"limit": _listed(effects, ask), "alpha": _listed(ps, ask)}
    text = t("drift.how", fewest=t.number(report.options.minimum_n), **limits)
    link = Link(t("drift.why_retrain"), ask.link("reentrenamiento"))
    return Panel("how", t("drift.how_heading"), [Prose(text), Facts([("consequence", link)])], width="half")


def _badge(verdict: str, ask: Ask) -> Badge:
    return Badge(ask.words(f"drift.verdicts.{verdict.replace(' ', '_')}"), _TONES[verdict])
