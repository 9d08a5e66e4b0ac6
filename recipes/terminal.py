"""What several commands show in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_err = Console(stderr=True, soft_wrap=True, emoji=False)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


@contextmanager
def progress(title: str, *, total: int | None) -> Iterator[Callable[..., None]]:
    """A bar on the standard error stream while something long goes on; yields ``advance(n_done, new_total=None)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err) as shown:
        task = shown.add_task(title, total=total)

        def advance(done: int, new_total: int | None = None) -> None:
            if new_total:
                # Told by `update`, each new total would make the rate begin anew, and never show one.
                shown.tasks[0].total = new_total
            shown.update(task, completed=done)

        yield advance
