"""Removals in the report: their counts by source and class, and the least similar ones."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.texts import beginning, texts_of_documents, texts_of_earlier
from outcross.schemas.deduplication import Deduplication, Loss, Removal, RepeatedText
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.exchange.units import unit_file

_CLASSES: dict[int, Literal["head", "tail", "off-support"]] = {
    HEAD: "head",
    TAIL: "tail",
    OFF_SUPPORT: "off-support",
}
_SHOWN = 20  # documents in each list


def deduplication(deduplicated: Deduplicated, clustered: Clustered | None) -> Deduplication:
    """Describe the removals: by stage, by role and document class, and examples.

    Args:
        deduplicated: result of `deduplicate`.
        clustered: result of `cluster`; None without human text, as there are no classes then.
    """
    verdicts = deduplicated.verdicts
    return Deduplication(
        exact=int((verdicts.stage == EXACT).sum()),
        near=int((verdicts.stage == NEAR).sum()),
        contained=int((verdicts.stage == CONTAINED).sum()),
        open=int(verdicts.open.sum()),
        bands=deduplicated.bands,
        rows=deduplicated.rows,
        counts=verdicts.counts,
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
    verdicts, sources = deduplicated.verdicts, deduplicated.config.sources
    repeats = (verdicts.partner >= 0) & (verdicts.partner < len(sketches))
    times = np.bincount(verdicts.partner[repeats], minlength=len(sketches)) + 1
    exact = repeats & (verdicts.stage == EXACT)
    exactly = np.bincount(verdicts.partner[exact], minlength=len(sketches)) + 1
    often = np.flatnonzero(times > 1)
    hi, lo = (half[often] for half in sketched.fingerprints)
    often = often[np.lexsort((lo, hi, -times[often]))[:_SHOWN]]
    by_number = np.sort(often)
    texts = texts_of_documents(sketched, by_number)
    ids = dict(zip(by_number.tolist(), deduplicated.ids(by_number), strict=True))
    return [
        RepeatedText(
            id=ids[document],
            source=sources[sketched.source_numbers[document]].name,
            times=int(times[document]),
            exact=int(exactly[document]),
            text=beginning(texts[document]),
        )
        for document in often.tolist()
    ]


def least_similar(deduplicated: Deduplicated) -> list[Removal]:
    """Return the near removals of least similarity; of equal ones the first in the total order."""
    sketches, verdicts = deduplicated.sketches, deduplicated.verdicts
    near = np.flatnonzero(verdicts.stage == NEAR)
    if len(near) == 0:
        return []
    least = np.partition(verdicts.similarity[near], min(_SHOWN, len(near)) - 1)
    near = near[verdicts.similarity[near] <= least[min(_SHOWN, len(near)) - 1]]
    rows = []
    folder = deduplicated.artifact.path("removals")
    for unit, unit_rows, places in sketches.rows_of(near):
        table = files.read_table(unit_file(folder, unit, "parquet"))
        table = table.filter(pc.is_in(table["row"], pa.array(unit_rows)))
        document = pa.array(near[places])
        rows += table.append_column("document", document).to_pylist()
    rows.sort(key=lambda row: (row["similarity"], row["rank"]))
    rows = rows[:_SHOWN]
    partner = {row["document"]: int(verdicts.partner[row["document"]]) for row in rows}
    wanted = np.unique([*partner, *partner.values()])
    texts = texts_of_documents(deduplicated.sketched, wanted[wanted < len(sketches)])
    beyond = [row for row in rows if partner[row["document"]] >= len(sketches)]
    names = {(row["kept_source"], row["kept_id"]) for row in beyond}
    earlier = texts_of_earlier(deduplicated.config, names) if names else {}
    removals = []
    for row in rows:
        kept = texts.get(partner[row["document"]])
        kept = earlier.get((row["kept_source"], row["kept_id"])) if kept is None else kept
        removals.append(
            Removal(
                **{field.name: row[field.name] for field in REMOVED_FIELDS},
                text=beginning(texts[row["document"]]),
                kept_text=None if kept is None else beginning(kept),
            )
        )
    return removals
