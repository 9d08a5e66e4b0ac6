"""Pages that hear of changes: what is told, to whom, for how long, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops.errors import StoreUnavailable
from mlops.http.console import live as live_module
from mlops.http.console.live import Listener, Live, LiveResponse, TooManyListeners, look_at
from tests.console_world import MODEL, OTHER, World
from tests.models_app import Running
from tests.retraining_app import environment


@contextmanager
def running(world: World) -> Iterator[str]:
    """The address of a server of *world*, which looks for changes often."""
    world.live.every_seconds = 0.05
    server = Running(world.app)
    yield server.url
    server.stop()


@contextmanager
def listening(url: str) -> Iterator[Iterator[tuple[str, str]]]:
    """The events of a stream, as (name, data)."""
    with httpx.stream("GET", f"{url}/consola/vivo", timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        events = _events(answer.iter_lines())
        assert next(events) == ("hello", "")
        yield events


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field.startswith("data"):
            yield name, value


def told(events: Iterator[tuple[str, str]], topic: str) -> None:
    """Wait until *topic* is among what has changed."""
    for name, data in events:
        assert name == "change"
        if topic in data.split():
            return
    pytest.fail(f"the stream ended, and {topic} was never told")


def soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- What counts as a change

CHANGES: Mapping[str, tuple[str, Callable[[World], object]]] = {
    "an alert": ("alerts", lambda world: world.fire("new", "Something is wrong.")),
    "an alert seen again": ("alerts", lambda world: world.fire("latency", "Still slow.", "critical")),
    "an acknowledgement": ("alerts", lambda world: world.alerts.acknowledge(2, because="mine", actor="ana")),
    "a resolution": ("alerts", lambda world: world.alerts.resolve(2, because="over", actor="ana")),
    "a mute lifted": ("alerts", lambda world: world.alerts.unmute("disk_space", because="over", actor="ana")),
    "a version": ("models", lambda world: world.register("2.0.0", 0.5)),
    "a rollback": ("models", lambda world: world.registry.rollback(MODEL, because="worse")),
    "a rejection": ("models", lambda world: world.registry.reject(MODEL, "1.5.0", because="no")),
    "a freeze": ("models", lambda world: world.registry.freeze(MODEL, because="holidays")),
    "a job's progress": ("jobs", lambda world: world.advance(world.retraining.book.get(4), 0.5, "goes on")),
    "a job's end": ("jobs", lambda world: world.retraining.reject(3, because="no")),
    "a pause": ("rollouts", lambda world: world.rollouts.pause(MODEL, because="wait", actor="ana")),
    "a bar lifted": ("rollouts", lambda world: world.rollouts.unbar(MODEL, "1.2.0", because="ok", actor="ana")),
    "a metric": ("metrics", lambda world: (world.metrics.record("top_score", 0.5), world.metrics.flush())),
    "another health": ("health", lambda world: world.alerts.resolve(3, because="over", actor="ana")),
}


def test_each_change_marks_its_topic_and_what_has_not_changed_stays_the_same(make_world: Any) -> None:
    world = make_world()
    look = look_at(world.parts())
    before = look()
    assert before.keys() == {"models", "alerts", "jobs", "rollouts", "metrics", "health"}
    assert look() == before
    for name, (topic, change) in CHANGES.items():
        if name == "a job's end":
            # The rejection above has decided it in the registry; here it is a new one.
            continue
        before = look()
        change(world)
        after = look()
        assert after[topic] != before[topic], name
        assert look() == after


def test_a_job_that_a_person_ends_is_a_change_of_jobs(make_world: Any) -> None:
    world = make_world()
    look = look_at(world.parts())
    before = look()
    CHANGES["a job's end"][1](world)
    assert look()["jobs"] != before["jobs"]
    assert look()["rollouts"] == before["rollouts"]


def test_while_the_database_is_away_what_it_holds_has_not_changed(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()

    def away(_database: object) -> None:
        raise StoreUnavailable("it does not answer")

    monkeypatch.setattr(live_module.revisions, "marks", away)
    assert look_at(world.parts())().keys() == {"metrics", "health"}


# ---- Streams of a real server


def test_a_change_is_told_to_every_page_also_by_another_process_and_nothing_is_left_behind(make_world: Any) -> None:
    world = make_world()
    # Another worker: it shares nothing with the first but the folder.
    other = World(world.folder)
    with running(world) as url, running(other) as other_url:
        with listening(url) as one, listening(other_url) as two, listening(url) as three:
            soon(lambda: bool(world.live._known) and bool(other.live._known))
            assert (world.live.n_listeners, other.live.n_listeners) == (2, 1)
            world.fire("new", "Something is wrong.")
            for events in (one, two, three):
                told(events, "alerts")
            other.advance(other.retraining.book.get(4), 0.7, "goes on")
            for events in (one, two):
                told(events, "jobs")
        soon(lambda: world.live.n_listeners == 0 and not world.live.is_watching)
        soon(lambda: other.live.n_listeners == 0 and not other.live.is_watching)
        # What happens while nobody listens is told to whoever comes next.
        other.registry.freeze(OTHER, because="holidays")
        with listening(url) as late:
            told(late, "models")
    other.close()


def test_one_page_too_many_is_refused_and_has_a_place_again_once_another_is_closed(make_world: Any) -> None:
    world = make_world()
    world.live.most_listeners = 1
    with running(world) as url:
        with listening(url):
            refused = httpx.get(f"{url}/consola/vivo")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
            assert refused.headers["content-type"] == "application/problem+json"
        soon(lambda: world.live.n_listeners == 0)
        with listening(url):
            assert world.live.n_listeners == 1


def test_a_server_that_is_told_to_end_does_so_with_pages_open(lived_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    subprocess.run(["cp", "-R", str(lived_world), str(folder)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "tests.console_world:served", "--factory", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
    try:
        with listening_once_up(f"http://127.0.0.1:{port}", process) as events:
            began = time.monotonic()
            os.kill(process.pid, signal.SIGINT)
            process.wait(timeout=30)
            assert list(events) == []
            assert time.monotonic() - began < 10
    finally:
        process.kill()
    said = (tmp_path / "log").read_text()
    assert "Finished server process" in said
    assert "Traceback" not in said
    assert "ERROR" not in said


@contextmanager
def listening_once_up(url: str, process: subprocess.Popen[bytes]) -> Iterator[Iterator[tuple[str, str]]]:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        try:
            httpx.get(f"{url}/consola/archivos/icon.svg")
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with listening(url) as events:
        yield events


# ---- Without a server


def test_changes_add_up_for_who_is_slow() -> None:
    async def run() -> set[str]:
        listener = Listener()
        for _ in range(1_000):
            listener.tell({"alerts"})
            listener.tell({"jobs"})
        return await listener.changed()

    assert asyncio.run(run()) == {"alerts", "jobs"}


class Looks:
    """Counts how often somebody looked; ``metrics`` changes each time."""

    def __init__(self, *, fails: bool = False) -> None:
        self.n = 0
        self.fails = fails

    def __call__(self) -> Mapping[str, Hashable]:
        self.n += 1
        if self.fails and self.n == 1:
            raise RuntimeError("what nobody foresaw")
        return {"metrics": self.n}


def test_nobody_looks_while_nobody_listens() -> None:
    async def run() -> tuple[int, int]:
        looks = Looks()
        live = Live(looks, every_seconds=0.01)
        await asyncio.sleep(0.05)
        before = looks.n
        listener = live.join()
        await listener.changed()
        live.leave(listener)
        after = looks.n
        await asyncio.sleep(0.05)
        assert looks.n <= after + 1
        return before, after

    before, after = asyncio.run(run())
    assert before == 0
    assert after >= 2


def test_looking_goes_on_after_an_error_that_nobody_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> set[str]:
        listener = Live(Looks(fails=True), every_seconds=0.01).join()
        return await listener.changed()

    assert asyncio.run(run()) == {"metrics"}
    assert "what nobody foresaw" in caplog.text


SCOPE = {"type": "http", "method": "GET", "path": "/consola/vivo", "headers": []}


async def stays() -> dict[str, Any]:
    await asyncio.sleep(60)
    return {"type": "http.disconnect"}


def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_SEND_SECONDS", 0.05)

    async def run() -> int:
        live = Live(Looks(), every_seconds=0.01)

        async def stuck(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(60)

        await asyncio.wait_for(LiveResponse(live)(SCOPE, stays, stuck), timeout=10)
        return live.n_listeners

    assert asyncio.run(run()) == 0


def test_after_a_while_a_stream_ends_so_that_the_key_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_LONGEST_SECONDS", 0.05)

    async def run() -> list[Any]:
        live = Live(Looks(), every_seconds=60)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await asyncio.wait_for(LiveResponse(live)(SCOPE, stays, send), timeout=10)
        assert live.n_listeners == 0
        return sent

    sent = asyncio.run(run())
    assert b"event: hello" in sent[1]["body"]
    assert sent[-1]["more_body"] is False


def test_more_than_there_is_room_for_are_refused_by_name() -> None:
    async def run() -> None:
        live = Live(Looks(), most_listeners=1)
        live.join()
        with pytest.raises(TooManyListeners, match="1 pages"):
            live.join()

    asyncio.run(run())
