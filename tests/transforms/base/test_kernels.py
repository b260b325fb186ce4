"""Kernels are compiled when they are due, and no garbage is collected meanwhile."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core import event

from outcross.transforms.base import kernels


class Watch(event.Listener):
    """Count compilations, and whether garbage is collected after each has begun."""

    def __init__(self) -> None:
        self.collecting: list[bool] = []

    def on_start(self, event: event.Event) -> None:
        self.collecting.append(gc.isenabled())

    def on_end(self, event: event.Event) -> None:
        pass


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch):
    """Watch compilations of kernels that no cache holds."""

    def uncached(*types, cache, **options):
        return njit(*types, **options)

    monkeypatch.setattr(kernels, "njit", uncached)
    watch = Watch()
    with event.install_listener("numba:compile", watch):
        yield watch


def test_a_late_kernel_is_compiled_once_at_its_first_call(watch: Watch) -> None:
    @kernels.late_kernel("int64(int64)")
    def double(x):
        return 2 * x

    assert watch.collecting == []
    assert [double(2), double(np.int64(3))] == [4, 6]
    assert len(watch.collecting) == 1


def test_late_kernels_are_compiled_ahead(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_LATE", [])

    @kernels.late_kernel("int64(int64)")
    def triple(x):
        return 3 * x

    kernels.compile_late()
    assert len(watch.collecting) == 1
    assert triple(2) == 6
    assert len(watch.collecting) == 1


def test_of_two_processes_one_compiles(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(
        "from outcross.transforms.base.kernels import kernel\n"
        "@kernel()\n"
        "def total(x):\n"
        "    return sum(x)\n"
    )
    with (tmp_path / "locks").open("wb") as file:
        code = (
            "import numpy as np\n"
            "from numba.core import event\n"
            "from outcross.transforms.base.kernels import take_turns\n"
            f"take_turns({file.fileno()})\n"
            "from shared import total\n"
            "print('ready', flush=True), input()\n"
            "with event.install_recorder('numba:compile') as compiled:\n"
            "    assert total(np.arange(4)) == 6\n"
            "print(len(compiled.buffer))\n"
        )
        paths = [str(tmp_path), *sys.path]
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=os.environ
                | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(paths)},
                pass_fds=[file.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        counts = sorted(int(process.communicate()[0]) for process in processes)
    assert counts[0] == 0 < counts[1]


def test_a_file_that_cannot_be_locked_stops_no_compilation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "locks").touch()
    with (tmp_path / "locks").open("rb") as file:  # which may be read only
        monkeypatch.setattr(kernels, "_LOCKS", [file.fileno()])

        @kernels.kernel()
        def total(x):  # type: ignore[no-untyped-def]
            return sum(x)

        assert total(np.arange(4)) == 6


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_waits_for_a_compilation(watch: Watch, collects: bool) -> None:
    @kernels.kernel()
    def inner(x):
        return x + 1

    @kernels.kernel()
    def outer(x):
        return 2 * inner(x)

    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        assert outer(1) == 4
        assert watch.collecting == [False, False]
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
