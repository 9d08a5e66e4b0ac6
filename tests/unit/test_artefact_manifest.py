"""Manifests: a digest that follows from the files alone, and no trust in what a manifest says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.artefacts import Manifest, files_in
from mlops.artefacts.manifest import is_a_digest
from mlops.errors import ArtefactDamaged, ArtefactError, ArtefactForeign, ArtefactRefused

NAMES = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?\.(txt|csv|md)", fullmatch=True)
CONTENTS = st.binary(max_size=20).map(lambda content: b"#" + content)
FILES = st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=4)
SOME = {"weights.csv": b"1,2\n", "notes/read.md": b"hello"}


@given(files=FILES)
def test_the_order_of_files_is_no_matter(files: dict[str, bytes]) -> None:
    assert Manifest.of(dict(reversed(files.items()))) == Manifest.of(files)


@given(one=FILES, other=FILES)
def test_equal_digests_mean_equal_files(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (Manifest.of(one).digest == Manifest.of(other).digest) == (one == other)


@given(files=FILES, key=st.binary(min_size=1))
def test_a_signature_does_not_change_the_digest(files: dict[str, bytes], key: bytes) -> None:
    assert Manifest.of(files, key=key).digest == Manifest.of(files).digest
    assert is_a_digest(Manifest.of(files).digest)


@given(files=FILES, key=st.none() | st.binary(min_size=1))
def test_what_is_written_is_read_again(files: dict[str, bytes], key: bytes | None) -> None:
    manifest = Manifest.of(files, key=key)
    assert Manifest.parse(manifest.to_bytes()) == manifest
    manifest.check_files(files)


def test_the_digest_by_hand() -> None:
    entry = {"path": "a.txt", "sha256": hashlib.sha256(b"hi").hexdigest(), "size": 2}
    text = orjson.dumps({"files": [entry], "format": 1})
    assert Manifest.of({"a.txt": b"hi"}).digest == hashlib.sha256(text).hexdigest()


def test_moving_content_from_one_file_to_another_is_another_artefact() -> None:
    assert Manifest.of({"a.txt": b"xy", "b.txt": b"z"}).digest != Manifest.of({"a.txt": b"x", "b.txt": b"yz"}).digest


def test_an_artefact_without_files_is_refused() -> None:
    with pytest.raises(ArtefactRefused, match="at least one file"):
        Manifest.of({})


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/x.txt", "../x.txt", "a/../../x.txt", "a/..", "..", ".", "a\\b.txt", "x\0.txt", "manifest.json",
        "./x.txt", "a//x.txt", "a/./x.txt", "x.txt/", "a\n.txt", "\ud800.txt",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_or_is_no_plain_one_is_refused(path: str) -> None:
    with pytest.raises(ArtefactRefused):
        Manifest.of({path: b"{}"})


def test_a_file_cannot_be_the_folder_of_another() -> None:
    with pytest.raises(ArtefactRefused, match=r"a\.txt.* is a file and a folder"):
        Manifest.of({"a.txt": b"1", "a.txt/b.txt": b"2"})


@given(path=st.text(max_size=12).map(lambda name: f"{name}.txt"))
def test_a_path_is_refused_or_stays_inside_its_folder(path: str) -> None:
    folder = Path("/models/artifacts/x")
    try:
        Manifest.of({path: b""})
    except ArtefactRefused:
        return
    assert (folder / path).resolve() == folder / path
    assert (folder / path).is_relative_to(folder)


# --- Signatures -----------------------------------------------------------------------------------------------------


def test_our_own_signature_is_accepted_and_no_other() -> None:
    signed = Manifest.of(SOME, key=b"ours")
    signed.check_signature(b"ours")
    signed.check_signature(None)
    with pytest.raises(ArtefactForeign, match="signed with another key than ARTIFACT_SIGNING_KEY"):
        signed.check_signature(b"theirs")


def test_an_unsigned_manifest_is_foreign_where_there_is_a_key() -> None:
    Manifest.of(SOME).check_signature(None)
    with pytest.raises(ArtefactForeign, match="not signed"):
        Manifest.of(SOME).check_signature(b"ours")


def test_a_signature_counts_for_its_own_files_only() -> None:
    signature = Manifest.of(SOME, key=b"ours").hmac
    with pytest.raises(ArtefactForeign):
        Manifest(Manifest.of({"a.txt": b"evil"}).files, signature).check_signature(b"ours")


@pytest.mark.parametrize("signature", ["", "x", "ñ", "0" * 64, 5, [], True])
def test_a_signature_that_is_none_is_foreign_or_damaged(signature: Any) -> None:
    fields = orjson.loads(Manifest.of(SOME).to_bytes())
    with pytest.raises((ArtefactForeign, ArtefactDamaged)):
        Manifest.parse(orjson.dumps({**fields, "hmac": signature})).check_signature(b"ours")


# --- Files against a manifest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**SOME, "weights.csv": b"1,3\n"}, r"weights\.csv was changed"),
        ({**SOME, "weights.csv": b"1,"}, r"weights\.csv has 2 bytes, and was written with 4"),
        ({"weights.csv": b"1,2\n"}, r"notes/read\.md is missing"),
        ({**SOME, "extra.csv": b""}, r"extra\.csv is not in the manifest"),
    ],
    ids=["changed", "cut short", "taken away", "added"],
)
def test_damage_is_named(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ArtefactDamaged, match=message):
        Manifest.of(SOME).check_files(files)


@given(files=FILES, data=st.data())
def test_any_change_of_a_single_byte_is_seen(files: dict[str, bytes], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, len(files[name]) - 1))
    changed = bytearray(files[name])
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ArtefactDamaged, match="was changed"):
        Manifest.of(files).check_files({**files, name: bytes(changed)})


def test_a_manifest_that_lists_a_pickle_does_not_make_it_safe() -> None:
    content = b"\x80\x04N."
    entry = {"path": "model.pkl", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    manifest = Manifest.parse(orjson.dumps({"format": 1, "files": [entry]}))
    with pytest.raises(ArtefactRefused, match=r"model\.pkl"):
        manifest.check_files({"model.pkl": content})


# --- Hostile manifests ----------------------------------------------------------------------------------------------

ENTRY = {"path": "a.txt", "size": 1, "sha256": "0" * 64}
HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "a text": b'"manifest"',
    "no format": b'{"files": []}',
    "a later format": orjson.dumps({"format": 2, "files": [ENTRY]}),
    "no files": b'{"format": 1}',
    "files of null": b'{"format": 1, "files": null}',
    "files as text": b'{"format": 1, "files": "a.txt"}',
    "no file": b'{"format": 1, "files": []}',
    "very deep": b'{"format": 1, "files": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "not UTF-8": b'{"format": 1, "files": "\xff"}',
    "twice the same file": orjson.dumps({"format": 1, "files": [ENTRY, ENTRY]}),
    **{
        f"{name} = {value!r}": orjson.dumps({"format": 1, "files": [{**ENTRY, name: value}]})
        for name, value in [
            ("path", "../a.txt"), ("path", "/etc/passwd"), ("path", "manifest.json"), ("path", None), ("path", 3),
            ("path", ["a.txt"]), ("size", -1), ("size", 1e300), ("size", "1"), ("size", None), ("size", 1.5),
            ("size", True), ("size", 2**63), ("sha256", ""), ("sha256", None), ("sha256", "0" * 63),
            ("sha256", "G" * 64),
        ]
    },
    **{
        f"no {name}": orjson.dumps({"format": 1, "files": [{key: ENTRY[key] for key in ENTRY if key != name}]})
        for name in ENTRY
    },
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_manifest_is_damaged(text: bytes) -> None:
    with pytest.raises(ArtefactDamaged, match="manifest"):
        Manifest.parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["format", "files", "hmac", "path", "size", "sha256"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(fields=JSON, is_framed=st.booleans())
def test_whatever_a_manifest_says_it_is_one_or_a_typed_error(fields: Any, is_framed: bool) -> None:
    text = orjson.dumps({"format": 1, "files": [fields]} if is_framed else fields)
    try:
        manifest = Manifest.parse(text)
    except ArtefactError:
        return
    assert is_a_digest(manifest.digest)
    assert Manifest.parse(manifest.to_bytes()) == manifest


# --- Files in a folder ----------------------------------------------------------------------------------------------


def test_the_files_of_a_folder_are_all_below_it_but_for_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt", "deep/er/c.txt", "manifest.json", "deep/manifest.json"):
        (tmp_path / name).write_text(name)
    assert files_in(tmp_path) == {
        name: name.encode() for name in ("a.txt", "deep/b.txt", "deep/er/c.txt", "deep/manifest.json")
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/etc/hostname"),
        lambda path: path.symlink_to("/etc"),
        lambda path: path.symlink_to("nowhere"),
        lambda path: __import__("os").mkfifo(path),
    ],
    ids=["a link to a file", "a link to a folder", "a link to nothing", "a pipe"],
)
def test_what_is_no_ordinary_file_is_refused_by_name(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    make(tmp_path / "odd.txt")
    with pytest.raises(ArtefactRefused, match=r"odd\.txt is a link or no ordinary file"):
        files_in(tmp_path)


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        files_in(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n", "../" + "0" * 61])
def test_only_64_small_hexadecimal_digits_are_a_digest(text: str) -> None:
    assert not is_a_digest(text)
    assert is_a_digest("0123456789abcdef" * 4)
