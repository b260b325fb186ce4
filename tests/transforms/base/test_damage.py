"""Damaged stored files are named, with the fault and the cure; faults of the machine are not."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError, MissingError, cure_of, reading

TABLE = pa.table({"text": [f"text number {n} of the file" for n in range(500)]})


def read_groups(path: str) -> list[pa.Table]:
    return list(files.row_groups(path))


def read_npz(path: str) -> Any:
    return files.read_as(path, files.unpack_arrays)


KINDS: dict[str, tuple[Callable[[str], None], Callable[[str], Any]]] = {
    "json": (lambda path: files.write_json(path, {"a": list(range(99))}), files.read_json),
    "npy": (lambda path: files.write_array(path, np.arange(99)), files.read_array),
    "npz": (
        lambda path: files.write_bytes(path, files.pack_arrays({"a": np.arange(99)})),
        read_npz,
    ),
    "parquet": (lambda path: files.write_table(path, TABLE), files.read_table),
    "groups": (lambda path: files.write_tables(path, [TABLE]), read_groups),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_named_with_a_cure(
    tmp_path: Path, kind: str, share: float
) -> None:
    write, read = KINDS[kind]
    path = tmp_path / "x"
    write(str(path))
    read(str(path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DamagedError, match=rf"^{path} is damaged .*; delete it, and give the com"):
        read(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_gone_is_named_with_a_cure(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".outcross" / "sketch-0a" / "units" / "x"
    with pytest.raises(MissingError, match=rf"^{path} is gone; .*delete {path.parents[1]}, and g"):
        KINDS[kind][1](str(path))


@pytest.mark.parametrize("read", [files.read_table, read_groups])
def test_a_flipped_byte_of_a_stored_table_is_noticed(
    tmp_path: Path, read: Callable[[str], Any]
) -> None:
    path = tmp_path / "x.parquet"
    with path.open("wb") as file, files.parquet_writer(file, TABLE.schema, compression="none") as w:
        w.write_table(TABLE)
    data = bytearray(path.read_bytes())
    data[data.index(b"text number 77")] ^= 1  # Parquet can read it: "uext number 77"
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="checksum"):
        read(str(path))


@pytest.mark.parametrize(
    "write", [files.write_table, lambda path, t: files.write_tables(path, [t])]
)
def test_every_flipped_byte_of_the_pages_is_noticed(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "x.parquet"
    write(str(path), TABLE)
    whole = path.read_bytes()
    for place in range(60, len(whole) - 900, 97):  # the footer has no checksum
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DamagedError, match="checksum"):
            files.read_table(str(path))


def test_the_cure_is_the_folder_of_the_stage_or_the_file() -> None:
    assert "delete out/.outcross/rank-0a, and" in cure_of("out/.outcross/rank-0a/uses/x")
    assert cure_of("out/report.json").startswith("delete it, and give the command")
    assert cure_of("out/report.json", gone=True).startswith("give the command")


@pytest.mark.parametrize(
    "error", [KeyError("key"), TypeError("int"), json.JSONDecodeError("no", "", 0), IndexError()]
)
def test_a_file_of_another_shape_is_damaged(error: Exception) -> None:
    said = r"^a\\nb is damaged or can't be read: .*; get it again"
    with pytest.raises(DamagedError, match=said), reading("a\nb", "get it again"):
        raise error


def test_a_file_that_may_not_be_read_is_not_deleted() -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    said = "Permission denied; allow this user to read it"
    with pytest.raises(DamagedError, match=said), reading("x"):
        raise denied


def test_lack_of_memory_and_refused_requests_pass() -> None:
    for error in (MemoryError(), pa.ArrowMemoryError("malloc of size 64 failed"), ConfigError("x")):
        with pytest.raises(type(error)), reading("x"):
            raise error
    with pytest.raises(DamagedError), reading("x"):
        raise pa.ArrowMemoryError(f"malloc of size {1 << 60} failed")
