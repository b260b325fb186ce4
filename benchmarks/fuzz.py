"""Damaged files of every format: every row is read or counted as rejected.

    python -m benchmarks.fuzz --files 2000

makes small files of all formats and compressions. Some have flipped bits, are cut off, overwritten
or have another format's name; others are changed where it hurts (`mutations.py`). Each is read by
itself, in a process that may die, and all of them by one `dedup`.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import faulthandler
import gzip
import io
import json
import lzma
import os
import pickle
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from benchmarks import mutations
from outcross.pipeline.commands.run import dedup
from outcross.schemas.config import Config
from outcross.schemas.sources import Source
from outcross.transforms.reading.lookup import texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import BATCH_BYTES, read_unit

ROW = dict[str, Any]
UNSPLIT = 1 << 30
SPLIT = 3000
_AT_ONCE = 100  # files that a process reads
_PATIENCE = 60  # seconds for a file
_WORDS = ["die", "Katze", "läuft", "他走了", "the", "cat", "runs", "\u2028", "quoted", '"']
_WORDS += ["comma,", "semi;", "tab\t", "line\nbreak"]


@dataclass(frozen=True)
class Sample:
    """A file of the corpus.

    Attributes:
        path: path of the file.
        documents: number of rows with a text that were written.
        damage: kind of damage; empty for none.
        lines: number of lines, each a row or a reject; 0 if the damage may have changed it.
    """

    path: Path
    documents: int
    damage: str
    lines: int = 0


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


def read_file(sample: Sample, unit_bytes: int = UNSPLIT, batch_bytes: int = 2000) -> Read:
    """Read a file, and check what must hold.

    Args:
        sample: file to read.
        unit_bytes: size in bytes from which the file is split.
        batch_bytes: size in bytes of a block. Of a damaged row group of Parquet, the rows of all
            blocks before the damage are valid.

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
        for block in read_unit(unit, source, batch_bytes):
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
    if sample.lines:
        assert (rows + rejected, broken) == (sample.lines, False), sample
    return Read(rows, rejected, broken)


def read_apart(samples: Sequence[Sample]) -> Iterator[Read | str]:
    """Read files in processes of their own, whole and split.

    Args:
        samples: the files.

    Yields:
        For each file what was read, or what ended the reader: an exception or a signal.
    """
    at = 0
    while at < len(samples):
        receive, send = os.pipe()
        process = os.fork()
        if not process:
            _read_until_dead(samples[at : at + _AT_ONCE], send)
        os.close(send)
        count = 0
        with os.fdopen(receive, "rb") as stream, suppress(EOFError):
            while True:
                yield pickle.load(stream)
                count += 1
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        at += count
        if code:
            yield f"{signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            at += 1


def _read_until_dead(samples: Sequence[Sample], send: int) -> NoReturn:
    """Send what each file gives, and end this process."""
    faulthandler.enable()
    with os.fdopen(send, "wb") as stream:
        for sample in samples:
            signal.alarm(_PATIENCE)
            try:
                read, usual = read_file(sample), read_file(sample, batch_bytes=BATCH_BYTES)
                assert read_file(sample, SPLIT).rows == read.rows, "split"
                assert usual.rows + usual.rejected == read.rows + read.rejected, "blocks"
                result: Read | str = usual
            except Exception as error:
                result = f"{type(error).__name__}: {error}"
            pickle.dump(result, stream)
            stream.flush()
    os._exit(0)


def _make(folder: Path, number: int, draw: random.Random) -> Sample:
    ending, write = draw.choice(_FORMATS)
    rows = _rows(draw)
    data = write(rows, draw)
    damage = packed = ""
    lines = 0
    is_damaged, knowingly = draw.random() < 0.6, draw.random() < 0.6
    if is_damaged and knowingly and ending == ".jsonl" and draw.random() < 0.7:
        damage, data = mutations.json_lines(rows, draw)
        lines = len(rows)
    if ending not in (".parquet", ".arrow", ".feather") and draw.random() < 0.4:
        packed, pack = draw.choice(_PACKED)
        data = pack(data)
    documents = 1 if ending == ".md" else len(rows)
    name = f"{number:05d}{ending}{packed}"
    if is_damaged and not damage:
        if knowingly and packed:
            damage, data = mutations.compressed(data, packed, draw)
        elif knowingly and ending == ".parquet":
            damage, data = mutations.parquet(data, draw)
        elif knowingly and ending in (".arrow", ".feather"):
            damage, data = mutations.arrow(data, draw)
        else:
            damage, data = _damaged(data, draw)
            if draw.random() < 0.15:
                damage = "wrong name"
                name = f"{number:05d}{draw.choice(_FORMATS)[0]}"
    path = folder / name
    path.write_bytes(data)
    return Sample(path, documents, damage, lines)


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
    parser.add_argument("--keep", default="fuzz-faults", help="folder for files that end a reader")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "in")
        folder.mkdir()
        started = time.perf_counter()
        samples = make_files(folder, asked.files, asked.seed)
        counts: Counter[str] = Counter()
        faults: list[str] = []
        for file, result in zip(samples, read_apart(samples), strict=True):
            counts["documents written"] += file.documents
            counts[f"files: {file.damage or 'whole'}"] += 1
            if isinstance(result, str):
                faults.append(f"{file.path.name} ({file.damage}): {result}")
                kept = Path(asked.keep)
                kept.mkdir(exist_ok=True)
                shutil.move(file.path, kept / f"{asked.seed}-{file.path.name}")
                continue
            counts["valid rows"] += result.rows
            counts["rejected rows"] += result.rejected
            counts["broken files"] += result.broken
        for name, count in sorted(counts.items()):
            print(f"{name:24} {count:>8,}")
        print(f"{time.perf_counter() - started:.1f} s")
        paths = [str(file.path) for file in samples if file.path.exists()]
        source = Source(name="fuzz", role="synthetic", files=paths)
        config = Config(
            out=f"{temporary}/out", sources=[source], max_reject_share=1, on_broken_file="reject"
        )
        (line,) = dedup(config).report.conservation
        print(line.model_dump())
        assert line.read == counts["valid rows"] + counts["rejected rows"]
        assert line.rejected == counts["rejected rows"]
        assert line.kept + line.removed == counts["valid rows"]
        for fault in faults:
            print(f"FAULT {fault}")
        assert not faults, f"{len(faults)} files; they are kept in {asked.keep}"


if __name__ == "__main__":
    main()
