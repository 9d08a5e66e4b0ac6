"""``mlops metrics …``."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops import cli
from mlops.durations import duration
from mlops.monitoring.collector import MetricsCollector
from tests.commands import Ended, Run, typed

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def metrics(*words: object) -> Ended:
        return typed(
            cli.main, "mlops", "metrics", *words, monkeypatch=monkeypatch, capsys=capsys, DATA_DIR=str(tmp_path)
        )

    return metrics


@pytest.fixture
def recorded(tmp_path: Path) -> None:
    """Points of a minute ago and of five hours ago."""
    for ago, value in ((timedelta(hours=5), 300.0), (timedelta(minutes=1), 100.0)):
        now = datetime.now(UTC) - ago
        with MetricsCollector(tmp_path / "metrics", clock=lambda now=now: now) as collector:  # type: ignore[misc]
            for version in ("1.0.0", "1.0.1"):
                collector.record("api_latency_ms", value, {"version": version})


def test_nothing_recorded_is_said(run: Run) -> None:
    assert run("list").out == "nothing was recorded yet\n"
    assert run("query", "x").out == "no data\n"
    assert run("query", "x", "--json").json == []
    assert run("compact").code == 0


@pytest.mark.usefixtures("recorded")
def test_metrics_are_listed_and_queried(run: Run) -> None:
    assert [(one["name"], one["last_hour"]["count"]) for one in run("list", "--json").json] == [("api_latency_ms", 2)]
    assert "api_latency_ms" in run("list").out
    (stats,) = run("query", "api_latency_ms", "--since", "2d", "--json").json
    assert (stats["name"], stats["count"], stats["mean"]) == ("api_latency_ms", 4, 200)
    by_version = run("query", "api_latency_ms", "--since", "2d", "--by", "version", "--json").json
    assert [(one["version"], one["count"]) for one in by_version] == [("1.0.0", 2), ("1.0.1", 2)]
    assert run("query", "api_latency_ms", "--label", "version=1.0.1", "--json").json[0]["count"] == 1
    steps = run("query", "api_latency_ms", "--since", "6h", "--step", "1h", "--json").json
    assert [one["mean"] for one in steps] == [300, 100]
    assert [one["mean"] for one in run("query", "api_latency_ms", "--since", "6h", "--until", "3h", "--json").json] == [
        300
    ]
    assert "mean" in run("query", "api_latency_ms", "--by", "version").out


@pytest.mark.parametrize(
    "words", [["--since", "3z"], ["--since", "1h", "--until", "2h"], ["--step", "1h", "--by", "x"]]
)
def test_what_cannot_be_meant_is_a_typing_mistake(words: list[str], run: Run) -> None:
    assert run("query", "x", *words).code == 2


@pytest.mark.usefixtures("recorded")
def test_points_are_compacted_and_numbers_stay(run: Run, tmp_path: Path) -> None:
    before = run("query", "api_latency_ms", "--since", "2d", "--json").json
    assert "2 files, 4 points" in run("compact").out
    assert run("compact", "--json").json == []
    assert len(list((tmp_path / "metrics").glob("*.parquet"))) == 2
    assert run("query", "api_latency_ms", "--since", "2d", "--json").json == before


@pytest.mark.usefixtures("recorded")
def test_watching_in_a_pipe_prints_tables_until_it_is_interrupted(tmp_path: Path) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "mlops.cli", "metrics", "watch", "--every", "1s", "--by", "version"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    lines = [watching.stdout.readline() for _ in range(8)]
    watching.send_signal(signal.SIGINT)
    rest, errors = watching.communicate(timeout=30)
    assert (watching.returncode, errors) == (0, "")
    rows = [line.split() for line in lines if line.startswith("api_latency_ms")]
    assert rows[0][1:3] == ["version=1.0.0", "1"]
    assert len(rows) >= 4
    assert "\x1b" not in rest + "".join(lines)


def test_the_printed_commands_of_the_guide_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with MetricsCollector(tmp_path / "metrics") as collector:
        collector.record("api_latency_ms", 145.5, {"version": "1.0.1"})
    guide = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")
    printed = [line for line in guide.splitlines() if line.startswith("mlops ")]
    assert len(printed) >= 6
    for line in printed:
        ended = typed(cli.main, *shlex.split(line), monkeypatch=monkeypatch, capsys=capsys, DATA_DIR=str(tmp_path))
        assert ended.code == 0, line


def test_spans_are_read_as_people_type_them() -> None:
    assert [duration(text).total_seconds() for text in ("30s", "15m", "2h", "2d", "1w")] == [
        30, 900, 7200, 172_800, 604_800,
    ]  # fmt: skip
    for wrong in ("", "2", "h", "0h", "-1h", "1.5h", "2 hours", "9999999d"):
        with pytest.raises(ValueError, match="must be a span such as"):
            duration(wrong)
