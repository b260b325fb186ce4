"""Freed memory: kept between the blocks of a stage, and given back between stages."""

from __future__ import annotations

import ctypes
import functools
import platform

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of `mallopt`, from malloc.h
_KEPT = 256 << 20  # idle bytes that the end of the heap may keep
_LARGEST = 32 << 20  # bytes; the C library allows no more


@functools.cache
def keep_freed_memory() -> None:
    """Make glibc keep freed memory, so that the next block of documents uses it again.

    By default glibc returns blocks of some megabytes to the system and gets them back page by
    page. That takes about a tenth of a sketch's time. Other C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_THRESHOLD, _LARGEST)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)


def give_back_freed_memory() -> None:
    """Give freed memory back to the system, so that the next stage doesn't come on top of it."""
    pa.default_memory_pool().release_unused()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
