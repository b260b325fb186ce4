"""Bins of documents: packed from the forests of all partitions, filled by units, then decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.dedup.bands import Entries
from outcross.transforms.dedup.boilerplate import BoilerplateFiles
from outcross.transforms.dedup.candidates import COMPARED, GROUPED, NAMES, bin_columns
from outcross.transforms.dedup.check_components import check_components
from outcross.transforms.dedup.components import connect, pack_bins
from outcross.transforms.dedup.contents import CONTENTS, Contents, contents_columns, send_contents
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.decide import (
    Comparison,
    Paraphrases,
    Settings,
    Verdicts,
    decide,
)
from outcross.transforms.dedup.jaccard import table_bits
from outcross.transforms.dedup.paraphrases import ParaphraseFiles
from outcross.transforms.dedup.removal_sums import CHECKED, COUNTS
from outcross.transforms.dedup.renamed import add_renamed, save_renamed
from outcross.transforms.exchange.deal import deal
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import item_runs, packed_runs

_DOCUMENT = 64  # weight of a document beside its words
_LEAST_WEIGHT = 1 << 16  # less work isn't divided


@dataclass
class PackBins:
    """Connect the forests of all partitions, and tell units the bins of their documents.

    Attributes:
        corpus: documents of all units.
        limit: largest weight of a bin: words, and 64 more for each document.
        workers: number of bins to make at least, where there is enough work.
        renamed: file that gets the documents whose id is taken by a name.
        boilerplate: files of shingle counts; None for no limit.
    """

    corpus: Corpus
    limit: int
    workers: int
    renamed: str
    boilerplate: BoilerplateFiles | None

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the rows and bins of each unit."""
        if key >= 0:
            yield key, rows
            return
        if key == NAMES:
            save_renamed(self.renamed, rows)
            return
        number, root, tokens, sort = (rows[name].to_numpy() for name in rows.column_names)
        documents, roots = connect(number, root)
        place = np.searchsorted(documents, number)
        words, sorts = np.zeros(len(documents), np.int64), np.zeros(len(documents), np.int8)
        words[place[sort > 0]] = tokens[sort > 0]
        sorts[place[sort > 0]] = 1
        sorts[place[sort == COMPARED]] = COMPARED
        if self.boilerplate is not None:
            files.write_json(self.boilerplate.bits, table_bits(int(words.sum())))
        _, component, size = np.unique(roots, return_inverse=True, return_counts=True)
        alone = size[component] == 1
        words[sorts < COMPARED] = 0
        weight = np.bincount(component, words + _DOCUMENT).astype(np.int64)
        divided = max(_LEAST_WEIGHT, -(-int(weight.sum()) // self.workers))
        bins = np.full(len(size), -1)
        packed = size > 1
        bins[packed] = pack_bins(weight[packed], min(self.limit, divided))
        sent = np.flatnonzero(~alone | (self.boilerplate is not None))
        unit = self.corpus.units_of(documents[sent])
        row = documents[sent] - self.corpus.offsets[unit]
        yield from deal(unit, bin_columns(row, bins[component[sent]], sorts[sent]))


@dataclass
class FillBins:
    """Send the documents of a unit to their bins, with all that decides about them.

    Attributes:
        corpus: documents of all units.
        repeats: folder of the answers about equal texts.
        renamed: file of documents whose id is taken by a name.
        exact: True to send words, which the similarity of shingles needs; False for signatures,
            which its estimate needs.
        paraphrases: files of pairs that embeddings found; None where they are not compared.
    """

    corpus: Corpus
    repeats: str
    renamed: str
    exact: bool
    paraphrases: ParaphraseFiles | None = None

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the documents of each bin."""
        grouped = rows.filter(pc.equal(rows["bin"], GROUPED))
        rows = rows.filter(pc.greater_equal(rows["bin"], 0)).sort_by("row")
        if rows.num_rows == 0:
            return
        corpus = self.corpus
        row, bins, sort = (rows[name].to_numpy() for name in ("row", "bin", "sort"))
        compared = sort == COMPARED
        read = [*corpus.order_columns, *(contents_columns(self.exact) if compared.any() else [])]
        sketch = corpus.table(key, read)
        repeated = None
        if key < corpus.current:
            (repeated,) = load_unit(self.repeats, key, ["repeated_id"])
            repeated = add_renamed(self.renamed, int(corpus.offsets[key]), repeated)[row]
        columns: dict[str, Any] = {"number": row + corpus.offsets[key], "compared": compared}
        columns |= {name: sketch[name].to_numpy()[row] for name in corpus.order_columns}
        columns["id"] = corpus.names(key, row, repeated)
        columns["groups"] = _runs(grouped, row, "group")
        if self.paraphrases is not None:
            pairs = self.paraphrases.pairs(key)
            columns["parents"] = _runs(pairs, row, "parent")
            columns["cosines"] = _runs(pairs, row, "cosine")
        for part, table in deal(bins, columns):
            chosen = bins == part
            contents = send_contents(sketch, row[chosen], compared[chosen])
            arrays = [*table.columns, *contents]
            yield part, pa.table(arrays, names=[*table.column_names, *CONTENTS.names])


def _runs(rows: pa.Table, row: NDArray[np.int64], name: str) -> pa.Array:
    """Pack the numbers of documents, such as their groups: binary[m].

    Args:
        rows: columns `row` and `name`.
        row: int64[m], rows of the documents, ascending; all rows of `rows` are among them.
        name: column of the numbers.
    """
    order = np.argsort(rows["row"].to_numpy(), kind="stable")
    values = rows[name].to_numpy()[order]
    starts = np.searchsorted(rows["row"].to_numpy()[order], np.append(row, row[-1] + 1))
    buffers = [None, pa.py_buffer(values.itemsize * starts), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.large_binary(), len(row), buffers)


@dataclass
class DecideBins:
    """Decide about the documents of a bin, and answer to their units.

    Attributes:
        corpus: documents of all units.
        settings: settings of the near rule.
        boilerplate: files of shingle counts; None for no limit.
        seed: seed of the run.
    """

    corpus: Corpus
    settings: Settings
    boilerplate: BoilerplateFiles | None
    seed: int

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the verdicts on each unit's documents, and the counts of the work."""
        rows = _in_order(rows)
        number = rows["number"].to_numpy()
        columns = {name: rows[name].to_numpy() for name in self.corpus.order_columns}
        rules = self.corpus.rules(number, columns.get("prompt"))
        comparison = Comparison.of(columns, rules)
        boilerplate = None if self.boilerplate is None else self.boilerplate.load()
        with Contents(self.settings, boilerplate) as contents:
            offsets, group = item_runs(rows["groups"])
            entries = Entries(group, np.repeat(np.arange(len(number)), np.diff(offsets)))
            measures = contents.measures(rows) if len(entries.group) else []
            rows = rows.drop_columns(CONTENTS.names)  # words are in a file of `contents`
            paraphrases = None if self.settings.cosine is None else _paraphrases(rows)
            verdicts, _ = decide(comparison, entries, self.settings, measures, paraphrases)
            checked = check_components(
                comparison, entries, verdicts, self.settings, measures, self.seed
            )
        yield COUNTS, pa.table({name: [often] for name, often in verdicts.counts.items()})
        yield CHECKED, checked
        yield from self._answers(rows, number, verdicts)

    def _answers(
        self, rows: pa.Table, number: NDArray[np.int64], verdicts: Verdicts
    ) -> Iterator[Keyed]:
        chosen = np.flatnonzero((verdicts.partner >= 0) | verdicts.open)
        partner = np.maximum(verdicts.partner[chosen], 0)  # any for documents that are kept
        unit = self.corpus.units_of(number[chosen])
        kept = rows.select(["fingerprint_hi", "fingerprint_lo", "id"]).take(pa.array(partner))
        columns = {
            "row": number[chosen] - self.corpus.offsets[unit],
            "partner": np.where(verdicts.partner[chosen] < 0, -1, number[partner]),
            "stage": verdicts.stage[chosen],
            "similarity": verdicts.similarity[chosen],
            "open": verdicts.open[chosen],
            "kept_hi": kept["fingerprint_hi"].to_numpy(),
            "kept_lo": kept["fingerprint_lo"].to_numpy(),
            "kept_id": kept["id"].combine_chunks(),
        }
        yield from deal(unit, columns)


def _in_order(rows: pa.Table) -> pa.Table:
    """Return the rows of a bin by ascending numbers: each unit sent its own in order."""
    batches = [batch for batch in rows.to_batches() if batch.num_rows]
    batches.sort(key=lambda batch: batch["number"][0].as_py())
    return pa.Table.from_batches(batches, rows.schema)


def _paraphrases(rows: pa.Table) -> Paraphrases:
    """Return the pairs of a bin by embeddings, by places of its documents.

    Args:
        rows: documents of the bin by ascending numbers, with `parents` and `cosines`.
    """
    offsets, parents = item_runs(rows["parents"])
    child = np.repeat(np.arange(rows.num_rows), np.diff(offsets))
    parent = np.searchsorted(rows["number"].to_numpy(), parents.view(np.int64))
    cosines = packed_runs(rows["cosines"])[1].view(np.float32)
    return Paraphrases(child, parent, cosines)
