"""Keeps the folder of metrics small: rollups of what is closed, one file a day, and an end for what is old.

One process at a time does it. Wherever it is interrupted, the folder is such that each point counts once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from mlops.clock import Clock
from mlops.monitoring import rollups
from mlops.monitoring.reading import uncovered
from mlops.monitoring.rollups import CARRIED, DAY_PREFIX, Covered, Covers
from mlops.monitoring.segments import SUFFIX, chunks, day_of, day_text, is_left_behind
from mlops.monitoring.series import MAX_NAMES, MAX_SERIES_PER_NAME
from mlops.monitoring.windows import Windows

LOCK = ".housekeeping.lock"
PARQUET = ".parquet"
DAMAGED = ".damaged"
# A day's segments are joined when no process can be writing to it, and go a day after, when all have noticed.
_JOINED_AFTER = timedelta(days=2)
_PARTS_GO_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Ages:
    """How long things are kept, in days: each point as it was, and everything."""

    raw_days: int = 7
    retention_days: int = 90


def keep_house(
    folder: Path,
    *,
    clock: Clock,
    ages: Ages,
    max_series_per_name: int = MAX_SERIES_PER_NAME,
    patience_seconds: float = 0.0,
) -> bool:
    """Do what is due. False where another process is at it for longer than we are patient, or there is no folder.

    Raises:
        OSError: a file cannot be read, written or removed; the rest is done next time.
    """
    with alone(folder, patience_seconds=patience_seconds) as is_alone:
        if is_alone:
            _Housekeeper(folder, clock(), ages, max_series_per_name).work()
    return is_alone


@contextlib.contextmanager
def alone(folder: Path, *, patience_seconds: float = 0.0) -> Iterator[bool]:
    """Whether no other process keeps house in *folder* while the block runs; False, too, where there is no folder."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locked(file, until=time.monotonic() + patience_seconds)
    finally:
        os.close(file)


def _locked(file: int, *, until: float) -> bool:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


class _Housekeeper:
    def __init__(self, folder: Path, now: datetime, ages: Ages, max_series_per_name: int) -> None:
        self._folder = folder
        self._now = now
        self._ages = ages
        self._max_series = max_series_per_name

    def work(self) -> None:
        self._finish_carrying()
        for path in uncovered(self._folder):
            if is_left_behind(path):
                self._roll_up(path)
        self._join_days()
        self._carry_on()
        self._remove()

    def _windows(self) -> Windows:
        # Nothing may be left out here because it is old: what is too old is a reader's question.
        return Windows(
            retention_days=10**6, now_ms=lambda: 0, max_series_per_name=self._max_series, max_names=MAX_NAMES
        )

    def _roll_up(self, path: Path) -> None:
        windows, end, n_torn = self._windows(), 0, 0
        for chunk in chunks(path):
            for line in chunk.lines:
                windows.fold(line.series, line.times, line.values)
            end, n_torn = chunk.end, n_torn + chunk.n_torn
        # A writer that died left an unfinished line.
        n_torn += path.stat().st_size > end
        self._write(path.stem, windows, {path.stem: Covered(end, n_torn)})

    def _join_days(self) -> None:
        until = day_text(self._now - _JOINED_AFTER)
        parts = [path for path in self._parts() if day_of(path.stem) <= until]
        for day, found in groupby(parts, key=lambda path: day_of(path.stem)):
            into = self._folder / f"{DAY_PREFIX}{day}{rollups.SUFFIX}"
            have = (rollups.read_covers(into) or {}) if into.exists() else {}
            new = [path for path in found if path.stem not in have]
            if new:
                self._join([*([into] if have else []), *new], into.stem)

    def _join(self, paths: list[Path], name: str) -> None:
        """Make one rollup of several.

        A damaged one is put aside. Where its points are still there, they are rolled up anew the next time.
        """
        windows, covers = self._windows(), Covers()
        for path in paths:
            some = rollups.read_covers(path)
            if some is not None and rollups.read_rollup(path, windows):
                covers |= some
            else:
                path.replace(path.with_suffix(DAMAGED))
        # Names that are long gone need not be known for ever.
        forgotten = day_text(self._now - timedelta(days=2 * self._ages.retention_days))
        self._write(name, windows, {one: some for one, some in covers.items() if day_of(one) >= forgotten})

    def _carry_on(self) -> None:
        """Add what is beyond the retention to the totals of all time, which never shrink."""
        until = day_text(self._now - timedelta(days=self._ages.retention_days))
        old = [path for path in self._rollups() if _day(path) < until]
        if old:
            carried = self._folder / (CARRIED + rollups.SUFFIX)
            self._join([*([carried] if carried.exists() else []), *old], CARRIED)
            self._finish_carrying()

    def _finish_carrying(self) -> None:
        carried = self._folder / (CARRIED + rollups.SUFFIX)
        covers = (rollups.read_covers(carried) or {}) if carried.exists() else {}
        for path in self._rollups():
            some = rollups.read_covers(path)
            if some is not None and covers and set(some) <= set(covers):
                path.unlink(missing_ok=True)

    def _remove(self) -> None:
        raw_until = day_text(self._now - timedelta(days=self._ages.raw_days))
        until = day_text(self._now - timedelta(days=self._ages.retention_days))
        parts_until = day_text(self._now - _PARTS_GO_AFTER)
        waiting = {path.stem for path in uncovered(self._folder)}
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.stem not in waiting and day_of(path.stem) < raw_until:
                path.unlink(missing_ok=True)
        for path in (*self._folder.glob(f"*{PARQUET}"), *self._folder.glob(f"*{DAMAGED}")):
            if _day(path) < until:
                path.unlink(missing_ok=True)
        for path in self._parts():
            if day_of(path.stem) <= parts_until and self._is_joined(path):
                path.unlink(missing_ok=True)

    def _is_joined(self, part: Path) -> bool:
        day = self._folder / f"{DAY_PREFIX}{day_of(part.stem)}{rollups.SUFFIX}"
        return day.exists() and part.stem in (rollups.read_covers(day) or {})

    def _write(self, name: str, windows: Windows, covers: Covers) -> None:
        path = self._folder / (name + rollups.SUFFIX)
        rollups.write_rollup(path, windows, covers, steps=rollups.steps_of(path))

    def _rollups(self) -> list[Path]:
        return [path for path in rollups.rollup_paths(self._folder) if path.stem != CARRIED]

    def _parts(self) -> list[Path]:
        return [path for path in self._rollups() if not path.stem.startswith(DAY_PREFIX)]


def _day(path: Path) -> str:
    return day_of(path.stem.removeprefix(DAY_PREFIX))
