"""What the report says of removals: how many, from whom, and the closest calls to judge."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.texts import beginning, texts_of_documents, texts_of_earlier
from outcross.schemas.deduplication import Deduplication, Loss, Removal, RepeatedText
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, Verdicts
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_aligned
from outcross.transforms.sketches.identity import ids_of

_CLASSES: dict[int, Literal["head", "tail", "off-support"]] = {
    HEAD: "head",
    TAIL: "tail",
    OFF_SUPPORT: "off-support",
}
_SHOWN = 20


def deduplication(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered | None,
) -> Deduplication:
    """What was removed, by stage, and what that took from whom."""
    verdicts = deduplicated.verdicts
    return Deduplication(
        exact=int((verdicts.stage == EXACT).sum()),
        near=int((verdicts.stage == NEAR).sum()),
        contained=int((verdicts.stage == CONTAINED).sum()),
        open=int(verdicts.open.sum()),
        bands=deduplicated.bands,
        rows=deduplicated.rows,
        counts=verdicts.counts,
        found=deduplicated.found,
        losses=[] if clustered is None else losses(sketched, verdicts, clustered.kind),
        most_repeated=most_repeated(context, sketched, deduplicated),
        least_similar=least_similar(context, sketched, deduplicated),
    )


def losses(sketched: Sketched, verdicts: Verdicts, kind: NDArray[Any]) -> list[Loss]:
    """What was removed of each class of documents that may be written, by role.

    Args:
        sketched: of the run.
        verdicts: of the run.
        kind: int8[n], class of each document.
    """
    lines = []
    for role, own in (
        *((role, sketched.of_role(role)) for role in WRITABLE),
        ("all", sketched.of_role(*WRITABLE)),
    ):
        for number, name in _CLASSES.items():
            stages = np.bincount(verdicts.stage[own & (kind == number)], minlength=4)
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


def most_repeated(
    context: Context, sketched: Sketched, deduplicated: Deduplicated
) -> list[RepeatedText]:
    """The kept documents that most others repeat; of equally many those with lower fingerprints."""
    sketches, verdicts = sketched.sketches, deduplicated.verdicts
    own = (verdicts.partner >= 0) & (verdicts.partner < len(sketches))
    times = np.bincount(verdicts.partner[own], minlength=len(sketches)) + 1
    exact = own & (verdicts.stage == EXACT)
    exactly = np.bincount(verdicts.partner[exact], minlength=len(sketches)) + 1
    often = np.flatnonzero(times > 1)
    hi, lo = (half[often] for half in sketched.fingerprints)
    often = often[np.lexsort((lo, hi, -times[often]))[:_SHOWN]]
    by_number = np.sort(often)
    texts = texts_of_documents(context, sketched, by_number)
    (repeated,) = load_aligned(deduplicated.folder, sketches, ["repeated_id"])
    named = ids_of(sketches, context.config.sources, by_number, repeated).to_pylist()
    ids = dict(zip(by_number.tolist(), named, strict=True))
    units = np.searchsorted(sketches.offsets, often, side="right") - 1
    return [
        RepeatedText(
            id=ids[document],
            source=context.config.sources[sketches.units[unit].source].name,
            times=int(times[document]),
            exact=int(exactly[document]),
            text=beginning(texts[document]),
        )
        for document, unit in zip(often.tolist(), units.tolist(), strict=True)
    ]


def least_similar(
    context: Context, sketched: Sketched, deduplicated: Deduplicated
) -> list[Removal]:
    """The near removals with the least similarity; of equal ones the first in the total order."""
    sketches, verdicts = sketched.sketches, deduplicated.verdicts
    near = np.flatnonzero(verdicts.stage == NEAR)
    if len(near) == 0:
        return []
    least = np.partition(verdicts.similarity[near], min(_SHOWN, len(near)) - 1)
    near = near[verdicts.similarity[near] <= least[min(_SHOWN, len(near)) - 1]]
    rows = []
    folder = deduplicated.artifact.path("removals")
    for unit, own, places in sketches.rows_of(near):
        table = files.read_table(unit_file(folder, unit, "parquet"))
        table = table.filter(pc.is_in(table["row"], pa.array(own)))
        document = pa.array(near[places])
        rows += table.append_column("document", document).to_pylist()
    rows.sort(key=lambda row: (row["similarity"], row["rank"]))
    rows = rows[:_SHOWN]
    partner = {row["document"]: int(verdicts.partner[row["document"]]) for row in rows}
    wanted = np.unique([*partner, *partner.values()])
    own = wanted[wanted < len(sketches)]
    texts = texts_of_documents(context, sketched, own)
    beyond = [row for row in rows if partner[row["document"]] >= len(sketches)]
    names = {(row["kept_source"], row["kept_id"]) for row in beyond}
    earlier = texts_of_earlier(context.config, names) if names else {}
    found = []
    for row in rows:
        kept = texts.get(partner[row["document"]])
        kept = earlier.get((row["kept_source"], row["kept_id"])) if kept is None else kept
        found.append(
            Removal(
                **{field.name: row[field.name] for field in REMOVED_FIELDS},
                text=beginning(texts[row["document"]]),
                kept_text=None if kept is None else beginning(kept),
            )
        )
    return found
