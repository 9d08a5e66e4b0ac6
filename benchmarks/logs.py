"""Logging from several processes to one rotated file: microseconds a record, lines lost, lines torn.

Every contender writes the same lines of a request, about 300 bytes of JSON, from 4 processes at once and from one,
to files of 1 MB with as many backups as it likes. The time is that from the first process's first record to the last
one's last, divided by the records of all. The CPU time is that of all processes, divided likewise; other work on the
machine disturbs it least. Afterwards all files are read: a line is lost if it is nowhere, torn if it is no JSON. Peers
that are not installed are skipped; `--peers-python` names the interpreter of an environment that has them.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _common import REPOSITORY, finish, machine, parser, table

MAX_BYTES = 1_000_000
N_BACKUPS = 10_000
Log = Callable[[int], object]


def request(process: str, number: int) -> dict[str, Any]:
    """The fields of a line."""
    return {
        "process": process, "n": number, "request_id": "6f1c0e5a9b7d4e2f8a3b5c7d9e1f2a4b", "method": "POST",
        "route": "/recommend", "status": 200, "latency_ms": 12.5, "version": "1.2.0",
        "stage_ms": {"encode": 2.5, "retrieve": 3.1, "rank": 1.2},
    }  # fmt: skip


def ours(folder: Path, process: str) -> Log:
    """mlops.logging_config, redaction included."""
    from mlops.config import Settings
    from mlops.logging_config import get_logger, setup_logging

    settings = Settings(_env_file=None, data_dir=folder, max_log_size_mb=1, backup_count=N_BACKUPS)
    setup_logging(settings, console=False)
    log = get_logger("app")
    return lambda number: log.info("request_handled", **request(process, number))


class AsJson(logging.Formatter):
    """A line of JSON of a record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        import orjson

        head = {"timestamp": datetime.fromtimestamp(record.created, UTC), "level": record.levelname}
        return orjson.dumps({**head, "event": record.getMessage(), **record.fields}).decode()  # type: ignore[attr-defined]


def concurrent_log_handler(folder: Path, process: str) -> Log:
    """concurrent-log-handler with orjson: the lock between processes is held for each record."""
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    handler = ConcurrentRotatingFileHandler(str(folder / "app.log"), maxBytes=MAX_BYTES, backupCount=N_BACKUPS)
    log = _standard(handler, AsJson())
    return lambda number: log.info("request_handled", extra={"fields": request(process, number)})


def structlog_rotating(folder: Path, process: str) -> Log:
    """structlog with orjson over the standard RotatingFileHandler."""
    from logging.handlers import RotatingFileHandler

    import orjson
    import structlog

    handler = RotatingFileHandler(folder / "app.log", maxBytes=MAX_BYTES, backupCount=N_BACKUPS)
    _standard(handler, logging.Formatter("%(message)s"))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=lambda fields, **_: orjson.dumps(fields).decode()),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger("bench")
    return lambda number: log.info("request_handled", **request(process, number))


def loguru(folder: Path, process: str) -> Log:
    """loguru with orjson."""
    import orjson
    from loguru import logger

    logger.remove()
    logger.add(folder / "app.log", rotation=MAX_BYTES, retention=N_BACKUPS, format="{message}")

    def log(number: int) -> None:
        head = {"timestamp": datetime.now(UTC), "level": "info", "event": "request_handled"}
        logger.info("{}", orjson.dumps({**head, **request(process, number)}).decode())

    return log


def _standard(handler: logging.Handler, formatter: logging.Formatter) -> logging.Logger:
    handler.setFormatter(formatter)
    log = logging.getLogger("bench")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    return log


CONTENDERS: dict[str, tuple[Callable[[Path, str], Log], str]] = {
    "mlops.logging_config": (ours, "mlops"),
    "concurrent-log-handler": (concurrent_log_handler, "concurrent_log_handler"),
    "structlog + RotatingFileHandler": (structlog_rotating, "structlog"),
    "loguru": (loguru, "loguru"),
}


def write(name: str, folder: Path, process: str, n_records: int) -> None:
    """One process: ready, wait for the start, log, tell when it began and ended, and its CPU time."""
    log = CONTENDERS[name][0](folder, process)
    (folder / f"ready-{process}").touch()
    while not (folder / "go").exists():
        time.sleep(0.001)
    began, cpu_before = time.time(), time.process_time()
    for number in range(n_records):
        log(number)
    print(json.dumps([began, time.time(), time.process_time() - cpu_before]))


def measure(name: str, python: str, *, n_processes: int, n_records: int) -> dict[str, float]:
    """Run *name* in *n_processes* processes that log *n_records* each."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = [python, __file__, "--writer", name, place]
        # A contender may complain of each line that it could not write.
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        writers = [
            subprocess.Popen([*command, str(n), str(n_records)], env=environment, **options) for n in range(n_processes)
        ]
        while not all((folder / f"ready-{n}").exists() for n in range(n_processes)):
            time.sleep(0.01)
        (folder / "go").touch()
        times = [json.loads(writer.communicate()[0]) for writer in writers]
        began, ended, cpu_seconds = zip(*times, strict=True)
        n_expected = n_processes * n_records
        return {
            "us_per_record": round((max(ended) - min(began)) / n_expected * 1e6, 1),
            "cpu_us_per_record": round(sum(cpu_seconds) / n_expected * 1e6, 1),
            **_counted(folder, n_expected),
        }


def _counted(folder: Path, n_expected: int) -> dict[str, float]:
    seen, n_torn, n_files = set(), 0, 0
    for path in (path for path in folder.rglob("app*") if path.is_file()):
        n_files += 1
        for line in path.read_bytes().splitlines():
            try:
                fields = json.loads(line)
                seen.add((fields["process"], fields["n"]))
            except ValueError:
                n_torn += 1
    return {"lost": n_expected - len(seen), "torn": n_torn, "files": n_files}


def _is_there(python: str, module: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [python, "-c", f"import {module}, orjson"]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def main() -> None:
    """Measure every contender that is installed."""
    options = parser(__doc__ or "")
    options.add_argument("--peers-python", default=sys.executable, help="interpreter that has the peers")
    options.add_argument("--records", type=int, default=20_000, help="records of each process")
    given = options.parse_args()
    figures: dict[str, Any] = {}
    for name, (_, module) in CONTENDERS.items():
        python = sys.executable if module == "mlops" else given.peers_python
        if not _is_there(python, module):
            print(f"skipped: {name} is not installed")
            continue
        runs = {n: measure(name, python, n_processes=n, n_records=given.records) for n in (4, 1)}
        figures[name] = {f"{n} processes": run for n, run in runs.items()}
    rows = [
        [
            name,
            *(four[what] for what in ("us_per_record", "cpu_us_per_record", "lost", "torn")),
            *(one[what] for what in ("us_per_record", "cpu_us_per_record")),
        ]
        for name, (four, one) in ((name, tuple(runs.values())) for name, runs in figures.items())
    ]
    print(f"{machine()}; {given.records} records a process, files of {MAX_BYTES} bytes\n")
    head = ["", "µs a record, 4 processes", "CPU µs", "lost", "torn", "µs a record, 1 process", "CPU µs"]
    print(table(head, rows))
    finish(figures, given.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--writer"]:
        write(sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        main()
