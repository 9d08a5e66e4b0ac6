"""A small thread in a service that sees to it that what waits is sent, by a process of its own.

The service itself never imports MLflow, waits for it, or holds its memory.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import orjson

from mlops.clock import Clock, utc_now
from mlops.config import Settings
from mlops.errors import StoreError
from mlops.store import Database
from mlops.store.leases import Leases
from mlops.tracking.mirror import LEASE
from mlops.tracking.outbox import MirrorStatus, Outbox, delay_seconds
from mlops.tracking.place import tracking_uri

_SECONDS_TO_END = 5.0

_log = logging.getLogger("mlops.tracking")


class MirrorRunner:
    """Starts ``mlops models mirror`` whenever something waits and is due. Every worker of a service may have one."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        every_seconds: float = 2.0,
        timeout_seconds: float = 300.0,
        command: Sequence[str] = (sys.executable, "-m", "mlops.cli", "models", "mirror", "--background", "--json"),
        clock: Clock = utc_now,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Nothing is started yet. Where the settings say that the mirror is off, nothing ever is.

        Args:
            database: the registry's, whose tables are there.
            every_seconds: how often to look whether something waits.
            timeout_seconds: how long a process may take before it is ended; what it has not sent goes on waiting.
            command: what is run. Its environment says where registry and MLflow are; it answers with a JSON object on
                stdout that has a ``state``, which says that it has noted what failed.

        Raises:
            InvalidSettings: see :func:`~mlops.tracking.tracking_uri`.
        """
        self._uri = tracking_uri(settings)
        self._settings = settings
        self._database = database
        self._every_seconds = every_seconds
        self._timeout_seconds = timeout_seconds
        self._command = list(command)
        self._clock = clock
        self._rng = rng or np.random.default_rng()
        self._outbox = Outbox(database, clock=clock, rng=self._rng)
        self._leases = Leases(database, clock=clock)
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._quiet_at: tuple[int, int] | None = None
        self._n_crashes = 0
        self._last_crash: str | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """Begin to look. Returns at once."""
        if self._uri is not None and self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="mlflow-mirror", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and the process where one is at work; what it has not sent goes on waiting."""
        self._stopping.set()
        with self._guard:
            if self._child is not None:
                _end(self._child)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def status(self) -> MirrorStatus:
        """How the mirror stands, from the state database: cheap, and nobody asks MLflow.

        Raises:
            StoreUnavailable: the state database does not answer.
        """
        status = self._outbox.status(is_on=self._uri is not None)
        return status if status.last_error else replace(status, last_error=self._last_crash)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            try:
                self._look()
            except StoreError as error:
                _log.warning("cannot see whether something waits for MLflow: %s", error)
            except Exception:
                # This thread must neither end nor take the service with it.
                _log.exception("the MLflow mirror failed to look, and looks again")

    def _look(self) -> None:
        if time.monotonic() < self._not_before:
            return
        stamp = self._outbox.stamp()
        if stamp == self._quiet_at:
            return
        due = self._outbox.next_due()
        if due is None:
            # Read before the question: what has changed in between changes the stamp again.
            self._quiet_at = stamp
        elif due <= self._clock() and self._leases.held(LEASE) is None:
            self._send()

    def _send(self) -> None:
        with self._guard:
            if self._stopping.is_set():
                return
            self._child = subprocess.Popen(  # noqa: S603  whoever made the runner chose the command
                self._command,
                env=child_environment(self._settings, self._database, self._uri or "off"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C in the service's terminal is for the service, which ends the child in its own time.
                start_new_session=True,
            )
        try:
            answer, complaint = self._wait(self._child)
        finally:
            with self._guard:
                child, self._child = self._child, None
        self._learn(child.returncode, answer, complaint)

    def _wait(self, child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        try:
            return child.communicate(timeout=self._timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(child)
            child.communicate()
            return b"", f"it was ended after {self._timeout_seconds:g} s".encode()

    def _learn(self, status: int, answer: bytes, complaint: bytes) -> None:
        # Who answers has noted what failed, each with its next attempt. Who does not has noted nothing, and would be
        # started again at once.
        if _is_an_answer(answer) or self._stopping.is_set():
            self._n_crashes, self._last_crash = 0, None
            return
        self._n_crashes += 1
        lines = complaint.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        self._last_crash = f"mlops models mirror failed with status {status}: {last[:300]}"
        self._not_before = time.monotonic() + delay_seconds(self._n_crashes, self._rng)
        _log.warning("%s", self._last_crash)


def child_environment(settings: Settings, database: Database, uri: str) -> dict[str, str]:
    """The environment in which the command finds the same registry and the same MLflow as the service."""
    ours = {
        "DATA_DIR": str(settings.data_dir.absolute()),
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_EXPERIMENT_NAME": settings.mlflow_experiment_name,
    }
    if settings.artifact_signing_key is not None:
        ours["ARTIFACT_SIGNING_KEY"] = settings.artifact_signing_key.get_secret_value()
    return {**os.environ, **ours}


def _is_an_answer(text: bytes) -> bool:
    try:
        answer = orjson.loads(text)
    except ValueError:
        return False
    return isinstance(answer, dict) and "state" in answer


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
