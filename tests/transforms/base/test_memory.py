"""Freed memory is used again, or given back."""

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


GIVEN_BACK = """
from pathlib import Path
import numpy as np
from outcross.transforms.base.memory import give_back_freed_memory, keep_freed_memory

def anonymous():
    (line,) = [l for l in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in l]
    return int(line.split()[1])

keep_freed_memory()
blocks = [np.ones(1 << 20) for _ in range(20)]
last = np.ones(1 << 20)
del blocks
before = anonymous()
give_back_freed_memory()
print(before - anonymous())
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="it is glibc's memory"
)
def test_freed_blocks_are_given_back() -> None:
    environment = {"NUMPY_MADVISE_HUGEPAGE": "0"}
    command = [sys.executable, "-c", GIVEN_BACK]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert int(done.stdout) > 19 * 8 * 1024  # of 20 blocks of 8 MiB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide alone")
def test_blocks_take_the_memory_of_those_before() -> None:
    pages = 20 * 8 * (12 << 20) // resource.getpagesize()
    assert faults("keep_freed_memory()") < pages / 20 < faults("")
