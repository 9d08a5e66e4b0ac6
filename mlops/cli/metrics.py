"""``mlops metrics …``: what the service measured of itself, from any process that shares its DATA_DIR."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops.cli._registry import AsJson, pairs
from mlops.cli.exits import WRONG, epilogue
from mlops.cli.output import moment, number, print_json, print_line, print_table
from mlops.clock import utc_from_text, utc_now
from mlops.durations import duration

if TYPE_CHECKING:
    from rich.table import Table

    from mlops.monitoring.collector import MetricsCollector
    from mlops.monitoring.protocol import Stats

app = typer.Typer(no_args_is_help=True, help="Metrics that the service recorded.", epilog=epilogue())

_COLUMNS = ("count", "mean", "std", "min", "max", "p50", "p95", "p99")
_WATCHED = ("metric", "labels", "count", "per second", "mean", "p50", "p95", "p99", "max")

Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="Only points with this label. Repeatable.")
]


@app.command("list")
def list_metrics(as_json: AsJson = False) -> None:
    """All metrics, with what the last hour has of each."""
    with _opened() as metrics:
        found = [(name, metrics.get_stats(name), metrics.get_latest(name)) for name in metrics.names()]
    if as_json:
        print_json(
            [
                {"name": name, "last_hour": stats, "latest_at": latest[0].at.isoformat(), "latest": latest[0].value}
                for name, stats, latest in found
            ]
        )
    elif not found:
        print_line("nothing was recorded yet")
    else:
        rows = [
            (name, stats.get("count", 0), number(stats.get("mean")), number(latest[0].value), moment(latest[0].at))
            for name, stats, latest in found
        ]
        headings = ("name", "last hour", "mean", "latest", "at")
        print_table(headings, rows, numbers=headings[1:4])


@app.command()
def query(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a metric.", show_default=False)],
    since: Annotated[str, typer.Option(metavar="SPAN|TIME", help="Such as 15m, 2h, 2d, or an ISO 8601 time.")] = "1h",
    until: Annotated[str | None, typer.Option(metavar="SPAN|TIME", help="Likewise. Default: now.")] = None,
    by: Annotated[str | None, typer.Option(metavar="LABEL", help="Apart for each value of this label.")] = None,
    step: Annotated[str | None, typer.Option(metavar="SPAN", help="Apart for each step, such as 5m or 1h.")] = None,
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Statistics of one metric. A window begins on an edge: of a minute, beyond 2 hours of an hour, beyond 8 days of a
    day."""
    if by is not None and step is not None:
        raise typer.BadParameter("goes with --by not", param_hint="--step")
    now = utc_now()
    begin, end = _time(since, now, "--since"), now if until is None else _time(until, now, "--until")
    if begin >= end:
        raise typer.BadParameter(f"must be before --until, got {since!r}", param_hint="--since")
    labels = pairs(label, "--label")
    minutes = (end - begin) / timedelta(minutes=1)
    with _opened() as metrics:
        if step is not None:
            seconds = _span(step, "--step").total_seconds()
            history = metrics.history(name, since=begin, until=end, step_seconds=seconds, labels=labels)
            _say([("since", bucket.since, bucket.stats) for bucket in history], as_json=as_json)
        elif by is not None:
            found = metrics.stats_by(name, by, minutes, labels=labels, until=end)
            _say([(by, value, stats) for value, stats in found.items()], as_json=as_json)
        else:
            stats = metrics.get_stats(name, minutes, labels=labels, until=end)
            _say([("name", name, stats)] if stats else [], as_json=as_json)


@app.command()
def watch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all.", show_default=False)
    ] = None,
    window: Annotated[str, typer.Option(metavar="SPAN", help="Over which to count.")] = "5m",
    every: Annotated[str, typer.Option(metavar="SPAN", help="How often to look.")] = "2s",
    by: Annotated[str | None, typer.Option(metavar="LABEL", help="Apart for each value of this label.")] = None,
    times: Annotated[int | None, typer.Option(min=1, help="End after looking so often. Default: by Ctrl-C.")] = None,
) -> None:
    """Rates and latencies as they are now: a live view in a terminal, one table after another in a pipe."""
    from rich.live import Live

    from mlops.cli.output import console

    span, pause = _span(window, "--window"), _span(every, "--every").total_seconds()
    out = console()
    try:
        with _opened() as metrics:
            tables = (_watched(metrics, names, span, by) for _ in range(times or sys.maxsize))
            if out.is_terminal:
                with Live(console=out, auto_refresh=False) as live:
                    for table in _paced(tables, pause):
                        live.update(table, refresh=True)
            else:
                for table in _paced(tables, pause):
                    out.print(table)
                    sys.stdout.flush()
    except KeyboardInterrupt:
        # How one ends it.
        return


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Replace closed files of points by Parquet. Ends with 1 where another process keeps house at this moment."""
    from mlops.config import Settings, load_settings
    from mlops.monitoring.compaction import compact as compact_folder
    from mlops.monitoring.housekeeping import Ages

    settings = load_settings(Settings)
    ages = Ages(settings.metrics_raw_days, settings.metrics_retention_days)
    done = compact_folder(settings.metrics_dir.absolute(), clock=utc_now, ages=ages)
    if done is None:
        print_line("another process keeps house in the folder; try again in a minute")
        raise typer.Exit(WRONG)
    if as_json:
        print_json([{"file": str(one.path), "points": one.n_points, "bytes": one.bytes_after} for one in done])
        return
    before, after = sum(one.bytes_before for one in done), sum(one.bytes_after for one in done)
    points = sum(one.n_points for one in done)
    print_line(f"{len(done)} files, {points} points: {before / 1e6:.1f} MB became {after / 1e6:.1f} MB")


@contextmanager
def _opened() -> Iterator[MetricsCollector]:
    from mlops.config import Settings, load_settings
    from mlops.monitoring.collector import open_metrics

    # It only reads: nothing has to be stopped.
    yield open_metrics(load_settings(Settings))


def _time(text: str, now: datetime, option: str) -> datetime:
    try:
        return now - duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return utc_from_text(text)
    except ValueError:
        raise typer.BadParameter(
            f"must be a span such as 15m, 2h or 2d, or a time such as 2026-11-25T09:00, got {text!r}", param_hint=option
        ) from None


def _span(text: str, option: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _say(rows: Sequence[tuple[str, Any, Stats]], *, as_json: bool) -> None:
    if as_json:
        print_json([{head: _plain(value), **stats} for head, value, stats in rows])
    elif not rows:
        print_line("no data")
    else:
        cells = [(_shown(value), *(number(stats[column]) for column in _COLUMNS)) for _, value, stats in rows]
        print_table((rows[0][0], *_COLUMNS), cells, numbers=_COLUMNS)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _shown(value: Any) -> str:
    return moment(value) if isinstance(value, datetime) else str(value)


def _paced(tables: Iterator[Table], pause: float) -> Iterator[Table]:
    """One after another, with a pause between them."""
    for place, table in enumerate(tables):
        if place:
            time.sleep(pause)
        yield table


def _watched(metrics: MetricsCollector, names: list[str] | None, span: timedelta, by: str | None) -> Table:
    from rich.table import Table
    from rich.text import Text

    now = utc_now()
    table = Table(box=None, pad_edge=False, header_style="bold", title=moment(now), title_justify="left")
    for place, heading in enumerate(_WATCHED):
        table.add_column(heading, justify="left" if place < 2 else "right")
    for name in names or metrics.names():
        for value, stats in _apart(metrics, name, span, by).items():
            table.add_row(*(Text(cell) for cell in (name, value, *_cells(stats, now, span))))
    return table


def _apart(metrics: MetricsCollector, name: str, span: timedelta, by: str | None) -> dict[str, Stats]:
    minutes = span / timedelta(minutes=1)
    if by is not None:
        return {f"{by}={value}": stats for value, stats in metrics.stats_by(name, by, minutes).items()}
    return {"": metrics.get_stats(name, minutes)}


def _cells(stats: Stats, now: datetime, span: timedelta) -> tuple[str, ...]:
    if not stats:
        return ("no data", *[""] * 6)
    # The window begins on a minute's edge, so it is a little longer than asked for.
    seconds = span.total_seconds() + (now - span).second
    shown = (stats["count"] / seconds, *(stats[column] for column in ("mean", "p50", "p95", "p99", "max")))
    return (str(stats["count"]), *(f"{value:.4g}" for value in shown))
