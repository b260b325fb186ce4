"""Row-aligned verdicts of a unit, and the columns of removed/ for its removed rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, SEMANTIC, STAGES
from outcross.transforms.dedup.evaluation_items import Containment
from outcross.transforms.dedup.order import order_keys
from outcross.transforms.dedup.paraphrases import ParaphraseFiles
from outcross.transforms.dedup.removal_sums import (
    CHECKED,
    COUNTS,
    LEAST_SEMANTIC,
    LEAST_SIMILAR,
    SHOWN,
    UNITS,
    partner_rows,
)
from outcross.transforms.dedup.renamed import add_renamed
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit


@dataclass
class SaveVerdicts:
    """Write a unit's verdicts and removals, and send sums of them.

    Attributes:
        corpus: documents of all units.
        repeats: folder of the answers about equal texts.
        renamed: file of documents whose id is taken by a name.
        containment: search for evaluation texts.
        verdicts: folder of the verdicts: `partner` int64 (-1 for kept documents), `stage` int8,
            `similarity` float32, `open` bool, `repeated_id` bool.
        removals: folder of the removals, for `RemovedLayout`.
        rules: reasons for a removal, by stage.
        seed: seed of the run.
        bits: bits that choose the partition of a kept document.
        paraphrases: files of pairs that embeddings found; None where they are not compared.
    """

    corpus: Corpus
    repeats: str
    renamed: str
    containment: Containment
    verdicts: str
    removals: str
    rules: Mapping[int, str]
    seed: int
    bits: int
    paraphrases: ParaphraseFiles | None = None

    def regroup(self, key: int, rows: pa.Table | None) -> Iterator[Keyed]:
        """Write the files of one unit; yield rows about what it removes."""
        corpus = self.corpus
        if key in (COUNTS, CHECKED) and rows is not None:
            yield key, rows
            return
        if key >= corpus.current:
            yield UNITS, _unit_sums(int(corpus.party[key]), int(corpus.participates(key).sum()))
            return
        first = int(corpus.offsets[key])
        occurrence, repeated = load_unit(self.repeats, key, ["occurrence", "repeated_id"])
        repeated = add_renamed(self.renamed, first, repeated)
        answered = self._contained(key) if rows is None else self._all(key, rows)
        n = len(repeated)
        columns: dict[str, NDArray[Any]] = {
            "partner": np.full(n, -1, np.int64),
            "stage": np.zeros(n, np.int8),
            "similarity": np.zeros(n, np.float32),
            "open": np.zeros(n, bool),
            "repeated_id": repeated,
        }
        if answered is not None:
            row = answered["row"].to_numpy()
            for name in ("partner", "stage", "similarity", "open"):
                columns[name][row] = answered[name].to_numpy()
        if self.paraphrases is not None:
            further = self.paraphrases.further(key)
            columns["open"][further[columns["partner"][further] < 0]] = True
        files.write_table(unit_file(self.verdicts, key, "parquet"), pa.table(columns))
        size = 0
        if answered is not None:
            removed = answered.filter(pa.array(answered["partner"].to_numpy() >= 0)).sort_by("row")
            if removed.num_rows:
                size = yield from self._remove(key, removed, occurrence, repeated)
        sums = {name: int((columns["stage"] == stage).sum()) for stage, name in STAGES.items()}
        sums |= {name: int(columns[name].sum()) for name in ("open", "repeated_id")}
        yield UNITS, _unit_sums(int(corpus.party[key]), n, bytes=size, **sums)

    def _all(self, unit: int, rows: pa.Table) -> pa.Table:
        """Return the answers of bins, and the documents that hold an evaluation text."""
        contained = self._contained(unit)
        return rows if contained is None else pa.concat_tables([rows, contained])

    def _contained(self, unit: int) -> pa.Table | None:
        """Return the verdicts on documents that hold an evaluation text; None for none."""
        found = self.containment.load(unit)
        if found is None:
            return None
        sketch = self.corpus.table(unit, ["fingerprint_hi", "fingerprint_lo"])
        row = found["row"]
        equal = np.ones(len(row), bool)
        for name in ("fingerprint_hi", "fingerprint_lo"):
            equal &= sketch[name].to_numpy()[row] == found[name].to_numpy()
        number = found["number"].to_numpy()
        with_place = np.zeros(len(row), bool)
        if files.exists(self.renamed):
            with_place = np.isin(number, files.read_array(self.renamed))
        ids = pc.if_else(pa.array(with_place), found["id_with_place"], found["id"])
        return pa.table(
            {
                "row": row,
                "partner": number,
                "stage": np.where(equal, EXACT, CONTAINED).astype(np.int8),
                "similarity": np.where(equal, np.float32(1), found["share"]).astype(np.float32),
                "open": np.zeros(len(row), bool),
                "kept_hi": found["fingerprint_hi"],
                "kept_lo": found["fingerprint_lo"],
                "kept_id": ids,
            }
        )

    def _remove(
        self,
        unit: int,
        answered: pa.Table,
        occurrence: NDArray[np.int64],
        repeated: NDArray[np.bool_],
    ) -> Generator[Keyed, None, int]:
        """Write the removals of a unit; return the bytes of the removed rows."""
        corpus = self.corpus
        row, partner, stage, similarity = (
            answered[name].to_numpy() for name in ("row", "partner", "stage", "similarity")
        )
        sketch = corpus.table(unit, [*corpus.order_columns, "size"])
        chosen = {name: sketch[name].to_numpy()[row] for name in sketch.column_names}
        hi, lo, row_hash = (
            chosen[name] for name in ("fingerprint_hi", "fingerprint_lo", "row_hash")
        )
        # With the row's hash, so that many repeats of one text don't all meet in one shard.
        mixed = lo + occurrence[row].astype(np.uint64)
        key = seeded_hash(hi ^ row_hash, mixed, self.seed, "removed")
        sources = np.array([party.name for party in corpus.parties])
        columns = {
            "id": corpus.names(unit, row, repeated[row]),
            "source": pa.repeat(corpus.party_of(unit).name, len(row)),
            "kept_id": answered["kept_id"].combine_chunks(),
            "kept_source": pa.array(sources[corpus.parties_of(partner)], pa.string()),
            "stage": pa.array([STAGES[number] for number in stage.tolist()], pa.string()),
            "rule": pa.array([self.rules[number] for number in stage.tolist()], pa.string()),
            "similarity": similarity,
        }
        table = pa.table(columns | {"row": row, "key": key, "row_hash": row_hash})
        files.write_table(unit_file(self.removals, unit, "parquet"), table)
        kept = (answered["kept_hi"].to_numpy(), answered["kept_lo"].to_numpy())
        yield from partner_rows(partner, kept, stage, int(corpus.party[unit]), self.bits)
        number = row + corpus.offsets[unit]
        keys = [number, *order_keys(chosen, corpus.rules(number, chosen.get("prompt")))]
        for target, rule in ((LEAST_SIMILAR, NEAR), (LEAST_SEMANTIC, SEMANTIC)):
            inside = np.flatnonzero(stage == rule)
            if len(inside) == 0:
                continue
            order = np.lexsort([*(k[inside] for k in keys), similarity[inside]])
            least = inside[order[:SHOWN]]
            shown = table.drop_columns(["key", "row", "row_hash"]).take(pa.array(least))
            for place, values in enumerate(keys):
                shown = shown.append_column(f"order_{place}", pa.array(values[least]))
            shown = shown.append_column("document", pa.array(number[least]))
            yield target, shown.append_column("partner", pa.array(partner[least]))
        return int(chosen["size"].sum())


_SUMS = ["documents", *STAGES.values(), "open", "repeated_id", "bytes"]


def _unit_sums(source: int, documents: int, **sums: int) -> pa.Table:
    """Return the sums of one unit; those that are not given are 0."""
    values = {"documents": documents, **sums}
    return pa.table({"source": [source], **{name: [values.get(name, 0)] for name in _SUMS}})
