"""Compile functions on arrays, and say when that takes time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import event


def borrowing(**options: Any) -> Callable[[Any], Any]:
    """Compile a function that only reads and fills the arrays that it is given.

    Without reference counts a call from one such function to another takes a third of the time,
    and a text has hundreds of them. The function can't allocate.

    Args:
        options: further ones of numba's `njit`.
    """
    decorator: Callable[[Any], Any] = njit(nogil=True, cache=True, _nrt=False, **options)
    return decorator


@borrowing()
def lower_bound(keys, key):  # type: ignore[no-untyped-def]
    """Return where an ascending array first has a key or a larger one.

    NumPy's own `searchsorted` would compare in ways that take four times as long to compile.
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
    """Copy bytes to the beginning of an array.

    An assignment of slices would compile the message of an error, which takes two seconds.
    """
    for i in range(start, stop):
        target[i - start] = source[i]


class _Compilations(event.Listener):
    """Hears of kernels that are compiled; those that an earlier run has kept make no event."""

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
    """Call a function once, before the next kernel is compiled; it takes the place of another.

    Args:
        say: tells a person that this takes a while.
    """
    _COMPILATIONS.say = say
