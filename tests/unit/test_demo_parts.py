"""Parts of the demonstration: its clock never goes back, its port is a free one."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from recipes.demo import server, stages
from recipes.demo.client import Client
from recipes.demo.clock import LeapingClock
from recipes.demo.errors import DemoFailed, Refused
from recipes.demo.server import listening

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def test_the_clock_leaps_ahead_and_never_back() -> None:
    clock = LeapingClock(BEGIN)
    clock.leap(BEGIN + timedelta(days=2))
    clock.leap(BEGIN + timedelta(days=1))
    later = clock()
    assert BEGIN + timedelta(days=2) <= later < BEGIN + timedelta(days=2, minutes=1)
    assert clock() >= later


def test_a_port_that_is_taken_gives_the_next_one_and_too_many_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with listening(port) as bound:
            assert port < bound.getsockname()[1] < port + 20
        monkeypatch.setattr(server, "_PORTS_TRIED", 1)
        with pytest.raises(DemoFailed, match=rf"ports {port} to {port} are taken"):
            listening(port)


class _Refuses(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(409 if self.path == "/taken" else 503)
        self.end_headers()
        self.wfile.write(b'{"detail": "expected to be worse"}')

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_the_version_that_is_bad_on_purpose_is_registered_at_the_time_of_the_story() -> None:
    registered = []

    def register(metadata: Any, **_named: Any) -> None:
        registered.append(metadata)

    registry = SimpleNamespace(next_version=lambda model_id, part: "1.2.0", register=register)
    story: Any = SimpleNamespace(service=SimpleNamespace(registry=registry, clock=lambda: BEGIN))
    next(stages.bad_model(story))
    assert [one.timestamp for one in registered] == [BEGIN]


def test_a_refusal_is_told_from_a_failure_and_says_why() -> None:
    with HTTPServer(("127.0.0.1", 0), _Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client("127.0.0.1", server.server_port)
        with pytest.raises(Refused, match="/taken answered 409: expected to be worse"):
            client.post("/taken", {})
        with pytest.raises(DemoFailed, match="/away answered 503") as failure:
            client.post("/away", {})
        client.close()
        server.shutdown()
    assert not isinstance(failure.value, Refused)
