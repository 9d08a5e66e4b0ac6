"""The process of one training: ``python -m mlops.retraining.child FOLDER ADDRESS MEMORY_MB``.

FOLDER holds ``order.json`` and the champion's files in ``champion``; what comes of it is written there, too. It says
how far it is by lines of JSON on stdout. It ends by itself when its stdin is closed: then whoever started it is dead.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

import orjson

from mlops.artefacts import files_in
from mlops.retraining.trainers import load_factory
from mlops.retraining.work import Stage, TrainingEnded, TrainingOrder, carry_out, failures_named
from mlops.sentences import say

NICENESS = 10
ORPHANED = 75
_LONGEST_TRACE = 4_000


def main(arguments: list[str]) -> int:
    """Train as the order in the folder says. The exit status is 0 where an answer was given, be it a bad one."""
    folder, address, memory_mb = Path(arguments[0]), arguments[1], int(arguments[2])
    speaker = _Speaker(_take_stdout())
    _be_modest(memory_mb)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        order = TrainingOrder.from_json((folder / "order.json").read_bytes())
        with failures_named(
            lambda error: say("the trainer {address!s} cannot be made: {error}", address=address, error=error)
        ):
            trainer = load_factory(address)()
        champion = folder / "champion"
        findings = carry_out(trainer, order, files_in(champion) if champion.is_dir() else {}, speaker.progress)
        findings.save(folder)
    except TrainingEnded as ended:
        trace = "".join(traceback.format_exception(ended.__cause__)) if ended.how == "failed" else ""
        speaker.line(ended=ended.how, reason=ended.reason, trace=trace[-_LONGEST_TRACE:])
    else:
        speaker.line(done=True)
    return 0


class _Speaker:
    """Lines of JSON to whoever started this process."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def line(self, **fields: Any) -> None:
        self._stream.write(orjson.dumps(fields).decode() + "\n")
        self._stream.flush()

    def progress(self, stage: Stage, share: float, doing: str) -> None:
        self.line(stage=stage, share=float(share), doing=str(doing)[:200])


def _take_stdout() -> TextIO:
    # What a trainer or one of its libraries prints belongs into the log, not among our lines.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _be_modest(memory_mb: int) -> None:
    # Neither is there on Windows, and only Linux holds a process to the limit.
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    if memory_mb > 0 and sys.platform == "linux":
        import resource

        limit = memory_mb * 2**20
        # Not the address space, of which threads and libraries map far more than they ever use.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _end_with_parent() -> None:
    # A pipe that nobody else holds: it ends when the other process does, however that comes about.
    while os.read(0, 1024):
        continue
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
