"""Memory that is free is given back to the machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def give_back_free_memory() -> bool:
    """Let the C library hand its free pages to the machine; whether any went back.

    For work in the background that takes much memory for a moment, once it is done: glibc keeps what lies below
    the newest small block of a thread's heap, so that a process with many threads grows by each such moment, though
    nothing leaks. Takes some milliseconds for half a gigabyte. Nothing happens where the C library is another one
    (macOS, Windows, musl), whose allocators give back by themselves.

    Source: malloc_trim(3) of the Linux manual.
    """
    return _trim is not None and bool(_trim(0))


def _c_library_trim() -> Callable[[int], int] | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        # No such function; or, on Windows, no library without a name.
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


_trim = _c_library_trim()
