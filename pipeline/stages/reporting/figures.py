"""What a report shows of the sets that were measured: stages, shards, domains, clusters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.texts import beginning, texts_by_hash, texts_of_documents
from outcross.schemas.figures import Domain, Figures, Measure, Shard, Stage
from outcross.schemas.gates import Gates
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import EXTREMES, Cluster, KnownWords, ReferenceSummary
from outcross.schemas.sources import WRITABLE
from outcross.transforms.estimators.compression import zstd_ratio
from outcross.transforms.estimators.richness import TAIL, effective_number
from outcross.transforms.measuring.contrast import LEAST_DOCUMENTS, measure, too_few
from outcross.transforms.measuring.diversity import Diversity
from outcross.transforms.measuring.figures import FigureMaker
from outcross.transforms.measuring.gate import foreign, judged, unread
from outcross.transforms.measuring.repeats import repeated_share
from outcross.transforms.reference.reference import Reference
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.text.known import Known

_OF_A_SHARD = ("effective_clusters", "js", "tail_mass", "distinct_3")
_OF_A_FILE = ("file", "read", "rows", "bytes")
_TINY = 1e-300


def stage(
    name: Literal["read", "deduplicate", "write"],
    roles: Mapping[str, Diversity],
    maker: FigureMaker,
) -> Stage:
    """The figures after a stage; roles without documents are left out."""
    return Stage(
        name=name,
        roles={
            role: maker.figures(found)
            for role, found in roles.items()
            if role == "all" or found.counts.documents.sum()
        },
    )


def human_share(roles: Mapping[str, Diversity]) -> float | None:
    """Human share of the tokens; None where there are none."""
    tokens = int(roles["all"].counts.tokens.sum())
    human = int(roles["human"].counts.tokens.sum()) if "human" in roles else 0
    return human / tokens if tokens else None


def shards(
    measured: Measured, files: Sequence[Mapping[str, Any]], maker: FigureMaker
) -> list[Shard]:
    """The shards, each on the yardstick.

    Args:
        measured: of the run.
        files: `file`, `rows` and `bytes` of each shard; of an audited file also the documents
            `read` and the `near_duplicates` among them.
        maker: of the figures.
    """
    found = []
    for number, written in enumerate(files):
        roles = measured.roles(f"shard/{number}")
        figures = maker.figures(roles["all"], _OF_A_SHARD)
        if read := written.get("read"):
            repeats = written["near_duplicates"]
            rate = {"near_duplicates": repeats, "near_duplicate_rate": repeats / read}
            figures = figures.model_copy(update=rate)
        found.append(
            Shard(
                **{name: written[name] for name in _OF_A_FILE if name in written},
                human_share=human_share(roles),
                figures=figures,
            )
        )
    return found


def domains(measured: Measured, gates: Gates, maker: FigureMaker) -> list[Domain]:
    """The largest domains, where documents have any."""
    return [
        Domain(
            name=name,
            kind="converge" if gates.converges(name) else "open",
            figures=maker.figures(measured.load(f"domain/{number}")),
        )
        for number, name in enumerate(measured.domains)
        if f"domain/{number}" in measured.names
    ]


def near_duplicates(groups: NDArray[np.int64], reference: Reference) -> Measure:
    """How much of a set repeats itself, beside as many human documents, or all that there are.

    The set was read as a whole, so that its own share is known to within what another of its size
    would show; human text may repeat a few texts often, and its error says how much that varies.

    Args:
        groups: int64[m, 2], of `group_sizes`, of the set.
        reference: made from human text.
    """
    total, human = (int((part[:, 0] * part[:, 1]).sum()) for part in (groups, reference.repeats))
    if min(total, human) < LEAST_DOCUMENTS:
        return too_few("near_duplicates", min(total, human))
    own, _ = repeated_share(groups, total)
    share, deviation = repeated_share(reference.repeats, min(total, human))
    found = measure("near_duplicates", own, share, deviation, 1.0, total)
    error = math.hypot(deviation, math.sqrt(own * (1 - own) / total))
    return found.model_copy(update={"error": error})


def add_zstd(
    figures: Figures,
    context: Context,
    sketched: Sketched,
    copies: NDArray[np.int32],
) -> Figures:
    """The figures with the ratio at which a sample of the texts compresses.

    Args:
        figures: of all documents of the last stage.
        context, sketched: of the run.
        copies: int32[n], which documents they are.
    """
    texts = texts_by_hash(context, sketched, np.flatnonzero(copies))
    return figures.model_copy(update={"zstd_ratio": zstd_ratio(texts)})


def yardstick(reference: Reference) -> ReferenceSummary:
    """What the figures are measured on."""
    held = int(reference.held_out.classes.sum())
    human = reference.human
    repeats = (reference.repeats[:, 0] - 1) * reference.repeats[:, 1]
    everything = int((reference.repeats[:, 0] * reference.repeats[:, 1]).sum())
    return ReferenceSummary(
        fingerprint=reference.fingerprint(),
        human=human,
        clusters=reference.codebook.size,
        documents=int(reference.counts.documents.sum()),
        effective_clusters=effective_number(reference.counts.documents),
        tail_mass=int(reference.held_out.classes[TAIL]) / held if held and human else None,
        near_duplicate_rate=int(repeats.sum()) / everything if everything and human else None,
        zstd_ratio=reference.zstd_ratio if human else None,
    )


def known_words(sketched: Sketched) -> list[KnownWords]:
    """What the embedder knows of each source that is written, measured or the reference."""
    return [
        KnownWords(source=name, **known._asdict(), share=known.share, enough=known.enough)
        for name, known in sketched.known(*WRITABLE, "reference").items()
    ]


def judge(
    measures: Sequence[Measure], gates: Gates, sketched: Sketched, reference: Reference
) -> list[Measure]:
    """Return the measures with what the gates say of them, and where the embedder can't read.

    Args:
        measures: not judged yet.
        gates: the limits.
        sketched: of the run.
        reference: that was measured on.
    """
    corpus = Known.total(sketched.known(*WRITABLE).values())
    doubts = unread([corpus, reference.known])
    return judged(measures, gates, doubts, foreign(corpus, reference.known))


def clusters(
    context: Context,
    sketched: Sketched,
    clustered: Clustered,
    last: Diversity,
    copies: NDArray[np.int32],
) -> list[Cluster]:
    """The codebook's cells, with example texts of the most starved and most swollen.

    Args:
        context, sketched, clustered: of the run.
        last: all documents of the last stage.
        copies: int32[n], which documents they are.
    """
    reference = clustered.reference
    if not reference.human:
        return []
    human = reference.counts.documents / max(int(reference.counts.documents.sum()), 1)
    own = last.counts.documents / max(int(last.counts.documents.sum()), 1)
    place = _map(reference.codebook.centroids, human)
    named = {row["cluster"]: row for row in reference.names.to_pylist()}
    found = [
        Cluster(
            cluster=c,
            x=float(place[c, 0]),
            y=float(place[c, 1]),
            human_share=float(human[c]),
            share=float(own[c]),
            words=named[c]["words"] if c in named else [],
            human_text=named[c]["texts"][0] if c in named and named[c]["texts"] else None,
            text=None,
        )
        for c in range(reference.codebook.size)
    ]
    ranked = [cluster.cluster for cluster in sorted(found, key=lambda cluster: cluster.excess)]
    wanted = {*ranked[:EXTREMES], *ranked[-EXTREMES:]}
    texts = _examples(context, sketched, clustered.cluster, copies, wanted)
    return [cluster.model_copy(update={"text": texts.get(cluster.cluster)}) for cluster in found]


def _map(centroids: NDArray[np.int8], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two axes on which the centroids lie furthest apart (principal components), from -1 to 1."""
    points = centroids.astype(float)
    points -= np.average(points, axis=0, weights=weights + _TINY)
    _, axes = np.linalg.eigh((points * weights[:, None]).T @ points)
    axes = axes[:, -1:-3:-1]
    # The sign of an axis means nothing: the largest entry is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    place = points @ axes
    # Rounded, as the last digits of an eigenvector depend on the machine and its load.
    return np.round(place / max(float(np.abs(place).max()), 1e-12), 4) + 0.0


def _examples(
    context: Context,
    sketched: Sketched,
    cluster: NDArray[np.int32],
    copies: NDArray[np.int32],
    wanted: set[int],
) -> dict[int, str]:
    """A text of the corpus for each of some clusters, where it has any."""
    rows = np.flatnonzero((copies > 0) & np.isin(cluster, sorted(wanted)))
    hi, lo = (half[rows] for half in sketched.fingerprints)
    order = np.argsort(sample_key(hi, lo, np.ones(len(rows), np.int64)), kind="stable")
    _, first = np.unique(cluster[rows][order], return_index=True)
    documents = np.sort(rows[order][first])
    texts = texts_of_documents(context, sketched, documents)
    return {int(cluster[document]): beginning(text) for document, text in texts.items()}


def with_measures(figures: Figures, measures: Sequence[Measure]) -> Figures:
    """The figures with further or other measures, in the order of `MEASURES`."""
    by_name = {found.name: found for found in (*figures.measures, *measures)}
    ordered = [by_name[name] for name in MEASURES if name in by_name]
    return figures.model_copy(update={"measures": ordered})
