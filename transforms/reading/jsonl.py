"""Parse JSON lines: by Arrow's parser where it can be trusted, else line by line.

`pyarrow.json` reads 600 MB/s. But it crashes on lines that hold `null`, and makes invalid arrays of
lists that start with nulls. It also accepts values that run over lines. So a scan first finds the
lines that are plainly one object without such lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from outcross.schemas.columns import ordered
from outcross.transforms.reading.json_batches import batch_from_lines, batch_from_objects
from outcross.transforms.reading.line_scan import DEEP, DEEPEST, LONG, ODD, Lines
from outcross.transforms.rows.fields import kind_of


@dataclass(frozen=True)
class Parsed:
    """Result of parsing some lines.

    Attributes:
        batch: one row for each valid line, columns sorted by name.
        rows: int64[n], numbers of the valid lines.
        faults: number and reason of each other line.
    """

    batch: pa.RecordBatch
    rows: NDArray[np.int64]
    faults: list[tuple[int, str]]


def parse(lines: Lines, chosen: NDArray[np.int64], named: Collection[str] = ()) -> Parsed:
    """Parse some lines of a block.

    Strings stay strings. A column of integers and floats is float64 where that is exact. A column
    that mixes other types, or holds integers beyond int64, is text holding JSON, and marked so.
    NaN and infinities are read as Python writes them. The validity of a line depends only on the
    line; the types depend only on the valid lines.

    Args:
        lines: the block.
        chosen: int64[k], ascending numbers of lines that aren't blank.
        named: columns and paths that stay columns where keys are an open set.
    """
    faults: list[tuple[int, str]] = []
    objects: dict[int, dict[str, Any]] = {}
    if not _is_utf8(lines.data):
        for number in chosen.tolist():
            if not _is_utf8(lines.line(number)):
                faults.append((number, "the line is not valid UTF-8"))
        chosen = np.setdiff1d(chosen, [number for number, _ in faults])
    odd = chosen[(lines.flags[chosen] & ODD) != 0]
    _load(lines, odd, objects, faults)
    if not objects:
        good = np.setdiff1d(chosen, odd)
        data = (
            lines.data
            if len(good) == len(lines.filled)
            else b"\n".join(lines.line(i) for i in good.tolist())
        )
        batch = batch_from_lines(data, len(good), bool((lines.flags[good] & LONG).any()))
        if batch is not None:
            return Parsed(batch, good, sorted(faults))
    _load(lines, np.setdiff1d(chosen, odd), objects, faults)
    good = np.array(sorted(objects), np.int64)
    rows = [objects[i] for i in good.tolist()]
    return Parsed(batch_from_objects(rows, named), good, sorted(faults))


def is_determined(batch: pa.RecordBatch) -> bool:
    """Return whether rows have the same types if they are read without any other rows."""
    return all(
        field.metadata is None and _shows(column)
        for field, column in zip(batch.schema, batch.columns, strict=True)
    )


def in_order(batch: pa.RecordBatch, lines: Lines, rows: NDArray[np.int64]) -> pa.RecordBatch:
    """Return a batch with its columns in the order of its longest line, the rest by name.

    The longest line of a source doesn't depend on the split into blocks.

    Args:
        batch: rows of some lines.
        lines: block of the lines.
        rows: int64[n], numbers of the lines.
    """
    if not len(rows):
        return batch
    sizes = lines.stop[rows] - lines.start[rows]
    longest = int(sizes.max())
    candidates = map(lines.line, rows[sizes == longest].tolist())
    hashed, line = max((xxhash.xxh3_64_intdigest(line), line) for line in candidates)
    return ordered(batch, [longest, hashed], list(_value(line, exact=False)))


def _shows(array: pa.Array) -> bool:
    type_ = array.type
    if array.null_count == len(array):
        return False
    if pa.types.is_floating(type_):
        kept = array.drop_null()
        return bool(pc.any(pc.not_equal(kept, pc.floor(kept))).as_py())
    if pa.types.is_struct(type_):
        return all(_shows(pc.struct_field(array, [i])) for i in range(type_.num_fields))
    if pa.types.is_list(type_):
        return bool(pa.types.is_null(type_.value_type)) or _shows(array.flatten())
    return True


def _is_utf8(data: bytes) -> bool:
    ends = pa.array([0, len(data)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(
            full=True
        )
    except pa.ArrowInvalid:
        return False
    return True


def _load(
    lines: Lines,
    chosen: NDArray[np.int64],
    objects: dict[int, dict[str, Any]],
    faults: list[tuple[int, str]],
) -> None:
    for number in chosen.tolist():
        flags = lines.flags[number]
        if flags & DEEP:
            faults.append((number, f"the line is nested deeper than {DEEPEST} levels"))
            continue
        line = lines.line(number)
        try:
            value = _value(line, bool(flags & LONG))
        except _TwiceError as error:
            faults.append((number, f"the key {str(error)!r} stands twice; names must differ"))
            continue
        except ValueError as error:
            faults.append((number, f"the line is not JSON: {_message(error)}"))
            continue
        if isinstance(value, dict):
            objects[number] = value
        else:
            faults.append((number, f"the line holds {kind_of(value)}; an object is expected"))


def _value(line: bytes, exact: bool) -> Any:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        if not re.search(rb"NaN|Infinity", line):
            raise
        value = json.loads(line, object_pairs_hook=_distinct)
        json.dumps(value, ensure_ascii=False).encode()  # raises for lone surrogates
        return value
    # orjson drops a repeated key with its quotes; \\u0022 is one more quote.
    distinct = orjson.dumps(value).count(b'"') == line.count(b'"') and rb"\u0022" not in line
    if exact or not distinct:  # orjson rounds integers beyond 64 bits
        return json.loads(line, object_pairs_hook=_distinct)
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return members


class _TwiceError(ValueError):
    """A key is twice in one object."""


def _message(error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a lone surrogate"
    return re.sub(r"[:,]? (at )?line 1 column.*|[:;] value has.*", "", str(error))
