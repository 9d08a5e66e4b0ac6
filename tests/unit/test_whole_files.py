"""Files and folders that appear whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.files import write_folder, write_whole


class Crash(BaseException):
    """The program ends here."""


STEPS = ["open", "fsync", "replace"]


def _fail_at(step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise error

    target = os if step == "fsync" else Path
    monkeypatch.setattr(target, step, fail)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(old=st.none() | st.binary(), new=st.binary(), durable=st.booleans())
def test_what_was_written_is_read_again_and_nothing_is_left_beside_it(
    tmp_path: Path, old: bytes | None, new: bytes, durable: bool
) -> None:
    path = tmp_path / "registry.json"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    write_whole(path, new, durable=durable)
    assert path.read_bytes() == new
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.json", b"{}")
    assert (tmp_path / "a" / "b" / "c.json").read_bytes() == b"{}"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error", [Crash(), OSError(errno.ENOSPC, "No space left on device")], ids=["crash", "disk full"]
)
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failure_at_any_step_leaves_the_old_content_and_no_draft(
    step: str, error: BaseException, old: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "registry.json"
    if old is not None:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        _fail_at(step, error, patch)
        with pytest.raises(type(error)):
            write_whole(path, b"new")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == ({} if old is None else {path.name: old})


def test_a_failure_after_the_rename_leaves_the_new_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr("mlops.files.sync_folder", lambda folder: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            write_whole(path, b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"new"]


def test_it_is_on_the_disk_before_it_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_whole(tmp_path / "a.json", b"{}")
    write_whole(tmp_path / "b.json", b"{}", durable=False)
    # Content, name, folder; then only the name.
    assert done == ["fsync", "replace", "fsync", "replace"]


def test_where_a_folder_is_a_file_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(FileExistsError, match="models"):
        write_whole(tmp_path / "models" / "registry.json", b"{}")


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever is root may write everywhere")
def test_where_nothing_may_be_written_the_error_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "registry.json", b"{}")


def test_a_reader_meanwhile_sees_one_content_or_the_other(tmp_path: Path) -> None:
    path, contents = tmp_path / "registry.json", (b"a" * 100_000, b"b" * 100_000)
    path.write_bytes(contents[0])
    is_over = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not is_over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        write_whole(path, contents[number % 2], durable=False)
    is_over.set()
    reader.join()
    assert seen <= set(contents)
    assert seen


def test_a_folder_holds_its_files_read_only(tmp_path: Path) -> None:
    write_folder(tmp_path / "new", {"a.txt": b"a", "deep/er/b.txt": b"b"})
    assert (tmp_path / "new" / "deep" / "er" / "b.txt").read_bytes() == b"b"
    for path in (tmp_path / "new").rglob("*.txt"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "there", {"a.txt": b"a"})
    assert list((tmp_path / "there").iterdir()) == []
