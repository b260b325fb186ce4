"""Stage `sketch`: read, validate, and keep of each document what decisions need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.columns import union_columns
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.sketched import DIGESTS, Sketched
from outcross.pipeline.stages.sources import check_sources
from outcross.schemas.columns import OTHER_KEYS, is_json
from outcross.schemas.config import Config, tokenizer_of
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import PIECE_TOKENS
from outcross.schemas.supertypes import MAX_FIELDS
from outcross.transforms.base import files
from outcross.transforms.encoders.load import load_model
from outcross.transforms.inputs.seals import Identity, digests_of, identify_all, seal_units
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.sketches.passages import passage_units
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches

LEAST_UNIT = 8 << 20
"""Bytes of a unit, at least."""
_LARGEST_UNIT, _UNITS = 256 << 20, 256


def sketch(context: Context, embedded: bool = True) -> Sketched:
    """Read, validate and sketch all sources.

    Args:
        context: context of the run.
        embedded: True if embeddings are made, for the stages after `deduplicate`.

    Raises:
        ConfigError: when a glob matches nothing, a file is of no known format, or there is
            nothing to read.
        RunError: when too many rows could not be read.
    """
    config = context.config
    units, identities = _plan_input(config)
    excluded = {
        *("files", "priority", "role", "name", "removed_by"),
        *("provenance", "pieces", "piece_tokens"),
    }
    parts = {
        "sources": [source.model_dump(mode="json", exclude=excluded) for source in config.sources],
        "units": [[unit.source, [_content(p, identities) for p in unit.pieces]] for unit in units],
        "ngram": config.ngram,
        "num_perm": config.num_perm,
    }
    if (tokenizer := tokenizer_of(config)) is not None:
        parts["tokenizer"] = tokenizer.sha256
    cut = embedded and any(source.pieces is not None for source in config.sources)
    if cut:
        parts["pieces"] = [[s.pieces, s.piece_tokens or PIECE_TOKENS] for s in config.sources]
    model = load_model(config.embedder)
    done = artifact(config.out, "sketch", embedder=model.work_key, **parts)
    if not embedded and not done.finished:  # sketches with embeddings do as well
        done = artifact(config.out, "sketch", embedder=None, **parts)
    folder = done.subfolder("units")
    units = seal_units(units, identities, done.path(DIGESTS))
    every = [*units, *(passage_units(units, config.sources) if cut else ())]
    if done.finished:
        context.progress.skipped("sketch")
    else:
        if digests := digests_of(identities):
            files.write_bytes(done.path(DIGESTS), digests)
        size = sum(unit.bytes for unit in every)
        with context.progress.stage("sketch", size=size):
            work = SketchDocuments(
                config.sources,
                folder,
                config.ngram,
                config.num_perm,
                embedded,
                config.embedder,
                model.fingerprint,
            )
            context.over_units(every, lambda p: p | work, reading=True)
    # Sketches are taken again by content: the files may have other names than before.
    named = [asdict(unit) for unit in seal_units(units, identities, DIGESTS)]
    stats = json.loads(json.dumps({"units": named}))
    if not done.finished or done.stats() != stats:
        done.finish(stats)
    sketches = Sketches(folder, units)
    union, removed_union, text_out = union_columns(config, sketches)
    if OTHER_KEYS in removed_union.names:
        context.warn(
            f"there are more than {MAX_FIELDS:,} different keys: those that not every row of a "
            f"source has are one column {OTHER_KEYS!r}, text holding JSON"
        )
    mixed = [field.name for field in union if is_json(field) and field.name != OTHER_KEYS]
    if mixed:
        context.warn(
            f"columns {', '.join(map(repr, mixed))} hold values of types that don't go together; "
            "they are written as text holding JSON: a string gets quotes, 1.0 becomes 1, members "
            "of objects that are null are left out, NaN and infinities stand as Python's json "
            "writes them"
        )
    names = {path: identity.name for path, identity in identities.items()}
    builds = {report.build for report in sketches.reports if report.build}
    if len(builds) > 1:
        context.warn(
            "embedder: machines of different kinds made the embeddings, so their last bits may "
            f"differ: {'; '.join(sorted(builds))}. Use one kind of machine for the same bytes"
        )
    passages = Sketches(folder, every) if cut else None
    sketched = Sketched(
        context, done, sketches, union, removed_union, text_out, names, embedded, passages
    )
    check_sources(sketched)
    return sketched


def _plan_input(config: Config) -> tuple[list[Unit], dict[str, Identity]]:
    """Cut the input into units, and identify its files by all of their bytes.

    Returns:
        The units, and the identity of each file by its path.

    Raises:
        ConfigError: when a glob matches nothing, or a file is of no known format.
    """
    units = plan_units(config.sources, LEAST_UNIT)
    total = sum(unit.bytes for unit in units)
    if total > LEAST_UNIT * _UNITS:
        units = plan_units(config.sources, min(total // _UNITS, _LARGEST_UNIT))
    paths = sorted({piece.file for unit in units for piece in unit.pieces})
    return units, identify_all(paths, config.workers)


def _content(piece: Piece, identities: Mapping[str, Identity]) -> list[Any]:
    """Return what a piece's rows depend on, wherever its file lies."""
    return [piece.kind, piece.start, piece.stop, piece.columns, identities[piece.file].name]
