"""How the C library keeps memory that was freed."""

from __future__ import annotations

import ctypes
import functools
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of `mallopt`, from malloc.h
_KEPT = 256 << 20  # bytes at the end of the heap that may lie idle
_LARGEST = 32 << 20  # the most that the C library allows


@functools.cache
def keep_freed_memory() -> None:
    """Let the next block of documents use the memory of the one before.

    By default the C library gives blocks of some megabytes back to the system at once, and gets
    them again page by page: about a tenth of a sketch's time. Does nothing without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_THRESHOLD, _LARGEST)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
