"""Compile functions on arrays, and announce a compilation that takes time."""

from __future__ import annotations

import fcntl
import functools
import gc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from numba import njit
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock


def kernel(*signatures: Any, **options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function without Python's lock, and keeps the result.

    Nobody calls kernels from C. Without an entry for that they take a tenth less time to compile.

    Args:
        signatures: types of the arguments, for a kernel that is compiled when it is imported.
        options: further options of numba's `njit`.
    """
    decorator: Callable[[Any], Any] = njit(
        *signatures, nogil=True, cache=True, no_cfunc_wrapper=True, **options
    )

    def decorate(function: Any) -> Any:
        with _turn(function):
            dispatcher = decorator(function)
        if dispatcher is function:  # NUMBA_DISABLE_JIT is set
            return function
        compile_now = dispatcher.compile

        def compile_in_turn(signature: Any) -> Any:
            with _turn(function):
                return compile_now(signature)

        dispatcher.compile = compile_in_turn
        return dispatcher

    return decorate


def interpreted(function: Any) -> Any:
    """Return the Python function of a kernel, for a call that isn't worth its compilation."""
    return getattr(function, "py_func", function)


_LOCKS: list[int] = []  # the file whose bytes are locked, if processes take turns


def take_turns(file: int) -> None:
    """Wait for a kernel that another process compiles, and take its result from the cache.

    Args:
        file: descriptor of a file that all these processes have open. They lock bytes of it.
    """
    _LOCKS[:] = [file]


@contextmanager
def _turn(function: Any) -> Iterator[None]:
    """Lock the byte that stands for a function, if processes take turns.

    Who compiles a kernel waits only for kernels that it calls. So processes can't wait for each
    other. Their threads could, if they didn't take numba's lock first. Where the file can't be
    locked, a kernel may be compiled twice.
    """
    if not _LOCKS:
        yield
        return
    place = zlib.crc32(f"{function.__module__}.{function.__qualname__}".encode())
    with global_compiler_lock:
        with suppress(OSError):
            fcntl.lockf(_LOCKS[0], fcntl.LOCK_EX, 1, place)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.lockf(_LOCKS[0], fcntl.LOCK_UN, 1, place)


def late_kernel(signature: Any) -> Callable[[Any], Any]:
    """Return a decorator as `kernel`, for a function that is compiled at its first call.

    `compile_late` compiles it earlier. Other kernels can't call it.

    Args:
        signature: types of the arguments.
    """

    def decorate(function: Any) -> Any:
        @functools.cache
        def compiled() -> Any:
            return kernel(signature)(function)

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return compiled()(*arguments)

        _LATE.append(compiled)
        return call

    return decorate


_LATE: list[Callable[[], Any]] = []


def compile_late() -> None:
    """Compile the late kernels of all modules that are imported, in the order of their import."""
    for compiled in _LATE:
        compiled()


def borrowing(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function which only reads and fills its arrays.

    The function can't allocate. Without reference counts, calls between such functions take a
    third of the time, and one text needs hundreds of them.

    Args:
        options: further options of numba's `njit`.
    """
    return kernel(_nrt=False, **options)


@borrowing()
def lower_bound(keys, key):  # type: ignore[no-untyped-def]
    """Return the first position of an ascending array whose value is at least the key.

    NumPy's `searchsorted` takes four times as long to compile.
    """
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@borrowing()
def copy_bytes(source, start, stop, target):  # type: ignore[no-untyped-def]
    """Copy bytes `start` to `stop` to the beginning of an array.

    Assigning slices takes two seconds longer to compile, for the message of an error.
    """
    for i in range(start, stop):
        target[i - start] = source[i]


class _Compilations(event.Listener):
    """Listener to numba's compilations; kernels loaded from the cache make no event.

    Numba's lock is held between a start and its end. No garbage is collected then: looking through
    what a compilation makes would take a tenth of its time.
    """

    say: Callable[[], None] | None = None
    depth = 0  # compilations that have begun: a kernel's callees are compiled within its own
    collects = False  # whether garbage was collected before the first of them

    def on_start(self, event: Any) -> None:
        if self.say is not None:
            say, self.say = self.say, None
            say()
        if self.depth == 0:
            self.collects = gc.isenabled()
            gc.disable()
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0 and self.collects:
            gc.enable()


_COMPILATIONS = _Compilations()
event.register("numba:compile", _COMPILATIONS)


def announce(say: Callable[[], None]) -> None:
    """Call a function once, before the next kernel is compiled.

    Args:
        say: function that tells a person to wait; it replaces the one of an earlier call.
    """
    _COMPILATIONS.say = say
