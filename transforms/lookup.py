"""The texts of a few documents, without reading what stands around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.config import Source
from schemas.documents import Unit
from schemas.text_field import paths_of
from transforms import files
from transforms.compressed import BrokenError, decompressed, is_compressed
from transforms.fields import string_field
from transforms.jsonl import parse, scan
from transforms.read import BATCH_BYTES, open_parquet, plain_bytes, whole_lines
from transforms.text_fields import columns_of, text_of
from transforms.units import PerUnit, unit_file

What = Literal["text", "prompt"]


@dataclass
class LookUpTexts(beam.PTransform):
    """Looks up the texts of some documents of every unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: the configuration's sources.
        wanted: folder of the documents' lines or rows, an int64 array a unit that has any.
        folder: where the texts go, in the same order.
        characters: of each text, from its beginning; what is longer is cut.
        what: the judged text, or the prompt.
    """

    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    what: What = "text"

    def expand(self, lanes: Any) -> Any:
        work = _LookUpUnit(self.sources, self.wanted, self.folder, self.characters, self.what)
        return lanes | PerUnit(work)


@dataclass
class _LookUpUnit:
    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    what: What

    def setup(self) -> None:
        pass

    def run(self, unit: Unit) -> int:
        rows = files.read_array(unit_file(self.wanted, unit.index, "npy"))
        found = texts_at(unit, self.sources[unit.source], rows, self.what)
        texts = pa.array([text[: self.characters] for text in found], pa.string())
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.table({"text": texts}))
        return unit.index


def first_columns(unit: Unit) -> list[str]:
    """The columns that a file's first row has; none where it can't be read."""
    try:
        if unit.kind == "parquet":
            with open_parquet(unit.file) as stream:
                return list(pq.read_schema(stream).names)
        pieces = decompressed(unit.file) if is_compressed(unit.file) else plain_bytes(unit)
        blocks = whole_lines(pieces, BATCH_BYTES)
        lines = (line for data, _, _ in blocks for line in data.split(b"\n"))
        value = orjson.loads(next(line for line in lines if line.strip()))
    except (OSError, ValueError, StopIteration, BrokenError, pa.ArrowException):
        return []
    return list(value) if isinstance(value, dict) else []


def texts_at(unit: Unit, source: Source, rows: NDArray[np.int64], what: What = "text") -> list[str]:
    """Return the texts at some places of a unit; empty where a document has no prompt.

    Args:
        unit: of the input, as it was when it was sketched.
        source: of the unit.
        rows: ascending lines or rows within the unit, all of valid documents.
        what: the judged text, or the prompt.

    Raises:
        OSError: when the file can't be opened.
    """
    paths = paths_of(source.text_field) if what == "text" else [source.prompt_field or ""]
    batches = _of_parquet(unit, rows, paths) if unit.kind == "parquet" else _of_jsonl(unit, rows)
    texts: list[str] = []
    for batch in batches:
        if what == "text":
            text, _ = text_of(batch, source)
        else:
            text = string_field(batch, source.prompt_field)
        if text is None:
            texts += [""] * batch.num_rows
        else:
            texts += pc.fill_null(text, "").to_pylist()
    return texts


def _of_jsonl(unit: Unit, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    pieces = decompressed(unit.file) if is_compressed(unit.file) else plain_bytes(unit)
    first = 0
    for data, _, _ in whole_lines(pieces, BATCH_BYTES):
        last = first + data.count(b"\n") + (not data.endswith(b"\n"))
        here = rows[(rows >= first) & (rows < last)] - first
        if len(here):
            ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
            starts = np.append(0, ends + 1)
            ends = np.append(ends, len(data))
            lines = [data[starts[row] : ends[row]] for row in here]
            chosen = scan(b"\n".join(lines).removeprefix(b"\xef\xbb\xbf"))
            yield parse(chosen, chosen.filled).batch
        if not (rows >= last).any():
            break
        first = last


def _of_parquet(
    unit: Unit, rows: NDArray[np.int64], paths: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    with open_parquet(unit.file) as stream:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        columns = columns_of(names, paths) or names[:1]  # which at least has the rows
        first = 0
        stop = file.num_row_groups if unit.stop < 0 else unit.stop
        for group in range(unit.start, stop):
            last = first + file.metadata.row_group(group).num_rows
            here = rows[(rows >= first) & (rows < last)] - first
            if len(here):
                table = file.read_row_group(group, columns=columns, use_threads=False)
                yield table.take(pa.array(here)).combine_chunks().to_batches()[0]
            first = last
