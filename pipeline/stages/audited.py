"""Audited: the documents that an audit measures, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.gates import Gates
from outcross.transforms.dedup.bands import partition_bits
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.inputs.places import file_names
from outcross.transforms.measuring.repeat_groups import CountRepeats, total_groups
from outcross.transforms.reference.audited_files import CountFiles, PieceFiles, read_counts
from outcross.transforms.reference.known_documents import (
    FindMembers,
    SendFingerprints,
    WriteKnown,
)
from outcross.transforms.sketches.store import Sketches


@dataclass(frozen=True)
class Audited:
    """Documents that an audit measures; result of `read_corpus`.

    Attributes:
        clustered: result of `cluster`.
        artifact: artifact of the stage.
        files: facts of each audited file: name, rows, bytes, documents read, near duplicates.
        groups: int64[m, 2], ascending sizes of the groups of judged documents that repeat one
            document, and the number of groups of each size.
    """

    clustered: Clustered
    artifact: Artifact
    files: Sequence[Mapping[str, Any]]
    groups: NDArray[np.int64]

    @property
    def folder(self) -> str:
        """Folder of row-aligned columns: `known`, `copies` and `file`.

        Known documents stand word for word in the reference. Measured documents have one copy.
        """
        return self.artifact.path("documents")

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


def read_corpus(clustered: Clustered, gates: Gates) -> Audited:
    """Mark the documents to measure: those that repeat nothing and aren't in the reference.

    Args:
        clustered: result of `cluster`.
        gates: limits; they name the domains that may converge, whose documents aren't judged.
    """
    sketches, context = clustered.sketched.sketches, clustered.context
    names, sizes, pieces = _files(sketches)
    done = artifact(
        clustered.config.out,
        "audited",
        cluster=clustered.artifact.key,
        files=[names, sizes],
        domains=dict(gates.domains),
    )
    if not done.finished:
        _mark_documents(clustered, done, pieces, len(names), gates)
        done.finish()
    counts = read_counts(done.path("sums"), len(names))
    known, kept = int(counts["known"].sum()), int(counts["kept"].sum())
    if known:
        context.warn(
            f"{known:,} of {kept:,} documents stand word for word in the "
            "reference, and are left out of all figures"
        )
    distinct, groups = total_groups(done.path("groups"), len(names))
    columns = {
        "file": names,
        "read": counts["read"].tolist(),
        "rows": (counts["kept"] - counts["known"]).tolist(),
        "bytes": sizes,
        "near_duplicates": (counts["read"] - distinct).tolist(),
    }
    rows = zip(*columns.values(), strict=True)
    facts = [dict(zip(columns, row, strict=True)) for row in rows]
    return Audited(clustered, done, facts, groups)


def _mark_documents(
    clustered: Clustered, done: Artifact, pieces: PieceFiles, parts: int, gates: Gates
) -> None:
    """Find the documents that stand in a human reference, and count those of each file.

    Args:
        clustered: result of `cluster`.
        done: artifact of the stage.
        pieces: files of the pieces.
        parts: number of files.
        gates: limits that tell which documents are judged.
    """
    deduplicated, reference = clustered.deduplicated, clustered.reference
    sketches, context = deduplicated.sketches, clustered.context
    pieces.save(done.path("pieces.npz"))
    folder, sums, known = (done.subfolder(name) for name in ("documents", "sums", "known"))
    count = CountFiles(sketches.folder, deduplicated.folder, known, done.path("pieces.npz"), folder)
    synthetic = [source.role == "synthetic" for source in clustered.config.sources]
    send = SendFingerprints(sketches.folder, deduplicated.folder, synthetic, reference.members.bits)
    find = FindMembers(clustered.reference_folder, reference.members)
    repeats = CountRepeats(
        [source.role for source in clustered.config.sources],
        sketches.offsets,
        sketches.folder,
        deduplicated.folder,
        folder,
        gates,
        parts,
        partition_bits(len(sketches)),
        done.subfolder("groups"),
    )
    with context.spill() as spill:

        def wire(lanes: Any) -> None:
            marked = None
            if reference.human:  # the human part of a run's output is meant to be there
                answers = lanes | Send(send, spill) | Regroup(find, spill)
                marked = answers | Collect(WriteKnown(known))
            counted = lanes | SumUnits(count, sums, marked)
            sent = lanes | "SendRepeats" >> Send(repeats, spill, counted)
            sent | "CountRepeats" >> Collect(repeats)

        context.over_units(sketches.units, wire)


def _files(sketches: Sketches) -> tuple[list[str], list[int], PieceFiles]:
    """Return the files' names, their sizes in bytes, and the files of all pieces.

    A file that several sources read is one file.
    """
    names = {path: name for (_, path), name in file_names(sketches.units).items()}
    number = {path: place for place, path in enumerate(names)}
    sizes = [0] * len(number)
    seen: set[tuple[str, int]] = set()
    pieces: list[int] = []
    starts = [0]
    for unit in sketches.units:
        for piece in unit.pieces:
            pieces.append(number[piece.file])
            if (part := (piece.file, piece.start)) not in seen:
                seen.add(part)
                sizes[number[piece.file]] += piece.bytes
        starts.append(len(pieces))
    files = PieceFiles(np.array(starts, np.int64), np.array(pieces, np.int64))
    return list(names.values()), sizes, files
