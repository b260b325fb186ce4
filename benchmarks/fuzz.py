"""Damaged files of every format: every row is read or counted as rejected.

    python -m benchmarks.fuzz --files 2000

makes small files of all formats and compressions, some with flipped bits, cut off, overwritten or
with another format's name; reads each by itself, and all of them by one `dedup`.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import gzip
import io
import json
import lzma
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from outcross.pipeline.commands.run import dedup
from outcross.schemas.config import Config
from outcross.schemas.sources import Source
from outcross.transforms.reading.lookup import texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit

ROW = dict[str, Any]
UNSPLIT = 1 << 30
SPLIT = 3000
_WORDS = ["die", "Katze", "läuft", "他走了", "the", "cat", "runs", "\u2028", "quoted", '"']
_WORDS += ["comma,", "semi;", "tab\t", "line\nbreak"]


@dataclass(frozen=True)
class Sample:
    """A file of the corpus.

    Attributes:
        path: path of the file.
        documents: number of rows with a text that were written.
        damage: kind of damage; empty for none.
    """

    path: Path
    documents: int
    damage: str


@dataclass(frozen=True)
class Read:
    """Outcome of reading a file.

    Attributes:
        rows: number of valid rows.
        rejected: number of rows that the rejects stand for.
        broken: True if the whole file is broken.
    """

    rows: int
    rejected: int
    broken: bool


def make_files(folder: Path, files: int, seed: int) -> list[Sample]:
    """Write a corpus; the same seed gives the same files.

    Args:
        folder: empty folder for the files.
        files: number of files.
        seed: seed of all draws.
    """
    return [
        _make(folder, number, random.Random(seed * 1_000_003 + number)) for number in range(files)
    ]


def read_file(sample: Sample, unit_bytes: int = UNSPLIT) -> Read:
    """Read a file, and check what must hold.

    Args:
        sample: file to read.
        unit_bytes: size in bytes from which the file is split.

    Raises:
        AssertionError: if a check fails.
    """
    source = Source(name="fuzz", role="human", files=[str(sample.path)])
    rows = rejected = lost = 0
    broken = False
    units = plan_units([source], unit_bytes)
    for unit in units:
        lines, last = 0, -1
        places, texts = [], []
        for block in read_unit(unit, source, batch_bytes=2000):
            block.batch.validate(full=True)
            assert block.batch.num_rows == len(block.rows) == len(block.text)
            assert block.text.null_count == 0
            assert block.filtered == 0
            assert block.read == len(block.rows) + sum(r.rows for r in block.rejects)
            assert all(reject.rows >= 1 and reject.lost >= 0 for reject in block.rejects)
            lost += sum(reject.lost for reject in block.rejects)
            numbers = [int(row) for row in block.rows]
            numbers += [r.number for r in block.rejects if r.kind != "byte"]
            assert len(set(numbers)) == len(numbers)
            assert all(last < place < lines + block.lines for place in numbers)
            last = max([last, *numbers])
            lines += block.lines
            rows += len(block.rows)
            rejected += sum(r.rows for r in block.rejects)
            broken |= any(r.broken for r in block.rejects)
            places.append(np.stack([0 * block.rows, block.rows], 1))
            texts += block.text.to_pylist()
        if texts:
            assert texts_at(unit.pieces, source, np.concatenate(places)) == texts
    assert lost <= max(sample.path.stat().st_size, sum(unit.bytes for unit in units)), sample
    if not sample.damage:
        assert (rows, broken) == (sample.documents, False), sample
    return Read(rows, rejected, broken)


def _make(folder: Path, number: int, draw: random.Random) -> Sample:
    ending, write = draw.choice(_FORMATS)
    rows = _rows(draw)
    data = write(rows, draw)
    packed = ""
    if ending not in (".parquet", ".arrow", ".feather") and draw.random() < 0.4:
        packed, pack = draw.choice(_PACKED)
        data = pack(data)
    documents = 1 if ending == ".md" else len(rows)
    damage = ""
    name = f"{number:05d}{ending}{packed}"
    if draw.random() < 0.6:
        damage, data = _damaged(data, draw)
        if draw.random() < 0.15:
            damage = "wrong name"
            name = f"{number:05d}{draw.choice(_FORMATS)[0]}"
    path = folder / name
    path.write_bytes(data)
    return Sample(path, documents, damage)


def _rows(draw: random.Random) -> list[ROW]:
    return [
        {
            "id": f"d{number}",
            "text": f"{number} " + " ".join(draw.choices(_WORDS, k=draw.randrange(1, 40))).strip(),
            "score": draw.choice([None, 0.5, 2.25, -1.75]),
        }
        for number in range(draw.randrange(1, 60))
    ]


def _damaged(data: bytes, draw: random.Random) -> tuple[str, bytes]:
    changed = bytearray(data)
    damage = draw.choice(["bit flips", "cut off", "overwritten", "beginning lost", "garbage after"])
    place = draw.randrange(max(1, len(data)))
    if damage == "bit flips":
        for _ in range(draw.randrange(1, 6)):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    elif damage == "cut off":
        del changed[place:]
    elif damage == "overwritten":
        changed[place : place + 30] = draw.choice([bytes(30), draw.randbytes(30)])
    elif damage == "beginning lost":
        del changed[:place]
    else:
        changed += draw.choice([draw.randbytes(40), bytes(600), b"{\n[", b'"'])
    return damage, bytes(changed)


def _jsonl(rows: list[ROW], draw: random.Random) -> bytes:
    end = draw.choice(["\n", "\r\n", "\n\n", "\r"])
    lines = [json.dumps(row, ensure_ascii=draw.random() < 0.5) for row in rows]
    return draw.choice([b"", b"\xef\xbb\xbf"]) + end.join([*lines, ""]).encode()


def _json(rows: list[ROW], draw: random.Random) -> bytes:
    value = draw.choice([rows, {"version": 1, "data": rows}])
    return json.dumps(value, indent=draw.choice([None, 1])).encode()


def _separated(delimiter: str) -> Callable[[list[ROW], random.Random], bytes]:
    def write(rows: list[ROW], draw: random.Random) -> bytes:
        sink = io.StringIO()
        end = draw.choice(["\r\n", "\n"])
        writer = csv.writer(sink, delimiter=delimiter, lineterminator=end)
        writer.writerow(rows[0])
        writer.writerows(row.values() for row in rows)
        return sink.getvalue().encode()

    return write


def _parquet(rows: list[ROW], draw: random.Random) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(rows),
        sink,
        row_group_size=draw.choice([7, 100]),
        compression=draw.choice(["none", "snappy", "zstd"]),
        use_dictionary=draw.random() < 0.5,
        write_page_checksum=draw.random() < 0.5,
    )
    return sink.getvalue()


def _arrow(rows: list[ROW], draw: random.Random) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    new = draw.choice([pa.ipc.new_file, pa.ipc.new_stream])
    compression = draw.choice([None, "lz4", "zstd"])
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=draw.choice([5, 100]))
    return sink.getvalue()


def _text(rows: list[ROW], draw: random.Random) -> bytes:
    return "\n\n".join(row["text"] for row in rows).encode()


_FORMATS: list[tuple[str, Callable[[list[ROW], random.Random], bytes]]] = [
    (".jsonl", _jsonl),
    (".json", _json),
    (".csv", _separated(",")),
    (".tsv", _separated("\t")),
    (".parquet", _parquet),
    (".arrow", _arrow),
    (".feather", _arrow),
    (".md", _text),
]
_PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    (".gz", gzip.compress),
    (".zst", zstandard.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
    (".lz4", lambda data: pa.compress(data, codec="lz4", asbytes=True)),
]


def main() -> None:
    """Print what became of a corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "in")
        folder.mkdir()
        started = time.perf_counter()
        samples = make_files(folder, asked.files, asked.seed)
        counts: Counter[str] = Counter()
        for file in samples:
            result = read_file(file)
            assert read_file(file, SPLIT).rows == result.rows
            counts["documents written"] += file.documents
            counts["valid rows"] += result.rows
            counts["rejected rows"] += result.rejected
            counts["broken files"] += result.broken
            counts[f"files: {file.damage or 'whole'}"] += 1
        for name, count in sorted(counts.items()):
            print(f"{name:24} {count:>8,}")
        print(f"{time.perf_counter() - started:.1f} s")
        source = Source(name="fuzz", role="synthetic", files=[str(file.path) for file in samples])
        config = Config(
            out=f"{temporary}/out", sources=[source], max_reject_share=1, on_broken_file="reject"
        )
        (line,) = dedup(config).report.conservation
        print(line.model_dump())
        assert line.read == counts["valid rows"] + counts["rejected rows"]
        assert line.rejected == counts["rejected rows"]
        assert line.kept + line.removed == counts["valid rows"]


if __name__ == "__main__":
    main()
