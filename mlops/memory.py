"""Memory that a process does not use any more goes back to the machine, as far as the C library can be told so."""

from __future__ import annotations

import ctypes
import os
from typing import Any

# Numbers of mallopt(3) of the Linux manual.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ARENAS, _LARGE_BYTES = 2, 2**20


def tune_allocator() -> bool:
    """Keep a process of many threads from growing by what its busiest moments take; whether this C library can do so.

    By itself glibc gives each thread a heap of its own and takes arrays up to 32 MB from it, so that each thread's
    largest moment stays taken. Here threads share two heaps, and arrays from 1 MB on are given back once they are free.
    To be called before threads are started. What ``MALLOC_ARENA_MAX`` and ``MALLOC_MMAP_THRESHOLD_`` say wins. Nothing
    happens with other C libraries (macOS, Windows, musl).

    Source: mallopt(3) of the Linux manual.
    """
    mallopt = _function("mallopt", [ctypes.c_int, ctypes.c_int])
    if mallopt is None:
        return False
    wanted = {
        "MALLOC_ARENA_MAX": (_M_ARENA_MAX, _ARENAS),
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, _LARGE_BYTES),
    }
    options = [option for name, option in wanted.items() if name not in os.environ]
    return bool(sum(mallopt(*option) for option in options) == len(options))


def give_back_free_memory() -> bool:
    """Hand free pages to the machine; whether any went back.

    For work in the background that takes much memory for a moment, once it is done: glibc keeps what lies below the
    newest small block. Takes some milliseconds for half a gigabyte. Nothing happens with other C libraries.

    Source: malloc_trim(3) of the Linux manual.
    """
    trim = _function("malloc_trim", [ctypes.c_size_t])
    return trim is not None and bool(trim(0))


def _function(name: str, arguments: list[Any]) -> Any:
    """The C library's function *name*, None where it has none."""
    try:
        found = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        # No such function; or, on Windows, no library without a name.
        return None
    found.argtypes, found.restype = arguments, ctypes.c_int
    return found
