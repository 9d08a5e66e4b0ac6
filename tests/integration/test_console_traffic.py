"""The page of traffic over a real collector: it shows what the metrics say, and reads no more than it must."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops.http.access import Visitor
from mlops.http.console import Parts, View
from mlops.http.console.ask import Ask
from mlops.http.console.exports import as_json, tables_of
from mlops.http.console.rendering import load_words
from mlops.http.console.views._windows import WINDOWS
from mlops.http.console.views.traffic import traffic
from mlops.http.words import Language
from mlops.monitoring.collector import MetricsCollector
from mlops.reports import Chart, Table
from tests.console_world import TRAFFIC, World

WORDS = load_words()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def asked(parts: Parts, language: Language = "es", **params: str) -> Ask:
    return Ask("/consola/trafico", {}, params, WORDS[language], Visitor("ana", "operate"), parts.clock())


def rows(view: View, panel: str) -> list[Mapping[str, Any]]:
    table: Table = tables_of(view)[panel]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def facts(view: View, parts: Parts) -> Mapping[str, Any]:
    return next(panel for panel in as_json(view, asked(parts))["panels"] if panel["name"] == "requests")["facts"]


@pytest.mark.parametrize("window", list(WINDOWS))
def test_the_figures_are_those_of_the_metrics(world: World, window: str) -> None:
    parts = world.parts(traffic=TRAFFIC)
    view = traffic(parts, asked(parts, ventana=window))
    minutes = WINDOWS[window].minutes
    latency, requests = (world.metrics.get_stats(name, minutes) for name in ("api_latency_ms", "request_count"))
    shown = facts(view, parts)
    assert shown["requests"] == requests["count"] == sum(row["requests"] for row in rows(view, "requests"))
    assert shown["p95_ms"] == pytest.approx(latency["p95"], rel=0.01)
    by = world.metrics.stats_by("api_latency_ms", "version", minutes)
    assert {row["version"]: row["requests"] for row in rows(view, "by-version")} == {
        version: stats["count"] for version, stats in by.items()
    }
    (route,) = rows(view, "by-route")
    assert route["failures"] == round(requests["count"] * world.metrics.get_stats("error_rate", minutes)["mean"])
    assert [row["stage"] for row in rows(view, "stages")] == ["parse", "encode"]
    assert [row["answers"] for row in rows(view, "stages")] == [
        world.metrics.get_stats(name, minutes)["count"] for name in ("parse_ms", "encode_ms")
    ]


def test_a_bad_hour_is_seen_where_it_was_and_the_verdict_tells(world: World) -> None:
    parts = world.parts(traffic=TRAFFIC)
    steps = rows(traffic(parts, asked(parts, ventana="24h")), "requests")
    worst = max(steps, key=lambda row: row["p95_ms"])
    assert parts.clock() - worst["since"] == timedelta(hours=4)
    strict = world.parts(traffic=replace(TRAFFIC, latency_limit_ms=10, error_limit=0.0))
    verdict = traffic(strict, asked(strict)).verdict
    assert verdict is not None
    assert (verdict.tone, verdict.text) == ("bad", "falla demasiado y demasiado lento")


def test_the_chart_names_the_limit_that_the_verdict_judges_by_and_what_is_slow(world: World) -> None:
    parts = world.parts(traffic=replace(TRAFFIC, latency_limit_ms=640, slow_ms=320))
    view = traffic(parts, asked(parts))
    (chart,) = next(panel for panel in view.panels if panel.name == "latency").blocks
    assert isinstance(chart, Chart)
    assert "640\N{NO-BREAK SPACE}ms" in chart.caption
    assert "320\N{NO-BREAK SPACE}ms" in chart.caption
    assert ">límite<" in chart.drawing
    assert ">lenta<" in chart.drawing
    same = world.parts(traffic=replace(TRAFFIC, latency_limit_ms=320, slow_ms=320))
    (chart,) = next(panel for panel in traffic(same, asked(same)).panels if panel.name == "latency").blocks
    assert isinstance(chart, Chart)
    assert ">lenta<" not in chart.drawing


def test_the_arms_of_a_rollout_under_way_are_told_apart(world: World) -> None:
    parts = world.parts(traffic=TRAFFIC)
    view = traffic(parts, asked(parts, "en"))
    name = next(panel.name for panel in view.panels if panel.name.startswith("rollout-"))
    assert [row["version"] for row in rows(view, name)] == ["1.1.0", "1.4.0"]
    assert all(row["requests"] > 0 for row in rows(view, name))


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_there_is_not_is_said(tmp_path: Path, language: Language) -> None:
    empty = World(tmp_path, is_empty=True)
    try:
        parts = empty.parts(traffic=TRAFFIC)
        view = traffic(parts, asked(parts, language))
        assert tables_of(view) == {}
        texts = [text for panel in as_json(view, asked(parts))["panels"] for text in panel.get("texts", ())]
        assert len(texts) == len(view.panels) == 3
        unknown = empty.parts(traffic=None)
        assert "Parts.traffic" in traffic(unknown, asked(unknown, language)).panels[0].blocks[0].text  # type: ignore[union-attr]
    finally:
        empty.close()


class _Counting:
    """A collector that counts what is asked of it."""

    def __init__(self, metrics: MetricsCollector) -> None:
        self._metrics = metrics
        self.calls: list[str] = []
        self.n_steps = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._metrics, name)

        def called(*args: Any, **named: Any) -> Any:
            self.calls.append(name)
            answer = found(*args, **named)
            self.n_steps += len(answer) if name == "history" else 0
            return answer

        return called


def test_ninety_days_are_read_from_the_sketches_of_days(tmp_path: Path) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    times = [now]
    metrics = MetricsCollector(tmp_path / "metrics", clock=lambda: times[0])
    for day in range(89, -1, -1):
        times[0] = now - timedelta(days=day)
        for number in range(40):
            labels = {"version": f"1.{day // 30}.0", "language": "es"}
            metrics.record("api_latency_ms", 20.0 + number, labels)
            metrics.record("request_count", 1.0, {"route": "/recommend", "status": "200"})
            metrics.record("error_rate", 0.0, {"route": "/recommend"})
    counting = _Counting(metrics)
    world = World(tmp_path / "world", is_empty=True)
    try:
        parts = world.parts(traffic=TRAFFIC, metrics=counting, clock=lambda: now)
        view = traffic(parts, asked(parts, ventana="90d"))
        assert facts(view, parts)["requests"] == 3_600
        assert counting.n_steps == 3 * 90
        assert "get_latest" not in counting.calls
        assert len(counting.calls) < 20
    finally:
        world.close()
        metrics.stop()
