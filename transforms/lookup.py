"""The texts of a few documents, without reading what stands around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.config import Source
from schemas.documents import Unit
from transforms import files
from transforms.blocks import with_columns
from transforms.compressed import BrokenError
from transforms.content import without_marks
from transforms.fields import string_field
from transforms.footers import open_parquet
from transforms.jsonl import parse, scan
from transforms.open_keys import named_columns
from transforms.read import BATCH_BYTES, json_blocks, row_pieces
from transforms.units import PerUnit, unit_file


@dataclass
class LookUpTexts(beam.PTransform):
    """Looks up the texts of some documents of every unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: the configuration's sources; their `text_field` says what is looked up.
        wanted: folder of the documents' lines or rows, an int64 array a unit that has any.
        folder: where the texts go, in the same order.
        characters: of each text, from its beginning; what is longer is cut.
    """

    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int

    def expand(self, lanes: Any) -> Any:
        return lanes | PerUnit(_LookUpUnit(self.sources, self.wanted, self.folder, self.characters))


@dataclass
class _LookUpUnit:
    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int

    def setup(self) -> None:
        pass

    def run(self, unit: Unit) -> int:
        rows = files.read_array(unit_file(self.wanted, unit.index, "npy"))
        found = texts_at(unit, self.sources[unit.source], rows)
        texts = pa.array([text[: self.characters] for text in found], pa.string())
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.table({"text": texts}))
        return unit.index


def first_columns(unit: Unit) -> list[str]:
    """The columns that a file's first row has; none where it can't be read."""
    try:
        if unit.kind == "parquet":
            with open_parquet(unit.file) as stream:
                return list(pq.read_schema(stream).names)
        if unit.kind not in ("jsonl", "json"):
            return list(next(row_pieces(unit, "text", BATCH_BYTES)).batch.schema.names)
        _, blocks = json_blocks(unit, "", BATCH_BYTES)
        lines = (line for data, _, _ in blocks for line in without_marks(data).split(b"\n"))
        value = orjson.loads(next(line for line in lines if line.strip()))
    except (OSError, ValueError, StopIteration, BrokenError, pa.ArrowException):
        return []
    return list(value) if isinstance(value, dict) else []


def texts_at(unit: Unit, source: Source, rows: NDArray[np.int64]) -> list[str]:
    """The texts at some places of a unit.

    Args:
        unit: of the input, as it was when it was sketched.
        source: of the unit.
        rows: ascending lines or rows within the unit, all of valid documents.

    Raises:
        OSError: when the file can't be opened.
    """
    if not len(rows):  # perhaps of a file that is broken
        return []
    if unit.kind == "parquet":
        return _from_parquet(unit, source, rows)
    if unit.kind in ("jsonl", "json"):
        return _from_json(unit, source, rows)
    return _from_pieces(unit, source, rows)


def _from_pieces(unit: Unit, source: Source, rows: NDArray[np.int64]) -> list[str]:
    texts: list[str] = []
    for piece in row_pieces(unit, source.text_field, BATCH_BYTES):
        here = np.flatnonzero(np.isin(piece.rows, rows))
        if len(here):
            batch = with_columns(piece.batch.take(pa.array(here)), unit.columns)
            texts += pc.fill_null(string_field(batch, source.text_field), "").to_pylist()
        if len(texts) == len(rows):
            break
    return texts


def _from_json(unit: Unit, source: Source, rows: NDArray[np.int64]) -> list[str]:
    texts: list[str] = []
    first = 0
    _, blocks = json_blocks(unit, source.text_field, BATCH_BYTES)
    for data, _, _ in blocks:
        last = first + data.count(b"\n") + (not data.endswith(b"\n"))
        here = rows[(rows >= first) & (rows < last)] - first
        if len(here):
            ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
            starts = np.append(0, ends + 1)
            ends = np.append(ends, len(data))
            lines = [data[starts[row] : ends[row]] for row in here]
            chosen = scan(without_marks(b"\n".join(lines)))
            text = string_field(
                parse(chosen, chosen.filled, named_columns(source)).batch, source.text_field
            )
            texts += pc.fill_null(text, "").to_pylist()
        if not (rows >= last).any():
            break
        first = last
    return texts


def _from_parquet(unit: Unit, source: Source, rows: NDArray[np.int64]) -> list[str]:
    texts: list[str] = []
    with open_parquet(unit.file) as stream:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        field = source.text_field
        # A column whose own name holds dots wins over the path.
        column = max((n for n in names if f"{field}.".startswith(f"{n}.")), key=len, default=None)
        if column is None:  # its folders may name it
            return [dict(unit.columns).get(field, "")] * len(rows)
        first = 0
        stop = file.num_row_groups if unit.stop < 0 else unit.stop
        for group in range(unit.start, stop):
            last = first + file.metadata.row_group(group).num_rows
            here = rows[(rows >= first) & (rows < last)] - first
            if len(here):
                table = file.read_row_group(group, columns=[column], use_threads=False)
                batch = table.take(pa.array(here)).combine_chunks().to_batches()[0]
                texts += pc.fill_null(string_field(batch, field), "").to_pylist()
            first = last
    return texts
