"""``mlops models mirror``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mlops.cli._registry import AsJson
from mlops.cli.exits import WRONG
from mlops.cli.output import print_json, print_line

if TYPE_CHECKING:
    from mlops.tracking import MirrorReport

Name = tuple[str, str]
_NICENESS = 10
# A service starts the next round within two seconds, so a short one loses nothing and a service ends soon.
_BACKGROUND_SECONDS = 60.0


def mirror(
    again: Annotated[
        bool, typer.Option("--again", help="Send all versions, as to an MLflow that is another one now.")
    ] = False,
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="As a service runs it: at low priority, for a minute, without what is not yet due."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send to MLflow what waits. Ends with 1 where something could not be sent; it is tried again later."""
    from mlops.errors import MirrorBusy

    if background:
        _end_in_good_order_when_asked_to()
        _lower_priority()
    try:
        report = _send(again=again, background=background)
    except MirrorBusy as error:
        _say("busy", [str(error)], {"reason": str(error)}, as_json=as_json)
        return
    if report is None:
        _say("off", ["the mirror is off: MLflow is not installed, or MLFLOW_TRACKING_URI is off"], {}, as_json=as_json)
        return
    _say("failed" if report.failed else "done", _sentences(report), report.to_dict(), as_json=as_json)
    if report.failed:
        raise typer.Exit(WRONG)


def _send(*, again: bool, background: bool) -> MirrorReport | None:
    from mlops.config import Settings, load_settings
    from mlops.tracking import open_mirror

    opened = open_mirror(load_settings(Settings))
    if opened is None:
        return None
    # MLflow prints addresses of its pages to stdout, which belongs to our answer.
    with contextlib.redirect_stdout(sys.stderr):
        return opened.send(only_due=background, again=again, for_seconds=_BACKGROUND_SECONDS if background else None)


def _say(state: str, sentences: Iterator[str] | list[str], fields: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json({"state": state, **fields})
        return
    for sentence in sentences:
        print_line(sentence)


def _sentences(report: MirrorReport) -> Iterator[str]:
    yield from (f"sent    {model_id} {version}" for model_id, version in report.sent)
    for reason, names in _by_reason(report.failed).items():
        yield from (f"failed  {model_id} {version}" for model_id, version in names)
        yield f"        {reason}"
    yield f"{len(report.sent)} sent, {len(report.failed)} failed, {report.n_waiting} waiting"


def _by_reason(failed: Mapping[Name, str]) -> dict[str, list[Name]]:
    # Where MLflow is down, all versions fail for one reason, and it is a long one.
    found: dict[str, list[Name]] = {}
    for name, reason in failed.items():
        found.setdefault(reason, []).append(name)
    return found


def _lower_priority() -> None:
    # Not on Windows.
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def _end_in_good_order_when_asked_to() -> None:
    """Gives the lease back when a service ends this process; otherwise others would wait until it expires."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
