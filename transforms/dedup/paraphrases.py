"""Exchange of embeddings: documents meet in cells, where verified paraphrases are found.

Unlike candidates of the near rule, which connect documents before they are verified, only verified
pairs leave a cell. So paraphrases connect few documents, and bins stay small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.agreement import STRICT_TOKENS, Marks
from outcross.transforms.dedup.components import connect
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.cosines import CELLS, nearest_pivots, similar_pairs
from outcross.transforms.dedup.evaluation_items import Containment
from outcross.transforms.dedup.order import total_order
from outcross.transforms.exchange.deal import deal
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import fixed_matrix, item_runs

DOCUMENTS_A_PIVOT = 256
MOST_PIVOTS = 1 << 14

_MARKS = ["letters", "wording", "items", "placed"]
_NONE = -1  # in place of a parent, in a row that says that a document may have further ones
_PAIRS = pa.schema([("row", pa.int64()), ("parent", pa.int64()), ("cosine", pa.float32())])


@dataclass(frozen=True)
class ParaphraseFiles:
    """Files of the search for paraphrases, all in one folder.

    Attributes:
        folder: path of the folder, with a folder `pairs`.
    """

    folder: str

    @property
    def pivots(self) -> str:
        """Path of the pivots' vectors; there is no file without pivots."""
        return files.join(self.folder, "pivots.npy")

    def _pairs(self, unit: int) -> pa.Table:
        path = unit_file(files.join(self.folder, "pairs"), unit, "parquet")
        return files.read_table(path)

    def save(self, unit: int, rows: pa.Table) -> None:
        """Write the pairs of a unit's documents."""
        files.write_table(unit_file(files.join(self.folder, "pairs"), unit, "parquet"), rows)

    def pairs(self, unit: int) -> pa.Table:
        """Return the pairs of a unit's documents: `row`, `parent` and `cosine`, ascending."""
        table = self._pairs(unit)
        return table.filter(pa.array(table["parent"].to_numpy() != _NONE))

    def further(self, unit: int) -> NDArray[np.int64]:
        """Return the rows of a unit that may have further parents, ascending."""
        table = self._pairs(unit)
        return np.asarray(table["row"].to_numpy()[table["parent"].to_numpy() == _NONE])


@dataclass(frozen=True)
class Embedded:
    """Documents whose embeddings are compared: first texts that an encoder has read as a whole.

    Texts of more than `STRICT_TOKENS` words are left out, as a vector then says what the text is
    about, not what it says. Texts that the encoder has cut, or with tokens that it doesn't know,
    are left out too: what it hasn't read may differ.

    Attributes:
        corpus: documents of all units.
        repeats: folder of the answers about equal texts.
        containment: search for evaluation texts, whose documents are left out.
    """

    corpus: Corpus
    repeats: str
    containment: Containment

    def load(self, unit: int) -> tuple[NDArray[np.int64], pa.Table, NDArray[np.int8]]:
        """Return the rows of a unit's documents, the unit's sketches, and the rows' vectors."""
        corpus = self.corpus
        names = ["embedding", "whole", "tokens", "letters", "wording", "items"]
        names += corpus.order_columns
        table = corpus.table(unit, names)
        (first,) = load_unit(self.repeats, unit, ["first"])
        part = corpus.participates(unit) & ~self.containment.find(unit)
        part &= table["whole"].to_numpy()
        part &= (first == corpus.numbers(unit)) & (table["tokens"].to_numpy() <= STRICT_TOKENS)
        rows = np.flatnonzero(part)
        vectors = fixed_matrix(table["embedding"], np.int8)[rows]
        read = vectors.any(axis=1)
        return rows[read], table, vectors[read]


@dataclass
class SendPivots:
    """Send the documents that are pivots to one worker.

    Attributes:
        embedded: documents that are compared.
        seed: seed of the run.
        documents: number of documents a pivot.
    """

    embedded: Embedded
    seed: int
    documents: int = DOCUMENTS_A_PIVOT

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the pivots of a unit."""
        total = max(int(self.embedded.corpus.offsets[-1]), 1)
        share = min(1 / self.documents, MOST_PIVOTS / total)
        rows, table, vectors = self.embedded.load(unit.index)
        hi, lo = (table[f"fingerprint_{half}"].to_numpy()[rows] for half in ("hi", "lo"))
        hashes = seeded_hash(hi, lo, self.seed, "pivots")
        chosen = hashes < np.uint64(share * 2.0**63) * np.uint64(2)
        if chosen.any():
            yield 0, pa.table({"hash": hashes[chosen], "vector": _binary(vectors[chosen])})


@dataclass
class SavePivots:
    """Write the different vectors of the pivots, by hash.

    Attributes:
        paths: files of the search.
    """

    paths: ParaphraseFiles

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write all pivots."""
        if rows is None:
            return
        vectors = fixed_matrix(rows["vector"], np.int8)
        order = np.lexsort((*vectors.T[::-1], rows["hash"].to_numpy()))
        _, at = np.unique(vectors[order], axis=0, return_index=True)
        files.write_array(self.paths.pivots, vectors[order][np.sort(at)])
        yield key


@dataclass
class SendVectors:
    """Send the vectors of documents to the cells of their nearest pivots.

    Attributes:
        embedded: documents that are compared.
        paths: files of the search.
        partitions: number of partitions, which hold whole cells.
    """

    embedded: Embedded
    paths: ParaphraseFiles
    partitions: int

    def setup(self) -> None:
        """Do nothing: the pivots may not be chosen yet."""

    @cached_property
    def _pivots(self) -> NDArray[np.int8]:
        path = self.paths.pivots
        return files.read_array(path) if files.exists(path) else np.zeros((0, 1), np.int8)

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the documents for each partition."""
        corpus = self.embedded.corpus
        rows, table, vectors = self.embedded.load(unit.index)
        if len(rows) == 0:
            return
        cells = nearest_pivots(self._pivots, vectors, CELLS)
        place = np.repeat(np.arange(len(rows)), cells.shape[1])
        chosen = table.take(pa.array(rows))
        letters, wording = (chosen[name].to_numpy() for name in ("letters", "wording"))
        marks = Marks.of(letters, wording, item_runs(chosen["items"]))
        columns: dict[str, Any] = {name: chosen[name].to_numpy() for name in corpus.order_columns}
        columns |= {name: getattr(marks, name) for name in _MARKS}
        columns["number"] = rows + corpus.offsets[unit.index]
        columns = {name: values[place] for name, values in columns.items()}
        columns["cell"] = cells.ravel()
        columns["vector"] = _binary(vectors[place])
        yield from deal((cells.ravel() % self.partitions).astype(np.uint16), columns)


@dataclass
class FindParaphrases:
    """Find the pairs of each cell of a partition, and tell the units.

    Attributes:
        corpus: documents of all units.
        threshold: least cosine.
    """

    corpus: Corpus
    threshold: float

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the parents of each unit's documents."""
        corpus = self.corpus
        rows = rows.combine_chunks()
        order = np.lexsort((rows["number"].to_numpy(), rows["cell"].to_numpy()))
        names = ["number", "cell", *_MARKS, *corpus.order_columns]
        columns = {name: rows[name].to_numpy()[order] for name in names}
        vectors = fixed_matrix(rows["vector"], np.int8)
        number, cell = columns["number"], columns["cell"]
        rules = corpus.rules(number, columns.get("prompt"))
        cuts = np.append(np.flatnonzero(np.append(True, cell[1:] != cell[:-1])), len(cell))
        pairs = [_PAIRS.empty_table()]
        for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            inside = slice(start, stop)
            part = {name: values[inside] for name, values in columns.items()}
            ruled = replace(rules, party=rules.party[inside], prompt=rules.prompt[inside])
            place = total_order(part, ruled).document
            marks = Marks(*(part[name] for name in _MARKS))

            def may(
                child: NDArray[np.int64],
                parent: NDArray[np.int64],
                place: NDArray[np.int64] = place,
                ruled: Any = ruled,
                marks: Marks = marks,
            ) -> NDArray[np.bool_]:
                removed, kept = place[child], place[parent]
                return ruled.may(kept, removed) & marks.agree(kept, removed)

            child, parent, cosine, further = similar_pairs(
                vectors[order[inside]][place], self.threshold, may
            )
            documents = part["number"][place]
            open_ = documents[further]
            lines = {
                "row": np.concatenate([documents[child], open_]),
                "parent": np.concatenate([documents[parent], np.full(len(open_), _NONE)]),
                "cosine": np.concatenate([cosine, np.zeros(len(open_), np.float32)]),
            }
            pairs.append(pa.table(lines, schema=_PAIRS))
        table = pa.concat_tables(pairs)
        documents = table["row"].to_numpy()
        unit = corpus.units_of(documents)
        row = documents - corpus.offsets[unit]
        sent = {name: table[name].to_numpy() for name in ("parent", "cosine")}
        yield from deal(unit, {"row": row, **sent})


@dataclass
class SaveParaphrases:
    """Write the different pairs of a unit's documents.

    Attributes:
        paths: files of the search.
    """

    paths: ParaphraseFiles

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the pairs of one unit."""
        table = _PAIRS.empty_table() if rows is None else rows.combine_chunks()
        row, parent = table["row"].to_numpy(), table["parent"].to_numpy()
        order = np.lexsort((parent, row))
        row, parent = row[order], parent[order]
        distinct = np.append(True, (row[1:] != row[:-1]) | (parent[1:] != parent[:-1]))
        self.paths.save(key, table.take(pa.array(order[distinct[: len(order)]])))
        yield key


def pair_forest(
    corpus: Corpus, paths: ParaphraseFiles, unit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the documents of a unit's pairs, and the smallest of each component.

    Args:
        corpus: documents of all units.
        paths: files of the search.
        unit: number of the unit.
    """
    pairs = paths.pairs(unit)
    return connect(pairs["row"].to_numpy() + corpus.offsets[unit], pairs["parent"].to_numpy())


def _binary(matrix: NDArray[np.int8]) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pa.Array.from_buffers(pa.binary(matrix.shape[1]), len(matrix), [None, data])
