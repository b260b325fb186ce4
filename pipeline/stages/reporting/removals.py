"""Removals in the report: their counts by source and class, and the least similar ones."""

from __future__ import annotations

from typing import Literal

import numpy as np

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.reporting.certificate import certificate
from outcross.pipeline.stages.texts import beginning, texts_of_documents, texts_of_earlier
from outcross.schemas.deduplication import Deduplication, Loss, Removal, RepeatedText
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.schemas.sources import WRITABLE
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL

_CLASSES: dict[int, Literal["head", "tail", "off-support"]] = {
    HEAD: "head",
    TAIL: "tail",
    OFF_SUPPORT: "off-support",
}


def deduplication(deduplicated: Deduplicated, clustered: Clustered | None) -> Deduplication:
    """Describe the removals: by stage, by role and document class, and examples.

    Args:
        deduplicated: result of `deduplicate`.
        clustered: result of `cluster`; None without human text, as there are no classes then.
    """
    sums = deduplicated.sums
    return Deduplication(
        exact=sums.total("exact"),
        near=sums.total("near"),
        contained=sums.total("contained"),
        open=sums.total("open"),
        bands=deduplicated.bands,
        rows=deduplicated.rows,
        counts=deduplicated.counts,
        certificate=certificate(deduplicated),
        found=deduplicated.repeats,
        losses=[] if clustered is None else losses(clustered),
        most_repeated=most_repeated(deduplicated),
        least_similar=least_similar(deduplicated),
    )


def losses(clustered: Clustered) -> list[Loss]:
    """Count the removals of each document class, by role, among documents that may be written."""
    sketched, verdicts = clustered.sketched, clustered.deduplicated.verdicts
    lines = []
    for role, rows in (
        *((role, sketched.of_role(role)) for role in WRITABLE),
        ("all", sketched.of_role(*WRITABLE)),
    ):
        for number, name in _CLASSES.items():
            stages = np.bincount(
                verdicts.stage[rows & (clustered.document_class == number)], minlength=4
            )
            compared = int(stages[0] + stages[NEAR])
            lines.append(
                Loss(
                    role=role,
                    kind=name,
                    documents=int(stages.sum()),
                    exact=int(stages[EXACT]),
                    near=int(stages[NEAR]),
                    contained=int(stages[CONTAINED]),
                    near_share=int(stages[NEAR]) / compared if compared else None,
                )
            )
    return lines


def most_repeated(deduplicated: Deduplicated) -> list[RepeatedText]:
    """Return the kept documents that most others repeat; of equal ones the lower fingerprints."""
    sketched, sketches = deduplicated.sketched, deduplicated.sketches
    most = deduplicated.sums.most_repeated
    by_number = np.array(sorted(line.document for line in most), np.int64)
    texts = texts_of_documents(sketched, by_number)
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
            text=beginning(texts[line.document]),
        )
        for line in most
    ]


def least_similar(deduplicated: Deduplicated) -> list[Removal]:
    """Return the near removals of least similarity; of equal ones the first in the total order."""
    table = deduplicated.sums.least_similar
    if table is None:
        return []
    current = len(deduplicated.sketches)
    rows = table.to_pylist()
    wanted = np.unique([row[name] for row in rows for name in ("document", "partner")])
    texts = texts_of_documents(deduplicated.sketched, wanted[wanted < current])
    names = {(row["kept_source"], row["kept_id"]) for row in rows if row["partner"] >= current}
    earlier = texts_of_earlier(deduplicated.config, names) if names else {}
    removals = []
    for row in rows:
        kept = texts.get(row["partner"])
        kept = earlier.get((row["kept_source"], row["kept_id"])) if kept is None else kept
        removals.append(
            Removal(
                **{field.name: row[field.name] for field in REMOVED_FIELDS},
                text=beginning(texts[row["document"]]),
                kept_text=None if kept is None else beginning(kept),
            )
        )
    return removals
