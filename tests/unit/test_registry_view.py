"""The file that shows the registry: soon, whole, and never in the way."""

from __future__ import annotations

import json
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops.errors import StoreUnavailable
from mlops.model_registry.view import RegistryView


class Facts:
    """A number that is shown, and how often it was."""

    def __init__(self) -> None:
        self.number = 0
        self.n_rendered = 0
        self.error: Exception | None = None

    def render(self) -> bytes:
        self.n_rendered += 1
        if self.error is not None:
            raise self.error
        return json.dumps({"number": self.number, "filler": "x" * 20_000}).encode()


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def view(tmp_path: Path, facts: Facts) -> Iterator[RegistryView]:
    made = RegistryView(tmp_path / "models" / "registry.json", facts.render)
    yield made
    made.close()


def _shown(view: RegistryView) -> int | None:
    try:
        return int(json.loads(view.path.read_bytes())["number"])
    except FileNotFoundError:
        return None


def _wait_until(is_so: Callable[[], bool], *, seconds: float = 5.0) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, "it never came to be so"
        time.sleep(0.005)
    return time.monotonic() - started


def test_before_the_first_change_nothing_is_written(view: RegistryView, facts: Facts) -> None:
    view.close()
    assert not view.path.parent.exists()
    assert facts.n_rendered == 0


def test_a_change_is_shown_within_a_second(view: RegistryView, facts: Facts) -> None:
    facts.number = 7
    view.changed()
    assert _wait_until(lambda: _shown(view) == 7) < 1.0


def test_changes_that_come_together_share_a_rewrite(view: RegistryView, facts: Facts) -> None:
    for number in range(1, 2_001):
        facts.number = number
        view.changed()
    _wait_until(lambda: _shown(view) == 2_000)
    assert facts.n_rendered <= 5


def test_a_stream_of_changes_does_not_keep_the_file_from_being_written(view: RegistryView, facts: Facts) -> None:
    is_over = threading.Event()

    def change() -> None:
        while not is_over.is_set():
            facts.number += 1
            view.changed()
            time.sleep(0.001)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        _wait_until(lambda: _shown(view) is not None, seconds=1.0)
        seen = _shown(view)
        _wait_until(lambda: _shown(view) != seen, seconds=1.0)
    finally:
        is_over.set()
        thread.join()


def test_a_reader_never_sees_half_a_file(view: RegistryView, facts: Facts) -> None:
    view.write_now()
    is_over, seen = threading.Event(), []

    def read() -> None:
        while not is_over.is_set():
            seen.append(_shown(view))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 101):
        facts.number = number
        view.write_now()
    is_over.set()
    reader.join()
    assert None not in seen
    assert seen == sorted(seen)  # type: ignore[type-var]
    assert [path.name for path in view.path.parent.iterdir() if path.suffix == ".json"] == ["registry.json"]


def test_what_is_due_is_written_at_the_end(view: RegistryView, facts: Facts) -> None:
    facts.number = 3
    view.changed()
    view.close()
    assert _shown(view) == 3


def test_a_change_during_a_rewrite_is_written_at_the_end_too(tmp_path: Path) -> None:
    facts, has_read, may_go_on = Facts(), threading.Event(), threading.Event()

    def render() -> bytes:
        content = facts.render()
        has_read.set()
        may_go_on.wait(5)
        return content

    view = RegistryView(tmp_path / "registry.json", render)
    view.changed()
    assert has_read.wait(5)
    facts.number = 9
    view.changed()
    closing = threading.Thread(target=view.close)
    closing.start()
    time.sleep(0.05)
    may_go_on.set()
    closing.join(5)
    assert _shown(view) == 9


def test_a_change_just_before_closing_is_written(tmp_path: Path) -> None:
    for n in range(200):
        view = RegistryView(tmp_path / f"{n}.json", lambda: b"now")
        view.changed()
        view.close()
        assert view.path.read_bytes() == b"now"


def test_closing_ends_though_nothing_can_be_written(tmp_path: Path) -> None:
    def render() -> bytes:
        raise StoreUnavailable("gone")

    view = RegistryView(tmp_path / "registry.json", render)
    view.changed()
    closing = threading.Thread(target=view.close, daemon=True)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()
    assert not view.path.exists()


def test_closing_twice_is_closing_once(view: RegistryView) -> None:
    view.changed()
    view.close()
    view.close()


def test_a_file_that_is_right_already_is_left_alone(view: RegistryView) -> None:
    view.write_now()
    before = view.path.stat()
    view.write_now()
    after = view.path.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_that_somebody_spoilt_is_put_right(view: RegistryView, content: bytes | None) -> None:
    view.write_now()
    view.path.unlink() if content is None else view.path.write_bytes(content)
    view.write_now()
    assert _shown(view) == 0


def test_where_the_folder_cannot_be_written_changes_go_on_and_the_file_follows_later(
    view: RegistryView, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    view.path.parent.write_text("a file where the folder should be")
    with caplog.at_level(logging.ERROR, "mlops.model_registry"):
        facts.number = 1
        view.changed()
        _wait_until(lambda: bool(caplog.records))
    assert "registry.json cannot be brought up to date" in caplog.text
    view.path.parent.unlink()
    _wait_until(lambda: _shown(view) == 1)


def test_where_the_disk_is_full_it_tries_again(
    view: RegistryView, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    facts.error = OSError(28, "No space left on device")
    with caplog.at_level(logging.ERROR, "mlops.model_registry"):
        view.changed()
        _wait_until(lambda: "No space left on device" in caplog.text)
    facts.error = None
    _wait_until(lambda: _shown(view) == 0)


def test_where_the_database_does_not_answer_it_tries_again(view: RegistryView, facts: Facts) -> None:
    facts.error = StoreUnavailable("away")
    view.changed()
    _wait_until(lambda: facts.n_rendered > 0)
    facts.error = None
    _wait_until(lambda: _shown(view) == 0)


def test_writing_now_says_what_is_wrong(view: RegistryView) -> None:
    view.path.parent.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="models"):
        view.write_now()


def test_an_error_nobody_thought_of_is_logged_and_does_not_end_it(
    view: RegistryView, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    facts.error = LookupError("a table is gone")
    with caplog.at_level(logging.ERROR, "mlops.model_registry"):
        view.changed()
        _wait_until(lambda: "a table is gone" in caplog.text)
    facts.error = None
    facts.number = 5
    view.changed()
    _wait_until(lambda: _shown(view) == 5)


def _change_in_a_fork(view: RegistryView, facts: Facts) -> None:
    facts.number = 8
    view.changed()
    _wait_until(lambda: _shown(view) == 8)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_forked_after_the_first_change_writes_too(view: RegistryView, facts: Facts) -> None:
    view.changed()
    _wait_until(lambda: _shown(view) == 0)
    process = multiprocessing.get_context("fork").Process(target=_change_in_a_fork, args=(view, facts))
    process.start()
    process.join(20)
    assert process.exitcode == 0
