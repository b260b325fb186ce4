"""Exchange of band values: partitions connect the documents that share one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.dedup.bands import Entries, Pools, shared
from outcross.transforms.dedup.components import connect_groups
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.evaluation_items import Containment
from outcross.transforms.dedup.paraphrases import ParaphraseFiles, pair_forest
from outcross.transforms.dedup.renamed import send_names, taken_names
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.minhash import band_values

FOREST, NAMES = -1, -2
"""Keys that partitions send forests and names to. They send groups to units."""

GROUPED = -2
"""In place of a bin, in rows that hold a group."""

REPEAT, COUNTED, COMPARED = 0, 1, 2
"""Sort of a document in a forest: an equal text or its first one; in a band with others, none of
which it is compared with; in a band with others that it is compared with."""


def forest_rows(
    number: NDArray[np.int64],
    root: NDArray[np.int64],
    tokens: NDArray[np.int64] | None = None,
    sort: NDArray[np.int8] | None = None,
) -> pa.Table:
    """Return rows of a forest: each document is connected with its root.

    Args:
        number: int64[m], numbers of documents.
        root: int64[m], numbers of their roots.
        tokens: int64[m], words of the documents; None where they are not needed.
        sort: int8[m], sorts of the documents; None for `REPEAT`.
    """
    if tokens is None or sort is None:
        tokens, sort = np.zeros(len(number), np.int64), np.full(len(number), REPEAT, np.int8)
    return pa.table({"number": number, "root": root, "tokens": tokens, "sort": sort})


@dataclass
class SendCandidates:
    """Send the band values of first texts, repeats of equal texts, and names that may be taken.

    Attributes:
        corpus: documents of all units.
        repeats: folder of the answers about equal texts.
        containment: search for evaluation texts, whose documents are left out.
        bands, rows: numbers of bands, and of signature values in a band.
        bits: bits that choose a partition.
        paraphrases: files of pairs that embeddings found; None where they are not compared.
    """

    corpus: Corpus
    repeats: str
    containment: Containment
    bands: int
    rows: int
    bits: int
    paraphrases: ParaphraseFiles | None = None

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the rows for each partition."""
        corpus, index = self.corpus, unit.index
        number = corpus.numbers(index)
        first, repeated = load_unit(self.repeats, index, ["first", "repeated_id"])
        part = corpus.participates(index) & ~self.containment.find(index)
        repeats = np.flatnonzero(part & (first != number))
        if len(repeats) and not corpus.party_of(index).fixed:
            yield 2 << self.bits, forest_rows(number[repeats], first[repeats])
        if self.paraphrases is not None:
            documents, roots = pair_forest(corpus, self.paraphrases, index)
            if len(documents):
                yield 2 << self.bits, forest_rows(documents, roots)
        if corpus.has_ids(index):
            for partition, rows in send_names(corpus, index, repeated, self.bits):
                yield partition + (1 << self.bits), rows
        yield from self._bands(index, np.flatnonzero(part & (first == number)))

    def _bands(self, unit: int, rows: NDArray[np.int64]) -> Iterator[Keyed]:
        corpus = self.corpus
        prompts = ["prompt"] if corpus.by_prompt else []
        table = corpus.table(unit, ["signature", "tokens", *prompts])
        signatures = fixed_matrix(table["signature"], np.uint32)[rows]
        values = band_values(signatures, self.bands, self.rows).ravel()
        number = corpus.numbers(unit)[rows]
        columns: dict[str, Any] = {
            "number": np.repeat(number, self.bands),
            "tokens": np.repeat(table["tokens"].to_numpy()[rows], self.bands),
            "band": values,
        }
        if corpus.pooled:
            prompt = table["prompt"].to_numpy()[rows] if corpus.by_prompt else None
            pools = Pools.of(corpus.rules(number, prompt))
            columns["pool"] = np.repeat(pools.pool, self.bands)
            columns["common"] = np.repeat(pools.common, self.bands)
        yield from deal(leading(values, self.bits), columns)


@dataclass
class ConnectCandidates:
    """Connect the documents of a partition that share a band value.

    Attributes:
        corpus: documents of all units.
        bits: bits that choose a partition.
    """

    corpus: Corpus
    bits: int

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the partition's forest and each unit's groups, or the taken names."""
        if key >> self.bits == 0:
            forest, entries = connect_entries(rows)
            yield FOREST, forest
            unit = self.corpus.units_of(entries.document)
            row = entries.document - self.corpus.offsets[unit]
            yield from deal(unit, group_columns(row, entries.group))
        elif key >> self.bits == 1:
            pairs = taken_names(rows)
            if pairs.num_rows:
                yield NAMES, pairs
        else:
            yield FOREST, rows


def bin_columns(
    row: NDArray[np.int64], bins: NDArray[np.int64], sort: NDArray[np.int8]
) -> dict[str, NDArray[Any]]:
    """Return columns that tell a unit the bins of its documents.

    Args:
        row: int64[m], rows of the unit.
        bins: int64[m], bins of the documents.
        sort: int8[m], sorts of the documents.
    """
    return {"row": row, "bin": bins, "sort": sort, "group": np.zeros(len(row), np.uint64)}


def group_columns(row: NDArray[np.int64], group: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
    """Return the same columns with the groups of documents.

    Args:
        row: int64[m], rows of the unit.
        group: uint64[m], group that each document is in.
    """
    sort = np.full(len(row), COMPARED, np.int8)
    return {"row": row, "bin": np.full(len(row), GROUPED), "sort": sort, "group": group}


def connect_entries(rows: pa.Table) -> tuple[pa.Table, Entries]:
    """Return the forest of a partition: all documents that share a band value with others.

    Args:
        rows: columns `number`, `tokens`, `band`, and `pool` and `common` where pools differ.

    Returns:
        The forest, and the groups of documents that are compared.
    """
    places = shared(rows["band"].to_numpy())
    number, tokens, band = (rows[name].to_numpy()[places] for name in ("number", "tokens", "band"))
    pools = None
    if "pool" in rows.column_names:
        pools = Pools(*(rows[name].to_numpy()[places] for name in ("pool", "common")))
    entries = Entries.of(band, number, pools)
    connected, roots = connect_groups(entries.group, entries.document)
    counted, at = np.unique(number, return_index=True)
    root = counted.copy()
    compared = np.searchsorted(counted, connected)
    root[compared] = roots
    sort = np.full(len(counted), COUNTED, np.int8)
    sort[compared] = COMPARED
    return forest_rows(counted, root, tokens[at], sort), entries
