"""Freed memory is used again."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from outcross.transforms.base.memory import keep_freed_memory

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        blocks = [np.empty(12 << 20, np.uint8) for _ in range(8)]
        for block in blocks:
            block[:] = 1
        del block, blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{call}
faults(2)
print(faults(20))
"""


def faults(call: str) -> int:
    command = [sys.executable, "-c", SCRIPT.format(call=call)]
    environment = {"MALLOC_ARENA_MAX": "1", "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide alone")
def test_blocks_take_the_memory_of_those_before() -> None:
    pages = 20 * 8 * (12 << 20) // resource.getpagesize()
    assert faults("keep_freed_memory()") < pages / 20 < faults("")
