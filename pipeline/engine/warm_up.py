"""The first run: another process compiles the largest kernels while this one compiles the rest.

A process can compile only one kernel at a time, because numba holds a lock. Each process finds the
other's compiled kernels in the cache, and waits for the one that the other is compiling.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa

from outcross.transforms.base.cache import is_empty
from outcross.transforms.base.kernels import take_turns

_LARGEST = """
import sys
sys.path[:] = {path!r}
import pyarrow as pa
from outcross.transforms.base.kernels import compile_late, take_turns
take_turns({file})
from outcross.transforms.text.meaning import items
from outcross.transforms.text.words import split_words
items(split_words(pa.array(["A text, with 2 signs."])))
import outcross.transforms.dedup.agreement
import outcross.transforms.dedup.resolve
import outcross.transforms.estimators.lexical
import outcross.transforms.selection.cuts
import outcross.transforms.selection.residual
compile_late()
"""
"""Texts' words and items take nearly half of the time that a run's kernels take. Then come kernels
of later stages, in the order in which a run needs them."""


def compile_beside() -> subprocess.Popen[bytes] | None:
    """Begin to compile the largest kernels in a process of its own, if none has been compiled yet.

    Returns:
        The process; None where there is nothing to compile, only one core for it, or no folder for
        a temporary file.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (cores or 1) < 2 or not is_empty():
        return None
    try:  # The file has no name, and goes when both processes have ended.
        with tempfile.TemporaryFile() as opened:
            file = os.dup(opened.fileno())
    except OSError:
        return None
    take_turns(file)
    return subprocess.Popen(
        [sys.executable, "-c", _LARGEST.format(path=sys.path, file=file)],
        pass_fds=[file],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def compile_meanwhile() -> None:
    """Compile what needs no words, so that the other process has those of `split_words` ready."""
    from outcross.transforms.dedup.jaccard import ShingleSets
    from outcross.transforms.text.surface import surface

    surface(pa.array(["A text."]))
    words = np.frombuffer(bytes(4), np.uint32)  # can't be written, as those of a run
    first = np.zeros(1, np.int64)
    ShingleSets.of((np.arange(2), words), np.zeros(1, np.uint64), 1).similarity(first, first)
