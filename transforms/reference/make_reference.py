"""Make a reference of the documents of some sources, as one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import SURFACE_MEASURES, sketch_schema
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.exchange.exchange import Collect, Send
from outcross.transforms.exchange.packing import unpack
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.reference.assign_reference import (
    POOLED,
    RARE,
    AssignReference,
    read_ngrams,
    read_thresholds,
)
from outcross.transforms.reference.assignments import ASSIGNMENTS
from outcross.transforms.reference.classify_units import (
    CLUSTER_COUNTS,
    CLUSTER_NAMES,
    RATIO,
    ClassifyUnits,
    NewReference,
)
from outcross.transforms.reference.documents import CountParts, ReferenceDocuments
from outcross.transforms.reference.fit_reference import (
    FitReference,
    SendCandidates,
    read_codebook,
    read_members,
    read_second_codebook,
)
from outcross.transforms.reference.names import NAMES
from outcross.transforms.reference.pool import Pool
from outcross.transforms.reference.reference import Reference
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.known import Known


@dataclass(frozen=True)
class Maker:
    """Making of a reference.

    Attributes:
        documents: documents of the reference.
        sources: sources of the configuration.
        human: True if the reference is human text.
        named: True to name the clusters.
        bits: number of leading bits that tell the part of a member.
        num_perm: values in a signature.
        sums: folder for what the workers hand to one another.
        reference: folder of the reference.
        assignments: folder for the row-aligned assignments of all documents.
        classes: folder for the row-aligned classes of all documents.
    """

    documents: ReferenceDocuments
    sources: Sequence[Source]
    human: bool
    named: bool
    bits: int
    num_perm: int
    sums: str
    reference: str
    assignments: str
    classes: str

    def wire(self, lanes: Any, spill: str | None) -> Any:
        """Fit the reference, then assign, classify and count all documents.

        Args:
            lanes: collection of lists of units, with their pieces.
            spill: folder that all workers share, for rows on their way; None to shuffle them.
        """
        documents, sums = self.documents, self.sums
        counted = lanes | "CountParts" >> SumUnits(CountParts(documents), sums)
        sent = lanes | Send(SendCandidates(documents, sums, self.bits), spill, counted)
        fitted = sent | Collect(FitReference(documents.seed, sums, self.reference, self.human))
        assigning = AssignReference(documents, sums, self.assignments, self.num_perm)
        assigned = lanes | "AssignReference" >> SumUnits(assigning, sums, fitted, spill)
        classifying = ClassifyUnits(
            documents.sketches,
            documents.verdicts,
            self.assignments,
            self.classes,
            [source.role == "synthetic" for source in self.sources],
            reference=NewReference(documents, self.sources, sums, self.named),
        )
        return lanes | "ClassifyUnits" >> SumUnits(classifying, sums, assigned)

    def result(
        self, embedder: str, ngram: int, repeats: NDArray[np.int64], known: Known
    ) -> Reference:
        """Return the reference that the workers have made.

        Args:
            embedder: fingerprint of the embedder.
            ngram: words in a shingle of the pool's signatures.
            repeats: int64[m, 2], sizes of groups of repeats, and the number of groups of each.
            known: number of words in the sources, and of these that the embedder knows.
        """
        sums = self.sums

        def table(name: str) -> pa.Table:
            return files.read_as(files.join(sums, name), lambda data: unpack([data]))

        thresholds = read_thresholds(sums)
        pooled = table(POOLED)
        surface = fixed_matrix(pooled["surface"], np.uint32).reshape(-1, SURFACE_MEASURES)
        dot, density = (pooled[name].to_numpy() for name in ("dot", "density"))
        cells = pooled.select(ASSIGNMENTS.names)
        cells = cells.append_column("class", pa.array(thresholds.classify(dot, density, surface)))
        counts = map(ClusterCounts.from_json, files.read_json(files.join(sums, CLUSTER_COUNTS)))
        total, held_out = counts
        return Reference(
            human=self.human,
            embedder=embedder,
            codebook=read_codebook(sums),
            second_codebook=read_second_codebook(sums),
            thresholds=thresholds,
            counts=total,
            held_out=held_out,
            ngrams=read_ngrams(sums),
            pool=Pool.of(pooled.select(sketch_schema(self.num_perm).names), cells),
            rare=files.read_as(files.join(sums, RARE), lambda data: np.frombuffer(data, np.uint32)),
            members=read_members(sums, self.bits),
            repeats=repeats,
            ngram=ngram,
            num_perm=self.num_perm,
            names=table(CLUSTER_NAMES) if self.named else NAMES.empty_table(),
            zstd_ratio=files.read_json(files.join(sums, RATIO)),
            known=known,
        )
