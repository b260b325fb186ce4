"""Kernels are compiled when they are due, and no garbage is collected meanwhile."""

from __future__ import annotations

import gc

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
