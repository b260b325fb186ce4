"""The pieces of the input, and the units that they make: small files share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import Format, Source
from outcross.transforms.base.files import open_input
from outcross.transforms.inputs.compressed import PIECE
from outcross.transforms.inputs.footers import open_parquet
from outcross.transforms.inputs.input_files import InputFile, input_files
from outcross.transforms.inputs.magic import is_compressed
from outcross.transforms.reading.json_values import holds_lines

UNIT_BYTES = 64 << 20
MOST_PIECES = 4096
"""Pieces of one unit: opening so many files takes a worker about a second."""


def plan_units(sources: Sequence[Source], unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """Cut large files into pieces, and put small ones together, in the order of their names.

    Args:
        sources: in configuration order; no unit holds pieces of two sources.
        unit_bytes: size from which a file is cut, a compressed one never, and up to which pieces
            are put together.

    Raises:
        ConfigError: when a glob matches nothing, or a file's format is unknown.
    """
    units: list[Unit] = []
    for position, source in enumerate(sources):
        for pieces in _together(_pieces(source, unit_bytes), unit_bytes):
            units.append(Unit(len(units), position, tuple(pieces)))
    return units


def _together(pieces: Iterator[Piece], unit_bytes: int) -> Iterator[list[Piece]]:
    together: list[Piece] = []
    size = 0
    for piece in pieces:
        if together and (size + piece.bytes > unit_bytes or len(together) == MOST_PIECES):
            yield together
            together, size = [], 0
        together.append(piece)
        size += piece.bytes
    if together:
        yield together


def _pieces(source: Source, unit_bytes: int) -> Iterator[Piece]:
    for file in input_files(source).files:
        whole = Piece(file.path, _kind(file, unit_bytes), 0, -1, file.size, file.columns)
        if file.size <= unit_bytes or is_compressed(file.path):
            yield whole
        elif whole.kind == "parquet":
            yield from _row_groups(whole, unit_bytes)
        elif whole.kind in ("jsonl", "text-lines"):
            yield from _ranges(whole, unit_bytes)
        else:
            yield whole


def _kind(file: InputFile, unit_bytes: int) -> Format:
    """Return how a file is read; a large .json of lines as lines, so that it can be cut."""
    if file.kind != "json" or file.size <= unit_bytes or is_compressed(file.path):
        return file.kind
    with open_input(file.path) as stream:
        lines = holds_lines(stream.read(PIECE), complete=file.size <= PIECE)
        return "jsonl" if lines else "json"


def _ranges(whole: Piece, unit_bytes: int) -> Iterator[Piece]:
    parts = -(-whole.bytes // unit_bytes)
    edges = [whole.bytes * i // parts for i in range(parts + 1)]
    for start, stop in pairwise(edges):
        last = stop == whole.bytes  # whatever the file has grown by belongs to the last piece
        yield replace(whole, start=start, stop=-1 if last else stop, bytes=stop - start)


def _row_groups(whole: Piece, unit_bytes: int) -> Iterator[Piece]:
    with open_parquet(whole) as stream:
        try:
            metadata = pq.read_metadata(stream)
        except (pa.ArrowException, OSError, ValueError):  # read_piece rejects it with its reason
            yield whole
            return
    start = taken = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        weight = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
        if number > start and taken + weight > unit_bytes:
            yield replace(whole, start=start, stop=number, bytes=taken)
            start, taken = number, 0
        taken += weight
    yield replace(whole, start=start, bytes=taken)
