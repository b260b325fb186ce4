"""Samples of documents that no order of rows can change: those with the smallest hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.vendi import DIMS
from outcross.transforms.sketches.store import fixed_matrix, packed_runs

DOCUMENTS = 1 << 13
TOKENS = 1 << 17

_COLUMNS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("audit_cluster", pa.int32(), nullable=False),
        pa.field("class", pa.int8(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("embedding", pa.binary(DIMS), nullable=False),
        pa.field("words", pa.large_binary(), nullable=False),  # uint32 word hashes
    ]
)


@dataclass(frozen=True, eq=False)
class Sample:
    """The documents with the smallest keys, by ascending key.

    Merging the samples of two sets gives the sample of their union. The union's sample is a prefix
    by key, and each of its documents stands in the prefix of its own set as well.

    Attributes:
        table: columns `_COLUMNS` by ascending key; `tokens` are words. Documents beyond their limit
            have no words.
        documents: number of documents that are kept.
        tokens: number of words before a document from which its own words are dropped.
    """

    table: pa.Table
    documents: int = DOCUMENTS
    tokens: int = TOKENS

    @classmethod
    def empty(cls, documents: int = DOCUMENTS, tokens: int = TOKENS) -> Sample:
        """Make a sample of no documents."""
        return cls(_COLUMNS.empty_table(), documents, tokens)

    @classmethod
    def of(
        cls,
        key: NDArray[np.uint64],
        cells: dict[str, NDArray[Any]],
        sketch: pa.Table,
        documents: int = DOCUMENTS,
        tokens: int = TOKENS,
    ) -> Sample:
        """Sample a set of documents.

        Args:
            key: uint64[n], from `sample_key`; one for each appearance of a document.
            cells: `row` int64[n], the documents' rows in `sketch`, and `cluster`, `audit_cluster`
                and `class`, int[n].
            sketch: table with the columns `embedding` and `words`.
            documents: limit of the documents.
            tokens: limit of the words.
        """
        # Dropping large keys first leaves fewer to sort.
        small = np.arange(len(key))
        if len(key) > documents:
            small = np.flatnonzero(key <= np.partition(key, documents - 1)[documents - 1])
        order = small[np.argsort(key[small], kind="stable")][:documents]
        rows = cells["row"][order]
        wide = fixed_matrix(sketch.column("embedding"), np.int8)[rows]
        narrow = np.ascontiguousarray(wide[:, :DIMS])
        embedding = pa.Array.from_buffers(pa.binary(DIMS), len(rows), [None, pa.py_buffer(narrow)])
        counts, words = _words_of(sketch.column("words"), rows, tokens)
        table = pa.table(
            {
                "key": key[order],
                "cluster": cells["cluster"][order].astype(np.int32),
                "audit_cluster": cells["audit_cluster"][order].astype(np.int32),
                "class": cells["class"][order].astype(np.int8),
                "tokens": counts,
                "embedding": embedding,
                "words": words,
            },
            schema=_COLUMNS,
        )
        return cls(table, documents, tokens)

    def merge(self, other: Sample) -> Sample:
        """Sample the union of two sets, as a new object.

        Raises:
            ValueError: the limits differ.
        """
        if (self.documents, self.tokens) != (other.documents, other.tokens):
            raise ValueError(
                f"samples of {self.documents} and {other.documents} documents, {self.tokens} and "
                f"{other.tokens} tokens don't merge"
            )
        union = pa.concat_tables([self.table, other.table]).combine_chunks()
        order = np.argsort(union["key"].to_numpy(), kind="stable")[: self.documents]
        table = union.take(pa.array(order)).combine_chunks()
        before = np.cumsum(table["tokens"].to_numpy()) - table["tokens"].to_numpy()
        if len(before) and before[-1] >= self.tokens:
            keep = int(np.searchsorted(before, self.tokens))
            words = pa.concat_arrays(
                [
                    table["words"].slice(0, keep).combine_chunks(),
                    pa.array([b""] * (len(before) - keep), pa.large_binary()),
                ]
            )
            table = table.set_column(
                _COLUMNS.get_field_index("words"), _COLUMNS.field("words"), words
            )
        return Sample(table, self.documents, self.tokens)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """Return a numeric column, in the order of the keys."""
        return self.table[name].to_numpy()

    @property
    def embeddings(self) -> NDArray[np.int8]:
        """Return the embeddings, int8[n, DIMS]."""
        return fixed_matrix(self.table["embedding"], np.int8)

    @property
    def words(self) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the words of the first m documents, those that have their words.

        Returns:
            int64[m + 1] offsets and uint32[total] word hashes.
        """
        tokens = self.column("tokens")
        keep = int(np.searchsorted(np.cumsum(tokens) - tokens, self.tokens))
        return packed_runs(self.table["words"].slice(0, keep))

    def to_bytes(self) -> bytes:
        """Serialise the table."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes, documents: int = DOCUMENTS, tokens: int = TOKENS) -> Sample:
        """Read the result of `to_bytes`, with the limits of its sample."""
        return cls(pa.ipc.open_stream(data).read_all().combine_chunks(), documents, tokens)


def sample_key(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], copy: NDArray[Any]
) -> NDArray[np.uint64]:
    """Compute the keys by which documents are sampled.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
        copy: int[n], number of the document's appearance, from 1.

    Returns:
        uint64[n]; the smallest are sampled.
    """
    # Seeds of runs play no part, so two runs sample the same documents of a corpus.
    return seeded_hash(hi, lo + copy.astype(np.uint64), 0, "sample")


def _words_of(
    column: pa.ChunkedArray, rows: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], pa.Array]:
    """Count the words of some rows, and take them until the limit is passed."""
    offsets, words = packed_runs(column)
    lengths = np.diff(offsets)[rows]
    before = np.cumsum(lengths) - lengths
    keep = int(np.searchsorted(before, limit))
    ends = np.cumsum(np.where(np.arange(len(rows)) < keep, lengths, 0), dtype=np.int64)
    runs = [words[offsets[row] : offsets[row + 1]] for row in rows[:keep]]
    values = np.concatenate([np.zeros(0, np.uint32), *runs])
    starts = np.concatenate([[0], ends]).astype(np.int64) * 4
    buffers = [None, pa.py_buffer(starts), pa.py_buffer(values)]
    return lengths, pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)
