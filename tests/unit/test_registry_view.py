"""The file that shows the registry: what is due when it closes is written."""

from __future__ import annotations

import threading
from pathlib import Path

from mlops.errors import StoreUnavailable
from mlops.model_registry.view import RegistryView


def test_a_change_just_before_closing_is_written(tmp_path: Path) -> None:
    for n in range(200):
        view = RegistryView(tmp_path / f"{n}.json", lambda: b"now")
        view.changed()
        view.close()
        assert view.path.read_bytes() == b"now"


def test_a_change_during_the_last_rewrite_is_written(tmp_path: Path) -> None:
    facts = [b"old"]
    is_rendering, may_go_on = threading.Event(), threading.Event()

    def render() -> bytes:
        content = facts[0]
        is_rendering.set()
        may_go_on.wait(5)
        return content

    view = RegistryView(tmp_path / "registry.json", render)
    view.changed()
    is_rendering.wait(5)
    facts[0] = b"new"
    view.changed()
    closing = threading.Thread(target=view.close)
    closing.start()
    may_go_on.set()
    closing.join(5)
    assert view.path.read_bytes() == b"new"


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
