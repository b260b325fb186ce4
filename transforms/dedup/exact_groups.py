"""Exchange of equal texts and equal ids: partitions tell units which rows repeat another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.dedup.bands import shared
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.decide import Comparison
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.identity import hash_ids


@dataclass
class SendTexts:
    """Send fingerprints and order columns to partitions, and hashes of ids to others.

    Attributes:
        corpus: documents of all units.
        bits: bits that choose a partition.
    """

    corpus: Corpus
    bits: int

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the rows for each partition."""
        corpus, index = self.corpus, unit.index
        number = corpus.numbers(index)
        count("documents", len(number))
        identified = corpus.has_ids(index)
        table = corpus.table(index, [*corpus.order_columns, *(["id"] if identified else [])])
        part = np.flatnonzero(corpus.participates(index))
        columns = {name: table[name].to_numpy()[part] for name in corpus.order_columns}
        rules = corpus.rules(number[part], columns.get("prompt"))
        mixed = columns["fingerprint_hi"] ^ rules.removal_group
        columns |= {"number": number[part], "group": mixed}
        yield from deal(leading(mixed, self.bits), columns)
        if identified:
            ids = table["id"].combine_chunks()
            present = ids.is_valid().to_numpy(zero_copy_only=False)
            hashed = hash_ids(ids, int(corpus.party[index]))[present]
            sent = {"id": hashed, "number": number[present]}
            partition = leading(hashed, self.bits) + np.uint16(1 << self.bits)
            yield from deal(partition, sent)


@dataclass
class FindRepeats:
    """Find equal texts and equal ids in a partition, and tell the units.

    Attributes:
        corpus: documents of all units.
        bits: bits that choose a partition.
    """

    corpus: Corpus
    bits: int

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the numbers of documents that repeat others, for each unit."""
        if key < 1 << self.bits:
            number, first, occurrence = first_of_equal(self.corpus, rows)
        else:
            number = rows["number"].to_numpy()[shared(rows["id"].to_numpy())]
            first, occurrence = np.full(len(number), -1), np.full(len(number), -1)
        unit = self.corpus.units_of(number)
        row = number - self.corpus.offsets[unit]
        yield from deal(unit, {"row": row, "first": first, "occurrence": occurrence})


def first_of_equal(
    corpus: Corpus, rows: pa.Table
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the documents of a partition whose fingerprint and group others have too.

    Args:
        corpus: documents of all units.
        rows: columns `number`, `group` (fingerprint mixed with the removal group) and the corpus's
            `order_columns`.

    Returns:
        int64[m] each: numbers, the first equal text that may stand for each, and how many rows
        with the same fingerprint and hash come before it.
    """
    places = shared(rows["group"].to_numpy())
    number = rows["number"].to_numpy()[places]
    places, number = places[np.argsort(number)], np.sort(number)
    columns = {name: rows[name].to_numpy()[places] for name in corpus.order_columns}
    comparison = Comparison.of(columns, corpus.rules(number, columns.get("prompt")))
    first = number[comparison.order.document[comparison.first]]
    same = rows["group"].to_numpy()[places], columns["fingerprint_lo"], columns["row_hash"]
    order = np.lexsort(same)
    changes = np.ones(len(order), bool)
    changes[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in same])
    starts = np.flatnonzero(changes)
    occurrence = np.empty(len(order), np.int64)
    occurrence[order] = np.arange(len(order)) - starts[np.cumsum(changes) - 1]
    return number, first, occurrence


@dataclass
class SaveRepeats:
    """Write a unit's row-aligned answers: `first`, `occurrence` and `repeated_id`.

    Attributes:
        corpus: documents of all units.
        folder: folder of the files.
    """

    corpus: Corpus
    folder: str

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the answers of one unit."""
        first = self.corpus.numbers(key)
        occurrence, repeated = np.zeros(len(first), np.int64), np.zeros(len(first), bool)
        if rows is not None:
            row, partner, before = (rows[name].to_numpy() for name in rows.column_names)
            text = partner >= 0
            first[row[text]], occurrence[row[text]] = partner[text], before[text]
            repeated[row[~text]] = True
        columns = {"first": first, "occurrence": occurrence, "repeated_id": repeated}
        files.write_table(unit_file(self.folder, key, "parquet"), pa.table(columns))
        yield key
