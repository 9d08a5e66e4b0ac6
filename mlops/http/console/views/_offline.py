"""What trainings measured of their versions before anybody saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.view import ConsoleBlock
from mlops.http.console.views._figures import rounded
from mlops.reports import Badge, Chart, Interval, Link, Prose, Said, Table, interval_plot
from mlops.reports.page import Cell

_MOST_JOBS, _MOST_CHARTS = 12, 3


def offline_of(parts: Parts, model_id: str, ask: Ask) -> Sequence[ConsoleBlock]:
    """The comparisons on the holdout that the last trainings ended with."""
    t = ask.words
    jobs = parts.retraining.book.listed(model_id, states=["awaiting_approval", "completed"], limit=_MOST_JOBS)
    compared = [(job, gate) for job in jobs for gate in _comparisons(job.evidence)]
    if not compared:
        return [Prose(t("quality.no_offline"))]
    rows: list[list[Cell]] = []
    by_gate: dict[str, list[Interval]] = {}
    for job, gate in compared:
        figures = gate["figures"]
        badge = Badge(t(f"quality.gates.{gate['outcome']}"), "good" if gate["outcome"] == "passed" else "bad")
        rows.append(
            [
                Link(f"#{job.job_id}", ask.link("reentrenamiento", str(job.job_id))),
                job.challenger,
                job.champion,
                gate["gate"],
                *(rounded(figures[name]) for name in ("champion_mean", "challenger_mean", "effect", "low", "high")),
                figures["n_units"],
                badge,
                Said(gate["sentence"]),
            ]
        )
        # One interval of each job and gate, the newest job on top.
        label = f"{job.challenger} (#{job.job_id})"
        interval = Interval(label, figures["effect"], figures["low"], figures["high"])
        by_gate.setdefault(gate["gate"], []).append(interval)
    charts = [_plot(gate, found, ask) for gate, found in list(by_gate.items())[:_MOST_CHARTS]]
    columns = ["job", "version", "champion", "gate", "before", "after", "effect", "low", "high", "n", "verdict"]
    return [Prose(t("quality.offline_lead")), *charts, Table([*columns, "sentence"], rows)]


def _comparisons(evidence: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The gates of a job that compared two versions with an interval."""
    needed = {"champion_mean", "challenger_mean", "effect", "low", "high", "n_units"}
    return [gate for gate in (evidence or {}).get("verdicts", ()) if needed <= gate.get("figures", {}).keys()]


def _plot(gate: str, found: Sequence[Interval], ask: Ask) -> Chart:
    title = ask.words("quality.offline_chart", gate=gate)
    return Chart(interval_plot(found, title=title, show=ask.words.number), title)
