"""Lack of memory and failing disks are no faults of a file, whose lengths may be any."""

from __future__ import annotations

import errno

import pyarrow as pa
import pytest

from outcross.transforms.inputs.faults import raise_fault_of_machine


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        pa.ArrowMemoryError("malloc of size 1048576 failed"),
        pa.ArrowMemoryError("realloc of size 64 failed"),
    ],
)
def test_memory_that_ran_out_is_raised_with_the_name_of_the_file(error: MemoryError) -> None:
    with pytest.raises(MemoryError, match=r"^/data/x\.arrow: .*[a-z]"):
        raise_fault_of_machine(error, "/data/x.arrow")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_device_that_fails_is_raised(number: int) -> None:
    with pytest.raises(OSError, match=r"^\[Errno"):
        raise_fault_of_machine(OSError(number, "fault"), "x")


@pytest.mark.parametrize(
    "error",
    [
        pa.ArrowMemoryError("malloc of size 1152921504606846976 failed"),
        pa.ArrowMemoryError("capacity too large"),
        pa.ArrowInvalid("not an Arrow file"),
        OSError("Couldn't deserialize thrift"),
        OSError(errno.EINVAL, "negative seek"),
        ValueError("negative"),
    ],
)
def test_faults_of_the_file_are_left_to_the_reader(error: Exception) -> None:
    raise_fault_of_machine(error, "x")
