"""``mlops alerts …`` as an operator types it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import typer

from mlops import cli
from mlops.cli.alerts import parsed_span
from mlops.clock import utc_now
from mlops.config import Settings
from mlops.monitoring.alerts import AlertBook, Firing, open_alert_book
from tests.commands import Ended, Run, typed


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``mlops alerts`` over a data folder of the test's own."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
        return typed(cli.main, "mlops", "alerts", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    return run


@pytest.fixture
def book(tmp_path: Path) -> AlertBook:
    """The alerts that the commands see."""
    book = open_alert_book(Settings(_env_file=None, data_dir=tmp_path / "data"))  # type: ignore[call-arg]
    book.fire(Firing("error_rate", "3 of 20 requests failed", "critical", evidence={"failed": 3}))
    book.fire(Firing("latency", "it is slow"))
    book.resolve_key("latency", because="fine")
    return book


def test_what_is_open_is_listed_and_the_rest_by_state(run: Run, book: AlertBook) -> None:
    listed = run("list").out
    assert "3 of 20 requests failed" in listed
    assert "it is slow" not in listed
    assert [alert["rule"] for alert in run("list", "--state", "all", "--json").json["alerts"]] == [
        "latency",
        "error_rate",
    ]
    assert [alert["rule"] for alert in run("list", "--state", "resolved", "--json").json["alerts"]] == ["latency"]
    assert run("list", "--rule", "latency").out == "nothing is wrong that anybody knows of\n"
    assert run("list", "--state", "gone").code == 2


def test_an_alert_is_shown_acknowledged_and_resolved(run: Run, book: AlertBook) -> None:
    assert "failed     3" in run("show", 1).out
    assert run("ack", 1, "--because", "I look", "--actor", "ana").out == (
        "alert 1 (error_rate, critical) is acknowledged: 3 of 20 requests failed\n"
    )
    assert run("resolve", 1, "--because", "restarted", "--json").json["resolved_because"] == "restarted"
    assert (book.get(1).acknowledged_by, book.get(1).state) == ("ana", "resolved")
    assert run("resolve", 1, "--because", "again").code == 4
    assert run("show", 77).code == 3
    assert run("ack", 1, "--because", " ").code == 2


def test_a_rule_is_muted_and_heard_again(run: Run, book: AlertBook) -> None:
    before = utc_now()
    assert run("mute", "latency", "--for", "3h", "--because", "known").code == 0
    (mute,) = book.mutes()
    assert timedelta(hours=3) <= mute.until - before < timedelta(hours=3, minutes=1)
    assert "latency is muted until " in run("list").out
    assert run("unmute", "latency", "--because", "over").out == "latency is muted no more\n"
    assert run("unmute", "latency", "--because", "over").out == "latency was not muted\n"


def test_spans_are_numbers_with_a_unit() -> None:
    assert (parsed_span("30m"), parsed_span("1w")) == (timedelta(minutes=30), timedelta(weeks=1))
    for text in ("0h", "2", "2y", "-1h", "2 h"):
        with pytest.raises(typer.BadParameter, match="must be a span such as"):
            parsed_span(text)
