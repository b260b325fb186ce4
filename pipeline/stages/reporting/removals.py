"""Removals in the report: their counts by source and class, and the least similar ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.reporting.certificate import certificate
from outcross.pipeline.stages.texts import beginning, texts_of_earlier
from outcross.schemas.deduplication import Deduplication, Loss, Removal, RepeatedText
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.schemas.sources import WRITABLE
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, SEMANTIC
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL

_CLASSES: dict[int, Literal["head", "tail", "off-support"]] = {
    HEAD: "head",
    TAIL: "tail",
    OFF_SUPPORT: "off-support",
}


def quoted_removals(deduplicated: Deduplicated) -> NDArray[np.int64]:
    """Return the numbers of this run's documents that the report quotes, ascending."""
    sums = deduplicated.sums
    quoted = [line.document for line in sums.most_repeated]
    for table in (sums.least_similar, sums.least_semantic):
        if table is not None:
            quoted += [*table["document"].to_pylist(), *table["partner"].to_pylist()]
    numbers = np.unique(np.array(quoted, np.int64))
    return numbers[numbers < deduplicated.sketches.document_count]


def deduplication(
    deduplicated: Deduplicated, clustered: Clustered | None, texts: Mapping[int, str]
) -> Deduplication:
    """Describe the removals: by stage, by role and document class, and examples.

    Args:
        deduplicated: result of `deduplicate`.
        clustered: result of `cluster`; None without human text, as there are no classes then.
        texts: beginnings of the texts of `quoted_removals`.
    """
    sums = deduplicated.sums
    return Deduplication(
        exact=sums.total("exact"),
        near=sums.total("near"),
        contained=sums.total("contained"),
        semantic=sums.total("semantic"),
        open=sums.total("open"),
        bands=deduplicated.bands,
        rows=deduplicated.rows,
        counts=deduplicated.counts,
        certificate=certificate(deduplicated),
        found=deduplicated.repeats,
        losses=[] if clustered is None else losses(clustered),
        most_repeated=most_repeated(deduplicated, texts),
        least_similar=least_similar(deduplicated, sums.least_similar, texts),
        least_semantic=least_similar(deduplicated, sums.least_semantic, texts),
    )


def losses(clustered: Clustered) -> list[Loss]:
    """Count the removals of each document class, by role, among documents that may be written."""
    sources = clustered.config.sources
    lines = []
    for role, roles in (*((role, (role,)) for role in WRITABLE), ("all", WRITABLE)):
        chosen = [number for number, source in enumerate(sources) if source.role in roles]
        by_class = clustered.counts.stages[chosen].sum(axis=0)
        for number, name in _CLASSES.items():
            stages = by_class[number]
            compared = int(stages[0] + stages[NEAR] + stages[SEMANTIC])
            lines.append(
                Loss(
                    role=role,
                    kind=name,
                    documents=int(stages.sum()),
                    exact=int(stages[EXACT]),
                    near=int(stages[NEAR]),
                    contained=int(stages[CONTAINED]),
                    semantic=int(stages[SEMANTIC]),
                    near_share=int(stages[NEAR]) / compared if compared else None,
                    semantic_share=int(stages[SEMANTIC]) / compared
                    if compared and clustered.config.semantic_threshold is not None
                    else None,
                )
            )
    return lines


def most_repeated(deduplicated: Deduplicated, texts: Mapping[int, str]) -> list[RepeatedText]:
    """Return the kept documents that most others repeat; of equal ones the lower fingerprints."""
    sketches = deduplicated.sketches
    most = deduplicated.sums.most_repeated
    by_number = np.array(sorted(line.document for line in most), np.int64)
    ids = dict(zip(by_number.tolist(), deduplicated.ids(by_number), strict=True))
    source = {
        document: deduplicated.config.sources[sketches.units[unit].source].name
        for unit, _, places in sketches.rows_of(by_number)
        for document in by_number[places].tolist()
    }
    return [
        RepeatedText(
            id=ids[line.document],
            source=source[line.document],
            times=line.times,
            exact=line.exact,
            text=texts[line.document],
        )
        for line in most
    ]


def least_similar(
    deduplicated: Deduplicated, table: pa.Table | None, texts: Mapping[int, str]
) -> list[Removal]:
    """Return removals of least similarity with their texts.

    Args:
        deduplicated: result of `deduplicate`.
        table: `RemovalSums.least_similar` or `least_semantic`.
        texts: beginnings of the texts of `quoted_removals`.
    """
    if table is None:
        return []
    current = deduplicated.sketches.document_count
    rows = table.to_pylist()
    names = {(row["kept_source"], row["kept_id"]) for row in rows if row["partner"] >= current}
    earlier = {
        name: beginning(text)
        for name, text in (texts_of_earlier(deduplicated.config, names) if names else {}).items()
    }
    removals = []
    for row in rows:
        kept = texts.get(row["partner"])
        kept = earlier.get((row["kept_source"], row["kept_id"])) if kept is None else kept
        removals.append(
            Removal(
                **{field.name: row[field.name] for field in REMOVED_FIELDS},
                text=texts[row["document"]],
                kept_text=kept,
            )
        )
    return removals
