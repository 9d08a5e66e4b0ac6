"""What commands print, in small: times, numbers, tables, exit codes."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta

import pytest

from mlops import errors
from mlops.cli.exits import MEANINGS, epilogue, exit_code
from mlops.cli.models import compared
from mlops.cli.output import ago, moment, number, print_error, print_line, print_table

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(minutes=60), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(seconds=-1), "ahead of now"),
    ],
)
def test_how_long_ago_is_said_in_the_largest_unit_that_fits(passed: timedelta, said: str) -> None:
    assert ago(NOON - passed, now=NOON) == said


def test_a_moment_names_its_zone() -> None:
    assert moment(NOON) == "2026-11-24 12:00:00 UTC"
    assert moment(None) == "–"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.4123456789, "0.412346"), (3, "3"), (1_234_567, "1234567"), (None, "–"), (2.0, "2")]
)
def test_a_number_is_short_and_a_count_is_whole(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_a_table_in_a_pipe_is_never_wrapped_and_takes_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "[red]because[/red] " * 30
    print_table(("n", "reason"), [(7, reason), (None, ":smile:")], numbers=["n"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["n  reason", f"7  {reason.rstrip()}", "–  :smile:"]


def test_a_line_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("[bold]a[/bold] :smile: " + "x" * 300)
    assert capsys.readouterr().out == "[bold]a[/bold] :smile: " + "x" * 300 + "\n"


def test_an_error_is_one_line_on_the_other_stream(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(errors.StoreUnavailable("it [does]\n  not answer"))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "error: it [does] not answer\n")


def test_every_error_has_the_code_that_the_help_explains() -> None:
    made: dict[str, int] = {}
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        made[name] = exit_code(kind.__new__(kind))
    assert made == {
        "MlopsError": 1, "InvalidSettings": 1, "StoreError": 1, "StoreUnavailable": 1, "StoreTooNew": 1,
        "RegistryError": 1, "InvalidMetadata": 2, "InvalidExport": 4, "UnknownModel": 3, "UnknownVersion": 3,
        "VersionExists": 4, "IllegalMove": 4, "NothingToRollBackTo": 4, "Conflict": 5, "Frozen": 4,
        "ApprovalRequired": 6, "ApprovalRefused": 4, "NothingToDecide": 4, "ArtefactError": 4, "ArtefactMissing": 4,
        "ArtefactDamaged": 4,
        "ArtefactForeign": 4, "ArtefactRefused": 4, "AccessError": 1, "InvalidKey": 4, "UnknownKey": 3,
        "NotAuthenticated": 1, "NotAllowed": 1, "MirrorError": 1, "MirrorBusy": 1, "MirrorDiffers": 1,
        "DriftError": 1, "BadProfile": 1, "ProfileMissing": 1, "ValidationError": 1, "BadSchema": 1,
        "UnreadableData": 1, "RetrainingError": 1, "TooLittleData": 1, "TrainingInterrupted": 1, "UnknownTrainer": 1,
        "UnknownJob": 3, "JobConflict": 5, "JobOpen": 5, "JobLost": 5, "BadSchedule": 2,
        "AlertError": 1, "UnknownAlert": 3, "AlertClosed": 4, "DeliveryFailed": 1,
        "RolloutError": 1, "BadPlan": 2, "UnknownGuard": 2, "UnknownRollout": 3, "RolloutOpen": 4,
        "RolloutRefused": 4, "RolloutChanged": 4, "Barred": 4, "TooLittleOverlap": 4,
    }  # fmt: skip
    assert set(made.values()) <= set(MEANINGS)
    assert exit_code(OSError()) == 1


def test_the_help_names_every_exit_code() -> None:
    for code, meaning in MEANINGS.items():
        assert f"{code}  {meaning}" in epilogue()


def version(**fields: object) -> dict[str, object]:
    return {
        "status": "training", "model_type": "hybrid", "parent_version": None, "timestamp": "t", "artefact": None,
        "metrics": {}, "parameters": {}, "lineage": None, **fields,
    }  # fmt: skip


def test_metrics_are_compared_with_difference_and_share() -> None:
    result = compared(
        version(metrics={"ndcg": 0.4, "zero": 0.0, "gone": 1.0, "loss": -2.0}),
        version(metrics={"ndcg": 0.5, "zero": 0.1, "new": 7, "loss": -1.0}),
    )["metrics"]
    assert result["ndcg"]["difference"] == pytest.approx(0.1)
    assert result["ndcg"]["relative"] == pytest.approx(0.25)
    assert result["loss"] == {"a": -2.0, "b": -1.0, "difference": 1.0, "relative": 0.5}
    assert result["zero"] == {"a": 0.0, "b": 0.1, "difference": 0.1, "relative": None}
    assert result["gone"] == {"a": 1.0, "b": None, "difference": None, "relative": None}
    assert list(result) == ["ndcg", "zero", "gone", "loss", "new"]


def test_parameters_and_lineage_are_compared_by_equality() -> None:
    result = compared(
        version(parameters={"w": [1, 2], "same": 1}), version(parameters={"w": [1, 3], "same": 1}, lineage={"seed": 3})
    )
    assert result["parameters"] == {
        "w": {"a": [1, 2], "b": [1, 3], "same": False}, "same": {"a": 1, "b": 1, "same": True},
    }  # fmt: skip
    assert result["facts"]["seed"] == {"a": None, "b": 3, "same": False}
    assert result["facts"]["status"]["same"]
