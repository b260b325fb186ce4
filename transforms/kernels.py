"""Compile functions on arrays that they neither make nor keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def borrowing(**options: Any) -> Callable[[Any], Any]:
    """Compile a function that only reads and fills the arrays that it is given.

    Without reference counts a call from one such function to another takes a third of the time,
    and a text has hundreds of them. The function can't allocate.

    Args:
        options: further ones of numba's `njit`.
    """
    decorator: Callable[[Any], Any] = njit(nogil=True, cache=True, _nrt=False, **options)
    return decorator
