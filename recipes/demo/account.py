"""The account of a demonstration: lines with the time that has passed and the day of the story."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

_MARKS = {"begun": "[cyan]▶[/cyan]", "seen": " ", "done": "[green]✔[/green]", "failed": "[red]✘[/red]"}


class Account:
    """Prints what happens, each line with real minutes and seconds since the start and the day of the story."""

    def __init__(self, console: Console, *, day: Callable[[], int]) -> None:
        """Args:
        day: of the story, now; 0 before it begins.
        """
        self._console = console
        self._day = day
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start, of real time."""
        return time.monotonic() - self._began

    def begun(self, number: int, title: str) -> None:
        """Stage *number* begins."""
        self._line("begun", f"[bold]{number} {escape(title)}[/bold]")

    def seen(self, what: str) -> None:
        """Something was observed on the way."""
        self._line("seen", f"  {escape(what)}")

    def done(self, what: str) -> None:
        """The stage came about, and how."""
        self._line("done", f"  {escape(what)}")

    def failed(self, why: str) -> None:
        """It did not come about."""
        self._line("failed", f"  [red]FAILED:[/red] {escape(why)}")

    def plain(self, text: str) -> None:
        """A line by itself."""
        self._console.print(escape(text))

    def _line(self, kind: str, text: str) -> None:
        minutes, seconds = divmod(int(self.seconds), 60)
        day = f"day {self._day():>2}" if self._day() else "      "
        self._console.print(f"[dim]{minutes}:{seconds:02d}  {day}[/dim]  {_MARKS[kind]} {text}")
