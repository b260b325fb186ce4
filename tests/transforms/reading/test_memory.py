"""Memory that runs out while a file is read is raised, whatever the format: no row is rejected."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq
import pytest
import zstandard

from outcross.schemas.sources import Source
from outcross.transforms.inputs.seals import SealedFile, digests_of, identify_all, seal_units
from outcross.transforms.reading.arrow_ipc import arrow_schema
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit

ERRORS = [MemoryError("no memory left"), pa.ArrowMemoryError("malloc of size 4096 failed")]
ROWS = [{"id": f"{n}", "text": f"a text with number {n}"} for n in range(200)]
PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
    ".lz4": lambda data: pa.compress(data, codec="lz4", asbytes=True),
}
NAMES = ["x.jsonl", "x.json", "x.csv", "x.tsv", "x.parquet", "x.arrow", "x.md"]
NAMES += [f"x.jsonl{ending}" for ending in PACK]


def write(path: Path) -> Path:
    """Write the rows in the format of the file's name."""
    table = pa.Table.from_pylist(ROWS)
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".arrow":
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    elif path.suffix in (".csv", ".tsv"):
        mark = "," if path.suffix == ".csv" else "\t"
        rows = (mark.join(row.values()) for row in ROWS)
        path.write_text("\n".join([mark.join(ROWS[0]), *rows]) + "\n")
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    else:
        path.write_bytes(PACK.get(path.suffix, bytes)(lines))
    return path


def read(path: Path) -> int:
    """Return the number of valid rows of a sealed file, all of which are valid."""
    source = Source(name="s", role="human", files=[str(path)])
    identities = identify_all([str(path)])
    digests = path.with_name("digests")
    digests.write_bytes(digests_of(identities))
    units = seal_units(plan_units([source], 1 << 30), identities, str(digests))
    blocks = [block for unit in units for block in read_unit(unit, source)]
    assert not [reject for block in blocks for reject in block.rejects]
    return sum(len(block.rows) for block in blocks)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_whose_bytes_find_no_memory_is_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: MemoryError
) -> None:
    path = write(tmp_path / name)
    assert read(path) == (1 if name == "x.md" else len(ROWS))
    reads, take = 0, SealedFile.read
    stop = 0

    def fail(file: SealedFile, size: int | None = -1) -> bytes:
        nonlocal reads
        reads += 1
        if reads > stop:
            raise error
        return take(file, size)

    monkeypatch.setattr(SealedFile, "read", fail)
    for stop in range(4):
        reads = 0
        try:
            read(path)
        except MemoryError as raised:
            assert str(error) in str(raised)  # noqa: PT017, some files need fewer reads
        else:
            assert reads <= stop
            assert stop


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("x.jsonl", pa_json, "read_json"),
        ("x.csv", pa_csv, "read_csv"),
        ("x.parquet", pq.ParquetFile, "iter_batches"),
        ("x.parquet", pq, "read_schema"),
        ("x.parquet", pq, "read_metadata"),
        ("x.arrow", pa.ipc, "open_stream"),
        ("x.jsonl.lz4", pa, "CompressedInputStream"),
        ("x.jsonl.xz", lzma, "LZMADecompressor"),
        ("x.jsonl.bz2", bz2, "BZ2Decompressor"),
        ("x.jsonl.zst", zstandard, "ZstdDecompressor"),
    ],
)
def test_a_decoder_without_memory_is_no_fault_of_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    module: Any,
    function: str,
    error: MemoryError,
) -> None:
    path = write(tmp_path / name)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, function, fail)
    with pytest.raises(MemoryError, match=str(error)):
        read(path)


def test_a_damaged_length_beyond_all_memory_is_the_files_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow")
    assert "text" in arrow_schema(plan_units([source_of(path)], 1 << 30)[0].pieces[0]).names
    data = bytearray(path.read_bytes())
    damaged = 0
    for place in range(8, len(data) - 8, 8):
        changed = bytearray(data)
        changed[place : place + 8] = (1 << 56).to_bytes(8, "little")
        path.write_bytes(changed)
        blocks = [
            block
            for unit in plan_units([source_of(path)], 1 << 30)
            for block in read_unit(unit, source_of(path))
        ]
        damaged += any(r.broken for block in blocks for r in block.rejects)
    assert damaged > 10


def source_of(path: Path) -> Source:
    return Source(name="s", role="human", files=[str(path)])
