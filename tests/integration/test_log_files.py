"""Log files that several processes write: nothing is lost or torn by rotation, long lines, kills or full disks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from mlops.logging_config.appending import AppendedFile

REPOSITORY = Path(__file__).parent.parent.parent
DAY = 86_400.0
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
N_PROCESSES, N_LINES = 4, 20_000

# Every thousandth line is longer than PIPE_BUF, and than the buffers of Python.
WRITER = """
import sys, time
from pathlib import Path
from mlops.config import Settings
from mlops.logging_config import get_logger, log_state, setup_logging
folder, number, n_lines = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
setup_logging(Settings(_env_file=None, data_dir=folder, max_log_size_mb=1, backup_count=1000), console=False)
log = get_logger("app").bind(process=number)
while not (folder / "go").exists():
    time.sleep(0.01)
for n in range(n_lines):
    log.info("wrote", n=n, filler="x" * (20_000 if n % 1000 == 0 else 40))
    if len(sys.argv) > 4:
        print(n, flush=True)
assert log_state().n_lost == 0, log_state()
"""


def start(folder: Path, number: int, n_lines: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(number), str(n_lines), *more],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE if more else None,
        text=True,
    )


def lines_of(folder: Path) -> list[bytes]:
    """All lines under *folder*; each ends in a line feed."""
    found = []
    for path in folder.glob("*.log*"):
        content = path.read_bytes()
        assert content.endswith(b"\n"), path
        found += content[:-1].split(b"\n")
    return found


def test_four_processes_lose_and_tear_no_line_while_files_are_rotated(quick_path: Path) -> None:
    writers = [start(quick_path, number, N_LINES) for number in range(N_PROCESSES)]
    (quick_path / "go").touch()
    assert [writer.wait(timeout=120) for writer in writers] == [0] * N_PROCESSES
    seen = Counter((line["process"], line["n"]) for line in map(json.loads, lines_of(quick_path / "logs")))
    assert seen == Counter((str(number), n) for number in range(N_PROCESSES) for n in range(N_LINES))
    sizes = [path.stat().st_size for path in (quick_path / "logs").glob("*.log.*")]
    assert len(sizes) >= 8
    assert max(sizes) <= 1_000_000 + N_PROCESSES * 21_000


def test_a_killed_process_loses_nothing_that_it_logged_and_tears_no_line_of_another(quick_path: Path) -> None:
    (quick_path / "go").touch()
    killed, other = start(quick_path, 0, 10**9, "tell"), start(quick_path, 1, 5_000)
    assert killed.stdout is not None
    told = -1
    while told < 2_000:
        told = int(killed.stdout.readline())
    killed.send_signal(signal.SIGKILL)
    rest, _ = killed.communicate(timeout=30)
    told = max([told, *(int(line) for line in rest.split("\n")[:-1])])
    assert other.wait(timeout=60) == 0
    seen = {"0": set[int](), "1": set[int]()}
    n_torn = 0
    for line in lines_of_maybe_torn(quick_path / "logs"):
        try:
            fields = json.loads(line)
            seen[fields["process"]].add(fields["n"])
        except ValueError:
            n_torn += 1
    assert seen["0"] >= set(range(told + 1))
    assert seen["1"] == set(range(5_000))
    assert n_torn <= 1


def lines_of_maybe_torn(folder: Path) -> list[bytes]:
    return [line for path in folder.glob("*.log*") for line in path.read_bytes().splitlines()]


def an_appended(folder: Path, *, max_bytes: int = 1_000_000, n_backups: int = 3) -> AppendedFile:
    return AppendedFile(folder, "app", max_bytes=max_bytes, n_backups=n_backups)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_full_files_become_numbered_and_the_oldest_go(tmp_path: Path) -> None:
    file = an_appended(tmp_path, max_bytes=10, n_backups=2)
    for letter in b"abcde":
        assert file.append(bytes([letter]) * 7 + b"\n", NOON)
    assert {name: (tmp_path / name).read_bytes()[:1] for name in names(tmp_path)} == {
        "app_20261125.log": b"e",
        "app_20261125.log.1": b"d",
        "app_20261125.log.2": b"c",
    }


def test_a_new_day_has_a_file_of_its_own_and_earlier_days_count_as_backups(tmp_path: Path) -> None:
    (tmp_path / "app_notes.log").touch()
    (tmp_path / "mlops_20200101.log").touch()
    file = an_appended(tmp_path, max_bytes=10, n_backups=2)
    for day in range(4):
        file.append(b"morning\n", NOON + day * DAY)
        file.append(b"evening\n", NOON + day * DAY + 60)
    assert names(tmp_path) == [
        "app_20261127.log", "app_20261128.log", "app_20261128.log.1", "app_notes.log", "mlops_20200101.log",
    ]  # fmt: skip


def test_a_line_longer_than_a_file_may_be_is_whole_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = an_appended(tmp_path, max_bytes=100)
    for line in (b"short\n", b"x" * 1_000 + b"\n", b"short\n"):
        file.append(line, NOON)
    assert (tmp_path / "app_20261125.log.1").read_bytes() == b"x" * 1_000 + b"\n"
    assert len(names(tmp_path)) == 3


def test_while_another_process_rotates_lines_are_written_all_the_same(tmp_path: Path) -> None:
    file = an_appended(tmp_path, max_bytes=10)
    file.append(b"first\n", NOON)
    with FileLock(tmp_path / ".app.lock"):
        file.append(b"second\n", NOON)
    file.append(b"third\n", NOON)
    assert (tmp_path / "app_20261125.log.1").read_bytes() == b"first\nsecond\n"
    assert (tmp_path / "app_20261125.log").read_bytes() == b"third\n"


@pytest.mark.parametrize("how", ["renamed", "deleted", "folder deleted"])
def test_a_file_that_was_taken_away_is_made_anew(how: str, tmp_path: Path) -> None:
    file = an_appended(tmp_path / "logs")
    file.append(b"before\n", NOON)
    path = tmp_path / "logs" / "app_20261125.log"
    if how == "renamed":
        path.rename(path.with_suffix(".old"))
    else:
        path.unlink()
    if how == "folder deleted":
        shutil.rmtree(path.parent)
    file.append(b"after\n", NOON + 1)
    assert path.read_bytes() == b"after\n"
    assert file.problem is None


def test_a_torn_line_of_another_process_spoils_none_of_ours(tmp_path: Path) -> None:
    file = an_appended(tmp_path)
    file.append(b"whole\n", NOON)
    with (tmp_path / "app_20261125.log").open("ab") as other:
        other.write(b'{"torn')
    file.append(b"ours\n", NOON)
    assert (tmp_path / "app_20261125.log").read_bytes() == b'whole\n{"torn\nours\n'


def test_threads_lose_and_tear_no_line(quick_path: Path) -> None:
    file = an_appended(quick_path, max_bytes=20_000, n_backups=1_000)

    def write(name: str) -> None:
        for number in range(2_000):
            file.append(f"{name} {number}\n".encode(), NOON)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(lines_of(quick_path)) == Counter(f"{name} {n}".encode() for name in "abcd" for n in range(2_000))
    assert len(names(quick_path)) > 2


FULL = """
import resource, signal, sys
from pathlib import Path
from mlops.config import Settings
from mlops.logging_config import get_logger, log_state, setup_logging
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
setup_logging(Settings(_env_file=None, data_dir=Path(sys.argv[1])), console=False)
log = get_logger("app")
log.info("fits")
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
for n in range(5):
    log.info("too much", n=n, filler="x" * 500)
full = log_state()
assert full.n_lost == 5 and len(full.problems) == 1 and full.problems[0].startswith("app: "), full
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.info("room again")
assert log_state().problems == () and log_state().n_lost == 5
"""


def test_a_full_disk_is_counted_and_fails_nobody(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="only POSIX limits the size of files")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *torn, last = lines_of(tmp_path / "logs")
    assert (json.loads(first)["event"], json.loads(last)["event"]) == ("fits", "room again")
    assert len(torn) == 1  # what the disk still took of the first line that did not fit


def test_a_folder_that_cannot_be_made_is_counted_and_fails_nobody(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    file = an_appended(tmp_path / "logs")
    assert not file.append(b"line\n", NOON)
    assert (file.n_lost, file.problem) == (1, f"File exists ({tmp_path / 'logs'})")


def test_where_a_file_cannot_be_rotated_it_grows_on(tmp_path: Path) -> None:
    (tmp_path / ".app.lock").mkdir()
    file = an_appended(tmp_path, max_bytes=10)
    assert all(file.append(b"a line\n", NOON) for _ in range(5))
    assert (file.n_lost, file.problem) == (0, f"not rotated: Is a directory ({tmp_path})")
    (tmp_path / ".app.lock").rmdir()
    assert file.append(b"a line\n", NOON)
    assert file.problem is None
    assert [(tmp_path / name).stat().st_size for name in names(tmp_path)] == [7, 35]
