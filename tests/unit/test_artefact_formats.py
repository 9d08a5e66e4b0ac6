"""Formats of artefacts: a list in our code, and no pickle under any name."""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.artefacts.formats import SAFE_SUFFIXES, refuse_unsafe
from mlops.errors import ArtefactRefused

SUFFIXES = sorted(SAFE_SUFFIXES)


class Explosive:
    """Unpickling it runs code."""

    def __reduce__(self) -> Any:
        return print, ("it ran",)


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_under_any_name(suffix: str, protocol: int) -> None:
    for content in (pickle.dumps(Explosive(), protocol), pickle.dumps({"a": 1}, protocol)):
        with pytest.raises(ArtefactRefused, match=rf"model\{suffix} is "):
            refuse_unsafe(f"model{suffix}", content)


@pytest.mark.parametrize("suffix", [".json", ".npy", ".npz"])
@pytest.mark.parametrize("protocol", [0, 1])
def test_an_old_pickle_is_refused_where_the_format_is_read(suffix: str, protocol: int) -> None:
    with pytest.raises(ArtefactRefused):
        refuse_unsafe(f"model{suffix}", pickle.dumps(Explosive(), protocol))


@pytest.mark.parametrize(
    "path",
    ["model.pkl", "model.pickle", "model.joblib", "model.pt", "model.bin", "model.h5", "model.npy.pkl", "model.py",
     "model", ".json", "model.", "model.so", "model.dill", "folder.json/model"],
)  # fmt: skip
def test_a_name_that_is_not_on_the_list_is_refused_with_the_list(path: str) -> None:
    with pytest.raises(ArtefactRefused, match=r"has no format that is safe to load; use one of \.arrow, .*\.ubj"):
        refuse_unsafe(path, b"{}")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.json", b'{"a": 1}'),
        ("A.JSON", b"[]"),
        ("a.npy", _npy(np.arange(6.0).reshape(2, 3))),
        ("a.npz", _npz(weights=np.arange(3.0), names=np.array(["a", "b"]))),
        ("a.npz", _npz()),
        ("a.txt", b""),
        ("a.txt", b"\x80 sign"),
        ("deep/a.csv", b"a,b\n1,2\n"),
    ],
)
def test_what_is_what_its_name_says_passes(path: str, content: bytes) -> None:
    refuse_unsafe(path, content)


@pytest.mark.parametrize("array", [np.array([{"a": 1}], dtype=object), np.array([Explosive()]), np.array(None)])
def test_an_array_of_objects_is_refused(array: Any) -> None:
    with pytest.raises(ArtefactRefused, match=r"weights\.npy is no \.npy that is safe to load: .*allow_pickle"):
        refuse_unsafe("weights.npy", _npy(array))
    with pytest.raises(ArtefactRefused, match=r"weights\.npz is no \.npz that is safe to load: .*allow_pickle"):
        refuse_unsafe("weights.npz", _npz(fine=np.zeros(2), odd=array))


def test_a_field_of_objects_in_a_structured_array_is_refused() -> None:
    array = np.array([(1, {"a": 1})], dtype=[("n", "i4"), ("any", "O")])
    with pytest.raises(ArtefactRefused, match="allow_pickle"):
        refuse_unsafe("weights.npy", _npy(array))


@pytest.mark.parametrize(
    "content",
    [
        _zip(**{"archive/data.pkl": pickle.dumps(Explosive())}),
        _zip(**{"weights.npy": pickle.dumps(Explosive())}),
        _zip(**{"weights.npy": _npy(np.zeros(2)), "run.py": b"print()"}),
    ],
    ids=["as torch saves", "a pickle as an array", "a program beside it"],
)
def test_an_npz_holds_arrays_and_nothing_else(content: bytes) -> None:
    with pytest.raises(ArtefactRefused, match=r"model\.npz is no \.npz"):
        refuse_unsafe("model.npz", content)


@pytest.mark.parametrize("content", [b"", b"{", b"nan", b"\xff", b"{'a': 1}", b"[" * 10_000], ids=repr)
def test_what_is_no_json_is_refused_as_such(content: bytes) -> None:
    with pytest.raises(ArtefactRefused, match=r"a\.json is no \.json that is safe to load"):
        refuse_unsafe("a.json", content)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"hello", _npy(np.zeros(9))[:-1]], ids=repr)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_what_is_no_array_is_refused_as_such(content: bytes, suffix: str) -> None:
    with pytest.raises(ArtefactRefused, match=rf"a\{suffix} is no \{suffix} that is safe to load"):
        refuse_unsafe(f"a{suffix}", content)


def _header(text: bytes) -> bytes:
    padded = text.ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
        b"{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }",
        b"{[]: 1}",
        b"{",
        b"((((((((",
        b"{'descr': {'a': 1}, 'fortran_order': False, 'shape': (1,), }",
    ],
    ids=repr,
)
def test_a_hostile_header_is_refused(header: bytes) -> None:
    for path, content in (("a.npy", _header(header)), ("a.npz", _zip(**{"a.npy": _header(header)}))):
        with pytest.raises(ArtefactRefused):
            refuse_unsafe(path, content)


def _refusal(path: str, content: bytes) -> str | None:
    try:
        refuse_unsafe(path, content)
    except ArtefactRefused as error:
        return str(error)
    return None


WHOLE = {"a.npy": _npy(np.arange(4.0)), "a.npz": _npz(a=np.arange(40.0), b=np.array(["x"])), "a.json": b'{"a": [1, 2]}'}


@given(
    path=st.sampled_from(sorted(WHOLE)),
    place=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    cut=st.none() | st.integers(0, 400),
)
def test_whatever_a_file_was_turned_into_it_passes_or_is_refused_by_name(
    path: str, place: int, byte: int, cut: int | None
) -> None:
    content = bytearray(WHOLE[path])
    content[place % len(content)] = byte
    assert path in (_refusal(path, bytes(content[:cut])) or path)


@given(content=st.binary(max_size=60), suffix=st.sampled_from(SUFFIXES))
@example(content=zlib.compress(b"x"), suffix=".npz")
def test_whatever_a_file_holds_it_passes_or_is_refused_by_name(content: bytes, suffix: str) -> None:
    assert f"a{suffix}" in (_refusal(f"a{suffix}", content) or f"a{suffix}")
