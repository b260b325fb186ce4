"""Look at the first rows of every source, as a run would read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from outcross.pipeline.stages.columns import source_texts
from outcross.pipeline.stages.texts import beginning
from outcross.schemas.config import Config, Source
from outcross.schemas.documents import Unit
from outcross.schemas.preview import SourcePreview
from outcross.transforms.inputs.input_files import warnings_of_files
from outcross.transforms.reading.lookup import first_columns
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.blocks import Block

FIRST_BYTES = 256 << 10
"""Bytes of a file, before parsing, whose rows are the first ones."""

FIRST_ROWS = {"first rows": "rows", "pass the filter": "passed", "are valid": "valid"}
"""Headings of the counts, and what they are called in a preview."""


def preview(config: Config, units: Sequence[Unit]) -> list[SourcePreview]:
    """Return what the sources' first rows hold, in the order of the configuration.

    Args:
        config: of the run.
        units: of all sources, with their files as pieces.

    Raises:
        OSError: when a file can't be opened.
    """
    return [
        _of_source(source, [unit for unit in units if unit.source == number], config.texts)
        for number, source in enumerate(config.sources)
    ]


def _of_source(source: Source, units: Sequence[Unit], quoted: bool) -> SourcePreview:
    unit, block = _first(source, units)
    names = first_columns(unit.pieces[0]) if block is None or not block.batch.num_columns else []
    names = names or ([] if block is None else block.batch.schema.names)
    reasons = Counter(reject.reason for reject in (block.rejects if block else ()))
    warnings = list(warnings_of_files(source))
    if block is None or not len(block.text):
        first = f"; its first row has {', '.join(map(repr, names[:20]))}" if names else ""
        warnings.append(
            f"source {source.name!r}: none of its first rows is a document{first}. Look at "
            "text_field, roles and where"
        )
    return SourcePreview(
        **dict(source_texts(source, names)),
        role=source.role,
        files=sum(len(unit.pieces) for unit in units),
        bytes=sum(unit.bytes for unit in units),
        rows=block.read + block.filtered if block else 0,
        passed=block.read if block else 0,
        valid=len(block.text) if block else 0,
        reason=max(reasons, key=lambda why: (reasons[why], why)) if reasons else None,
        warnings=warnings,
        text=beginning(block.text[0].as_py()) if quoted and block and len(block.text) else None,
    )


def _first(source: Source, units: Sequence[Unit]) -> tuple[Unit, Block | None]:
    """Return the first block with rows, and its file; the first file where there is none."""
    for unit in units:
        for block in read_unit(unit, source, FIRST_BYTES):
            if block.read + block.filtered:
                return unit, block
    return units[0], None
