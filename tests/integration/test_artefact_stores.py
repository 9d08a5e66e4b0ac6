"""Places for artefacts: what each can do, and what the disk must stand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.artefacts import ArtefactStore, Digest, DiskArtefacts, Manifest, MemoryArtefacts
from mlops.artefacts.manifest import is_a_digest
from mlops.errors import ArtefactDamaged, ArtefactError, ArtefactForeign, ArtefactMissing, ArtefactRefused

REPOSITORY = Path(__file__).parent.parent.parent
SOME = {"weights.csv": b"1,2\n", "notes/read.md": b"hello"}
OTHER = {"weights.csv": b"3,4\n"}
FILES = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?\.(txt|csv)", fullmatch=True),
    st.binary(max_size=30),
    min_size=1,
    max_size=3,
).filter(lambda files: not any(content.startswith(b"\x80") for content in files.values()))


# --- What every place can do ----------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "disk", "disk with a key"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtefactStore:
    if request.param == "memory":
        return MemoryArtefacts()
    return DiskArtefacts(tmp_path / "artifacts", signing_key=b"ours" if "key" in request.param else None)


def test_an_empty_place_holds_nothing(store: ArtefactStore) -> None:
    assert store.digests() == []
    for look in (store.get, store.manifest):
        with pytest.raises(ArtefactMissing):
            look("0" * 64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(files=FILES)
def test_what_was_put_is_what_is_got(store: ArtefactStore, files: dict[str, bytes]) -> None:
    digest = store.put(files)
    assert digest == Manifest.of(files).digest
    assert dict(store.get(digest)) == files
    assert store.manifest(digest).files == Manifest.of(files).files


def test_the_same_again_changes_nothing(store: ArtefactStore) -> None:
    assert store.put(SOME) == store.put(dict(reversed(SOME.items())))
    assert len(store.digests()) == 1


def test_other_files_have_another_digest_and_disturb_nobody(store: ArtefactStore) -> None:
    digests = [store.put(SOME), store.put(OTHER)]
    assert store.digests() == sorted(digests)
    assert [dict(store.get(digest)) for digest in digests] == [SOME, OTHER]


def test_changing_what_was_put_or_got_changes_nothing_inside(store: ArtefactStore) -> None:
    files = dict(SOME)
    digest = store.put(files)
    files["weights.csv"] = b"evil"
    dict(store.get(digest))["weights.csv"] = b"evil"
    assert dict(store.get(digest)) == SOME


@pytest.mark.parametrize("digest", ["", "..", "../../etc", "0" * 63, "/etc", "A" * 64, ".drafts", "x\0"])
def test_what_is_no_digest_names_nothing(store: ArtefactStore, digest: str) -> None:
    store.put(SOME)
    with pytest.raises(ArtefactMissing):
        store.get(digest)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"model.pkl": b"x"},
        {"model.json": b"{"},
        {"../x.txt": b""},
        {"a.txt": b"", "a.txt/b.txt": b""},
        {"\ud800.txt": b""},
    ],
    ids=str,
)
def test_what_is_refused_leaves_nothing_behind(store: ArtefactStore, files: dict[str, bytes]) -> None:
    with pytest.raises(ArtefactRefused):
        store.put(files)
    assert store.digests() == []


def test_eight_threads_may_put_the_same(store: ArtefactStore) -> None:
    digests = _at_once(lambda: store.put(SOME), n=8)
    assert set(digests) == set(store.digests()) == {Manifest.of(SOME).digest}
    assert dict(store.get(digests[0])) == SOME


def _at_once(act: Callable[[], Digest], *, n: int) -> list[Digest]:
    """What each of *n* threads gave that started at the same time. Errors are raised."""
    results: list[Digest | Exception] = []
    start = threading.Barrier(n)

    def run() -> None:
        start.wait()
        try:
            results.append(act())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return [result for result in results if isinstance(result, str)]


# --- What the disk must stand ---------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> DiskArtefacts:
    return DiskArtefacts(tmp_path / "artifacts")


def _rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def _remove(path: Path) -> None:
    path.unlink()


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a changed file": (lambda folder: _rewrite(folder / "weights.csv", b"9,9\n"), r"weights\.csv was changed"),
    "a file cut short": (lambda folder: _rewrite(folder / "weights.csv", b"1"), r"weights\.csv has 1 bytes"),
    "an emptied file": (lambda folder: _rewrite(folder / "weights.csv", b""), r"weights\.csv has 0 bytes"),
    "a missing file": (lambda folder: _remove(folder / "notes" / "read.md"), r"notes/read\.md is missing"),
    "a missing folder": (lambda folder: shutil.rmtree(folder / "notes"), r"notes/read\.md is missing"),
    "one file more": (lambda folder: _rewrite_new(folder / "evil.csv"), r"evil\.csv is not in the manifest"),
    "a pickle more": (lambda folder: _rewrite_new(folder / "notes" / "m.pkl"), r"m\.pkl is not in the manifest"),
    "a link in place of a file": (lambda folder: _relink(folder / "weights.csv"), r"weights\.csv is a link"),
    "a link more": (lambda folder: (folder / "x.csv").symlink_to("/etc/hostname"), r"x\.csv is a link"),
    "no manifest": (lambda folder: _remove(folder / "manifest.json"), "manifest cannot be read"),
    "a manifest cut short": (
        lambda folder: _rewrite(folder / "manifest.json", b'{"format"'),
        "manifest cannot be read",
    ),
    "an empty manifest": (lambda folder: _rewrite(folder / "manifest.json", b""), "manifest cannot be read"),
    "a hostile manifest": (
        lambda folder: _rewrite(
            folder / "manifest.json", b'{"format":1,"files":[{"path":"a","size":1e300,"sha256":""}]}'
        ),
        "manifest cannot be read",
    ),
}


def _rewrite_new(path: Path) -> None:
    path.write_bytes(b"\x80\x04N.")


def _relink(path: Path) -> None:
    path.rename(path.parent.parent.parent / "elsewhere.csv")
    path.symlink_to(path.parent.parent.parent / "elsewhere.csv")


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_by_name_and_putting_it_again_mends_it(disk: DiskArtefacts, kind: str) -> None:
    digest, untouched = disk.put(SOME), disk.put(OTHER)
    damage, message = DAMAGE[kind]
    damage(disk.folder / digest)
    with pytest.raises(ArtefactDamaged, match=f"artefact {digest[:12]}: .*{message}"):
        disk.get(digest)
    assert dict(disk.get(untouched)) == OTHER
    assert disk.put(SOME) == digest
    assert dict(disk.get(digest)) == SOME
    assert list((disk.folder / ".drafts").iterdir()) == []


def test_a_whole_artefact_under_another_digest_is_foreign(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    (disk.folder / digest).rename(disk.folder / ("f" * 64))
    with pytest.raises(ArtefactForeign, match=f"artefact ffffffffffff: the manifest in its folder is that of {digest}"):
        disk.get("f" * 64)
    with pytest.raises(ArtefactMissing):
        disk.get(digest)


def test_a_manifest_rewritten_to_fit_changed_files_is_foreign(disk: DiskArtefacts) -> None:
    digest, evil = disk.put(SOME), {**SOME, "weights.csv": b"evil"}
    _rewrite(disk.folder / digest / "weights.csv", b"evil")
    _rewrite(disk.folder / digest / "manifest.json", Manifest.of(evil).to_bytes())
    with pytest.raises(ArtefactForeign):
        disk.get(digest)


def test_files_are_read_only(disk: DiskArtefacts) -> None:
    folder = disk.folder / disk.put(SOME)
    assert all(path.stat().st_mode & 0o222 == 0 for path in folder.rglob("*.*") if path.is_file())


def test_what_is_no_artefact_is_not_listed(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    (disk.folder / "README.txt").write_text("hello")
    (disk.folder / "half").mkdir()
    assert disk.digests() == [digest]


# --- Signatures -----------------------------------------------------------------------------------------------------


def _with_key(disk: DiskArtefacts, key: bytes | None) -> DiskArtefacts:
    return DiskArtefacts(disk.folder, signing_key=key)


def test_an_unsigned_artefact_is_foreign_once_there_is_a_key(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    with pytest.raises(ArtefactForeign, match=f"artefact {digest[:12]}: it is not signed"):
        _with_key(disk, b"ours").get(digest)


def test_one_signed_with_another_key_is_foreign(disk: DiskArtefacts) -> None:
    digest = _with_key(disk, b"theirs").put(SOME)
    with pytest.raises(ArtefactForeign, match=f"artefact {digest[:12]}: it was signed with another key"):
        _with_key(disk, b"ours").get(digest)


def test_a_signed_one_is_read_without_a_key(disk: DiskArtefacts) -> None:
    assert dict(disk.get(_with_key(disk, b"ours").put(SOME))) == SOME


@pytest.mark.parametrize("key", [None, b"theirs"])
def test_putting_it_again_with_the_key_signs_it(disk: DiskArtefacts, key: bytes | None) -> None:
    digest = _with_key(disk, key).put(SOME)
    assert _with_key(disk, b"ours").put(SOME) == digest
    assert dict(_with_key(disk, b"ours").get(digest)) == SOME


def test_signing_what_is_there_makes_it_ours(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    _with_key(disk, b"ours").sign(digest)
    assert dict(_with_key(disk, b"ours").get(digest)) == SOME
    assert disk.manifest(digest).digest == digest


def test_what_is_damaged_is_not_signed(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    _rewrite(disk.folder / digest / "weights.csv", b"evil")
    with pytest.raises(ArtefactDamaged, match=r"weights\.csv"):
        _with_key(disk, b"ours").sign(digest)
    assert disk.manifest(digest).hmac is None


def test_without_a_key_there_is_nothing_to_sign_with(disk: DiskArtefacts) -> None:
    with pytest.raises(ArtefactRefused, match="ARTIFACT_SIGNING_KEY is not set"):
        disk.sign(disk.put(SOME))


def test_what_is_not_there_cannot_be_signed(disk: DiskArtefacts) -> None:
    with pytest.raises(ArtefactMissing):
        _with_key(disk, b"ours").sign("0" * 64)


# --- Several at once, and sudden ends -------------------------------------------------------------------------------


def test_eight_threads_may_mend_the_same_damaged_artefact_at_once(disk: DiskArtefacts) -> None:
    digest = disk.put(SOME)
    for _ in range(10):
        _rewrite(disk.folder / digest / "weights.csv", b"evil")
        assert set(_at_once(lambda: disk.put(SOME), n=8)) == {digest}
        assert dict(disk.get(digest)) == SOME
    assert list((disk.folder / ".drafts").iterdir()) == []


def test_who_looks_while_an_artefact_appears_finds_nothing_or_all_of_it(disk: DiskArtefacts) -> None:
    told: list[ArtefactError] = []

    def look_until_it_is_there(digest: Digest) -> None:
        while True:
            try:
                disk.get(digest)
            except ArtefactMissing:
                continue
            except ArtefactError as error:
                told.append(error)
            return

    for number in range(200):
        files = {"number.txt": str(number).encode()}
        lookers = [threading.Thread(target=look_until_it_is_there, args=(Manifest.of(files).digest,)) for _ in range(2)]
        for looker in lookers:
            looker.start()
        disk.put(files)
        for looker in lookers:
            looker.join()
    assert told == []


def test_a_file_where_the_folder_should_be_makes_room(disk: DiskArtefacts) -> None:
    disk.folder.mkdir()
    (disk.folder / Manifest.of(SOME).digest).write_text("no folder")
    assert dict(disk.get(disk.put(SOME))) == SOME
    assert list((disk.folder / ".drafts").iterdir()) == []


def test_where_nothing_can_be_written_the_error_says_why(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(OSError, match="artifacts"):
        DiskArtefacts(tmp_path / "artifacts").put(SOME)


PUTTER = """
import sys
from pathlib import Path
from mlops.artefacts import DiskArtefacts

store, start, n = DiskArtefacts(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for number in range(start, start + n):
    store.put({f"{part}.csv": f"{number} {part}".encode() * 200 for part in range(8)})
"""


def _start_putter(folder: Path, *, start: int, n: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PUTTER, str(folder), str(start), str(n)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_two_processes_may_put_the_same(quick_path: Path) -> None:
    processes = [_start_putter(quick_path, start=0, n=60) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    store = DiskArtefacts(quick_path)
    assert len(store.digests()) == 60
    assert all(len(store.get(digest)) == 8 for digest in store.digests())
    assert list((quick_path / ".drafts").iterdir()) == []


def test_a_process_killed_in_the_middle_leaves_nothing_half_under_a_digest(quick_path: Path) -> None:
    store, n_left = DiskArtefacts(quick_path), []
    for number in range(8):
        process = _start_putter(quick_path, start=1_000 * number, n=1_000)
        time.sleep(0.004 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        for digest in store.digests():
            assert len(store.get(digest)) == 8
        n_left.append(sum(1 for _ in (quick_path / ".drafts").iterdir()) if (quick_path / ".drafts").is_dir() else 0)
    assert all(is_a_digest(path.name) or path.name == ".drafts" for path in quick_path.iterdir())
    # Otherwise the kills all came between two artefacts, and this test has shown nothing.
    assert max(n_left) > 0


def test_old_drafts_are_cleared_and_those_of_others_at_work_are_not(disk: DiskArtefacts) -> None:
    old, new = disk.folder / ".drafts" / "1-old", disk.folder / ".drafts" / "2-new"
    for draft in (old, new):
        draft.mkdir(parents=True)
        (draft / "a.txt").write_text("a")
    two_hours_ago = time.time() - 7_200
    os.utime(old, (two_hours_ago, two_hours_ago))
    disk.put(SOME)
    assert [path.name for path in (disk.folder / ".drafts").iterdir()] == ["2-new"]


def test_every_error_of_a_place_is_an_artefact_error() -> None:
    for kind in (ArtefactDamaged, ArtefactForeign, ArtefactMissing, ArtefactRefused):
        assert issubclass(kind, ArtefactError)
