"""Dry run: the first rows of every source, as a run would read them, and what a run takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from outcross.pipeline.commands.estimate import check_disk, estimate
from outcross.pipeline.commands.job import check_request
from outcross.pipeline.engine.engines import pipeline_options
from outcross.pipeline.inputs.lineage import within_lineage
from outcross.pipeline.inputs.tokenizer import read_given, with_tokenizer
from outcross.pipeline.stages.columns import source_texts
from outcross.pipeline.stages.texts import beginning
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.estimate import Estimate
from outcross.schemas.preview import SourcePreview
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.inputs.input_files import STANDARD_INPUT, warnings_of_files
from outcross.transforms.reading.lookup import first_columns
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.blocks import Block

FIRST_BYTES = 256 << 10
"""Bytes of a file, before parsing, whose rows are the first ones."""


@dataclass(frozen=True)
class Preview:
    """Result of a dry run.

    Attributes:
        config: configuration of the run, with what its lineage adds.
        sources: first rows of each source, in the order of the configuration.
        estimate: time, disk and memory of the run.
    """

    config: Config
    sources: list[SourcePreview]
    estimate: Estimate


def preview(config: Config, beam_args: Sequence[str] = ()) -> Preview:
    """Check a request as a run does, and look at the first rows of its sources.

    Args:
        config: configuration of the run.
        beam_args: options for Beam.

    Raises:
        ConfigError: when a run would refuse the request, or a source is standard input.
        OSError: when a file can't be opened.
    """
    pipeline_options(config.workers, beam_args)
    config = _with_additions(config)
    for source in config.sources:
        if STANDARD_INPUT in source.files:
            raise ConfigError(
                f"dry_run: source {source.name!r} is standard input, which can be read only once; "
                "name a file, or run"
            )
    units = check_request(config)
    check_disk(config, units)
    sources = [
        _source_preview(source, [unit for unit in units if unit.source == number], config.texts)
        for number, source in enumerate(config.sources)
    ]
    return Preview(config, sources, estimate(config, units))


def estimate_of_plan(config: Config) -> Estimate:
    """Return what a run that carries out a plan takes.

    Args:
        config: configuration of the plan.
    """
    config = _with_additions(config)
    return estimate(config, check_request(config))


def _with_additions(config: Config) -> Config:
    """Return a configuration with the sources of its lineage, and its tokenizer."""
    tokenizer = read_given(config.tokenizer)
    if config.lineage is not None:
        config, _ = within_lineage(config, tokenizer)
    return with_tokenizer(config, tokenizer)


def _source_preview(source: Source, units: Sequence[Unit], quoted: bool) -> SourcePreview:
    """Return what the first rows of a source hold.

    Args:
        source: the source.
        units: units of the source, with its files as pieces.
        quoted: quote the first text.
    """
    unit, block = _first_block(source, units)
    names = first_columns(unit.pieces[0]) if block is None or not block.batch.num_columns else []
    names = names or ([] if block is None else block.batch.schema.names)
    reasons = Counter(reject.reason for reject in (block.rejects if block else ()))
    warnings = list(warnings_of_files(source))
    if block is None or not len(block.text):
        columns = f"; its first row has {', '.join(map(repr, names[:20]))}" if names else ""
        warnings.append(
            f"source {source.name!r}: none of its first rows is a document{columns}. Look at "
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


def _first_block(source: Source, units: Sequence[Unit]) -> tuple[Unit, Block | None]:
    """Return the first block with rows, and its unit; the first unit where there is none."""
    for unit in units:
        for block in read_unit(unit, source, FIRST_BYTES):
            if block.read + block.filtered:
                return unit, block
    return units[0], None
