"""Passages in place of documents: rows of units whose source has `pieces`.

A unit of passages has the input files of a unit of documents. Its valid rows are the passages of
the valid rows there, in their order. A passage's row is the document's, with the passage in the
column of the text, and stands at the same place of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import PIECE_TOKENS, Source
from outcross.transforms.reading.lookup import TextKind, texts_of_rows
from outcross.transforms.reading.read import BATCH_BYTES, read_unit
from outcross.transforms.rows.blocks import BATCH_ROWS, Block
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.text.passages import Passages, split_passages
from outcross.transforms.text.tokens import count_tokens


def passage_units(units: Sequence[Unit], sources: Sequence[Source]) -> list[Unit]:
    """Return a unit of passages for each unit of a source with `pieces`.

    Args:
        units: all units of documents, in order.
        sources: sources of the configuration.

    Returns:
        The units of passages, in order, numbered after those of documents.
    """
    cut = [unit for unit in units if sources[unit.source].pieces is not None]
    return [
        replace(unit, index=len(units) + place, passages_of=unit.index)
        for place, unit in enumerate(cut)
    ]


def read_rows(unit: Unit, source: Source, batch_bytes: int = BATCH_BYTES) -> Iterator[Block]:
    """Yield a unit's rows in blocks, as `read_unit` does: its documents, or their passages.

    Blocks of passages have no rejects, as those of the documents have them.

    Args:
        unit: unit of the input.
        source: source of the unit.
        batch_bytes: bytes of a block, about.
    """
    blocks = read_unit(unit, source, batch_bytes)
    if unit.passages_of is None:
        yield from blocks
        return
    for block in blocks:
        yield from _passages_of(block, source, batch_bytes)


def _split(texts: pa.Array, source: Source) -> Passages:
    assert source.pieces is not None
    tokenizer = source.tokenizer
    count = None if tokenizer is None else partial(count_tokens, file=tokenizer)
    return split_passages(texts, source.pieces, source.piece_tokens or PIECE_TOKENS, count)


def _passages_of(block: Block, source: Source, batch_bytes: int) -> Iterator[Block]:
    """Split the documents of a block into blocks of passages."""
    whole = replace(block, rejects=[], filtered=0, met=())
    batch, n = block.batch, len(block.rows)
    column = batch.schema.get_field_index(str(source.text_field))
    if n == 0 or column < 0 or batch.column(column).type != block.text.type:
        yield whole  # a value that isn't plain text is refused when all columns are known
        return
    passages = _split(block.text, source)
    document = np.repeat(np.arange(n), np.diff(passages.offsets))
    around = (batch.nbytes - block.text.nbytes) // n
    size = around + block.text.nbytes // len(document)
    step = min(BATCH_ROWS, max(1, batch_bytes // max(1, size)))
    for first in range(0, len(document), step):
        rows = document[first : first + step]
        text = passages.texts(np.arange(first, first + len(rows))).cast(block.text.type)
        part = batch.take(pa.array(rows)).set_column(column, batch.schema.field(column), text)
        cut = replace(whole, batch=part, text=text, rows=block.rows[rows])
        yield cut if first == 0 else replace(cut, lines=0, bytes=0, pieces=())


@dataclass(frozen=True, eq=False)
class PassageRows:
    """Documents of a unit's m passages.

    Attributes:
        document: int64[m], rows of the documents among the valid rows of their own unit, ascending.
        number: int32[m], numbers of the passages in their documents, from 1.
        of: int32[m], numbers of the documents' passages.
    """

    document: NDArray[np.int64]
    number: NDArray[np.int32]
    of: NDArray[np.int32]

    @classmethod
    def load(cls, sketches: str, unit: Unit) -> PassageRows:
        """Read the places of a unit's passages and of their documents.

        Args:
            sketches: folder of the sketches.
            unit: unit of passages.
        """
        assert unit.passages_of is not None
        (rows,) = load_unit(sketches, unit.passages_of, ["row"])
        (row,) = load_unit(sketches, unit.index, ["row"])
        document = np.searchsorted(rows, row)
        counts = np.bincount(document, minlength=len(rows))
        starts = np.cumsum(counts) - counts
        number = np.arange(len(row)) - starts[document] + 1
        return cls(document, number.astype(np.int32), counts[document].astype(np.int32))

    @property
    def documents(self) -> int:
        """Number of the documents, each of which has a passage."""
        return int(self.document[-1]) + 1 if len(self.document) else 0

    def first_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Find the first chosen passage of each document.

        Args:
            chosen: bool[m], chosen passages.

        Returns:
            bool[m].
        """
        first = np.zeros(len(chosen), bool)
        rows = np.flatnonzero(chosen)
        first[rows[np.unique(self.document[rows], return_index=True)[1]]] = True
        return first

    def most(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the largest value among the passages of each document.

        Args:
            values: int32[m], none below 0.
        """
        most = np.zeros(self.documents, values.dtype)
        np.maximum.at(most, self.document, values)
        return most


def of_documents(sketches: str, unit: Unit, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read columns of the sketches of a unit's documents, row-aligned with the unit.

    Args:
        sketches: folder of the sketches.
        unit: unit of documents, or of passages, each of which gets the values of its document.
        columns: names of the columns.
    """
    if unit.passages_of is None:
        return load_unit(sketches, unit.index, columns)
    document = PassageRows.load(sketches, unit).document
    return [values[document] for values in load_unit(sketches, unit.passages_of, columns)]


def texts_of(
    sketches: str, unit: Unit, source: Source, rows: NDArray[np.int64], kinds: Sequence[TextKind]
) -> dict[TextKind, list[str]]:
    """Return the texts of some rows of a unit, as `texts_of_rows` does: documents or passages.

    Args:
        sketches: folder of the sketches.
        unit: unit with its pieces.
        source: source of the unit.
        rows: int64[n], rows among the unit's valid rows, ascending.
        kinds: kinds of texts to return.
    """
    if unit.passages_of is None or len(rows) == 0:
        return texts_of_rows(sketches, unit, source, rows, kinds)
    places = PassageRows.load(sketches, unit)
    documents, of_row = np.unique(places.document[rows], return_inverse=True)
    whole = replace(unit, index=unit.passages_of, passages_of=None)
    texts = texts_of_rows(sketches, whole, source, documents, kinds)
    result = {kind: [column[d] for d in of_row.tolist()] for kind, column in texts.items()}
    if "text" in texts:
        passages = _split(pa.array(texts["text"], pa.large_string()), source)
        numbers = passages.offsets[of_row] + places.number[rows] - 1
        result["text"] = passages.texts(numbers).to_pylist()
    return result
