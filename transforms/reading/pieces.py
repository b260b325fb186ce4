"""Cut large input files into pieces, and group pieces into units. Small files share a unit."""

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
from outcross.transforms.inputs.faults import raise_fault_of_machine
from outcross.transforms.inputs.footers import open_for_arrow
from outcross.transforms.inputs.input_files import InputFile, input_files
from outcross.transforms.inputs.magic import is_compressed
from outcross.transforms.reading.json_values import holds_lines

UNIT_BYTES = 64 << 20
MOST_PIECES = 4096
"""Most pieces of a unit. A worker takes about a second to open so many files."""


def plan_units(sources: Sequence[Source], unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """Cut large files into pieces, and group small ones, in the order of their names.

    Args:
        sources: sources in configuration order; no unit holds pieces of two sources.
        unit_bytes: most bytes of a unit. Larger files are cut, except compressed ones.

    Raises:
        ConfigError: a glob matches nothing, or a file's format is unknown.
    """
    units: list[Unit] = []
    for position, source in enumerate(sources):
        for pieces in _groups(_pieces(source, unit_bytes), unit_bytes):
            units.append(Unit(len(units), position, tuple(pieces)))
    return units


def _groups(pieces: Iterator[Piece], unit_bytes: int) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        if group and (size + piece.bytes > unit_bytes or len(group) == MOST_PIECES):
            yield group
            group, size = [], 0
        group.append(piece)
        size += piece.bytes
    if group:
        yield group


def _pieces(source: Source, unit_bytes: int) -> Iterator[Piece]:
    for file in input_files(source).files:
        file_piece = Piece(file.path, _kind(file, unit_bytes), 0, -1, file.size, file.columns)
        if file.size <= unit_bytes or is_compressed(file.path):
            yield file_piece
        elif file_piece.kind == "parquet":
            yield from _row_groups(file_piece, unit_bytes)
        elif file_piece.kind in ("jsonl", "text-lines"):
            yield from _ranges(file_piece, unit_bytes)
        else:
            yield file_piece


def _kind(file: InputFile, unit_bytes: int) -> Format:
    """Return a file's format; a large .json file of lines is jsonl, so that it can be cut."""
    if file.kind != "json" or file.size <= unit_bytes or is_compressed(file.path):
        return file.kind
    with open_input(file.path) as stream:
        lines = holds_lines(stream.read(PIECE), complete=file.size <= PIECE)
        return "jsonl" if lines else "json"


def _ranges(file_piece: Piece, unit_bytes: int) -> Iterator[Piece]:
    parts = -(-file_piece.bytes // unit_bytes)
    edges = [file_piece.bytes * i // parts for i in range(parts + 1)]
    for start, stop in pairwise(edges):
        last = stop == file_piece.bytes  # the last piece also reads bytes that are appended later
        yield replace(file_piece, start=start, stop=-1 if last else stop, bytes=stop - start)


def _row_groups(file_piece: Piece, unit_bytes: int) -> Iterator[Piece]:
    with open_for_arrow(file_piece) as stream:
        try:
            metadata = pq.read_metadata(stream)
        except (pa.ArrowException, OSError, ValueError) as error:  # `read_piece` rejects it later
            raise_fault_of_machine(error, file_piece.file)
            yield file_piece
            return
    start = taken = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
        if number > start and taken + size > unit_bytes:
            yield replace(file_piece, start=start, stop=number, bytes=taken)
            start, taken = number, 0
        taken += size
    yield replace(file_piece, start=start, bytes=taken)
