"""Evaluation texts that containment looks for: collected by one worker, with what names them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.dedup.contain import ContainIndex, build_index, find_items
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.order import total_order
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import packed_runs


@dataclass(frozen=True)
class ContainmentFiles:
    """Files of the search for evaluation texts, all in one folder.

    Attributes:
        folder: path of the folder.
        ngram: words in an n-gram.
        least: least share of an item's n-grams that a document must hold.
    """

    folder: str
    ngram: int
    least: float

    @property
    def index(self) -> str:
        """Path of the `ContainIndex`."""
        return files.join(self.folder, "items.npz")

    @property
    def items(self) -> str:
        """Path of the items' numbers, fingerprints and ids, in the order of the index."""
        return files.join(self.folder, "items.parquet")

    @property
    def unsought(self) -> str:
        """Path of the number of items of each party that are not looked for."""
        return files.join(self.folder, "unsought.json")

    def found(self, unit: int) -> str:
        """Return the path of a unit's columns `item` and `share`."""
        return unit_file(files.join(self.folder, "contained"), unit, "parquet")


@dataclass
class SendItems:
    """Send the first of equal texts of evaluation sets to one worker.

    Attributes:
        corpus: documents of all units.
        repeats: folder of the answers about equal texts.
    """

    corpus: Corpus
    repeats: str

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the texts of a unit of an evaluation set."""
        corpus, index = self.corpus, unit.index
        if not is_evaluation(corpus, index):
            return
        first, repeated = load_unit(self.repeats, index, ["first", "repeated_id"])
        number = corpus.numbers(index)
        rows = np.flatnonzero(first == number)
        sketch = corpus.table(index, [*corpus.order_columns, "words"]).take(pa.array(rows))
        columns = {name: sketch[name] for name in sketch.column_names}
        columns["number"] = pa.array(number[rows])
        # Its own id may turn out to be taken, so both names are sent.
        everything = np.ones(len(rows), bool)
        columns["id"] = corpus.names(index, rows, repeated[rows])
        columns["id_with_place"] = corpus.names(index, rows, everything)
        yield 0, pa.table(columns)


def is_evaluation(corpus: Corpus, unit: int) -> bool:
    """Return whether a unit belongs to an evaluation set of this run."""
    return unit < corpus.current and corpus.party_of(unit).source.role == "exclude"


@dataclass
class IndexItems:
    """Index the evaluation texts, and write the index and what names its items.

    Attributes:
        corpus: documents of all units.
        paths: files of the search.
    """

    corpus: Corpus
    paths: ContainmentFiles

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[str]:
        """Index all evaluation texts."""
        if rows is None or rows.num_rows == 0:
            return
        rows = rows.take(pa.array(np.argsort(rows["number"].to_numpy())))
        number = rows["number"].to_numpy()
        names = ["fingerprint_hi", "fingerprint_lo", "row_hash", "length", "priority"]
        columns = {name: rows[name].to_numpy() for name in names}
        order = total_order(columns, self.corpus.rules(number, None)).document
        rows = rows.take(pa.array(order))
        index = build_index(*packed_runs(rows["words"]), self.paths.ngram)
        party = self.corpus.parties_of(rows["number"].to_numpy())[index.unsought]
        unsought = np.bincount(party, minlength=len(self.corpus.parties))
        files.write_json(self.paths.unsought, unsought.tolist())
        named = ["number", "fingerprint_hi", "fingerprint_lo", "id", "id_with_place"]
        files.write_table(self.paths.items, rows.select(named))
        index.save(self.paths.index)
        yield self.paths.index


@dataclass
class Containment:
    """Search of documents for evaluation texts, by a worker.

    Attributes:
        corpus: documents of all units.
        paths: files of the search; None where nothing is searched.
    """

    corpus: Corpus
    paths: ContainmentFiles | None

    @cached_property
    def _index(self) -> ContainIndex | None:
        """Index of the evaluation texts, if there are any; it is written before it is used."""
        if self.paths is None or not files.exists(self.paths.index):
            return None
        return ContainIndex.load(self.paths.index)

    def find(self, unit: int) -> NDArray[np.bool_]:
        """Find the documents of a unit that hold an evaluation text, and write which: bool[n]."""
        rows = int(self.corpus.offsets[unit + 1] - self.corpus.offsets[unit])
        searched = unit < self.corpus.current and self.corpus.party_of(unit).source.role in WRITABLE
        if self.paths is None or not searched or self._index is None:
            return np.zeros(rows, bool)
        path = self.paths.found(unit)
        if files.exists(path):
            item = files.read_table(path, ["item"]).column(0).to_numpy()
        else:
            words = packed_runs(self.corpus.table(unit, ["words"]).column(0))
            item, share = find_items(self._index, *words, self.paths.least)
            files.write_table(path, pa.table({"item": item, "share": share}))
        return np.asarray(item >= 0)

    def load(self, unit: int) -> dict[str, Any] | None:
        """Return the documents of a unit that hold an evaluation text; None for none.

        Returns:
            `row` int64[m], `share` float32[m], and Arrow or NumPy columns of their items.
        """
        if self.paths is None or not files.exists(self.paths.found(unit)):
            return None
        table = files.read_table(self.paths.found(unit))
        item, share = table["item"].to_numpy(), table["share"].to_numpy()
        rows = np.flatnonzero(item >= 0)
        if len(rows) == 0:
            return None
        items = self._items.take(pa.array(item[rows]))
        return {"row": rows, "share": share[rows]} | {
            name: items[name].combine_chunks() for name in items.column_names
        }

    @cached_property
    def _items(self) -> pa.Table:
        assert self.paths is not None
        return files.read_table(self.paths.items)
