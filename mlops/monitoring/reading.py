"""Windows as a fold over the log: what other processes wrote, and what was written before this one began."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path

from mlops.monitoring import rollups
from mlops.monitoring.rollups import Covers
from mlops.monitoring.segments import SUFFIX, chunks, is_left_behind
from mlops.monitoring.windows import Windows

_DONE = -1
# A folder's time of change may be as coarse as this, so a younger one says nothing.
_SETTLED_NS = 100_000_000


class LogReader:
    """Brings windows up to date with a folder. Each segment counts once, by its rollup or by its lines.

    Not safe from threads: whoever has a reader locks it.
    """

    def __init__(self, folder: Path, windows: Windows) -> None:
        self._folder = folder
        self._windows = windows
        self.n_failures = 0
        self._begin()

    def _begin(self) -> None:
        self._offsets: dict[str, int] = {}
        self._torn: dict[str, int] = {}
        self._taken: set[tuple[str, int, int]] = set()
        self._growing: list[str] = []
        self._listed_at = (-1, -1)

    @property
    def n_torn(self) -> int:
        """Lines that were skipped because they are not what was written."""
        # Whoever asks need not have the lock.
        return sum(self._torn.copy().values())

    def refresh(self, *, own: Collection[str] = ()) -> None:
        """Read what is new. A file that cannot be read is counted in ``n_failures`` and tried again.

        Args:
            own: segments that this process writes, whose points are in the windows already.
        """
        self._offsets.update(dict.fromkeys(own, _DONE))
        if self._folder_changed() and not self._look():
            # Some of what a rollup covers was read one by one, and the rest is no longer there one by one.
            self._windows.clear()
            self._begin()
            self._folder_changed()
            self._look()
        for name in self._growing:
            self._read(name)
        self._offsets.update(dict.fromkeys(own, _DONE))

    def _folder_changed(self) -> bool:
        try:
            changed_at = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        except OSError:
            self.n_failures += 1
            return False
        now = time.time_ns()
        at, looked_at = self._listed_at
        if at == changed_at and looked_at - at > _SETTLED_NS:
            return False
        self._listed_at = (changed_at, now)
        return True

    def _look(self) -> bool:
        """Take rollups and find segments. False where the windows have to be made anew."""
        # All of them, even where one has failed.
        taken = [self._take(path) for path in rollups.rollup_paths(self._folder)]
        names = sorted(path.stem for path in self._folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
        self._growing = [name for name in names if self._offsets.get(name) != _DONE]
        return all(taken)

    def _take(self, path: Path) -> bool:
        try:
            status = path.stat()
            stamp = (path.name, status.st_ino, status.st_mtime_ns)
            if stamp in self._taken:
                return True
            is_taken = self._take_new(path)
        except FileNotFoundError:
            return True
        except OSError:
            self.n_failures += 1
            return True
        self._taken.add(stamp)
        return is_taken

    def _take_new(self, path: Path) -> bool:
        covers = rollups.read_covers(path)
        if covers is None:
            self._torn[path.name] = 1
            return True
        if not any(name in self._offsets for name in covers):
            if rollups.read_rollup(path, self._windows):
                self._mark(covers)
            else:
                self._torn[path.name] = 1
            return True
        return self._catch_up(covers)

    def _catch_up(self, covers: Covers) -> bool:
        """Read one by one what is still missing of *covers*. False where that is no longer possible."""
        for name, covered in covers.items():
            if not self._is_read(name, covered.n_bytes):
                self._read(name)
            if not self._is_read(name, covered.n_bytes):
                return False
        self._mark(covers)
        return True

    def _is_read(self, name: str, n_bytes: int) -> bool:
        offset = self._offsets.get(name, 0)
        return offset in (_DONE, n_bytes)

    def _mark(self, covers: Covers) -> None:
        for name, covered in covers.items():
            self._offsets[name] = _DONE
            if covered.n_torn:
                self._torn[name] = covered.n_torn

    def _read(self, name: str) -> None:
        path, offset = self._folder / (name + SUFFIX), self._offsets.get(name, 0)
        try:
            if offset == _DONE or path.stat().st_size <= offset:
                return
            for chunk in chunks(path, offset=offset):
                for line in chunk.lines:
                    self._windows.fold(line.series, line.times, line.values)
                self._offsets[name] = chunk.end
                n_torn = chunk.n_torn + (chunk.has_tail and not chunk.lines and is_left_behind(path))
                if n_torn:
                    self._torn[name] = self._torn.get(name, 0) + n_torn
        except FileNotFoundError:
            return
        except OSError:
            self.n_failures += 1


def uncovered(folder: Path) -> Iterator[Path]:
    """Segments that no rollup covers yet."""
    covered = {name for path in rollups.rollup_paths(folder) for name in (rollups.read_covers(path) or ())}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if not path.name.startswith(".") and path.stem not in covered:
            yield path
