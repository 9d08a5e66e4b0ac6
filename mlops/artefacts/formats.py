"""Which formats an artefact may have. The list lies in our code: a file that brings its own list trusts itself."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import orjson

from mlops.errors import ArtefactRefused
from mlops.sentences import listed, say

# Formats that hold data and cannot run code when they are read as what they say they are.
SAFE_SUFFIXES = frozenset(
    {
        ".arrow",
        ".csv",
        ".json",
        ".jsonl",
        ".md",
        ".npy",
        ".npz",
        ".onnx",
        ".parquet",
        ".safetensors",
        ".toml",
        ".txt",
        ".ubj",
    }
)
_PICKLE_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def refuse_unsafe(path: str, content: bytes) -> None:
    """See that a file's name is on the list, and its content not something else.

    Raises:
        ArtefactRefused: the format is not on the list, or the content is a pickle or not what the name says.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in SAFE_SUFFIXES:
        raise ArtefactRefused(
            say(
                "{path!s} has no format that is safe to load; use one of {formats}",
                path=path,
                formats=listed(sorted(SAFE_SUFFIXES)),
            )
        )
    if content.startswith(_PICKLE_PROTOCOLS):
        raise ArtefactRefused(say("{path!s} is a pickle, which can run code when it is loaded", path=path))
    try:
        if suffix == ".json":
            orjson.loads(content)
        elif suffix in {".npy", ".npz"}:
            _read_arrays(content)
    except ValueError as error:
        raise ArtefactRefused(
            say("{path!s} is no {suffix} that is safe to load: {error}", path=path, suffix=suffix, error=error)
        ) from error


def _read_arrays(content: bytes) -> None:
    """Read NumPy's arrays, without a pickle.

    Raises:
        ValueError: they cannot be read so, or there is something else beside them.
    """
    import numpy as np

    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return
        for name in loaded.files:
            if not isinstance(loaded[name], np.ndarray):
                raise ValueError(say("{name!s} in it is no array", name=name))
    # NumPy's reader raises whatever its parts do: SyntaxError, TypeError, KeyError, MemoryError, zlib.error and more.
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error
