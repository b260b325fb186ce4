"""JSON lines to Arrow: Arrow's parser where it can be trusted, line by line where it can't.

`pyarrow.json` reads 600 MB/s, but it crashes on lines that hold `null`, makes invalid arrays of
lists that start with nulls, takes values that run over lines, infers times from text and rounds
large integers. So a scanner first makes sure that every line is one object without such lists, and
the types that come back are checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import xxhash
from numba import njit, types
from numpy.typing import NDArray

from outcross.schemas.columns import OTHER_KEYS, canonical, json_field, ordered
from outcross.schemas.supertypes import EXACT, MAX_DEPTH, MAX_FIELDS
from outcross.transforms.rows.fields import kind_of
from outcross.transforms.rows.open_keys import is_open, packed_objects

_FILLED = np.uint8(1)  # the line holds more than white space
_LONG = np.uint8(2)  # a number of 16 digits or more, which float64 may not hold
_ODD = np.uint8(4)  # not plainly one object, so nothing to show to Arrow
_DEEP = np.uint8(8)  # nested beyond what is read at all
_DEEPEST = 200
_PREFIX = 64 << 10  # bytes whose types tell which columns are text

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)


@dataclass(frozen=True)
class Lines:
    """A block of whole lines.

    Attributes:
        data: the bytes.
        start, stop: of the n lines in `data`, without the newline.
        flags: what the scanner saw in each.
    """

    data: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start)

    def line(self, number: int) -> bytes:
        return self.data[self.start[number] : self.stop[number]]

    @property
    def filled(self) -> NDArray[np.int64]:
        """Numbers of the lines that are not blank."""
        return np.flatnonzero(self.flags & _FILLED)


@dataclass(frozen=True)
class Parsed:
    """What became of the lines that were asked for.

    Attributes:
        batch: one row for every good line, columns by name.
        rows: their line numbers.
        faults: line number and reason of the others.
    """

    batch: pa.RecordBatch
    rows: NDArray[np.int64]
    faults: list[tuple[int, str]]


def scan(data: bytes) -> Lines:
    """Finds the lines of a block, and which of them are plainly one object each."""
    return Lines(data, *_scan(np.frombuffer(data, np.uint8)))


def parse(lines: Lines, chosen: NDArray[np.int64], named: Collection[str] = ()) -> Parsed:
    """Reads some lines of a block.

    Strings stay strings. A column of integers and floats is float64 where that is exact; a column
    that mixes other types, or holds integers beyond int64, is text holding JSON, and marked so.
    NaN and infinities are read as Python writes them. Whether a line is good depends on nothing
    but the line; the types depend on the good lines alone.

    Args:
        lines: the block.
        chosen: ascending numbers of lines that aren't blank.
        named: columns and paths that stay columns where keys are an open set.
    """
    faults: list[tuple[int, str]] = []
    objects: dict[int, dict[str, Any]] = {}
    if not _is_utf8(lines.data):
        for number in chosen.tolist():
            if not _is_utf8(lines.line(number)):
                faults.append((number, "the line is not valid UTF-8"))
        chosen = np.setdiff1d(chosen, [number for number, _ in faults])
    odd = chosen[(lines.flags[chosen] & _ODD) != 0]
    _load(lines, odd, objects, faults)
    if not objects:
        good = np.setdiff1d(chosen, odd)
        whole = len(good) == len(lines.filled)
        data = lines.data if whole else b"\n".join(lines.line(i) for i in good.tolist())
        batch = _from_arrow(data, len(good), bool((lines.flags[good] & _LONG).any()))
        if batch is not None:
            return Parsed(batch, good, sorted(faults))
    _load(lines, np.setdiff1d(chosen, odd), objects, faults)
    good = np.array(sorted(objects), np.int64)
    rows = [objects[i] for i in good.tolist()]
    return Parsed(_from_objects(rows, named), good, sorted(faults))


def determined(batch: pa.RecordBatch) -> bool:
    """Whether these rows would have the same types if they were read without any others."""
    return all(
        field.metadata is None and _shows(column)
        for field, column in zip(batch.schema, batch.columns, strict=True)
    )


def in_order(batch: pa.RecordBatch, lines: Lines, rows: NDArray[np.int64]) -> pa.RecordBatch:
    """The batch with its columns in the order of its longest line, others by name.

    The longest of all lines of a source doesn't depend on how they are split into blocks.

    Args:
        batch: of some lines.
        lines: the block that they are of.
        rows: their numbers.
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
        if flags & _DEEP:
            faults.append((number, f"the line is nested deeper than {_DEEPEST} levels"))
            continue
        line = lines.line(number)
        try:
            value = _value(line, bool(flags & _LONG))
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
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates are no text
        return value
    # A key that stands there twice is lost, and its quotes with it; \\u0022 is a further quote.
    whole = orjson.dumps(value).count(b'"') == line.count(b'"') and rb"\u0022" not in line
    if exact or not whole:  # orjson rounds integers beyond 64 bits
        return json.loads(line, object_pairs_hook=_distinct)
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return members


class _TwiceError(ValueError):
    """A key stands twice in one object."""


def _message(error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a lone surrogate"
    return re.sub(r"[:,]? (at )?line 1 column.*|[:;] value has.*", "", str(error))


def _from_arrow(data: bytes, rows: int, long: bool) -> pa.RecordBatch | None:
    """The rows by Arrow's parser, or None where its reading isn't what the lines say."""
    try:
        texts: list[pa.Field] = []
        if len(data) > 2 * _PREFIX:
            end = data.rfind(b"\n", 0, _PREFIX) + 1
            if end and _keys_expected(data[:end], rows) > MAX_FIELDS:
                return None
            texts = _texts(_read(data[:end], []).schema) if end else []
        table = _read(data, texts)
        if any(_has_times(type_) for type_ in table.schema.types):
            table = _read(data, _texts(table.schema))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        return None
    if table.num_rows != rows or table.num_columns > MAX_FIELDS:
        return None
    if any(_has_times(type_) or not _holds(type_, 1) for type_ in table.schema.types):
        return None
    if not table.num_columns:
        return _empty(rows)
    batch = table.select(sorted(table.column_names)).combine_chunks().to_batches()[0]
    if long and any(_rounds(column) for column in batch.columns):
        return None
    return batch


def _keys_expected(prefix: bytes, rows: int) -> float:
    """Return how many keys there will be, if they go on to appear as in some first lines."""
    try:
        keys = [set(orjson.loads(line)) for line in prefix.splitlines()]
    except ValueError:  # Arrow says the same
        return 0
    half = set().union(*keys[: len(keys) // 2])
    every = half.union(*keys)
    fresh = (len(every) - len(half)) / max(1, len(keys) - len(keys) // 2)
    return len(every) + fresh * (rows - len(keys))


def _read(data: bytes, texts: list[pa.Field]) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=pa.schema(texts) if texts else None),
    )


def _texts(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Of these fields what Arrow read as text or as times, as text."""
    found = ((field, _text(field.type)) for field in fields)
    return [field.with_type(type_) for field, type_ in found if type_ is not None]


def _text(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_string(type_) or pa.types.is_timestamp(type_):
        return pa.string()
    if pa.types.is_struct(type_):
        fields = _texts(type_)
        return pa.struct(fields) if fields else None
    if pa.types.is_list(type_):
        value = _text(type_.value_type)
        return None if value is None else pa.list_(value)
    return None


def _has_times(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        return any(_has_times(type_.field(i).type) for i in range(type_.num_fields))
    return bool(pa.types.is_timestamp(type_))


def _holds(type_: pa.DataType, depth: int) -> bool:
    if not pa.types.is_nested(type_):
        return True
    if depth > MAX_DEPTH or type_.num_fields > MAX_FIELDS:
        return False
    return all(_holds(type_.field(i).type, depth + 1) for i in range(type_.num_fields))


def _rounds(array: pa.Array) -> bool:
    """Whether an array may hold integers that float64 rounded."""
    if pa.types.is_struct(array.type):
        return any(_rounds(array.field(i)) for i in range(array.type.num_fields))
    if pa.types.is_list(array.type):
        return _rounds(array.flatten())
    if not pa.types.is_floating(array.type):
        return False
    largest = pc.max(pc.abs(array)).as_py()
    return largest is not None and largest >= EXACT


def _from_objects(objects: list[dict[str, Any]], named: Collection[str] = ()) -> pa.RecordBatch:
    names = sorted(set().union(*objects))
    if not names:
        return _empty(len(objects))
    if is_open(names):
        objects = packed_objects(objects, named)
        names = sorted(set().union(*objects))
    fields, columns = [], []
    for name in names:
        values = [row.get(name) for row in objects]
        type_ = None if name == OTHER_KEYS else _infer(values, 1)
        if type_ is None:
            fields.append(json_field(name))
            columns.append(pa.array([canonical(value) for value in values], pa.string()))
        else:
            fields.append(pa.field(name, type_))
            columns.append(pa.array(values, type_))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _empty(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def _infer(values: list[Any], depth: int) -> pa.DataType | None:
    """The type that Arrow's parser gives to these values, None where they disagree."""
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    if not kinds:
        return pa.null()
    if kinds == {str}:
        return pa.string()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        whole = all(v is None or -(2**63) <= v < 2**63 for v in values)
        return pa.int64() if whole else None
    if kinds <= {int, float}:
        exact = all(not isinstance(v, int) or abs(v) <= EXACT for v in values)
        return pa.float64() if exact else None
    if depth > MAX_DEPTH:
        return None
    if kinds == {list}:
        value = _infer([e for v in values if v is not None for e in v], depth + 1)
        return None if value is None else pa.list_(value)
    if kinds != {dict}:
        return None
    members: dict[str, list[Any]] = {}
    for value in values:
        if value is not None:
            for name, member in value.items():
                members.setdefault(name, []).append(member)
    if len(members) > MAX_FIELDS:
        return None
    found = {name: _infer(members[name], depth + 1) for name in members}
    if any(type_ is None for type_ in found.values()):
        return None
    return pa.struct(list(found.items()))


@njit(
    types.Tuple((types.int64[::1], types.int64[::1], types.uint8[::1]))(_bytes_in),
    nogil=True,
    cache=True,
)
def _scan(
    data: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    size = data.size
    count = 0
    for i in range(size):
        count += data[i] == 10
    if size > 0 and data[size - 1] != 10:
        count += 1
    start = np.empty(count, np.int64)
    stop = np.empty(count, np.int64)
    flags = np.zeros(count, np.uint8)
    i = 0
    for row in range(count):
        start[row] = i
        flag = np.uint8(0)
        depth = 0
        lists = np.uint64(0)  # bit d: the bracket at depth d opens a list
        digits = 0
        closed = False
        while i < size and data[i] != 10:
            c = data[i]
            i += 1
            if 48 <= c <= 57:
                digits += 1
                flag |= _FILLED
                if digits >= 16:
                    flag |= _LONG
                if depth <= 0:
                    flag |= _ODD
                continue
            digits = 0
            if c in (32, 9, 13):
                continue
            flag |= _FILLED
            if c in (123, 91):  # { [
                if depth == 0 and (closed or c == 91):
                    flag |= _ODD
                depth += 1
                if depth <= MAX_DEPTH:
                    bit = np.uint64(1) << np.uint64(depth)
                    lists = lists | bit if c == 91 else lists & ~bit
                else:
                    flag |= _ODD
                    if depth > _DEEPEST:
                        flag |= _DEEP
            elif c in (125, 93):  # } ]
                depth -= 1
                if depth <= 0:
                    closed = True
                    if depth < 0:
                        flag |= _ODD
            elif depth <= 0 or c in (78, 73):  # N I: NaN, Infinity
                flag |= _ODD
            elif c == 110:  # n: null
                if lists >> np.uint64(min(depth, 63)) & np.uint64(1):
                    flag |= _ODD
            elif c == 34:  # "
                quoted = True
                while i < size:
                    c = data[i]
                    if c == 34:
                        quoted = False
                        i += 1
                        break
                    if c == 10:
                        break
                    if c == 92 and i + 1 < size and data[i + 1] != 10:  # \
                        i += 1
                    i += 1
                if quoted:
                    flag |= _ODD
        if not closed or depth != 0:
            flag |= _ODD
        stop[row] = i
        flags[row] = flag
        i += 1
    return start, stop, flags
