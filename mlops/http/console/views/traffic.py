"""Tráfico: how much is asked, how fast and how well it is answered, by which version, and what waits meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops.http.console.ask import Ask
from mlops.http.console.measures import Breakdown, TrafficMeasures
from mlops.http.console.parts import Parts
from mlops.http.console.view import ConsoleBlock, Details, Panel, View
from mlops.http.console.views._figures import brief, rounded
from mlops.http.console.views._windows import Window, chosen_window, window_choices
from mlops.monitoring.protocol import Bucket, Metrics, Stats
from mlops.reports import Badge, Chart, Facts, Limit, Plot, Prose, Table, Trace, time_chart, time_columns
from mlops.reports.page import Cell
from mlops.rollout.state import Rollout

_DEFAULT = "24h"
_QUANTILES = ("p50", "p95", "p99")
_STYLES = {"p50": "second", "p95": "first", "p99": "third"}
_MOST_ROWS = 50
# Where the slowest is so many times the usual, lines on an even axis lie on its floor.
_LOG_FROM = 20.0


@dataclass(frozen=True, slots=True)
class _Read:
    """What is read once and shown in several places."""

    measures: TrafficMeasures
    window: Window
    since: datetime
    requests: Mapping[datetime, Stats]
    errors: Mapping[datetime, Stats]
    latency: Mapping[datetime, Stats]
    all_requests: Stats
    all_errors: Stats
    all_latency: Stats

    @property
    def n_requests(self) -> float:
        return _sum(self.all_requests)


def traffic(parts: Parts, ask: Ask) -> View:
    """Requests, latency, errors, and their breakdowns over a window of 15 minutes to 90 days."""
    t = ask.words
    measures = parts.traffic
    if measures is None:
        return View(t("menu.traffic"), panels=[Panel("requests", t("traffic.requests"), [Prose(t("traffic.unknown"))])])
    read = _read(parts.metrics, measures, chosen_window(ask, _DEFAULT), ask.now)
    rollouts = [found for model_id in parts.model_ids() if (found := parts.rollouts.status(model_id)) is not None]
    panels = [
        Panel("requests", t("traffic.requests"), [window_choices(ask, read.window), *_requests(read, ask)]),
        *([Panel("latency", t("traffic.latency"), [_latency(read, ask)], width="half")] if read.latency else []),
        *([Panel("errors", t("traffic.errors"), [_errors(read, ask)], width="half")] if read.errors else []),
        *(panel for one in measures.breakdowns if (panel := _breakdown(parts.metrics, one, read, ask)) is not None),
        *_stages(parts.metrics, read, ask),
        *(_arms(parts, rollout, read, ask) for rollout in rollouts),
        *_process(parts.metrics, read, ask),
    ]
    return View(t("menu.traffic"), lead=_lead(read, ask), verdict=_verdict(read, ask), panels=panels)


def _read(metrics: Metrics, measures: TrafficMeasures, window: Window, now: datetime) -> _Read:
    since = window.since(now)

    def history(name: str) -> dict[datetime, Stats]:
        buckets: Sequence[Bucket] = metrics.history(name, since=since, step_seconds=window.step.total_seconds())
        # A step may begin before the window, or later than now: clocks of other processes may be ahead.
        return {max(bucket.since, since): bucket.stats for bucket in buckets if bucket.since <= now}

    def whole(name: str) -> Stats:
        return metrics.get_stats(name, window.minutes)

    return _Read(
        measures=measures,
        window=window,
        since=since,
        requests=history(measures.requests),
        errors=history(measures.errors),
        latency=history(measures.latency),
        all_requests=whole(measures.requests),
        all_errors=whole(measures.errors),
        all_latency=whole(measures.latency),
    )


def _lead(read: _Read, ask: Ask) -> str:
    t = ask.words
    window = t(f"traffic.in_window.{read.window.name}")
    if not read.n_requests:
        return t("traffic.lead_none", window=window)
    text = t.count(
        "traffic.lead", round(read.n_requests), window=window, errors=t.share(read.all_errors.get("mean", 0.0))
    )
    if read.all_latency:
        text += " " + t("traffic.lead_latency", p95=t.number(float(f"{read.all_latency['p95']:.3g}")))
    return text


def _verdict(read: _Read, ask: Ask) -> Badge:
    t, measures = ask.words, read.measures
    if not read.n_requests:
        return Badge(t("traffic.quiet"))
    problems = []
    if read.all_errors.get("mean", 0.0) > measures.error_limit:
        problems.append(t("traffic.failing"))
    if read.all_latency.get("p95", 0.0) > measures.latency_limit_ms:
        problems.append(t("traffic.slow"))
    return Badge(t.joined(problems), "bad") if problems else Badge(t("traffic.well"), "good")


def _requests(read: _Read, ask: Ask) -> Sequence[ConsoleBlock]:
    t = ask.words
    facts: list[tuple[str, Cell]] = [
        ("requests", round(read.n_requests)),
        ("requests_per_minute", brief(read.n_requests / ((ask.now - read.since).total_seconds() / 60))),
        ("failures", round(_sum(read.all_errors))),
        ("failed_percent", _percent(read.all_errors)),
        *((f"{name}_ms", rounded(read.all_latency.get(name))) for name in _QUANTILES),
        ("since", read.since),
        ("step", t(f"traffic.steps.{_step(read.window)}")),
    ]
    if not read.requests:
        return [Prose(t("traffic.none"))]
    points = [(at, _sum(stats)) for at, stats in read.requests.items()]
    text = t("traffic.requests_caption", step=t(f"traffic.per.{_step(read.window)}"))
    drawing = time_columns(points, _plot(read, ask, t("traffic.requests"), text, height=150))
    return [Facts(facts), Chart(drawing, text), Details(t("traffic.figures"), [_steps(read)])]


def _steps(read: _Read) -> Table:
    """Each step in figures: what the charts are drawn from."""
    times = sorted({*read.requests, *read.errors, *read.latency})
    rows: list[list[Cell]] = []
    for at in times:
        latency = read.latency.get(at, {})
        rows.append(
            [
                at,
                round(_sum(read.requests.get(at, {}))),
                round(_sum(read.errors.get(at, {}))),
                *(rounded(latency.get(name)) for name in _QUANTILES),
            ]
        )
    return Table(["since", "requests", "failures", *(f"{name}_ms" for name in _QUANTILES)], rows)


def _latency(read: _Read, ask: Ask) -> Chart:
    t = ask.words
    traces = [
        Trace(name, [(at, stats[name]) for at, stats in read.latency.items()], _STYLES[name])  # type: ignore[arg-type]
        for name in reversed(_QUANTILES)
    ]
    values = [value for trace in traces for _, value in trace.points]
    slow, limit = read.measures.slow_ms, read.measures.latency_limit_ms
    is_log = min(values) > 0 and max(*values, slow, limit) / min(values) > _LOG_FROM
    text = t(
        "traffic.latency_caption",
        limit=t.number(limit),
        slow=t.number(slow),
        axis=t("traffic.log" if is_log else "traffic.linear"),
    )
    drawing = time_chart(
        traces,
        _plot(read, ask, t("traffic.latency"), text),
        limits=[Limit(t("traffic.limit"), limit), *([Limit(t("traffic.slow_from"), slow)] if slow != limit else [])],
        log=is_log,
        zero=not is_log,
    )
    return Chart(drawing, text)


def _errors(read: _Read, ask: Ask) -> Chart:
    t = ask.words
    points = [(at, stats["mean"]) for at, stats in read.errors.items()]
    limit = read.measures.error_limit
    text = t("traffic.errors_caption", limit=t.share(limit))
    drawing = time_chart(
        [Trace(t("traffic.errors_label"), points)],
        _plot(read, ask, t("traffic.errors"), text, is_share=True),
        limits=[Limit(t("traffic.limit"), limit)],
        zero=True,
    )
    return Chart(drawing, text)


def _breakdown(metrics: Metrics, one: Breakdown, read: _Read, ask: Ask) -> Panel | None:
    """None where no value of the label has anything."""
    t = ask.words
    heading = t.get(f"traffic.by.{one.name}", one.name)
    named = {"requests": one.requests, "errors": one.errors, "latency": one.latency}
    by = {
        what: metrics.stats_by(name, one.label, read.window.minutes) for what, name in named.items() if name is not None
    }
    counts = {value: _n(value, by) for value in {value for stats in by.values() for value in stats}}
    if not counts:
        return None
    total = sum(counts.values())
    shown = sorted(counts, key=lambda value: (-counts[value], value))
    rows = [_row(value, counts[value], total, by) for value in shown[:_MOST_ROWS]]
    caption = t.count("traffic.more_rows", len(shown) - _MOST_ROWS) if len(shown) > _MOST_ROWS else ""
    columns = [one.label, "requests", "requests_percent"]
    columns += ["failures", "failed_percent"] if "errors" in by else []
    columns += [f"{name}_ms" for name in _QUANTILES] if "latency" in by else []
    return Panel(f"by-{one.name}", heading, [Table(columns, rows, caption)], width="half")


def _n(value: str, by: Mapping[str, Mapping[str, Stats]]) -> int:
    if value in by.get("requests", {}):
        return round(_sum(by["requests"][value]))
    return max(round(stats[value]["count"]) for stats in by.values() if value in stats)


def _row(value: str, n: int, total: int, by: Mapping[str, Mapping[str, Stats]]) -> list[Cell]:
    row: list[Cell] = [value, n, rounded(100 * n / total) if total else None]
    if "errors" in by:
        stats = by["errors"].get(value, {})
        row += [round(_sum(stats)), _percent(stats)]
    if "latency" in by:
        row += [rounded(by["latency"].get(value, {}).get(name)) for name in _QUANTILES]
    return row


def _stages(metrics: Metrics, read: _Read, ask: Ask) -> list[Panel]:
    """How long each stage of an answer takes."""
    t = ask.words
    rows: list[list[Cell]] = []
    for stage, name in read.measures.stages.items():
        stats = metrics.get_stats(name, read.window.minutes)
        if stats:
            rows.append([stage, round(stats["count"]), *(rounded(stats[quantile]) for quantile in _QUANTILES)])
    columns = ["stage", "answers", *(f"{name}_ms" for name in _QUANTILES)]
    return [Panel("stages", t("traffic.stages"), [Table(columns, rows)], width="half")] if rows else []


def _arms(parts: Parts, rollout: Rollout, read: _Read, ask: Ask) -> Panel:
    """Both versions of a rollout under way, by what each answered in the window."""
    t, measures = ask.words, read.measures
    by = parts.metrics.stats_by(measures.latency, measures.version_label, read.window.minutes)
    rows: list[list[Cell]] = []
    for arm, version in (("champion", rollout.champion), ("challenger", rollout.challenger)):
        stats = by.get(version or "", {})
        quantiles = [rounded(stats.get(name)) for name in _QUANTILES]
        rows.append([version, t(f"traffic.arms.{arm}"), round(stats.get("count", 0)), *quantiles])
    text = t(
        "traffic.rollout",
        challenger=rollout.challenger,
        stage=t.get(f"traffic.rollout_stages.{rollout.status}", rollout.status),
        share=t.share(rollout.share),
    )
    columns = ["version", "arm", "requests", *(f"{name}_ms" for name in _QUANTILES)]
    return Panel(f"rollout-{rollout.rollout_id}", t("traffic.rollout_heading"), [Prose(text), Table(columns, rows)])


def _process(metrics: Metrics, read: _Read, ask: Ask) -> list[Panel]:
    """What waits, what was dropped, and how the processes fare."""
    t, measures, minutes = ask.words, read.measures, read.window.minutes
    panels = []
    if measures.waiting is not None:
        waiting = metrics.stats_by(*measures.waiting, minutes)
        dropped = {} if measures.dropped is None else metrics.stats_by(*measures.dropped, minutes)
        rows: list[list[Cell]] = []
        for queue in sorted({*waiting, *dropped}):
            depth = waiting.get(queue, {})
            rows.append([queue, rounded(depth.get("p50")), depth.get("max"), round(_sum(dropped.get(queue, {})))])
        columns = ["queue", "waiting_p50", "waiting_max", "dropped"]
        blocks: list[ConsoleBlock] = [Table(columns, rows)] if rows else [Prose(t("traffic.no_queues"))]
        panels.append(Panel("queues", t("traffic.queues"), blocks, width="half"))
    if measures.gauges:
        found = {name: metrics.get_stats(metric, minutes) for name, metric in measures.gauges.items()}
        table = Table(
            ["measure", "p50", "p95", "max"],
            [
                [t.get(f"traffic.gauges.{name}", name), *(rounded(stats[each]) for each in ("p50", "p95", "max"))]
                for name, stats in found.items()
                if stats
            ],
        )
        text = t("traffic.no_process")
        panels.append(Panel("process", t("traffic.process"), [table if table.rows else Prose(text)], width="half"))
    return panels


def _plot(read: _Read, ask: Ask, title: str, text: str, *, height: int = 220, is_share: bool = False) -> Plot:
    show = ask.words.share if is_share else ask.words.number
    return Plot(read.since, ask.now, read.window.step, title, text, height, show)


def _step(window: Window) -> str:
    return {60: "minute", 3600: "hour", 10_800: "three_hours"}.get(round(window.step.total_seconds()), "day")


def _sum(stats: Stats) -> float:
    """Of all values of a window; 0 where there are none."""
    return stats["count"] * stats["mean"] if stats else 0.0


def _percent(stats: Stats) -> float | None:
    return rounded(100 * stats["mean"]) if stats else None
