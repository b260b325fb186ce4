"""The removals that come nearest to being wrong, with their texts, for a person to judge."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.context import Context
from pipeline.stages.deduplicate import Deduplicated
from pipeline.stages.sketch import Sketched
from pipeline.texts import beginning, texts_of_documents, texts_of_earlier
from schemas.documents import REMOVED_FIELDS
from schemas.report import Removal
from transforms import files
from transforms.deduplicate import NEAR
from transforms.units import unit_file

SHOWN = 20


def least_similar(
    context: Context, sketched: Sketched, deduplicated: Deduplicated
) -> list[Removal]:
    """The near removals with the least similarity; of equal ones the first in the total order."""
    sketches, verdicts = sketched.sketches, deduplicated.verdicts
    near = np.flatnonzero(verdicts.stage == NEAR)
    if len(near) == 0:
        return []
    least = np.partition(verdicts.similarity[near], min(SHOWN, len(near)) - 1)
    near = near[verdicts.similarity[near] <= least[min(SHOWN, len(near)) - 1]]
    rows = []
    folder = deduplicated.artifact.path("removals")
    for unit, own, places in sketches.rows_of(near):
        table = files.read_table(unit_file(folder, unit, "parquet"))
        table = table.filter(pc.is_in(table["row"], pa.array(own)))
        document = pa.array(near[places])
        rows += table.append_column("document", document).to_pylist()
    rows.sort(key=lambda row: (row["similarity"], row["rank"]))
    rows = rows[:SHOWN]
    partner = {row["document"]: int(verdicts.partner[row["document"]]) for row in rows}
    wanted = np.unique([*partner, *partner.values()])
    own = wanted[wanted < len(sketches)]
    texts = texts_of_documents(sketches, context.config.sources, own)
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
