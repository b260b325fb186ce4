"""Stage `cluster`: make or load the reference, and find cluster and class of every document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.classes import warn_of_strange_surfaces
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.texts import beginning
from outcross.schemas.config import Config, tokenizer_of
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.base import files
from outcross.transforms.encoders.load import load_model
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.reference.assign_clusters import AssignClusters
from outcross.transforms.reference.class_counts import ClassCounts
from outcross.transforms.reference.classify_units import CLASS_COUNTS, ClassifyUnits
from outcross.transforms.reference.documents import ReferenceDocuments
from outcross.transforms.reference.make_reference import Maker
from outcross.transforms.reference.members import part_bits
from outcross.transforms.reference.names import NAMES
from outcross.transforms.reference.reference import (
    CLUSTERS,
    Reference,
    copy_reference,
    load_reference,
)
from outcross.transforms.text.known import Known


@dataclass(frozen=True)
class Clustered:
    """Reference, and the clusters and classes of the n documents; result of `cluster`.

    Attributes:
        deduplicated: result of `deduplicate`.
        artifact: artifact of the stage.
        reference: reference that the run made or loaded.
    """

    deduplicated: Deduplicated
    artifact: Artifact
    reference: Reference

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.deduplicated.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.deduplicated.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.deduplicated.config

    @property
    def folder(self) -> str:
        """Folder of the row-aligned assignments."""
        return self.artifact.path("assignments")

    @property
    def classes_folder(self) -> str:
        """Folder of the row-aligned classes: `class` int8, HEAD, TAIL or OFF_SUPPORT."""
        return self.artifact.path("classes")

    @property
    def reference_folder(self) -> str:
        """Folder of the reference."""
        return self.artifact.path("reference")

    @cached_property
    def counts(self) -> ClassCounts:
        """Counts of the documents by source, class and verdict."""
        return ClassCounts.from_json(self.artifact.stats())


def cluster(deduplicated: Deduplicated, audited: bool = False) -> Clustered:
    """Make or load the reference, and assign every document to its codebooks and a class.

    Args:
        deduplicated: result of `deduplicate`.
        audited: True if the sources are a corpus to audit. Without a loaded reference, the whole
            corpus is then its own reference, and not only its human part.
    """
    context, config, sketches = deduplicated.context, deduplicated.config, deduplicated.sketches
    reference = None if config.reference is None else _loaded(config)
    done = artifact(
        config.out,
        "cluster",
        deduplicate=deduplicated.artifact.key,
        reference=None if reference is None else reference.fingerprint(),
        seed=config.seed,
        audited=audited,
        texts=config.texts,
    )
    if done.finished:
        context.progress.skipped("cluster")
        if reference is None:
            reference = load_reference(done.path("reference"), key=config.embedder)
    else:
        with context.progress.stage("cluster", documents=sketches.offered_rows):
            if reference is None:
                roles = WRITABLE if audited else reference_roles(deduplicated.sketched)
                reference = _make_reference(deduplicated, done, roles)
            else:
                _classify(deduplicated, done, reference)
            sums = done.path("sums", CLASS_COUNTS)
            counts = files.read_as(sums, ClassCounts.from_bytes)
        done.finish(counts.to_json())
    clustered = Clustered(deduplicated, done, reference)
    warn_of_strange_surfaces(deduplicated, clustered.counts, reference.thresholds.bands)
    return clustered


def _loaded(config: Config) -> Reference:
    """Load the reference that a configuration names."""
    assert config.reference is not None
    reference = load_reference(config.reference, key=config.embedder)
    return reference if config.texts else replace(reference, names=NAMES.empty_table())


def reference_roles(sketched: Sketched) -> tuple[Role, ...]:
    """Return the roles that the reference is made of: `reference`, else human, else synthetic."""
    for role in ("reference", "human", "synthetic"):
        if sketched.units(role):
            return (role,)
    return ("synthetic",)


def _classify(deduplicated: Deduplicated, done: Artifact, reference: Reference) -> None:
    """Assign and classify every document by a loaded reference, which is copied.

    Args:
        deduplicated: result of `deduplicate`.
        done: artifact of the stage.
        reference: loaded reference.
    """
    sketches, config = deduplicated.sketches, deduplicated.config
    assign = AssignClusters(
        sketches.folder,
        done.subfolder("assignments"),
        reference.codebook,
        reference.second_codebook,
    )
    classify = ClassifyUnits(
        sketches.folder,
        deduplicated.folder,
        done.path("assignments"),
        done.subfolder("classes"),
        [source.role == "synthetic" for source in config.sources],
        reference.thresholds,
    )
    sums = done.subfolder("sums")

    def wire(lanes: Any) -> None:
        assigned = lanes | assign
        lanes | SumUnits(classify, sums, assigned)

    deduplicated.context.over_units(sketches.offered, wire)
    assert config.reference is not None
    folder = done.subfolder("reference")
    copy_reference(config.reference, folder)
    if not config.texts:
        files.write_table(files.join(folder, CLUSTERS), reference.names)


def _make_reference(
    deduplicated: Deduplicated, done: Artifact, roles: tuple[Role, ...]
) -> Reference:
    """Make and save a reference, and assign and classify every document.

    Args:
        deduplicated: result of `deduplicate`.
        done: artifact of the stage.
        roles: roles of the sources that the reference is made of.
    """
    sketched, sketches = deduplicated.sketched, deduplicated.sketches
    context, config = sketched.context, sketched.config
    numbers = [number for number, source in enumerate(config.sources) if source.role in roles]
    rows = [
        sketches.reports[unit.index].rows for unit in sketches.offered if unit.source in numbers
    ]
    model = load_model(config.embedder)
    maker = Maker(
        documents=ReferenceDocuments(
            sketches.folder, deduplicated.folder, frozenset(numbers), config.seed
        ),
        sources=config.sources,
        human="synthetic" not in roles,
        named=config.texts,
        bits=part_bits(sum(rows)),
        num_perm=config.num_perm,
        sums=done.subfolder("sums"),
        reference=done.subfolder("reference"),
        assignments=done.subfolder("assignments"),
        classes=done.subfolder("classes"),
    )
    with context.spill() as spill:
        context.over_units(sketches.offered, lambda p: maker.wire(p, spill), reading=True)
    reference = maker.result(
        model.fingerprint,
        config.ngram,
        deduplicated.group_sizes(*roles),
        Known.total(sketched.known(*roles).values()),
    )
    names, tokenizer = _shown(reference.names), tokenizer_of(config)
    reference = replace(reference, names=names, embedder_name=model.name, tokenizer=tokenizer)
    reference.save(maker.reference)
    return reference


def _shown(names: pa.Table) -> pa.Table:
    """Cut the texts of the clusters' names to what a report shows of them."""
    rows = names.to_pylist()
    return pa.Table.from_pylist(
        [{**row, "texts": list(map(beginning, row["texts"]))} for row in rows], schema=NAMES
    )
