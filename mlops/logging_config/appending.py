"""A log file that several processes and threads append to, rotated by day and size without losing or tearing a line.

A line is one write at the end of the file, which the kernel keeps whole (POSIX). Who finds the file full renames it
under a lock between processes; who cannot have the lock at once writes on. A line that goes to a file which was renamed
a moment ago is in that file.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

# How long a file that was renamed or deleted from outside may go unnoticed.
_LOOK_SECONDS = 0.25
_DAY_SECONDS = 86_400
# Windows cannot; there, one process at a time may write, and a full file that is open cannot be renamed.
_CAN_LOOK_BACK = hasattr(os, "pread")


class _OpenFile:
    """An open file. It is closed when the last thread that writes to it lets go of it: its number may be used anew."""

    __slots__ = ("day", "descriptor", "inode", "path")

    def __init__(self, path: Path, day: int) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        self.path = path
        self.day = day
        self.inode = os.fstat(self.descriptor).st_ino

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def is_at_its_path(self) -> bool:
        """False where it was renamed or deleted."""
        try:
            return os.stat(self.path).st_ino == self.inode  # noqa: PTH116 — a third of the time of Path.stat
        except FileNotFoundError:
            return False


class AppendedFile:
    """Lines under ``folder/<name>_YYYYMMDD.log``, the day in UTC. Full files are ``….log.1``, ``.2``, …, newest first.

    Attributes:
        n_lost: lines that could not be written, as on a full disk.
        problem: why the last line could not be written, or the file not be rotated; None where all is well.
    """

    def __init__(self, folder: Path, name: str, *, max_bytes: int, n_backups: int) -> None:
        """Nothing is opened yet.

        Args:
            max_bytes: a file that a line would make longer than this is rotated; a longer line has a file of its own.
                Processes that write at the same moment may exceed it by a line each.
            n_backups: how many files are kept beside the one that is written, those of earlier days included.
        """
        self._folder = folder
        self._name = name
        self._max_bytes = max_bytes
        self._n_backups = n_backups
        self._is_ours = re.compile(rf"{re.escape(name)}_(\d{{8}})\.log(?:\.(\d+))?")
        self._open: _OpenFile | None = None
        self._look_at = 0.0
        self._rotation_problem: str | None = None
        self.n_lost = 0
        self.problem: str | None = None

    def append(self, line: bytes, at: float) -> bool:
        """Whether *line*, which ends in a line feed, was handed to the system whole. Never raises for the disk's sake.

        Args:
            at: seconds since 1970, which decide on the day.
        """
        try:
            self._append(line, at)
        except OSError as error:
            self.n_lost += 1
            self.problem = f"{error.strerror or error} ({self._folder})"
            return False
        self.problem = self._rotation_problem
        return True

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        self._open = None

    def _append(self, line: bytes, at: float) -> None:
        file = self._current(at)
        size = os.lseek(file.descriptor, 0, os.SEEK_END)
        if size and size + len(line) > self._max_bytes:
            file = self._after_rotation(file, len(line), at)
            size = os.lseek(file.descriptor, 0, os.SEEK_END)
        if (
            size
            and _CAN_LOOK_BACK
            and os.pread(file.descriptor, 1, size - 1) != b"\n"
            and _ends_in_a_torn_line(file.descriptor)
        ):
            line = b"\n" + line
        written = os.write(file.descriptor, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, f"only {written} of {len(line)} bytes were written")

    def _current(self, at: float) -> _OpenFile:
        """The file of today that is at its path, opened where necessary."""
        file, day = self._open, int(at // _DAY_SECONDS)
        if file is not None and file.day == day and at < self._look_at:
            return file
        self._look_at = at + _LOOK_SECONDS
        if file is None or file.day != day or not file.is_at_its_path():
            file = self._opened(day)
        return file

    def _opened(self, day: int) -> _OpenFile:
        path = self._folder / f"{self._name}_{datetime.fromtimestamp(day * _DAY_SECONDS, UTC):%Y%m%d}.log"
        is_new = not path.exists()
        self._folder.mkdir(parents=True, exist_ok=True)
        file = _OpenFile(path, day)
        self._open = file
        if is_new:
            self._locked(lambda: self._prune(path))
        return file

    def _after_rotation(self, file: _OpenFile, n_bytes: int, at: float) -> _OpenFile:
        if file.is_at_its_path():
            self._locked(lambda: self._rotate(file.path, n_bytes))
        self._look_at = 0.0
        return self._current(at)

    def _locked(self, step: Callable[[], None]) -> None:
        """Do *step*, unless another process or thread is at it: then it is being done. If it fails, files grow on."""
        try:
            with FileLock(self._folder / f".{self._name}.lock", timeout=0):
                step()
        except Timeout:
            return
        except OSError as error:
            self._rotation_problem = f"not rotated: {error.strerror or error} ({self._folder})"
        else:
            self._rotation_problem = None

    def _rotate(self, path: Path, n_bytes: int) -> None:
        if not path.exists() or path.stat().st_size + n_bytes <= self._max_bytes:  # somebody else was first
            return
        numbers = [number for _, number, found in self._files() if found.name.startswith(f"{path.name}.")]
        for number in sorted(numbers, reverse=True):
            path.with_name(f"{path.name}.{number}").rename(path.with_name(f"{path.name}.{number + 1}"))
        path.rename(path.with_name(f"{path.name}.1"))
        self._prune(path)

    def _prune(self, active: Path) -> None:
        """Delete the oldest files beyond the number that is kept; *active* is none of them."""
        older = sorted(file for file in self._files() if file[2] != active)
        for _, _, path in older[self._n_backups :]:
            path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, int, Path]]:
        """(minus day, number, path) of each file under our name: sorted, the newest is the first."""
        found = []
        for path in self._folder.iterdir():
            parts = self._is_ours.fullmatch(path.name)
            if parts is not None:
                found.append((-int(parts[1]), int(parts[2] or 0), path))
        return found


def _ends_in_a_torn_line(descriptor: int) -> bool:
    """Whether a process died within a line, or the disk was full, rather than that somebody is just writing one."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    while size and os.pread(descriptor, 1, size - 1) != b"\n":
        # The kernel changes a file for one at a time: when this returns, whoever was writing has written.
        os.utime(descriptor)
        before, size = size, os.lseek(descriptor, 0, os.SEEK_END)
        if size == before:
            return True
    return False
