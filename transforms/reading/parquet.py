"""Columns of Parquet files, in types that can be joined with those of any other file.

A writer's Arrow schema may ask for types that Arrow can't read back or cast. Examples are null
lists of a fixed size, and views of lists. Such files are read in Parquet's types, then cast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.schemas.columns import LEDGER_COLUMN, is_json, json_field
from outcross.schemas.supertypes import bare, cast, inside, without_null_lists
from outcross.transforms.rows.blocks import BATCH_ROWS
from outcross.transforms.rows.open_keys import is_named

_PIECE = 1 << 20
_SCHEMA, _HIDDEN = b"ARROW:schema", b"-----:schema"


class ParquetColumns:
    """A Parquet file, read in batches with bare types.

    Attributes:
        schema: Arrow schema that the writer stored.
        file: the file, without the stored schema if Arrow can't read by it.

    Args:
        stream: open file that can seek.

    Raises:
        pa.ArrowException, OSError: the file is no Parquet file, or broken.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.schema: pa.Schema = pq.read_schema(stream)
        hidden = any(_misread(type_) for field in self.schema for type_ in inside(field.type))
        self._metadata = _without_arrow_schema(stream) if hidden else pq.read_metadata(stream)
        self.file = self._opened(None)
        columns = [self._metadata.schema.column(i) for i in range(self._metadata.num_columns)]
        self._times = [c.path for c in columns if c.physical_type == "INT96"]

    def batches(self, group: int, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield a row group's rows in batches.

        Args:
            group: number of the row group.
            rows: most rows of a batch.

        Raises:
            pa.ArrowException, OSError: the row group is broken.
        """
        file = self._opened(self._unit(group)) if self._times else self.file
        for batch in file.iter_batches(rows, row_groups=[group], use_threads=False):
            yield self._bare(batch)

    def repeated_member(self) -> str | None:
        """Return the fault of a struct with two members of one name, None without such a struct.

        No row of such a file can be read.
        """
        for field in self.schema:
            for type_ in filter(pa.types.is_struct, inside(field.type)):
                names = Counter(type_.field(i).name for i in range(type_.num_fields))
                for name, count in names.items():
                    if count > 1:
                        return f"column {field.name!r} has two members {name!r}; names must differ"
        return None

    def _opened(self, unit: str | None) -> pq.ParquetFile:
        return pq.ParquetFile(
            self._stream,
            metadata=self._metadata,
            buffer_size=_PIECE,
            pre_buffer=False,
            coerce_int96_timestamp_unit=unit,
            page_checksum_verification=True,
        )

    def _unit(self, group: int) -> str:
        """Return the unit of a row group's INT96 times: ns if us is too coarse, else us.

        Nanoseconds cover the years 1677 to 2262 only. Times that need both are cut to us.
        """
        coarse, fine = (
            self._opened(unit).read_row_group(group, self._times, use_threads=False)
            for unit in ("us", "ns")
        )
        try:
            exact = coarse.cast(fine.schema).equals(fine)
        except pa.ArrowInvalid:
            return "us"
        return "us" if exact else "ns"

    def _bare(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Cast a batch to the schema's bare types; only a ledger keeps the marks of JSON."""
        is_ledger = LEDGER_COLUMN in batch.schema.names
        fields, columns = [], []
        for field, column in zip(self.schema, batch.columns, strict=True):
            name = field.name
            coerced = is_named(name, self._times)
            type_ = bare(column.type if coerced else field.type)
            if coerced and pa.types.is_timestamp(type_) and pa.types.is_timestamp(field.type):
                type_ = pa.timestamp(type_.unit, field.type.tz)
            columns.append(cast(column, without_null_lists(column, type_)))
            marked = is_ledger and is_json(field)
            fields.append(json_field(name) if marked else pa.field(name, columns[-1].type))
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def batch_rows(group: pq.RowGroupMetaData, batch_bytes: int) -> int:
    """Return the number of rows of a batch.

    Args:
        group: metadata of the row group.
        batch_bytes: bytes of a batch, about.
    """
    per_row = max(1, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(group.num_rows, batch_bytes // per_row, BATCH_ROWS))


def undecodable(array: pa.Array) -> list[int]:
    """Return the rows with text that isn't UTF-8, at any depth.

    Parquet requires UTF-8, but readers don't check it.

    Args:
        array: n values.
    """
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return [0]
        half = len(array) // 2
        # A slice of lists is validated with the elements of all.
        first, second = (
            undecodable(array.take(pa.array(range(start, stop))))
            for start, stop in ((0, half), (half, len(array)))
        )
        return first + [half + row for row in second]
    return []


def _without_arrow_schema(stream: Any) -> pq.FileMetaData:
    """Return the footer with the stored Arrow schema hidden under another key."""
    stream.seek(-8, 2)
    end = stream.read(8)
    length = int.from_bytes(end[:4], "little")
    stream.seek(-8 - length, 2)
    footer = stream.read(length).replace(_SCHEMA, _HIDDEN)
    return pq.read_metadata(pa.BufferReader(b"PAR1" + footer + end))


def _misread(type_: pa.DataType) -> bool:
    """Return whether Arrow reads or casts a type wrongly."""
    return bool(
        pa.types.is_fixed_size_list(type_)
        or pa.types.is_list_view(type_)
        or pa.types.is_large_list_view(type_)
        or (pa.types.is_dictionary(type_) and "view" in str(type_.value_type))
    )
