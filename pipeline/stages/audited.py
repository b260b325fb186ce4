"""Audited: the documents that an audit measures, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.transforms.inputs.places import file_names
from outcross.transforms.measuring.repeats import repeats_within
from outcross.transforms.sketches.store import Sketches


@dataclass(frozen=True)
class Audited:
    """Documents that an audit measures; result of `read_corpus`.

    Attributes:
        clustered: result of `cluster`.
        known: bool[n], documents that stand word for word in the reference.
        file: int64[n], number of each document's file.
        files: facts of each audited file: name, rows, bytes, documents read, near duplicates.
    """

    clustered: Clustered
    known: NDArray[np.bool_]
    file: NDArray[np.int64]
    files: Sequence[Mapping[str, Any]]

    @property
    def copies(self) -> NDArray[np.int32]:
        """Array int32[n]: 1 for each measured document, else 0."""
        return (self.deduplicated.kept & ~self.known).astype(np.int32)

    @property
    def deduplicated(self) -> Deduplicated:
        """Result of `deduplicate`."""
        return self.clustered.deduplicated

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.clustered.sketched

    @property
    def context(self) -> Context:
        """Context of the audit."""
        return self.clustered.context

    @property
    def config(self) -> Config:
        """Configuration of the audit."""
        return self.clustered.config


def read_corpus(clustered: Clustered) -> Audited:
    """Return the documents to measure: those that repeat nothing and aren't in the reference."""
    reference, kept = clustered.reference, clustered.deduplicated.kept
    sketched = clustered.sketched
    known = np.zeros(len(kept), bool)
    if reference.human:  # the human part of a run's output is meant to be there
        known = (
            kept
            & sketched.of_role("synthetic")
            & reference.members.holds(clustered.reference_folder, *sketched.fingerprints)
        )
    if known.any():
        clustered.context.warn(
            f"{int(known.sum()):,} of {int(kept.sum()):,} documents stand word for word in the "
            "reference, and are left out of all figures"
        )
    names, sizes, file = _files(sketched.sketches)
    verdicts, total = clustered.deduplicated.verdicts, len(names)
    columns = {
        "file": names,
        "read": np.bincount(file, minlength=total).tolist(),
        "rows": np.bincount(file[kept & ~known], minlength=total).tolist(),
        "bytes": sizes,
        "near_duplicates": repeats_within(verdicts, file, total).tolist(),
    }
    rows = zip(*columns.values(), strict=True)
    return Audited(clustered, known, file, [dict(zip(columns, row, strict=True)) for row in rows])


def _files(sketches: Sketches) -> tuple[list[str], list[int], NDArray[np.int64]]:
    """Return the files' names and sizes in bytes, and int64[n], each document's file.

    A file that several sources read is one file.
    """
    names = {path: name for (_, path), name in file_names(sketches.units).items()}
    number = {path: place for place, path in enumerate(names)}
    sizes = [0] * len(number)
    seen: set[tuple[str, int]] = set()
    pieces: list[int] = []
    rows: list[int] = []
    for unit, report in zip(sketches.units, sketches.reports, strict=True):
        for piece in unit.pieces:
            pieces.append(number[piece.file])
            if (part := (piece.file, piece.start)) not in seen:
                seen.add(part)
                sizes[number[piece.file]] += piece.bytes
        rows += report.piece_rows
    file = np.repeat(np.array(pieces, np.int64), np.array(rows, np.int64))
    return list(names.values()), sizes, file
