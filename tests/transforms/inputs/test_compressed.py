"""Decompression up to a fault; `test_read` tests the rows of broken files."""

import gzip
import random

import pytest
import zstandard

from outcross.transforms.inputs.compressed import BrokenError, decompress
from outcross.transforms.inputs.magic import is_compressed

CONTENT = b"".join(random.Random(i).randbytes(30).hex().encode() + b"\n" for i in range(20_000))
PACK = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress}


def unpack(path):
    """Return the content of a file, its input bytes, and its fault or None."""
    content, taken = [], 0
    try:
        for piece, cost in decompress(str(path)):
            content.append(piece)
            taken += cost
    except BrokenError as fault:
        return b"".join(content), taken, fault
    return b"".join(content), taken, None


@pytest.mark.parametrize("ending", PACK)
def test_several_parts_are_one_content(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    half = len(CONTENT) // 2
    path.write_bytes(PACK[ending](CONTENT[:half]) + PACK[ending](CONTENT[half:]))
    assert is_compressed(str(path))
    assert unpack(path) == (CONTENT, path.stat().st_size, None)


@pytest.mark.parametrize("ending", PACK)
def test_a_broken_file_gives_what_comes_before_the_fault(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    packed = PACK[ending](CONTENT)
    path.write_bytes(packed[: len(packed) // 2])
    content, _, fault = unpack(path)
    assert "ends too early" in fault.reason
    assert CONTENT.startswith(content)
    assert len(content) > len(CONTENT) // 3
    path.write_bytes(packed + b"no part")
    content, _, fault = unpack(path)
    assert content == CONTENT
    assert fault.raw == b"no part"


def test_other_names_are_not_compressed():
    assert not is_compressed("a.gz.jsonl")
