"""Formats of files, from their names and first bytes."""

from __future__ import annotations

import os

from outcross.schemas.sources import Format

_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "text-file",
    ".md": "text-file",
    ".markdown": "text-file",
}
_UNPACKED: tuple[Format, ...] = ("parquet", "arrow")  # they have compression of their own

COMPRESSIONS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    ".gz": ("gzip", (b"\x1f\x8b",)),
    ".zst": (
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes([first, 0x2A, 0x4D, 0x18]) for first in range(0x50, 0x60))),
    ),
    ".bz2": ("bzip2", (b"BZh",)),
    ".xz": ("xz", (b"\xfd7zXZ\x00",)),
    ".lz4": ("lz4", (b"\x04\x22\x4d\x18",)),
}
"""Name of the compression and possible first bytes of a file, by ending."""

_FOREIGN = (
    (b"PAR1", "Parquet; name it x.parquet"),
    (b"ARROW1", "an Arrow IPC file; name it x.arrow"),
    (b"\xff\xff\xff\xff", "an Arrow IPC stream; name it x.arrow"),
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
    (b"SQLite format 3\x00", "an SQLite database; export its tables"),
    (b"Obj\x01", "Avro; convert it to Parquet"),
    (b"ORC", "ORC; convert it to Parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS; get the file itself by `git lfs pull`"),
)
HEAD = 32  # bytes at the beginning of a file that decide its format


def ending_of(path: str) -> str:
    """Return a name's ending for a compression in lower case; empty without one."""
    lower = path.lower()
    return next((ending for ending in COMPRESSIONS if lower.endswith(ending)), "")


def is_compressed(path: str) -> bool:
    """Return whether a name has a compression's ending, so that the file can't be split."""
    return bool(ending_of(path))


def foreign_format(head: bytes) -> str | None:
    """Return the format of a file that is no text, with a remedy; None if it may be text.

    Args:
        head: first `HEAD` bytes of the file.
    """
    for ending, (name, begins) in COMPRESSIONS.items():
        if head.startswith(begins):
            return f"{name}; add {ending} to its name"
    return next((text for begin, text in _FOREIGN if head.startswith(begin)), None)


def format_of(path: str) -> Format | None:
    """Return the format that a name's ending stands for, None if it is unknown."""
    lower = path.lower()
    packed = ending_of(lower)
    _, ending = os.path.splitext(lower[: len(lower) - len(packed)])
    kind = _ENDINGS.get(ending)
    return None if packed and kind in _UNPACKED else kind


def endings() -> str:
    """Return all known endings as text for messages."""
    return f"{', '.join(_ENDINGS)}, and with .gz, .zst, .bz2, .xz or .lz4"
