"""Damage that knows the structure of a format, for `fuzz.py`.

Random bytes seldom get past the first check of a reader. These changes hit the keys, numbers and
escapes of JSON, the headers and trailers of compressed files, and the footers, page headers and
lengths of Parquet and Arrow.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq

ROW = dict[str, Any]
Damaged = tuple[str, bytes]

_NUMBERS = ["1e999", "-1e-999", "-0", "01", "1.", ".5", "+1", "0x1f", "1e", "NaN", "-Infinity"]
_NUMBERS += ["9" * 30, "1" * 400, "-9223372036854775809", "18446744073709551616", "0.1e+400"]
_ESCAPES = [r"\x41", r"\u12", r"\uD83D", r"\uDC00\uD83D", r"\u0000", r"\U0001F600", r"\'", "\\"]
_ESCAPES += ["\x00", "\x01", "\x1f", "\t", r"\u0022", r"\ud83d\ude00", "\x7f", "\ufeff"]
_VALUES = ["{}", "[]", '""', "null", "true", '[["x"]]', '{"text": "inner"}', "tru", "undefined"]
_LENGTHS = [b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80"]
_LENGTHS += [b"\xff\xff\xff\x7f", b"\0\0\0\x80", bytes(8), b"\xff" * 8, b"\0\0\0\0\0\0\0\x10"]
_LENGTHS += [b"\xfe\xff\xff\xff", b"\x01\0\0\0"]


def json_lines(rows: list[ROW], draw: random.Random) -> Damaged:
    """Return JSON lines some of which are changed, all in one way.

    No change adds a line or removes one.
    """
    kind, change = draw.choice(_LINES)
    lines = [
        change(row, draw) if draw.random() < 0.4 else json.dumps(row, ensure_ascii=False).encode()
        for row in rows
    ]
    return f"JSON {kind}", b"".join(line + b"\n" for line in lines)


def _key(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps(row)
    return draw.choice(
        [
            line[:-1] + ', "text": "again"}',
            line[:-1] + r', "te\u0078t": "again"}',
            line[:-1] + ', "": 1, " ": 2}',
            line[:-1] + ", 1: 2}",
            line[:-1] + ", key: 2}",
            line.replace('"text"', '"Text"'),
            line.replace('"text"', '"text.x"'),
            line[:-1] + "".join(f', "k{draw.random()}": 1' for _ in range(60)) + "}",
        ]
    ).encode()


def _nesting(row: ROW, draw: random.Random) -> bytes:
    depth = draw.choice([1, 2, 40, 130, 1_100, 20_000])
    opening, closing = draw.choice([("[", "]"), ('{"a":', "}")])
    value = opening * depth + "1" + closing * (depth - draw.choice([0, 0, 1]))
    line = json.dumps(row)[:-1] + f', "deep": {value}' + "}"
    return draw.choice([line, f"[{json.dumps(row)}]", value]).encode()


def _number(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps({**row, "score": "@"})
    return line.replace('"@"', draw.choice(_NUMBERS)).encode()


def _escape(row: ROW, draw: random.Random) -> bytes:
    name = draw.choice(["id", "text"])
    line = json.dumps({**row, name: f"{row[name]} @ {row[name]}"}, ensure_ascii=False)
    return line.replace("@", draw.choice(_ESCAPES)).encode()


def _value(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps({**row, draw.choice(["id", "text"]): "@"})
    return line.replace('"@"', draw.choice([*_VALUES, *_NUMBERS])).encode()


def _cut_line(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps(row, ensure_ascii=False).encode()
    return line[: draw.randrange(1, len(line))]


def _around(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps(row)
    first, second = draw.choice(
        [("\ufeff", ""), ("", ","), ("", line), ("# ", ""), ("", " // x"), ("", "\x00"), (" ", " ")]
    )
    return (first + line + second).encode()


def _encoding(row: ROW, draw: random.Random) -> bytes:
    line = json.dumps(row, ensure_ascii=False)
    wrong = draw.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
    data = line.encode()
    place = draw.randrange(1, len(data))
    return data[:place] + wrong + data[place:]


def _carriage_return(row: ROW, draw: random.Random) -> bytes:
    return json.dumps(row).encode() + b"\r"


_LINES: list[tuple[str, Callable[[ROW, random.Random], bytes]]] = [
    ("keys", _key),
    ("nesting", _nesting),
    ("numbers", _number),
    ("escapes", _escape),
    ("values", _value),
    ("cut lines", _cut_line),
    ("beside the object", _around),
    ("encoding", _encoding),
    ("carriage returns", _carriage_return),
]


def compressed(data: bytes, ending: str, draw: random.Random) -> Damaged:
    """Return a compressed file that is changed in its header, blocks or trailer.

    Args:
        data: bytes of a file of one part.
        ending: ending that names the compression.
        draw: source of the change.
    """
    header = {".gz": 10, ".zst": 10, ".bz2": 14, ".xz": 28, ".lz4": 15}[ending]
    trailer = {".gz": 8, ".zst": 4, ".bz2": 10, ".xz": 24, ".lz4": 8}[ending]
    kind = draw.choice(["header", "block", "trailer", "end", "parts", "padding"])
    changed = bytearray(data)
    if kind == "header":
        changed[draw.randrange(min(header, len(data)))] = draw.randrange(256)
    elif kind == "block":
        place = draw.randrange(header, max(header + 1, len(data) - trailer))
        changed[place : place + draw.choice([1, 4])] = draw.randbytes(draw.choice([1, 4]))
    elif kind == "trailer":
        place = len(data) - 1 - draw.randrange(min(trailer, len(data)))
        changed[place] ^= 1 << draw.randrange(8)
    elif kind == "end":
        del changed[len(data) - draw.randrange(1, trailer + 1) :]
    elif kind == "parts":
        second = bytearray(data)
        if draw.random() < 0.5:
            second[draw.randrange(len(second))] ^= 1 << draw.randrange(8)
        changed += second
    else:
        skipped = b"\x50\x2a\x4d\x18" + draw.choice([b"\4\0\0\0abcd", b"\xff\xff\xff\xff"])
        changed += draw.choice([bytes(512), bytes(3), data[:5], skipped, skipped + data])
    return f"{ending} {kind}", bytes(changed)


def parquet(data: bytes, draw: random.Random) -> Damaged:
    """Return a Parquet file that is changed in its footer, or in the pages of a column."""
    changed = bytearray(data)
    length = int.from_bytes(data[-8:-4], "little")
    footer = len(data) - 8 - length
    metadata = pq.read_metadata(io.BytesIO(data))
    group = metadata.row_group(draw.randrange(metadata.num_row_groups))
    column = group.column(draw.randrange(group.num_columns))
    kind = draw.choice(["footer", "footer length", "page header", "dictionary", "page", "lengths"])
    if kind == "footer":
        for _ in range(draw.choice([1, 1, 3])):
            changed[footer + draw.randrange(length)] = draw.choice(
                [0, 1, 0x15, 0x16, 0x7F, 0x80, 0xFF, draw.randrange(256)]
            )
    elif kind == "footer length":
        changed[-8:-4] = draw.choice(
            [length + 1, length - 1, 0, 2**31 - 1, 2**32 - 1, len(data)]
        ).to_bytes(4, "little")
    elif kind == "lengths":
        place = draw.choice([footer + draw.randrange(length), column.data_page_offset])
        value = draw.choice(_LENGTHS)
        changed[place : place + len(value)] = value[: len(data) - 8 - place]
    else:
        place = column.data_page_offset
        if kind == "dictionary" and column.dictionary_page_offset is not None:
            place = column.dictionary_page_offset
        place += draw.randrange(20) if kind != "page" else draw.randrange(12, 60)
        place = min(place, footer - 1)
        changed[place] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    return f"Parquet {kind}", bytes(changed)


def arrow(data: bytes, draw: random.Random) -> Damaged:
    """Return an Arrow file or stream that is changed in its messages, lengths or buffers."""
    changed = bytearray(data)
    kind = draw.choice(["message", "lengths", "buffers", "end"])
    starts = [at for at in range(len(data)) if data.startswith(b"\xff\xff\xff\xff", at)] or [0]
    start = draw.choice(starts)
    if kind == "message":
        place = min(start + draw.randrange(8, 300), len(data) - 1)
        changed[place] = draw.choice([0, 1, 4, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    elif kind == "lengths":
        place = draw.choice([start + 4, (start + draw.randrange(8, 400)) // 8 * 8])
        value = draw.choice(_LENGTHS)
        changed[place : place + len(value)] = value[: max(0, len(data) - place)]
    elif kind == "buffers":
        place = draw.randrange(len(data) // 3, len(data))
        changed[place : place + 4] = draw.randbytes(4)
    else:
        del changed[len(data) - draw.choice([1, 6, 8, 10, 40, len(data) // 3]) :]
    return f"Arrow {kind}", bytes(changed)
