"""Stage `cluster`: make or load the reference, and find the cluster of every document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.classes import classify_documents
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.texts import beginning, texts_by_hash, texts_of_documents
from outcross.schemas.config import Config
from outcross.schemas.documents import EMBEDDING_DIMS, SURFACE_MEASURES
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.compression import zstd_ratio
from outcross.transforms.estimators.lexical import rare_words
from outcross.transforms.estimators.richness import OFF_SUPPORT, ClusterCounts
from outcross.transforms.measuring.repeats import group_sizes
from outcross.transforms.reference.assign_clusters import AssignClusters
from outcross.transforms.reference.codebook import (
    ASSIGNMENTS,
    POINTS_PER_CENTROID,
    Codebook,
    default_clusters,
    fit_codebook,
    smallest,
)
from outcross.transforms.reference.names import distinctive_words
from outcross.transforms.reference.pool import Pool, words_until
from outcross.transforms.reference.reference import (
    FIT,
    HELD_OUT,
    NAMES,
    NGRAMS,
    THRESHOLDS,
    Reference,
    load_reference,
    reference_part,
    set_thresholds,
)
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.selection.score_candidates import CountNgrams, read_tables
from outcross.transforms.sketches.aligned import load_aligned, save_aligned
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.known import Known
from outcross.transforms.text.surface import Bands, set_bands

SECOND_DIMS = 64
"""Number of embedding dimensions that the second codebook uses."""
_RARE_WORDS_FROM = 1 << 20  # number of words in which a rare word occurs two to five times
_TEXTS_A_NAME = 6, 24  # least and most texts from which the name of a cluster is made
_TEXTS_IN_ALL = 4_000  # texts from which the names of all clusters are made
_QUOTED = 2  # number of these texts of a cluster that a report may show


@dataclass(frozen=True)
class Clustered:
    """Reference, and the clusters and classes of the n documents; result of `cluster`.

    Attributes:
        deduplicated: result of `deduplicate`.
        artifact: artifact of the stage.
        reference: reference that the run made or loaded.
        cluster: int32[n], nearest centroid of each document.
        document_class: int8[n], HEAD, TAIL or OFF_SUPPORT.
    """

    deduplicated: Deduplicated
    artifact: Artifact
    reference: Reference
    cluster: NDArray[np.int32]
    document_class: NDArray[np.int8]

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
    def reference_folder(self) -> str:
        """Folder of the reference."""
        return self.artifact.path("reference")

    @property
    def off_support(self) -> NDArray[np.bool_]:
        """Mask of the off-support documents, bool[n]."""
        return self.document_class == OFF_SUPPORT


def cluster(deduplicated: Deduplicated, audited: bool = False) -> Clustered:
    """Make or load the reference, and assign every document to its codebooks.

    Args:
        deduplicated: result of `deduplicate`.
        audited: True if the sources are a corpus to audit. Without a loaded reference, the whole
            corpus is then its own reference, and not only its human part.
    """
    context, config, sketches = deduplicated.context, deduplicated.config, deduplicated.sketches
    embedder = load_default().fingerprint
    loaded = None if config.reference is None else load_reference(config.reference, embedder)
    done = artifact(
        config.out,
        "cluster",
        deduplicate=deduplicated.artifact.key,
        reference=None if loaded is None else loaded.fingerprint(),
        seed=config.seed,
        audited=audited,
        texts=config.texts,
    )
    assignments = done.subfolder("assignments")
    folder = done.subfolder("reference")
    if done.finished:
        context.progress.skipped("cluster")
    else:
        with context.progress.stage("cluster", documents=len(sketches)):
            if loaded is None:
                roles = WRITABLE if audited else reference_roles(deduplicated.sketched)
                loaded = _make_reference(deduplicated, done, roles)
            else:
                work = AssignClusters(
                    sketches.folder, assignments, loaded.codebook, loaded.second_codebook
                )
                context.over_units(sketches.units, lambda p: p | work)
            if not config.texts:
                loaded = replace(loaded, names=NAMES.empty_table())
            loaded.save(folder)
        done.finish()
    reference = load_reference(folder, embedder)
    nearest, dot, density = load_aligned(assignments, sketches, ["cluster", "dot", "density"])
    classes = classify_documents(deduplicated, reference.thresholds, dot, density)
    return Clustered(deduplicated, done, reference, nearest, classes)


def reference_roles(sketched: Sketched) -> tuple[Role, ...]:
    """Return the roles that the reference is made of: `reference`, else human, else synthetic."""
    for role in ("reference", "human", "synthetic"):
        if sketched.units(role):
            return (role,)
    return ("synthetic",)


def _make_reference(
    deduplicated: Deduplicated, done: Artifact, roles: tuple[Role, ...]
) -> Reference:
    """Fit the codebooks of a reference, assign every document, and measure the reference.

    Args:
        deduplicated: result of `deduplicate`.
        done: artifact of the stage.
        roles: roles of the sources that the reference is made of.
    """
    sketched, sketches = deduplicated.sketched, deduplicated.sketches
    chosen = sketched.of_role(*roles)
    documents = np.flatnonzero(chosen & deduplicated.kept)
    codebook, second = _fit(sketched, documents)
    assignments, weights = done.subfolder("assignments"), done.subfolder("weights")
    counted = done.path(NGRAMS)
    copies = np.zeros(len(sketches), np.int32)
    copies[documents] = 1
    save_aligned(weights, sketches, {"copies": copies})

    def wire(units: Any) -> None:
        units | AssignClusters(sketches.folder, assignments, codebook, second)
        units | CountNgrams(sketches.folder, weights, counted)

    sketched.context.over_units(sketches.units, wire)
    cells = {
        field.name: column[documents]
        for field, column in zip(
            ASSIGNMENTS, load_aligned(assignments, sketches, ASSIGNMENTS.names), strict=True
        )
    }
    hi, lo = (half[documents] for half in sketched.fingerprints)
    part = reference_part(hi, lo, sketched.config.seed)
    surface = sketches.matrix("surface", documents, np.uint32).reshape(-1, SURFACE_MEASURES)
    # Set no bands if a corpus is its own reference, because they would accept its junk.
    human = "synthetic" not in roles
    bands = set_bands(surface) if human else Bands()
    calibrates = part == THRESHOLDS
    thresholds = set_thresholds(cells["dot"][calibrates], cells["density"][calibrates], bands)
    cells["class"] = thresholds.classify(cells["dot"], cells["density"], surface)
    tokens = sketched.tokens[documents]

    def counts(rows: NDArray[np.bool_]) -> ClusterCounts:
        total = ClusterCounts.empty(codebook.size, second.size)
        total.add(
            cells["cluster"][rows], tokens[rows], cells["class"][rows], cells["audit_cluster"][rows]
        )
        return total

    fit = part == FIT
    key = sample_key(hi, lo, np.ones(len(documents), np.int64))
    pooled = {name: column[~fit] for name, column in cells.items()}
    return Reference(
        human=human,
        embedder=load_default().fingerprint,
        codebook=codebook,
        second_codebook=second,
        thresholds=thresholds,
        counts=counts(np.ones(len(documents), bool)),
        held_out=counts(part == HELD_OUT),
        ngrams=read_tables(counted),
        pool=Pool.of(sketches, documents[~fit], pooled),
        rare=rare_words(words_until(sketches, documents[fit], key[fit], _RARE_WORDS_FROM)),
        members=np.stack([hi, lo], axis=1)[np.lexsort((lo, hi))],
        repeats=group_sizes(deduplicated.verdicts, chosen),
        ngram=sketched.config.ngram,
        num_perm=sketched.config.num_perm,
        names=_names(sketched, documents, cells["cluster"], key),
        zstd_ratio=zstd_ratio(texts_by_hash(sketched, documents)),
        known=Known.total(sketched.known(*roles).values()),
    )


def _fit(sketched: Sketched, documents: NDArray[np.int64]) -> tuple[Codebook, Codebook]:
    """Fit the codebook and the second codebook of a reference.

    Args:
        sketched: result of `sketch`.
        documents: int64[m], ascending numbers of the reference's documents.
    """
    hi, lo = (half[documents] for half in sketched.fingerprints)
    seed = sketched.config.seed
    fit = reference_part(hi, lo, seed) == FIT
    if not fit.any():  # a few documents that all fell into the other parts
        fit[:] = True
    clusters = default_clusters(len(documents))
    order = seeded_hash(hi, lo, seed, "codebook")
    sample = documents[fit][smallest(order[fit], clusters * POINTS_PER_CENTROID)]
    by_number = np.sort(sample)
    embeddings = sketched.sketches.matrix("embedding", by_number, np.int8)
    embeddings = embeddings.reshape(-1, EMBEDDING_DIMS)[np.searchsorted(by_number, sample)]
    dims = np.arange(EMBEDDING_DIMS)
    drawn = seeded_hash(dims.astype(np.uint64), dims.astype(np.uint64), seed, "audit dims")
    second_dims = np.sort(smallest(drawn, SECOND_DIMS))
    return (
        fit_codebook(embeddings, clusters, seed, dims),
        fit_codebook(embeddings, max(1, clusters * 2 // 3), seed + 1, second_dims),
    )


def _names(
    sketched: Sketched,
    documents: NDArray[np.int64],
    cluster: NDArray[np.int32],
    key: NDArray[np.uint64],
) -> pa.Table:
    """Name clusters by the distinctive words of a few of their texts.

    Args:
        sketched: result of `sketch`.
        documents: int64[m], ascending numbers of the reference's documents.
        cluster: int32[m], their clusters.
        key: uint64[m], hashes that decide which texts are taken.
    """
    order = np.lexsort((key, cluster))
    starts = np.searchsorted(cluster[order], cluster[order])
    least, most = _TEXTS_A_NAME
    count = max(least, min(most, _TEXTS_IN_ALL // (int(cluster.max(initial=0)) + 1)))
    sample = np.sort(order[np.arange(len(order)) - starts < count])
    texts = texts_of_documents(sketched, documents[sample])
    by_cluster: dict[int, list[str]] = {}
    for place in sample[np.argsort(key[sample], kind="stable")]:
        by_cluster.setdefault(int(cluster[place]), []).append(texts[int(documents[place])])
    words = distinctive_words(by_cluster)
    shown = {number: list(map(beginning, group[:_QUOTED])) for number, group in by_cluster.items()}
    rows = [{"cluster": c, "words": words[c], "texts": shown[c]} for c in sorted(by_cluster)]
    return pa.Table.from_pylist(rows, schema=NAMES)
