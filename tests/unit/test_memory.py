"""Memory that is free goes back to the machine."""

from __future__ import annotations

import ctypes

import psutil
import pytest

from mlops import memory

_N_BLOCKS, _BLOCK_BYTES = 60_000, 1_000
_HELD = _N_BLOCKS * _BLOCK_BYTES


@pytest.mark.skipif(memory._trim is None, reason="the C library of this machine has no malloc_trim")
def test_what_lies_free_below_a_block_in_use_goes_back() -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    process = psutil.Process()
    blocks = [library.malloc(_BLOCK_BYTES) for _ in range(_N_BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, _BLOCK_BYTES)
    in_use = library.malloc(_BLOCK_BYTES)
    for block in blocks:
        library.free(block)
    kept = process.memory_info().rss
    try:
        assert memory.give_back_free_memory()
        assert kept - process.memory_info().rss > _HELD / 2
    finally:
        library.free(in_use)


def test_without_such_a_function_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", None)
    assert not memory.give_back_free_memory()
