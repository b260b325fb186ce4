"""A layout of shards for tests: rows that are known by a number."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outcross.transforms.reading.read import read_unit
from outcross.transforms.writing.shards import Routes

SHARDS = 4


@dataclass
class ByNumber:
    """A layout that knows rows by their column `number`, and copies every third one."""

    union: pa.Schema
    sources: list
    name: str = "part"

    @property
    def schema(self):
        return self.union.append(pa.field("beside", pa.struct([pa.field("copy", pa.int64())])))

    def routes(self, unit):
        blocks = list(read_unit(unit, self.sources[unit.source], 400))
        number = np.array(
            [n for b in blocks if len(b.rows) for n in b.batch["number"].to_pylist()], np.int64
        )
        copies = np.array([copies_of(n) for n in number.tolist()], np.int64)
        row = np.repeat(np.arange(len(number)), copies)
        number = number[row]
        copy = np.arange(len(row)) - (np.cumsum(copies) - copies)[row] + 1
        return Routes(
            row=row,
            shard=(number * 7 + copy) % SHARDS,
            key=(number % 5).astype(np.uint64),
            tie=number.astype(np.uint64),
            place=copy,
            columns=pa.table({"copy": copy, "number": number}),
        )

    def rows(self, rows, columns):
        copy_column = pa.StructArray.from_arrays([columns["copy"].combine_chunks()], names=["copy"])
        return pa.Table.from_arrays([*rows.columns, copy_column], schema=self.schema)

    measured = ("number",)

    def measure(self, columns):
        return {"numbers": sorted(set(columns["number"].to_pylist()))}

    def no_rows(self):
        columns = pa.schema([("copy", pa.int64()), ("number", pa.int64())])
        return self.schema.empty_table(), columns.empty_table()


def copies_of(number):
    return 2 if number % 3 == 0 else 0 if number % 5 == 1 else 1
