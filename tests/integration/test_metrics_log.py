"""The metrics log with real processes, files that are torn, disks that are full, and months that pass."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from mlops.monitoring import segments
from mlops.monitoring.collector import MetricsCollector
from mlops.monitoring.compaction import compact
from mlops.monitoring.housekeeping import Ages, keep_house
from mlops.monitoring.prometheus import exposition

REPOSITORY = Path(__file__).parent.parent.parent
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

# Records whole numbers one after another and says how far it came; killed, it can say no more.
WRITER = """
import sys, time
from mlops.monitoring.collector import MetricsCollector
collector = MetricsCollector(sys.argv[1], flush_seconds=0.1)
collector.record("must_not_be_lost", 1.0, flush=True)
number = 0
while True:
    number += 1
    collector.record("count", float(number))
    if number % 100 == 0:
        print(number, time.time(), flush=True)
        time.sleep(0.01)
"""


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


Make = Callable[..., MetricsCollector]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    made: list[MetricsCollector] = []

    def one(**options: Any) -> MetricsCollector:
        # The thread would flush between two steps of a test.
        made.append(MetricsCollector(folder, **{"flush_seconds": 60, **options}))
        return made[-1]

    yield one
    for collector in made:
        collector.stop()


def segments_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.jsonl"))


def test_a_line_of_the_log_is_as_documented(make: Make, folder: Path) -> None:
    clock = SetClock()
    metrics = make(clock=clock)
    metrics.record("api_latency_ms", 145.5, {"version": "1.0.1", "language": "es"})
    clock.time += timedelta(milliseconds=250)
    metrics.record("api_latency_ms", 20, {"language": "es", "version": "1.0.1"})
    metrics.flush()
    (line,) = segments_in(folder)[0].read_bytes().splitlines()
    assert orjson.loads(line) == {
        "at": "2026-11-25T12:00:00.000Z", "name": "api_latency_ms", "labels": {"language": "es", "version": "1.0.1"},
        "ms": [0, 250], "values": [145.5, 20.0],
    }  # fmt: skip


def test_a_flush_is_one_append_whatever_it_holds(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = make()
    for number in range(100):
        metrics.record("x", 1.0, {"number": str(number)})
    sizes: list[int] = []
    write = os.write
    monkeypatch.setattr(segments.os, "write", lambda file, content: sizes.append(len(content)) or write(file, content))
    metrics.flush()
    metrics.flush()
    assert len(sizes) == 1


def test_a_killed_process_loses_at_most_the_last_interval_and_the_log_stays_readable(make: Make, folder: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(40)]
    killed_at = time.time()
    writer.send_signal(signal.SIGKILL)
    lines += writer.stdout.read().splitlines()
    writer.wait()
    writer.stdout.close()
    said = [(int(number), float(at)) for number, at in (line.split() for line in lines if line.count(" ") == 1)]
    metrics = make()
    stats = metrics.get_stats("count")
    # Twice the interval for a busy machine.
    assert stats["count"] >= max(number for number, at in said if at < killed_at - 0.2)
    # Nothing is missing in between and nothing counts twice.
    assert stats["max"] == stats["count"]
    assert stats["mean"] == pytest.approx((stats["count"] + 1) / 2)
    assert metrics.get_stats("must_not_be_lost")["count"] == 1
    # What was left behind is rolled up, and says the same.
    assert keep_house(folder, clock=lambda: datetime.now(UTC), ages=Ages())
    assert make().get_stats("count") == metrics.get_stats("count") == stats


def test_two_processes_tell_the_same_complete_numbers(make: Make, folder: Path) -> None:
    ours = make()
    program = """
import sys
from mlops.monitoring.collector import MetricsCollector
collector = MetricsCollector(sys.argv[1], flush_seconds=60)
for line in sys.stdin:
    collector.record("latency_ms", float(line), {"process": "theirs"})
    print(repr(collector.get_stats("latency_ms")), flush=True)
"""
    theirs = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert theirs.stdin is not None
    assert theirs.stdout is not None
    for number in range(1, 6):
        ours.record("latency_ms", number * 10.0, {"process": "ours"})
        ours.flush()
        theirs.stdin.write(f"{number}\n")
        theirs.stdin.flush()
        told = eval(theirs.stdout.readline())
        assert told == pytest.approx(ours.get_stats("latency_ms"))
        assert told["count"] == 2 * number
    theirs.communicate()
    assert set(ours.stats_by("latency_ms", "process")) == {"ours", "theirs"}


def _record_in_a_child(metrics: MetricsCollector) -> None:
    metrics.record("x", 100.0)
    assert metrics.get_stats("x")["count"] >= 1
    metrics.stop()


def test_a_forked_child_writes_its_own_points_and_not_its_parents(make: Make, folder: Path) -> None:
    metrics = make()
    metrics.record("x", 1.0, flush=True)
    metrics.record("x", 2.0)
    with warnings.catch_warnings():
        # A fork beside threads is what is tested; later Pythons warn of it.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        # Whatever happens, this copy of the test run must not go on.
        try:
            _record_in_a_child(metrics)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    metrics.record("x", 3.0)
    stats = metrics.get_stats("x")
    assert (stats["count"], stats["mean"]) == (4, 26.5)
    assert len(segments_in(folder)) == 2
    # The child's copy of the lock must not have freed, or kept, the parent's file.
    assert [segments.is_left_behind(path) for path in segments_in(folder)].count(True) == 1


def test_a_restart_finds_the_window_as_it_was(make: Make) -> None:
    first = make()
    for value in np.random.default_rng(5).lognormal(3, 1, 500):
        first.record("latency_ms", float(value), {"version": "1"})
    before = first.get_stats("latency_ms"), first.get_latest("latency_ms", 10)
    first.stop()
    second = make()
    assert (second.get_stats("latency_ms"), second.get_latest("latency_ms", 10)) == before


TORN = [
    (b'{"at":"2026-11-25T12:00:00.000Z","name":"x","labels":{},"ms":[0', 1),
    (b"\x00" * 100, 1),
    (b"\x00" * 100 + b"\n" + b'{"at":', 2),
    (b'{"at":"2026-11-25T12:00:00.000Z","name":"x","labels":{},"ms":[0],"values":[1,2]}\n', 1),
    (b'{"at":"2026-11-25T12:00:00.000Z","name":"x","labels":{},"ms":[0],"values":[null]}\n', 1),
    (b'{"at":"2026-11-25T12:00:00.000Z","name":"x","labels":[1],"ms":[0],"values":[1]}\n[]\n', 2),
]


@pytest.mark.parametrize(("rubbish", "n_torn"), TORN)
def test_torn_lines_are_skipped_and_counted(rubbish: bytes, n_torn: int, make: Make, folder: Path) -> None:
    clock = SetClock()
    first = make(clock=clock)
    first.record("x", 1.0)
    first.stop()
    with segments_in(folder)[0].open("ab") as file:
        file.write(rubbish)
    by_lines = make(clock=clock)
    assert by_lines.get_stats("x")["count"] == 1
    assert by_lines.status().n_torn == n_torn
    by_lines.keep_house()
    assert by_lines.get_stats("x")["count"] == 1
    assert by_lines.status().n_torn == n_torn
    by_rollup = make(clock=clock)
    assert by_rollup.get_stats("x")["count"] == 1
    assert by_rollup.status().n_torn == n_torn


def test_a_line_that_is_still_being_written_is_neither_read_nor_torn(make: Make, folder: Path) -> None:
    writer, reader = make(), make()
    writer.record("x", 1.0)
    writer.flush()
    line = segments_in(folder)[0].read_bytes()
    with segments_in(folder)[0].open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert reader.get_stats("x")["count"] == 1
        assert reader.status().n_torn == 0
        file.write(line[20:])
    assert reader.get_stats("x")["count"] == 2


def full_disk(file: int, content: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_fails_nobody_and_what_waits_is_written_later(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, other = make(), make()
    with monkeypatch.context() as scope:
        scope.setattr(segments.os, "write", full_disk)
        for number in range(5):
            metrics.record("x", float(number), flush=True)
        status = metrics.status()
        assert (status.n_waiting, status.n_dropped) == (5, 0)
        assert status.n_write_failures >= 5
        # Monitoring does not go blind.
        assert metrics.get_stats("x")["count"] == 5
        assert other.get_stats("x") == {}
    metrics.record("x", 5.0)
    metrics.flush()
    assert metrics.status().n_waiting == 0
    assert other.get_stats("x") == metrics.get_stats("x")
    assert other.get_stats("x")["count"] == 6


def test_a_disk_that_takes_half_a_flush_keeps_whole_lines_and_writes_none_twice(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, other = make(), make()
    for number in range(10):
        metrics.record("x", float(number), {"number": str(number)})
    write = os.write
    with monkeypatch.context() as scope:
        scope.setattr(segments.os, "write", lambda file, content: write(file, content[: len(content) // 2]))
        metrics.flush()
        assert 0 < metrics.status().n_waiting < 10
        assert other.get_stats("x")["count"] == 10 - metrics.status().n_waiting
    metrics.flush()
    assert metrics.status().n_waiting == 0
    assert (other.get_stats("x")["count"], other.get_stats("x")["mean"]) == (10, pytest.approx(4.5))
    assert other.status().n_torn == 0
    assert make().get_stats("x")["count"] == 10


def test_what_waits_is_bounded_and_the_oldest_go(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = make(max_waiting=100)
    monkeypatch.setattr(segments.os, "write", full_disk)
    for number in range(1000):
        metrics.record("x", float(number), {"number": str(number % 7)})
        if number % 10 == 0:
            metrics.flush()
    status = metrics.status()
    assert status.n_waiting <= 200
    assert status.n_waiting + status.n_dropped == 1000
    monkeypatch.undo()
    metrics.flush()
    kept = make().get_stats("x")
    assert kept["max"] == 999
    assert kept["count"] == 1000 - metrics.status().n_dropped >= 90


def test_a_disk_that_hangs_blocks_nobody_who_records(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = make()
    metrics.record("x", 1.0)
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(file: int, content: bytes) -> int:
        hangs.set()
        goes_on.wait()
        return write(file, content)

    write = os.write
    monkeypatch.setattr(segments.os, "write", hang)
    flusher = threading.Thread(target=metrics.flush)
    flusher.start()
    assert hangs.wait(10)
    # A series that is known and new ones, in this very thread: it would hang, too.
    for number in range(1000):
        metrics.record("x", float(number), {"number": str(number % 10)} if number % 2 else None)
    assert metrics.status().n_waiting == 1001
    goes_on.set()
    flusher.join()
    assert metrics.get_stats("x")["count"] == 1001


def test_a_folder_that_is_taken_away_comes_back(make: Make, folder: Path) -> None:
    metrics = make()
    metrics.record("x", 1.0, flush=True)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    metrics.record("x", 2.0, flush=True)
    assert make().get_stats("x")["mean"] == 2


def test_a_folder_that_cannot_be_made_is_counted(make: Make, folder: Path) -> None:
    folder.write_text("a file is in the way")
    metrics = make()
    metrics.record("x", 1.0, flush=True)
    assert metrics.get_stats("x")["count"] == 1
    status = metrics.status()
    assert status.n_write_failures > 0
    assert status.n_waiting == 1


def test_a_switched_off_collector_records_nothing(make: Make, folder: Path) -> None:
    metrics = make(enabled=False)
    metrics.start()
    metrics.record("x", 1.0, flush=True)
    assert metrics.get_stats("x") == {}
    assert not folder.exists()


def test_points_are_written_without_start_and_without_end(folder: Path) -> None:
    program = f"""
from mlops.monitoring.collector import MetricsCollector
MetricsCollector({str(folder)!r}).record("x", 1.0)
"""
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=True)
    assert MetricsCollector(folder).get_stats("x")["count"] == 1


def months(make: Make, folder: Path, clock: SetClock, *, n_days: int) -> Iterator[MetricsCollector]:
    """A process a day that records two hours of points, one series among them that ends on the third day."""
    rng = np.random.default_rng(8)
    for day in range(n_days):
        metrics = make(clock=clock, retention_days=12)
        for hour in range(2):
            clock.time = START + timedelta(days=day, hours=hour)
            for value in rng.lognormal(3, 1, 20):
                metrics.record("latency_ms", float(value), {"version": str(day % 3)})
            metrics.record("requests", 20.0)
            if day < 3:
                metrics.record("early", 1.0)
            metrics.flush()
        metrics.stop()
        metrics.keep_house()
        yield metrics


def test_months_stay_small_and_totals_never_shrink(make: Make, folder: Path) -> None:
    clock = SetClock()
    follower = make(clock=clock, retention_days=12)
    follower.describe("requests", "counter")
    totals, most_files = [], 0
    for day, _ in enumerate(months(make, folder, clock, n_days=20), start=1):
        restarted = make(clock=clock, retention_days=12)
        assert restarted.get_stats("latency_ms", 60 * 24 * 12) == pytest.approx(
            follower.get_stats("latency_ms", 60 * 24 * 12)
        )
        assert follower.get_stats("latency_ms", 60 * 24 * 400)["count"] == 40 * min(day, 13)
        totals.append({name: (sketch.count, round(sketch.total)) for name, _, sketch, _ in restarted.totals()})
        most_files = max(most_files, len(list(folder.iterdir())))
    assert [total["requests"] for total in totals] == [(2 * day, 40 * day) for day in range(1, 21)]
    assert totals[-1]["early"] == (6, 6)
    assert "requests_total 800\n" in exposition(follower)
    # A file a day, beside it those of single segments and of points for a while, the totals and the lock.
    # A day has two segments.
    assert most_files <= 13 + 2 * 4 + 2 * 8 + 2
    assert len(segments_in(folder)) == 2 * 8
    assert follower.status().n_torn == follower.status().n_read_failures == 0


def test_a_rollup_says_what_the_points_said(make: Make, folder: Path) -> None:
    clock = SetClock()
    metrics = make(clock=clock)
    for minute in range(90):
        clock.time = START + timedelta(minutes=minute)
        for value in np.random.default_rng(minute).normal(0, 100, 30):
            metrics.record("x", float(value), {"sign": "+" if value > 0 else "-"})
        metrics.flush()
    since = START - timedelta(minutes=1)
    before = metrics.history("x", since=since, step_seconds=600), metrics.stats_by("x", "sign", 120)
    metrics.stop()
    metrics.keep_house()
    for path in segments_in(folder):
        path.unlink()
    again = make(clock=clock)
    after = again.history("x", since=since, step_seconds=600), again.stats_by("x", "sign", 120)
    assert [bucket.since for bucket in after[0]] == [bucket.since for bucket in before[0]]
    for old, new in zip(before[0], after[0], strict=True):
        assert new.stats == pytest.approx(old.stats)
    assert after[1] == {sign: pytest.approx(stats) for sign, stats in before[1].items()}
    assert sum(stats["count"] for stats in after[1].values()) == 2700


def test_a_rollup_that_is_damaged_is_counted_and_harms_nobody(make: Make, folder: Path) -> None:
    first = make()
    first.record("x", 1.0)
    first.stop()
    first.keep_house()
    (rollup,) = folder.glob("*.rollup")
    rollup.write_bytes(rollup.read_bytes()[:-40])
    second = make()
    # The points themselves are still there.
    assert second.get_stats("x")["count"] == 1
    assert second.status().n_torn == 1


def test_a_damaged_rollup_is_made_anew_from_its_points(make: Make, folder: Path) -> None:
    clock = SetClock()
    for value in (1.0, 2.0):
        metrics = make(clock=clock)
        metrics.record("x", value)
        metrics.stop()
    metrics.keep_house()
    damaged = sorted(folder.glob("*.rollup"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    clock.time += timedelta(days=2)
    for _ in range(2):
        metrics.keep_house()
    for path in segments_in(folder):
        path.unlink()
    again = make(clock=clock)
    assert again.get_stats("x", 60 * 24 * 3)["count"] == 2
    assert again.status().n_torn == 0


def test_a_file_that_cannot_be_read_is_counted_and_hides_no_other(make: Make, folder: Path) -> None:
    first = make()
    first.record("x", 1.0)
    first.stop()
    for name in ("00000000T000000.000000-1-a.jsonl", "00000000T000000.000000-1-b.rollup"):
        (folder / name).mkdir()
    second = make()
    assert second.get_stats("x")["count"] == 1
    assert second.status().n_read_failures > 0


def test_segments_end_by_size_and_by_time(make: Make, folder: Path) -> None:
    clock = SetClock()
    metrics = make(clock=clock)
    metrics.record("x", 1.0, flush=True)
    clock.time += timedelta(hours=1)
    metrics.record("x", 1.0, flush=True)
    assert len(segments_in(folder)) == 2
    writer = segments.SegmentWriter(folder, clock=clock, max_bytes=100)
    line = segments.Encoded(b"x" * 99 + b"\n", 1)
    for _ in range(3):
        writer.append([line])
    writer.close()
    assert len(segments_in(folder)) == 5


def test_compaction_keeps_every_point_and_leaves_open_files_alone(make: Make, folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    clock = SetClock()
    closed, open_one = make(clock=clock), make(clock=clock)
    for number in range(50):
        closed.record("x", float(number), {"a": str(number % 2)})
    closed.stop()
    open_one.record("x", 100.0, flush=True)
    (done,) = compact(folder, clock=clock, ages=Ages()) or []
    table = parquet.read_table(done.path)
    assert sorted(table["value"].to_pylist()) == [float(number) for number in range(50)]
    assert set(table["at"].to_pylist()) == {START}
    assert {dict(labels)["a"] for labels in table["labels"].to_pylist()} == {"0", "1"}
    assert len(segments_in(folder)) == 1
    assert make(clock=clock).get_stats("x")["count"] == open_one.get_stats("x")["count"] == 51
    assert compact(folder, clock=clock, ages=Ages()) == []


def test_only_one_keeps_house_at_a_time(folder: Path) -> None:
    import fcntl

    folder.mkdir()
    with (folder / ".housekeeping.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not keep_house(folder, clock=SetClock(), ages=Ages())
    assert keep_house(folder, clock=SetClock(), ages=Ages())
