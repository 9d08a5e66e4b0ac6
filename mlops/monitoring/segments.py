"""The metrics log: append-only files of JSON lines, each written by one process.

A line holds the points of one series from one flush::

    {"at":"2026-11-25T09:00:03.120Z","name":"api_latency_ms","labels":{"version":"1.0.1"},"ms":[0,14],"values":[41.5,38]}

``at`` is the time of the first point; ``ms`` counts milliseconds from there. The writer holds a lock on its file as
long as it lives, so that others can tell a file that grows from one that was left behind. Only such a file can have a
torn last line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from mlops.clock import Clock
from mlops.monitoring.series import Series, series_of
from mlops.monitoring.sketch import LARGEST, Floats
from mlops.monitoring.windows import Times

SUFFIX = ".jsonl"
# A reader holds one line's points in memory at a time.
_POINTS_PER_LINE = 10_000
_DAY = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one series, as one line of a segment. Times in milliseconds since 1970; both shape (n,)."""

    series: Series
    times: Times
    values: Floats


@dataclass(frozen=True, slots=True)
class Encoded:
    """A line as bytes, with how many points it holds."""

    content: bytes
    n_points: int


def encoded(series: Series, times: Times, values: Floats) -> Iterator[Encoded]:
    """The points of one series as lines, each with at most 10,000 of them."""
    for start in range(0, len(times), _POINTS_PER_LINE):
        part = slice(start, start + _POINTS_PER_LINE)
        yield Encoded(_line(series, times[part], values[part]), len(times[part]))


def decoded(content: bytes) -> Line | None:
    """The opposite; None where *content* is torn, or was not written by us."""
    try:
        fields = orjson.loads(content)
        base = _milliseconds(fields["at"])
        times = np.array(fields["ms"], dtype=np.int64) + base
        values = np.array(fields["values"], dtype=np.float64)
        series = series_of(fields["name"], fields["labels"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    is_whole = series is not None and times.ndim == 1 and times.shape == values.shape and len(times) > 0
    return Line(series, times, values) if is_whole and (np.abs(values) < LARGEST).all() and series else None


def _line(series: Series, times: Times, values: Floats) -> bytes:
    base = int(times.min())
    fields = {
        "at": _text(base), "name": series.name, "labels": dict(series.labels), "ms": times - base, "values": values,
    }  # fmt: skip
    return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _text(milliseconds: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return time.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _milliseconds(text: str) -> int:
    return round((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


class SegmentWriter:
    """Appends to segments of this process in *folder*. Makes a file when there is something to write.

    Not safe from threads: whoever has a writer locks it.
    """

    def __init__(
        self, folder: Path, *, clock: Clock, max_bytes: int = 16 * 2**20, max_age: timedelta = timedelta(hours=1)
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._file: int | None = None
        self._began = clock()
        self._size = 0
        self.names: set[str] = set()

    def append(self, lines: Sequence[Encoded]) -> int:
        """Write *lines* by one call, and say how many of them are in the file: all, or fewer where the disk is full.

        Raises:
            OSError: none of them is.
        """
        self.rotate_when_due()
        file = self._opened()
        content = b"".join(line.content for line in lines)
        n_bytes = os.write(file, content)
        if n_bytes == len(content):
            self._size += n_bytes
            return len(lines)
        return self._keep_whole_lines(lines, n_bytes)

    def sync(self) -> None:
        """Wait until all that was written is on the disk.

        Raises:
            OSError: it cannot be.
        """
        if self._file is not None:
            os.fsync(self._file)

    def rotate_when_due(self) -> None:
        """End the file when it is large or old; the next append begins another one."""
        is_old = self._clock() - self._began >= self._max_age
        if self._file is not None and (is_old or self._size >= self._max_bytes or self._is_gone()):
            self.close()

    def close(self) -> None:
        """End the file, which gives its lock back."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.close(file)

    def _opened(self) -> int:
        if self._file is None:
            self._began = self._clock()
            name = f"{self._began:%Y%m%dT%H%M%S}.{self._began.microsecond:06}-{os.getpid()}-{secrets.token_hex(3)}"
            self._file, self._size = _new_locked(self._folder, name + SUFFIX), 0
            self.names.add(name)
        return self._file

    def _is_gone(self) -> bool:
        """Whether somebody took the file away, so that nobody would find what is written to it."""
        return self._file is not None and os.fstat(self._file).st_nlink == 0

    def _keep_whole_lines(self, lines: Sequence[Encoded], n_bytes: int) -> int:
        ends = np.cumsum([len(line.content) for line in lines])
        n_whole = int(np.searchsorted(ends, n_bytes, side="right"))
        self._size += int(ends[n_whole - 1]) if n_whole else 0
        try:
            os.ftruncate(self._opened(), self._size)
        except OSError:
            # The rest stays as the torn end of a file that nobody writes to any more.
            self.close()
        return n_whole


def _new_locked(folder: Path, name: str) -> int:
    """A new file in *folder* that others see only once it is locked."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.draft"
    file = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / name)
    except OSError:
        os.close(file)
        draft.unlink(missing_ok=True)
        raise
    return file


def is_left_behind(path: Path) -> bool:
    """Whether nobody writes to this segment any more."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two who ask at once do not take each other for the writer.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines read from a segment.

    Attributes:
        end: offset behind the last of them.
        n_torn: lines that are not what was written, and were skipped.
        has_tail: whether an unfinished line follows.
    """

    lines: list[Line]
    end: int
    n_torn: int
    has_tail: bool


def chunks(path: Path, *, offset: int = 0, n_bytes: int = 2**18) -> Iterator[Chunk]:
    """What a segment holds from *offset* on, little at a time: as objects it takes ten times as much as on the disk.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        content = b""
        while more := file.read(n_bytes):
            content += more
            whole, newline, content = content.rpartition(b"\n")
            if newline:
                lines = [decoded(line) for line in whole.split(b"\n")]
                found = [line for line in lines if line is not None]
                offset += len(whole) + 1
                yield Chunk(found, offset, len(lines) - len(found), bool(content))
        if content:
            yield Chunk([], offset, 0, has_tail=True)


def day_of(name: str) -> str:
    """The day on which a segment was begun, such as ``20261125``."""
    return name[:8]


def day_text(time: datetime) -> str:
    """*time* as :func:`day_of` has it."""
    return f"{time:{_DAY}}"
