"""Estimate of a run's time, disk and memory, and a check that it fits the disk.

Measured on two virtual cores. Inputs were 7 to 78 MB of JSONL with documents of 0.8 to 6.5 kB each,
plain, gzipped and as Parquet; `docs/asked-and-written.md` has the figures.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from outcross.pipeline.engine.engines import default_workers
from outcross.schemas.config import Config
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.estimate import Estimate, Range
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

_MB = 1e6
_Ends = tuple[float, float]  # the lower and the higher end of a range

# Bytes of JSONL in a byte of the file. Measured: 3.5 to 4.1 with gzip, 2.6 to 3.8 with Parquet and
# zstd. Parquet may be stored as it is, so its lower end is that of no compression.
_EXPANDS: tuple[tuple[str, _Ends], ...] = (
    (r"\.(gz|zst|bz2|xz|lz4)$", (2.5, 8.0)),
    (r"\.parquet$", (1.0, 8.0)),
    (r"", (1.0, 1.0)),
)
# Bytes on disk for a byte of JSONL. Measured: 3.2 to 4.6, with documents of 2.5 and 1 kB. The
# higher end is measured on documents of 150 bytes that are all written.
_DISK: _Ends = (2.7, 10.0)
_DISK_FIXED: _Ends = (5 * _MB, 20 * _MB)  # the reference and the report
# Measured: 0.6 to 1.0 GB for up to 78 MB, 1.2 GB for 240 MB (benchmarks/README.md).
_MEMORY: _Ends = (0.1, 1.0)
_MEMORY_FIXED: _Ends = (600 * _MB, 1300 * _MB)
# Processor seconds for a MB of JSONL, and those for imports and reports.
_SECONDS: _Ends = (0.15, 0.8)
_SECONDS_FIXED: _Ends = (4.0, 12.0)


def estimate(config: Config, inputs: Sequence[Unit]) -> Estimate:
    """Return the time, disk and memory that a run will take.

    Args:
        config: configuration of the run.
        inputs: files of all sources, from `check_request`.
    """
    pieces = [piece for unit in inputs for piece in unit.pieces]
    rows = [sum(ends) for ends in zip((0.0, 0.0), *map(_as_jsonl, pieces), strict=True)]
    size = sum(unit.bytes for unit in inputs)
    workers = config.workers or default_workers(size)

    def scaled(fixed: _Ends, per_byte: _Ends) -> Range:
        low, high = (f + p * r for f, p, r in zip(fixed, per_byte, rows, strict=True))
        return Range(low=round(low), high=round(high))

    seconds: _Ends = (_SECONDS[0] / workers / _MB, _SECONDS[1] / workers / _MB)
    return Estimate(
        input_bytes=size,
        seconds=scaled(_SECONDS_FIXED, seconds),
        disk_bytes=scaled(_DISK_FIXED, _DISK),
        memory_bytes=scaled(_MEMORY_FIXED, _MEMORY),
        free_bytes=_free(config.out) if files.is_local(config.out) else None,
    )


def check_disk(config: Config, inputs: Sequence[Unit]) -> None:
    """Refuse a run that can't fit the disk. Files of an earlier run in `out` count as free.

    Args:
        config: configuration of the run.
        inputs: files of all sources, from `check_request`.

    Raises:
        ConfigError: with the needed and the free bytes, and what to do.
    """
    figures = estimate(config, inputs)
    needed, free = figures.disk_bytes.low, figures.free_bytes
    if free is None or needed <= free or needed <= free + _taken(config.out):
        return
    raise ConfigError(
        f"out: {config.out} has {amount(free)} free, and the run needs {amount(needed)} at least "
        f"for {amount(figures.input_bytes)} of input; choose an out on a larger disk, free some "
        "space, or give fewer files"
    )


def amount(size: float) -> str:
    """Return bytes with a unit for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def lines(figures: Estimate) -> list[str]:
    """Return an estimate as lines for a console."""
    seconds, disk, memory = figures.seconds, figures.disk_bytes, figures.memory_bytes
    free = "" if figures.free_bytes is None else f", of {amount(figures.free_bytes)} free"
    return [
        f"time    {duration(seconds.low)} to {duration(seconds.high)}",
        f"disk    {amount(disk.low)} to {amount(disk.high)}{free}",
        f"memory  {amount(memory.low)} to {amount(memory.high)}",
    ]


def duration(seconds: float) -> str:
    """Return seconds with a unit for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def _as_jsonl(piece: Piece) -> _Ends:
    """Return the bytes that a file's rows take as JSONL, at least and at most."""
    low, high = next(ends for name, ends in _EXPANDS if re.search(name, piece.file))
    return low * piece.bytes, high * piece.bytes


def _free(out: str) -> int:
    """Return the free bytes of the disk that a directory is on, or will be."""
    folder = Path(out).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _taken(out: str) -> int:
    """Return the bytes of the files in a directory."""
    places = (Path(folder, name) for folder, _, names in os.walk(out) for name in names)
    return sum(place.lstat().st_size for place in places)
