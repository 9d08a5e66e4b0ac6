"""Where lines go: a file for each part of the program, and the console. Neither ever raises into who logs."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any, TextIO

from structlog.dev import ConsoleRenderer

from mlops.logging_config.appending import AppendedFile
from mlops.logging_config.entries import Entry, entry_of, line_of
from mlops.logging_config.redaction import Redactor

FILES = ("app", "mlops", "monitoring", "model_training", "retraining")

# The part of a logger's dotted name that decides on the file.
_PARTS = {
    "monitoring": "monitoring",
    "model_training": "model_training",
    "training": "model_training",
    "trainers": "model_training",
    "trainer": "model_training",
    "retraining": "retraining",
}
# The library that locks rotations would otherwise log about it from within a rotation.
_UNHEARD = "filelock"
_LINE = "_mlops_line"


@functools.lru_cache(maxsize=1024)
def file_of(logger_name: str) -> str:
    """Which of :data:`FILES` the lines of *logger_name* go to."""
    parts = logger_name.split(".")
    special = next((_PARTS[part] for part in parts if part in _PARTS), None)
    return special or ("mlops" if parts[0] == "mlops" else "app")


def rendered(record: logging.LogRecord, redactor: Redactor) -> bytes:
    """*record* as a line of JSON, made once for all handlers."""
    line: bytes | None = record.__dict__.get(_LINE)
    if line is None:
        line = line_of(entry_of(record), redactor)
        record.__dict__[_LINE] = line
    return line


class FilesHandler(logging.Handler):
    """Appends each record to the file of its logger.

    Attributes:
        n_failed: records that could not be made a line.
    """

    def __init__(self, folder: Path, redactor: Redactor, *, max_bytes: int, n_backups: int) -> None:
        super().__init__()
        self._redactor = redactor
        self.files = {name: AppendedFile(folder, name, max_bytes=max_bytes, n_backups=n_backups) for name in FILES}
        self.n_failed = 0

    def handle(self, record: logging.LogRecord) -> bool:
        """As the base class, but without its lock: threads need not wait for each other to append."""
        passed: bool | logging.LogRecord = self.filter(record)
        if passed:
            # From Python 3.12 on a filter may put another record in the place of this one.
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Append *record*; what goes wrong is counted."""
        if record.name == _UNHEARD:
            return
        try:
            self.files[file_of(record.name)].append(rendered(record, self._redactor), record.created)
        except Exception:
            self.n_failed += 1

    def close(self) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()
        super().close()


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Lines for a person where *stream* is a terminal, and JSON where it is a pipe or a file.

    Attributes:
        n_failed: records that could not be written, as where nobody reads the pipe any more.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        super().__init__(stream)
        self._redactor = redactor
        self._is_terminal = stream.isatty()
        self._render = ConsoleRenderer(colors=self._is_terminal)
        self.n_failed = 0

    def format(self, record: logging.LogRecord) -> str:
        """*record* as text without the line feed at its end."""
        if self._is_terminal:
            return self._for_a_person(self._redactor.clean(entry_of(record)))
        return rendered(record, self._redactor)[:-1].decode()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 — the base class calls it so
        """Count it: a traceback on a broken stream helps nobody."""
        self.n_failed += 1

    def _for_a_person(self, entry: Entry) -> str:
        exceptions = entry.pop("exception", [])
        entry["timestamp"] = f"{entry['timestamp']:%H:%M:%S.%f}"[:-3]
        lines = [self._render(None, "", entry)]
        for each in exceptions:
            lines += [f"    {frame['file']}:{frame['line']} in {frame['function']}" for frame in each["frames"]]
            lines.append(f"  {each['type']}: {each['message']}")
        return "\n".join(str(line) for line in lines)


def is_ours(handler: Any) -> bool:
    """Whether :func:`setup_logging` made *handler*."""
    return isinstance(handler, FilesHandler | ConsoleHandler)
