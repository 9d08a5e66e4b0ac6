"""``recipes demo``: the whole loop, told as it happens, with simulated cooks and the real service."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

_INTERRUPTED = 130


def demo(
    port: Annotated[
        int, typer.Option(help="Port of the service; where it is taken, the next.", min=1, max=65_535)
    ] = 8001,
    minutes: Annotated[float, typer.Option(help="How long the story takes, at least.", min=0, max=60)] = 2.0,
    seed: Annotated[int, typer.Option(help="Of the simulated cooks.", min=0)] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with all data.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the console in a browser.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="End after the story, do not serve on.")] = False,
) -> None:
    """The whole loop in minutes, with simulated cooks: drift, alarm, training, canary, promotion, rollback."""
    from recipes.demo.run import DemoOptions
    from recipes.demo.run import demo as run

    signal.signal(signal.SIGTERM, _interrupt)
    options = DemoOptions(port=port, minutes=minutes, seed=seed, keep=keep, go_on=not leave)
    succeeded = run(
        options,
        Console(soft_wrap=True, emoji=False, highlight=False),
        on_open=lambda url: _open(url, wanted=not no_open),
    )
    if not succeeded:
        raise typer.Exit(1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _open(url: str, *, wanted: bool) -> None:
    """Open *url* where there is a desktop to open it on; a browser in the terminal would hide the account."""
    has_desktop = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if wanted and has_desktop and sys.stdout.isatty():
        webbrowser.open(url)
