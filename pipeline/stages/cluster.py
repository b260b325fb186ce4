"""Stage `cluster`: the yardstick, made or loaded, and every document's place on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.classes import classify_documents
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.texts import beginning, texts_by_hash, texts_of_documents
from outcross.schemas.documents import EMBEDDING_DIMS, SURFACE_MEASURES
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.compression import zstd_ratio
from outcross.transforms.estimators.lexical import rare_words
from outcross.transforms.estimators.richness import ClusterCounts
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

AUDIT_DIMS = 64
_RARE_AMONG = 1 << 20  # words in which a rare one stands two to five times
_NAMED_BY = 6, 24  # texts that a cluster's name is taken from
_NAMING = 4_000  # texts that names are taken from in all
_SHOWN = 2  # of them that a report may show


@dataclass
class Clustered:
    """After `cluster`: the yardstick and the documents' cells on it."""

    artifact: Artifact
    reference: Reference
    cluster: NDArray[np.int32]
    kind: NDArray[np.int8]
    audit: NDArray[np.int32]

    @property
    def folder(self) -> str:
        """Of the row-aligned assignments."""
        return self.artifact.path("assignments")

    @property
    def reference_folder(self) -> str:
        return self.artifact.path("reference")


def cluster(
    context: Context, sketched: Sketched, deduplicated: Deduplicated, audited: bool = False
) -> Clustered:
    """Makes or loads the reference, and assigns every document to its codebooks.

    Args:
        context, sketched, deduplicated: of the run.
        audited: whether the sources are a corpus that is measured: its own human part is then no
            yardstick for it.
    """
    config, sketches = context.config, sketched.sketches
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
            yardstick = np.zeros(0, np.int64)
            if loaded is None:
                roles = WRITABLE if audited else _yardstick_roles(sketched)
                chosen = sketched.of_role(*roles)
                yardstick = np.flatnonzero(chosen & deduplicated.verdicts.kept)
                codebook, audit = _fit(context, sketched, yardstick)
                weights, counted = done.subfolder("weights"), done.path(NGRAMS)
                copies = np.zeros(len(sketches), np.int32)
                copies[yardstick] = 1
                save_aligned(weights, sketches, {"copies": copies})
            else:
                codebook, audit = loaded.codebook, loaded.second_codebook

            def wire(units: Any) -> None:
                units | AssignClusters(sketches.folder, assignments, codebook, audit)
                if loaded is None:
                    units | CountNgrams(sketches.folder, weights, counted)

            context.over_units(sketches.units, wire)
            if loaded is None:
                loaded = _measure(
                    context,
                    sketched,
                    deduplicated,
                    chosen,
                    roles,
                    codebook,
                    audit,
                    assignments,
                    counted,
                    embedder,
                )
            if not config.texts:
                loaded = replace(loaded, names=NAMES.empty_table())
            loaded.save(folder)
        done.finish()
    reference = load_reference(folder, embedder)
    cells, dot, density, audit_cells = load_aligned(
        assignments, sketches, ["cluster", "dot", "density", "audit_cluster"]
    )
    kind = classify_documents(context, sketched, deduplicated, reference.thresholds, dot, density)
    return Clustered(done, reference, cells, kind, audit_cells)


def _yardstick_roles(sketched: Sketched) -> tuple[Role, ...]:
    """Whose text is the yardstick: `reference` sources, else human ones, else the corpus."""
    for role in ("reference", "human", "synthetic"):
        if sketched.units(role):
            return (role,)
    return ("synthetic",)


def yardstick_documents(sketched: Sketched, deduplicated: Deduplicated) -> NDArray[np.int64]:
    """The documents that a yardstick is made from, if the run makes one."""
    chosen = sketched.of_role(*_yardstick_roles(sketched)) & deduplicated.verdicts.kept
    return np.flatnonzero(chosen)


def _fit(
    context: Context, sketched: Sketched, yardstick: NDArray[np.int64]
) -> tuple[Codebook, Codebook]:
    hi, lo = (half[yardstick] for half in sketched.fingerprints)
    seed = context.config.seed
    fit = reference_part(hi, lo, seed) == FIT
    if not fit.any():  # a handful of documents, all of them in the other parts
        fit[:] = True
    clusters = default_clusters(len(yardstick))
    order = seeded_hash(hi, lo, seed, "codebook")
    sample = yardstick[fit][smallest(order[fit], clusters * POINTS_PER_CENTROID)]
    by_number = np.sort(sample)
    embeddings = sketched.sketches.matrix("embedding", by_number, np.int8)
    embeddings = embeddings.reshape(-1, EMBEDDING_DIMS)[np.searchsorted(by_number, sample)]
    every = np.arange(EMBEDDING_DIMS)
    drawn = seeded_hash(every.astype(np.uint64), every.astype(np.uint64), seed, "audit dims")
    some = np.sort(smallest(drawn, AUDIT_DIMS))
    return (
        fit_codebook(embeddings, clusters, seed, every),
        fit_codebook(embeddings, max(1, clusters * 2 // 3), seed + 1, some),
    )


def _measure(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    chosen: NDArray[np.bool_],
    roles: Sequence[Role],
    codebook: Codebook,
    audit: Codebook,
    assignments: str,
    counted: str,
    embedder: str,
) -> Reference:
    sketches, human = sketched.sketches, "synthetic" not in roles
    yardstick = np.flatnonzero(chosen & deduplicated.verdicts.kept)
    cells = {
        field.name: column[yardstick]
        for field, column in zip(
            ASSIGNMENTS, load_aligned(assignments, sketches, ASSIGNMENTS.names), strict=True
        )
    }
    hi, lo = (half[yardstick] for half in sketched.fingerprints)
    part = reference_part(hi, lo, context.config.seed)
    held = part == THRESHOLDS
    surface = sketches.matrix("surface", yardstick, np.uint32).reshape(-1, SURFACE_MEASURES)
    # Junk in a corpus that is its own yardstick is as natural to it as the rest.
    bands = set_bands(surface) if human else Bands()
    thresholds = set_thresholds(cells["dot"][held], cells["density"][held], bands)
    cells["class"] = thresholds.classify(cells["dot"], cells["density"], surface)
    tokens = sketched.tokens[yardstick]

    def counts(rows: NDArray[np.bool_]) -> ClusterCounts:
        total = ClusterCounts.empty(codebook.size, audit.size)
        total.add(
            cells["cluster"][rows], tokens[rows], cells["class"][rows], cells["audit_cluster"][rows]
        )
        return total

    fit = part == FIT
    key = sample_key(hi, lo, np.ones(len(yardstick), np.int64))
    own = {name: column[~fit] for name, column in cells.items()}
    return Reference(
        human=human,
        embedder=embedder,
        codebook=codebook,
        second_codebook=audit,
        thresholds=thresholds,
        counts=counts(np.ones(len(yardstick), bool)),
        held_out=counts(part == HELD_OUT),
        ngrams=read_tables(counted),
        pool=Pool.of(sketches, yardstick[~fit], own),
        rare=rare_words(words_until(sketches, yardstick[fit], key[fit], _RARE_AMONG)),
        members=np.stack([hi, lo], axis=1)[np.lexsort((lo, hi))],
        repeats=group_sizes(deduplicated.verdicts, chosen),
        ngram=context.config.ngram,
        num_perm=context.config.num_perm,
        names=_names(context, sketched, yardstick, cells["cluster"], key),
        zstd_ratio=zstd_ratio(texts_by_hash(context, sketched, yardstick)),
        known=Known.total(sketched.known(*roles).values()),
    )


def _names(
    context: Context,
    sketched: Sketched,
    yardstick: NDArray[np.int64],
    cluster: NDArray[np.int32],
    key: NDArray[np.uint64],
) -> pa.Table:
    """What the clusters are about, from a few of their texts."""
    order = np.lexsort((key, cluster))
    starts = np.searchsorted(cluster[order], cluster[order])
    least, most = _NAMED_BY
    each = max(least, min(most, _NAMING // (int(cluster.max(initial=0)) + 1)))
    few = np.sort(order[np.arange(len(order)) - starts < each])
    texts = texts_of_documents(context, sketched, yardstick[few])
    by_cluster: dict[int, list[str]] = {}
    for place in few[np.argsort(key[few], kind="stable")]:
        by_cluster.setdefault(int(cluster[place]), []).append(texts[int(yardstick[place])])
    words = distinctive_words(by_cluster)
    shown = {number: list(map(beginning, own[:_SHOWN])) for number, own in by_cluster.items()}
    rows = [{"cluster": c, "words": words[c], "texts": shown[c]} for c in sorted(by_cluster)]
    return pa.Table.from_pylist(rows, schema=NAMES)
