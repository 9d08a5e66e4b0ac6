"""Runs a training in a process of its own, watches over it, and ends it when it must."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

import orjson

from mlops.artefacts import files_in
from mlops.files import write_whole
from mlops.retraining.trainers import TrainerEntry
from mlops.retraining.work import Findings, Stage, TrainingEnded, TrainingOrder, carry_out, needs_more_memory
from mlops.sentences import say

_LOOK_SECONDS = 0.1
_SECONDS_TO_END = 5.0
_LONGEST_COMPLAINT = 2_000
# A training is one of two things on a small machine, and the other one answers requests.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    "1",
)
_MAY_PASS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Watch(Protocol):
    """Whoever follows a training."""

    def report(self, stage: Stage, share: float, doing: str) -> None:
        """Told how far it is."""

    def check(self) -> None:
        """Called often.

        Raises:
            Stop: the training is to end now.
        """


Training = Callable[[TrainerEntry, TrainingOrder, Path, Watch], Findings]
"""How a training is run: in a process of its own, or in this one. *folder* holds the champion's files in ``champion``.

Raises :class:`~mlops.retraining.work.TrainingEnded` where nothing comes of it, and whatever the watch raises.
"""


def train_here(entry: TrainerEntry, order: TrainingOrder, folder: Path, watch: Watch) -> Findings:
    """Train in this process, without limits: for simulations and for trainers that no other process can find."""

    def report(stage: Stage, share: float, doing: str) -> None:
        watch.report(stage, share, doing)
        watch.check()

    champion = folder / "champion"
    return carry_out(entry.make(), order, files_in(champion) if champion.is_dir() else {}, report)


class TrainingProcess:
    """Trains in a process of its own, which yields to others, and takes so much memory and time at most."""

    def __init__(
        self, *, environment: Mapping[str, str] | None = None, memory_mb: int | None, timeout_seconds: float
    ) -> None:
        """Nothing is started yet.

        Args:
            environment: of the process, beside that of this one; where it says where the registry is, say.
            memory_mb: None for no limit.
        """
        self._environment = dict(environment or {})
        self._memory_mb = memory_mb
        self._timeout_seconds = timeout_seconds

    def __call__(self, entry: TrainerEntry, order: TrainingOrder, folder: Path, watch: Watch) -> Findings:
        """Train; see :data:`Training`."""
        if entry.address is None:
            raise TrainingEnded(
                "failed",
                say(
                    "no other process can find the trainer of {model!s}: register it as package.module:function, or a "
                    "function at the top of a module or script",
                    model=order.model_id,
                ),
            )
        write_whole(folder / "order.json", order.to_json(), durable=False)
        with (folder / "errors.txt").open("wb") as errors:
            child = self._start(entry.address, folder, errors)
            try:
                answer = _Conversation(child, watch, time.monotonic() + self._timeout_seconds).listen()
            finally:
                _end(child)
        return self._learn(answer, child.returncode, folder)

    def _start(self, address: str, folder: Path, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        paths = [path or str(Path.cwd()) for path in sys.path]
        return subprocess.Popen(  # noqa: S603  whoever registered the trainer chose what runs
            [sys.executable, "-m", "mlops.retraining.child", str(folder), address, str(self._memory_mb or 0)],
            env={**os.environ, **_ONE_THREAD, **self._environment, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Ctrl-C in the terminal is for this process, which ends the child in its own time.
            start_new_session=True,
        )

    def _learn(self, answer: Mapping[str, object] | None, status: int, folder: Path) -> Findings:
        if answer is None:
            raise self._crashed(status, folder)
        if "ended" in answer:
            raise TrainingEnded(answer["ended"], str(answer["reason"]), str(answer.get("trace", "")))  # type: ignore[arg-type]
        if "overdue" in answer:
            minutes = self._timeout_seconds / 60
            raise TrainingEnded(
                "failed", say("it took longer than {minutes:g} minutes, and was ended", minutes=minutes)
            )
        return Findings.load(folder)

    def _crashed(self, status: int, folder: Path) -> TrainingEnded:
        complaint = (folder / "errors.txt").read_bytes()[-_LONGEST_COMPLAINT:].decode(errors="replace")
        if status < 0:
            killed = say("the process of the training was ended by signal {number:d}", number=-status)
            reason = f"{killed}; {self._limit()}"
            return TrainingEnded("interrupted" if -status in _MAY_PASS else "failed", reason, complaint)
        if "MemoryError" in complaint:
            return TrainingEnded("failed", needs_more_memory(), complaint)
        reason = say("the process of the training ended with status {status:d}", status=status)
        return TrainingEnded("failed", reason, complaint)

    def _limit(self) -> str:
        if self._memory_mb is None:
            return say("it had no limit of memory")
        return say("it had a limit of {limit:d} MiB", limit=self._memory_mb)


class _Conversation:
    """Listens to a process until it has answered, is gone, or is overdue."""

    def __init__(self, child: subprocess.Popen[bytes], watch: Watch, deadline: float) -> None:
        self._child = child
        self._watch = watch
        self._deadline = deadline
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="training-output", daemon=True).start()

    def listen(self) -> Mapping[str, object] | None:
        """Its answer, ``{"overdue": True}`` where there was none in time, None where it is gone without one."""
        while time.monotonic() < self._deadline:
            self._watch.check()
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if line is None:
                # Its output ends a moment before it does.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_SECONDS_TO_END)
                return None
            message = orjson.loads(line)
            if "stage" not in message:
                return dict(message)
            self._watch.report(message["stage"], message["share"], message["doing"])
        return {"overdue": True}

    def _read(self) -> None:
        assert self._child.stdout is not None  # noqa: S101
        with self._child.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the process and what it has started; it is gone when this returns."""
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        try:
            child.wait(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            _signal(child, signal.SIGKILL)
            child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        # It leads a session of its own, so that its number is that of its group.
        os.killpg(child.pid, number) if hasattr(os, "killpg") else child.send_signal(number)
    except ProcessLookupError:
        return
