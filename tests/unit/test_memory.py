"""Memory that is free goes back to the machine."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import psutil
import pytest

from mlops import memory

_N_BLOCKS, _BLOCK_BYTES = 60_000, 1_000
_HELD = _N_BLOCKS * _BLOCK_BYTES
is_glibc = pytest.mark.skipif(
    memory._function("malloc_trim", []) is None, reason="the C library of this machine is not glibc"
)

# Threads that take 40 MB in arrays of 4 MB after a first one was freed, which lets glibc take them from its heaps, and
# then keep one small block each on top of them.
_THREADS = """
import sys, threading
import numpy as np, psutil
from mlops.memory import tune_allocator

if "tuned" in sys.argv:
    assert tune_allocator()
kept, gate = [], threading.Barrier(6)

def work():
    del_first = np.ones(20_000_000, dtype=np.uint8); del del_first
    gate.wait()
    arrays = [np.ones(4_000_000, dtype=np.uint8) for _ in range(10)]
    kept.append(np.ones(50_000, dtype=np.uint8))
    del arrays

before = psutil.Process().memory_info().rss
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""


@is_glibc
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


def _grown_by(*arguments: str) -> int:
    """Megabytes that the process of the threads keeps in the end."""
    ran = subprocess.run([sys.executable, "-c", _THREADS, *arguments], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@is_glibc
def test_what_threads_took_for_a_moment_is_given_back_when_the_allocator_is_tuned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    assert _grown_by("tuned") < 20
    assert _grown_by() > 60


def test_with_another_c_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_function", lambda name, arguments: None)
    assert not memory.give_back_free_memory()
    assert not memory.tune_allocator()
