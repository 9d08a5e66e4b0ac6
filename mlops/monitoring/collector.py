"""Keeps metrics: points go to the log within the flush interval, windows are what the log says.

:meth:`MetricsCollector.record` appends to a list, and that is all. A thread takes the list twice a second, folds it
into the windows and writes it by one call. Who reads first writes what waits and then reads what other processes have
written, so each of them tells the same numbers.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from mlops.clock import Clock, utc_now
from mlops.config import Settings, default_settings
from mlops.monitoring.housekeeping import Ages, keep_house
from mlops.monitoring.protocol import Labels
from mlops.monitoring.reading import LogReader
from mlops.monitoring.segments import Encoded, SegmentWriter, encoded
from mlops.monitoring.series import MAX_NAMES, MAX_SERIES_PER_NAME, Series, SeriesTable, series_of
from mlops.monitoring.sketch import LARGEST, Floats
from mlops.monitoring.values import checked
from mlops.monitoring.views import WindowViews
from mlops.monitoring.windows import Times, Windows

_log = logging.getLogger("mlops.monitoring")

_HOUSEKEEPING_SECONDS = 60.0
# Folding many points at once costs less; a reader folds what is left.
_FOLD_AFTER_POINTS = 20_000
# time, series, value
_WIDTH = 3
_MAX_COUNTED_NAMES = 100
_Key = str | tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """How a collector fares. All but *n_waiting* only grow, and are of this process.

    Attributes:
        n_waiting: points that are not in the log yet.
        n_dropped: points that had to make room and never reached the log.
        n_refused: values that are no finite numbers, and names or labels that are none.
        n_torn: lines of the log, and rollups, that are not what was written, and were skipped.
        n_write_failures: flushes that the disk did not take, or not wholly.
        n_read_failures: times that something in the folder could not be read, or kept in order.
        n_overflowed: points whose labels were replaced by ``__other__``, because there are too many.
    """

    n_waiting: int
    n_dropped: int
    n_refused: int
    n_torn: int
    n_write_failures: int
    n_read_failures: int
    n_overflowed: int


class MetricsCollector(WindowViews):
    """Metrics of all processes that share a folder. Safe from threads, from asyncio, and over a fork."""

    # Whoever records takes no lock but _taking, and that one only where a series is new or the list is full; it is
    # never held across I/O. Flushing and reading take turns by _guard.

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        flush_seconds: float = 0.5,
        raw_days: int = 7,
        retention_days: int = 90,
        max_waiting: int = 500_000,
        max_series_per_name: int = MAX_SERIES_PER_NAME,
        max_names: int = MAX_NAMES,
        enabled: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is opened yet; the first point starts the thread, and a first flush makes a file.

        Args:
            folder: where the log lies. Default: what the environment's settings say.
            flush_seconds: how much a killed process may lose.
            raw_days: how long single points are kept.
            retention_days: how long their sketches are.
            max_waiting: how many points may wait for the disk; beyond it the oldest are dropped and counted.
            max_series_per_name: sets of labels of a name; beyond it label values become ``__other__``.
            enabled: without, :meth:`record` does nothing.
        """
        self._folder = Path(folder) if folder is not None else default_settings().metrics_dir.absolute()
        # time.time costs a fifth of an aware datetime.
        self._now: Callable[[], float] = time.time if clock is utc_now else lambda: clock().timestamp()
        windows = Windows(
            retention_days=retention_days,
            now_ms=lambda: int(self._now() * 1000),
            max_series_per_name=max_series_per_name,
            max_names=max_names,
        )
        super().__init__(windows, clock=clock)
        self._flush_seconds = flush_seconds
        self._ages = Ages(raw_days, retention_days)
        self._max_waiting = max_waiting
        self._limits = {"max_series_per_name": max_series_per_name, "max_names": max_names}
        self._is_enabled = enabled
        self._begin()
        atexit.register(_flush_if_alive, weakref.ref(self))
        os.register_at_fork(after_in_child=functools.partial(_begin_anew_if_alive, weakref.ref(self)))

    def _begin(self) -> None:
        """Everything that belongs to one process. The windows are those of the log, so they start empty."""
        self._guard = threading.RLock()
        self._taking = threading.Lock()
        self._windows.clear()
        self._reader = LogReader(self._folder, self._windows)
        self._writer = SegmentWriter(self._folder, clock=self._clock)
        self._table = SeriesTable(**self._limits)
        self._numbers: dict[_Key, float] = {}
        self._waiting: list[float] = []
        self._crowded_at = _WIDTH * self._max_waiting // 2
        self._unfolded: dict[Series, list[tuple[Times, Floats]]] = {}
        self._n_unfolded = 0
        self._unwritten: deque[Encoded] = deque()
        self._n_unwritten = 0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._is_stopping = False
        self._keep_house_at = 0.0
        self._n_dropped = self._n_write_failures = self._n_read_failures = self._n_overflowed = 0
        self._refused: Counter[str] = Counter()

    def record(self, name: str, value: float, labels: Labels | None = None, *, flush: bool = False) -> None:
        """Keep one point, as of now. Never raises, and never waits for the disk unless *flush* is set.

        Args:
            value: a finite number below 1e140 in magnitude; anything else is counted and refused.
            labels: few different values each, such as a version or a language.
            flush: return when the point is on the disk, for what must not be lost. It takes milliseconds.
        """
        if not self._is_enabled:
            return
        try:
            series = self._numbers[name] if labels is None else self._numbers[(name, *labels.items())]
        except Exception:
            # A series that is new, or something that is no name or no labels, whatever it raises.
            self._record_carefully(name, value, labels, flush=flush)
            return
        if type(value) is float and -LARGEST < value < LARGEST:
            waiting = self._waiting
            # One extend() of a tuple cannot be torn apart by another thread.
            waiting.extend((self._now(), series, value))
            if len(waiting) > self._crowded_at:
                self._make_room()
            if flush:
                self._flush_to_disk()
        else:
            self._record_carefully(name, value, labels, flush=flush)

    def start(self) -> None:
        """Begin to flush in the background; the first point does so, too. Returns at once."""
        with self._taking:
            if self._is_enabled and (self._thread is None or not self._thread.is_alive()):
                self._is_stopping = False
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Write what waits, end the thread and the file. A later point begins anew."""
        with self._taking:
            thread, self._thread = self._thread, None
            self._is_stopping = True
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.flush()
        with self._guard:
            self._writer.close()
            # Known series do not start a thread: they have to be met anew.
            self._numbers = {}

    def flush(self) -> None:
        """Write what waits, now. What the disk does not take goes on waiting; nothing is raised."""
        with self._guard:
            self._take()
            if self._n_unfolded >= _FOLD_AFTER_POINTS:
                self._fold()
            self._write()

    def status(self) -> CollectorStatus:
        """How it fares: cheap, and reads nothing."""
        return CollectorStatus(
            n_waiting=len(self._waiting) // _WIDTH + self._n_unwritten,
            n_dropped=self._n_dropped,
            n_refused=sum(self._refused.copy().values()),
            n_torn=self._reader.n_torn,
            n_write_failures=self._n_write_failures,
            n_read_failures=self._n_read_failures + self._reader.n_failures,
            n_overflowed=self._n_overflowed,
        )

    def mark(self) -> tuple[int, int]:
        """Another one once any process has written points: how many files of the log there are, and their size.

        Cheap: no file is opened. What waits for the disk is not in it yet.
        """
        n_files = n_bytes = 0
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    n_files += 1
                    n_bytes += entry.stat().st_size
        except OSError:
            # No folder yet, or a file that was rolled up meanwhile: the next mark is another one.
            return n_files, n_bytes
        return n_files, n_bytes

    def refused(self) -> Mapping[str, int]:
        """How many points were refused, by name; the first 100 names are told apart."""
        return dict(self._refused.copy())

    def keep_house(self) -> None:
        """Roll up closed files and remove old ones, where no other process is at it. Done every minute by itself."""
        try:
            keep_house(
                self._folder,
                clock=self._clock,
                ages=self._ages,
                max_series_per_name=self._limits["max_series_per_name"],
            )
        except OSError as error:
            self._n_read_failures += 1
            _log.warning("the metrics in %s cannot be kept in order: %s", self._folder, error)

    def __enter__(self) -> MetricsCollector:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _record_carefully(self, name: str, value: float, labels: Labels | None, *, flush: bool) -> None:
        try:
            number = checked(value)
            series = None if number is None else self._series_number(name, labels)
        except Exception:
            # Whatever was handed in, the caller's path goes on.
            number = series = None
        if number is None or series is None:
            self._refuse(name)
            return
        self._waiting.extend((self._now(), series, number))
        if len(self._waiting) > self._crowded_at:
            self._make_room()
        if self._thread is None:
            self._start_if_possible()
        if flush:
            self._flush_to_disk()

    def _start_if_possible(self) -> None:
        try:
            self.start()
        except RuntimeError:
            # The interpreter is about to end, or has no thread left: a later point, a reader or the end flushes.
            self._thread = None

    def _series_number(self, name: str, labels: Labels | None) -> float | None:
        series = series_of(name, labels)
        if series is None:
            return None
        with self._taking:
            number, is_other = self._table.number(series)
            self._n_overflowed += is_other
            # Only texts: 1 and True would be one key with two meanings. Labels in another order are another key.
            is_plain = not labels or all(type(value) is str for value in labels.values())
            if is_plain and not is_other and self._thread is not None:
                if len(self._numbers) > 4 * len(self._table.all) + 1000:
                    self._numbers.clear()
                self._numbers[(name, *labels.items()) if labels is not None else name] = float(number)
        return float(number)

    def _refuse(self, name: object) -> None:
        with self._taking:
            shown = name[:200] if isinstance(name, str) else type(name).__name__
            is_told_apart = shown in self._refused or len(self._refused) < _MAX_COUNTED_NAMES
            self._refused[shown if is_told_apart else "__other__"] += 1

    def _make_room(self) -> None:
        """Wake the thread early; where it does not keep up, drop the oldest tenth."""
        self._wake.set()
        if len(self._waiting) > _WIDTH * self._max_waiting:
            with self._taking:
                n_over = len(self._waiting) // _WIDTH - self._max_waiting
                if n_over > 0:
                    n_dropped = n_over + self._max_waiting // 10
                    del self._waiting[: _WIDTH * n_dropped]
                    self._n_dropped += n_dropped

    def _flush_to_disk(self) -> None:
        with self._guard:
            self.flush()
            try:
                self._writer.sync()
            except OSError:
                self._n_write_failures += 1

    def _refresh(self) -> None:
        self.flush()
        self._fold()
        self._reader.refresh(own=self._writer.names)
        self._windows.forget_old()

    def _take(self) -> None:
        """Bring the points that wait into the order of the log."""
        with self._taking:
            # Those who record go on appending behind them.
            n = len(self._waiting)
            taken = self._waiting[:n]
            del self._waiting[:n]
        if not taken:
            return
        points = np.fromiter(taken, dtype=np.float64, count=n).reshape(-1, _WIDTH)
        times, numbers, values = (points[:, 0] * 1000).astype(np.int64), points[:, 1].astype(np.int32), points[:, 2]
        order = np.argsort(numbers, kind="stable")
        present, starts = np.unique(numbers[order], return_index=True)
        for number, where in zip(present, np.split(order, starts[1:]), strict=True):
            self._take_series(self._table.all[number], times[where], values[where])

    def _take_series(self, series: Series, times: Times, values: Floats) -> None:
        self._unfolded.setdefault(series, []).append((times, values))
        self._n_unfolded += len(times)
        self._unwritten.extend(encoded(series, times, values))
        self._n_unwritten += len(times)

    def _fold(self) -> None:
        unfolded, self._unfolded, self._n_unfolded = self._unfolded, {}, 0
        for series, parts in unfolded.items():
            self._windows.fold(
                series, np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts])
            )

    def _write(self) -> None:
        while self._unwritten and self._n_unwritten > self._max_waiting:
            n_points = self._unwritten.popleft().n_points
            self._n_unwritten -= n_points
            self._n_dropped += n_points
        if not self._unwritten:
            return
        try:
            n_lines = self._writer.append(list(self._unwritten))
        except OSError as error:
            n_lines = 0
            if not self._n_write_failures:
                _log.warning("metrics cannot be written to %s, and wait: %s", self._folder, error)
        self._n_write_failures += n_lines < len(self._unwritten)
        for _ in range(n_lines):
            self._n_unwritten -= self._unwritten.popleft().n_points

    def _run(self) -> None:
        while True:
            self._wake.wait(self._flush_seconds)
            if self._is_stopping:
                return
            try:
                self._tick()
            except Exception:
                # This thread must neither end nor take the process with it.
                _log.exception("metrics could not be flushed, and are tried again")

    def _tick(self) -> None:
        """What the thread does each time."""
        self._wake.clear()
        self.flush()
        with self._guard:
            self._writer.rotate_when_due()
            # Points of a quiet process must not wait for their fold without end.
            if time.monotonic() >= self._keep_house_at:
                self._fold()
                self._windows.forget_old()
        if time.monotonic() >= self._keep_house_at:
            self._keep_house_at = time.monotonic() + _HOUSEKEEPING_SECONDS
            self.keep_house()

    def _begin_anew(self) -> None:
        """In a forked child: its points are its own, and those of its parent are the parent's to write."""
        self._writer.close()
        self._begin()


def _flush_if_alive(reference: weakref.ref[MetricsCollector]) -> None:
    collector = reference()
    if collector is not None:
        collector.stop()


def _begin_anew_if_alive(reference: weakref.ref[MetricsCollector]) -> None:
    collector = reference()
    if collector is not None:
        collector._begin_anew()


def open_metrics(settings: Settings | None = None, *, clock: Clock = utc_now) -> MetricsCollector:
    """The metrics that *settings* name (default: those of the environment).

    Raises:
        InvalidSettings: a setting has a value that cannot be used.
    """
    settings = settings or default_settings()
    return MetricsCollector(
        # Absolute: a program may change its working directory.
        settings.metrics_dir.absolute(),
        flush_seconds=settings.metrics_flush_seconds,
        raw_days=settings.metrics_raw_days,
        retention_days=settings.metrics_retention_days,
        enabled=settings.monitoring_enabled,
        clock=clock,
    )


_default_guard = threading.Lock()
_default: MetricsCollector | None = None


def default_collector() -> MetricsCollector:
    """The metrics of the environment's settings, one for the process: ``from mlops import metrics_collector``."""
    global _default
    with _default_guard:
        if _default is None:
            _default = open_metrics()
        return _default
