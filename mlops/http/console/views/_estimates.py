"""The quality to be expected before outcomes are known, beside what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mlops.http.console.ask import Ask
from mlops.http.console.measures import EstimateMeasures
from mlops.http.console.parts import Parts
from mlops.http.console.view import ConsoleBlock, Panel
from mlops.http.console.views._windows import Window
from mlops.reports import Chart, Facts, Plot, Prose, Trace, time_chart
from mlops.reports.page import Cell


def estimates_of(parts: Parts, window: Window, since: datetime, ask: Ask) -> list[Panel]:
    """What was expected before people told, and what they told."""
    estimates = None if parts.quality is None else parts.quality.estimates
    if estimates is None:
        return []
    return [_estimate(parts, estimates, outcome, window, since, ask) for outcome in estimates.outcomes]


def _estimate(
    parts: Parts, estimates: EstimateMeasures, outcome: str, window: Window, since: datetime, ask: Ask
) -> Panel:
    t = ask.words
    name = t.get(f"quality.outcomes.{outcome}", outcome)
    heading = t("quality.estimate", outcome=name)

    def history(metric: str, **labels: str) -> dict[datetime, float]:
        buckets = parts.metrics.history(
            metric, since=since, step_seconds=window.step.total_seconds(),
            labels={"outcome": outcome, **labels},
        )  # fmt: skip
        return {max(one.since, since): one.stats["mean"] for one in buckets if one.since <= ask.now}

    rate, low, high = (history(estimates.expected, bound=bound) for bound in ("rate", "low", "high"))
    observed = history(estimates.observed)
    if not rate:
        return Panel(f"estimate-{outcome}", heading, [Prose(t("quality.no_estimate"))], width="half")
    band = [(at, low[at], high[at]) for at in rate if at in low and at in high]
    traces = [Trace(t("quality.expected"), list(rate.items()))]
    if observed:
        traces.append(Trace(t("quality.observed"), list(observed.items()), "second"))
    text = t("quality.estimate_caption", outcome=name)
    plot = Plot(since, ask.now, window.step, heading, text, show=t.share)
    facts = _estimate_facts(rate, low, high, observed, ask)
    blocks: list[ConsoleBlock] = [Chart(time_chart(traces, plot, band=band, zero=True), text), facts]
    return Panel(f"estimate-{outcome}", heading, blocks, width="half")


def _estimate_facts(
    rate: Mapping[datetime, float],
    low: Mapping[datetime, float],
    high: Mapping[datetime, float],
    observed: Mapping[datetime, float],
    ask: Ask,
) -> Facts:
    def share(value: float | None) -> str | None:
        return None if value is None else ask.words.share(value)

    newest = max(rate)
    both = [at for at in rate if at in observed]
    banded = [at for at in both if at in low and at in high]
    rows: list[tuple[str, Cell]] = [
        ("expected", share(rate[newest])),
        ("low", share(low.get(newest))),
        ("high", share(high.get(newest))),
        ("observed", share(observed[max(observed)]) if observed else None),
        ("calibration_error", share(sum(abs(rate[at] - observed[at]) for at in both) / len(both)) if both else None),
        ("steps_within_band", sum(low[at] <= observed[at] <= high[at] for at in banded) if banded else None),
        ("steps_compared", len(banded) if banded else None),
    ]
    return Facts(rows)
