"""A thread that does something again and again, until it is told to end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable


class Repeating:
    """Calls *task* every so many seconds, from a thread of its own. It can be started anew after it was stopped."""

    def __init__(
        self, name: str, task: Callable[[], object], *, every_seconds: float, log: logging.Logger, trouble: str
    ) -> None:
        """Nothing is started yet.

        Args:
            name: of the thread.
            task: handles the errors that it foresees. What else it raises is logged, and it is called again.
            every_seconds: between the end of a call and the next; the first comes so long after the start.
            trouble: what *log* is told of an error that nobody foresaw.
        """
        self._name = name
        self._task = task
        self._every_seconds = every_seconds
        self._log = log
        self._trouble = trouble
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; nothing where it runs already. Returns at once."""
        if self._thread is None:
            self._is_stopping = False
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> bool:
        """End after the call that is being made. Whether it ran."""
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        self._is_stopping = True
        self._wake.set()
        thread.join()
        return True

    def wake(self) -> None:
        """Let the next call come at once."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._every_seconds)
            # Before the question: whoever stops it in between has set both, and is seen.
            self._wake.clear()
            if self._is_stopping:
                return
            try:
                self._task()
            except Exception:
                # This thread must neither end nor take the program with it.
                self._log.exception("%s", self._trouble)
