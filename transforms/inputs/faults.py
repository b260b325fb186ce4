"""Faults of the machine, which readers must not take for faults of a file."""

from __future__ import annotations

import errno

from outcross.transforms.base.damage import asks_for_too_much
from outcross.transforms.base.visible import visible_name

_DEVICE = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNRESET}


def raise_fault_of_machine(error: Exception, path: str) -> None:
    """Raise an error that says nothing about the file: memory ran out, or its device failed.

    Arrow and Parquet files name the sizes of their parts, and a damaged one may name any. A size
    beyond the memory of the machine is a fault of the file.

    Args:
        error: exception of a reader.
        path: path of the file that it was reading.

    Raises:
        MemoryError: memory ran out; the message names the file.
        OSError: the file's device failed.
    """
    if isinstance(error, MemoryError) and not asks_for_too_much(str(error)):
        raise MemoryError(f"{visible_name(path)}: {str(error) or type(error).__name__}") from error
    if isinstance(error, OSError) and error.errno in _DEVICE:
        raise error
