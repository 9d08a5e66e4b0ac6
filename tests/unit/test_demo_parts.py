"""Parts of the demonstration: its clock never goes back, its port is a free one."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from recipes.demo import server
from recipes.demo.clock import LeapingClock
from recipes.demo.errors import DemoFailed
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
