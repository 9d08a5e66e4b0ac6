"""A thread that does something again and again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from mlops.background import Repeating

_log = logging.getLogger("tests.background")


def repeating(task: Callable[[], object], *, every_seconds: float = 0.005) -> Repeating:
    return Repeating("test", task, every_seconds=every_seconds, log=_log, trouble="it failed, and goes on")


def counted() -> tuple[threading.Semaphore, Callable[[], None]]:
    """A task, and a semaphore that can be acquired once for each call of it."""
    calls = threading.Semaphore(0)
    return calls, lambda: calls.release()


def test_it_goes_on_until_it_is_stopped_and_can_begin_anew() -> None:
    calls, task = counted()
    thread = repeating(task)
    for _ in range(2):
        thread.start()
        assert all(calls.acquire(timeout=5) for _ in range(3))
        assert thread.stop()
        while calls.acquire(blocking=False):
            continue
        assert not calls.acquire(timeout=0.03)
    assert not thread.stop()


def test_started_twice_it_is_one_thread() -> None:
    thread = repeating(lambda: None, every_seconds=60)
    before = threading.active_count()
    thread.start()
    thread.start()
    assert threading.active_count() == before + 1
    thread.stop()
    assert threading.active_count() == before


def test_an_error_that_nobody_foresaw_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    calls, called = counted()

    def task() -> None:
        called()
        raise RuntimeError("unforeseen")

    thread = repeating(task)
    thread.start()
    assert all(calls.acquire(timeout=5) for _ in range(3))
    thread.stop()
    assert "it failed, and goes on" in caplog.text
    assert "unforeseen" in caplog.text


def test_woken_it_does_not_wait_and_the_first_call_is_not_at_once() -> None:
    calls, task = counted()
    thread = repeating(task, every_seconds=60)
    thread.start()
    assert not calls.acquire(timeout=0.03)
    thread.wake()
    assert calls.acquire(timeout=5)
    assert not calls.acquire(timeout=0.03)
    thread.stop()


def test_stopping_waits_for_the_call_that_is_being_made() -> None:
    began, done = threading.Event(), []

    def task() -> None:
        began.set()
        time.sleep(0.05)
        done.append(True)

    thread = repeating(task)
    thread.start()
    assert began.wait(5)
    thread.stop()
    assert done == [True]
