"""The file that shows the registry: rewritten whole, soon after each change, by a thread of its own."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from mlops.files import write_whole

_log = logging.getLogger("mlops.model_registry")

# Changes that come within this time share one rewrite; where a rewrite takes long, more of them do.
_GATHER_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 0.8
_RETRY_SECONDS = 1.0


class RegistryView:
    """Keeps the file at *path* equal to what *render* gives. Several processes may keep the same file."""

    def __init__(self, path: Path, render: Callable[[], bytes]) -> None:
        """Nothing is written before the first change, and no thread started."""
        self.path = path
        self._render = render
        self._is_due = threading.Event()
        self._is_closing = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._lasted = 0.0

    def changed(self) -> None:
        """Say that something changed: the file follows within a second. Costs next to nothing."""
        self._is_due.set()
        if not self._is_at_work():
            with self._guard:
                if not self._is_at_work() and not self._is_closing.is_set():
                    self._thread = threading.Thread(target=self._run, name="registry-view", daemon=True)
                    self._thread.start()
                    atexit.register(self.close)

    def write_now(self) -> None:
        """Write the file, unless it is what it should be.

        Raises:
            OSError: it cannot be written.
            StoreError: the state database does not answer.
        """
        self._is_due.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Read and written under one lock: what another process has just written must not be replaced by older facts.
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            content = self._render()
            if not self._is_on_disk(content):
                write_whole(self.path, content, durable=False)

    def close(self) -> None:
        """Write what is due, and end the thread."""
        self._is_closing.set()
        self._is_due.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            atexit.unregister(self.close)

    def _is_at_work(self) -> bool:
        # A process that was forked has the object, but not the thread.
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        # Closing ends it only once nothing is due: the last change may have come during the last rewrite, or before
        # this thread ran at all.
        while self._is_due.is_set() or not self._is_closing.is_set():
            self._is_due.wait()
            self._is_closing.wait(min(_LONGEST_WAIT_SECONDS, max(_GATHER_SECONDS, 4 * self._lasted)))
            if not self._is_due.is_set():
                continue  # somebody had it written now
            if not self._write_reported():
                if self._is_closing.is_set():
                    return
                self._is_due.set()
                self._is_closing.wait(_RETRY_SECONDS)

    def _write_reported(self) -> bool:
        started = time.monotonic()
        try:
            self.write_now()
        # Whatever it is, the thread goes on: without it the file would stand still for good.
        except Exception as error:
            _log.error("%s cannot be brought up to date: %s", self.path, error)
            return False
        self._lasted = time.monotonic() - started
        return True

    def _is_on_disk(self, content: bytes) -> bool:
        try:
            return self.path.read_bytes() == content
        except OSError:
            return False
