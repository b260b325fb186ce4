"""Compile functions on arrays, and announce a compilation that takes time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import event


def borrowing(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function which only reads and fills its arrays.

    The function can't allocate. Without reference counts, calls between such functions take a
    third of the time, and one text needs hundreds of them.

    Args:
        options: further options of numba's `njit`.
    """
    decorator: Callable[[Any], Any] = njit(nogil=True, cache=True, _nrt=False, **options)
    return decorator


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
    """Listener to numba's compilations; kernels loaded from the cache make no event."""

    say: Callable[[], None] | None = None

    def on_start(self, event: Any) -> None:
        if self.say is not None:
            say, self.say = self.say, None
            say()

    def on_end(self, event: Any) -> None:
        pass


_COMPILATIONS = _Compilations()
event.register("numba:compile", _COMPILATIONS)


def announce(say: Callable[[], None]) -> None:
    """Call a function once, before the next kernel is compiled.

    Args:
        say: function that tells a person to wait; it replaces the one of an earlier call.
    """
    _COMPILATIONS.say = say
