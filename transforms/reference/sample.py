"""A sample of documents that no order can change: those with the smallest hashes."""

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
    """The documents with the smallest keys, in their order; merging two gives the same as one pass.

    Of two samples' union only a prefix by key is kept, and whatever stands in that prefix stood in
    the prefix of its own sample as well: so samples of parts hold all that the whole's needs.

    Attributes:
        table: with `_COLUMNS`, ascending keys; documents beyond the token limit have no words.
        documents, tokens: limits. A document is kept while fewer than `documents` stand before
            it, and its words while fewer than `tokens` words do.
    """

    table: pa.Table
    documents: int = DOCUMENTS
    tokens: int = TOKENS

    @classmethod
    def empty(cls, documents: int = DOCUMENTS, tokens: int = TOKENS) -> Sample:
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
        """The sample of some documents.

        Args:
            key: uint64[n], from `sample_key`; one for each appearance of a document.
            cells: `row` int64[n], the documents' rows in `sketch`, and `cluster`, `audit_cluster`
                and `class`, int[n].
            sketch: with the columns `tokens`, `embedding` and `words`.
            documents, tokens: limits.
        """
        # Hashes are evenly spread: what is beyond need goes before anything is sorted.
        near = np.arange(len(key))
        if len(key) > documents:
            near = np.flatnonzero(key <= np.partition(key, documents - 1)[documents - 1])
        order = near[np.argsort(key[near], kind="stable")][:documents]
        rows = cells["row"][order]
        wide = fixed_matrix(sketch.column("embedding"), np.int8)[rows]
        narrow = np.ascontiguousarray(wide[:, :DIMS])
        embedding = pa.Array.from_buffers(pa.binary(DIMS), len(rows), [None, pa.py_buffer(narrow)])
        table = pa.table(
            {
                "key": key[order],
                "cluster": cells["cluster"][order].astype(np.int32),
                "audit_cluster": cells["audit_cluster"][order].astype(np.int32),
                "class": cells["class"][order].astype(np.int8),
                "tokens": sketch.column("tokens").to_numpy()[rows],
                "embedding": embedding,
                "words": _words_of(sketch.column("words"), rows, tokens),
            },
            schema=_COLUMNS,
        )
        return cls(table, documents, tokens)

    def merge(self, other: Sample) -> Sample:
        """The sample of both sets of documents, as a new object.

        Raises:
            ValueError: the limits differ.
        """
        if (self.documents, self.tokens) != (other.documents, other.tokens):
            raise ValueError(
                f"samples of {self.documents} and {other.documents} documents, {self.tokens} and "
                f"{other.tokens} tokens don't merge"
            )
        both = pa.concat_tables([self.table, other.table]).combine_chunks()
        order = np.argsort(both["key"].to_numpy(), kind="stable")[: self.documents]
        table = both.take(pa.array(order)).combine_chunks()
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
        """A numeric column, in the order of the keys."""
        return self.table[name].to_numpy()

    @property
    def embeddings(self) -> NDArray[np.int8]:
        """int8[n, DIMS]."""
        return fixed_matrix(self.table["embedding"], np.int8)

    @property
    def words(self) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """int64[m + 1] offsets and uint32[total] hashes of the documents that have their words."""
        tokens = self.column("tokens")
        keep = int(np.searchsorted(np.cumsum(tokens) - tokens, self.tokens))
        return packed_runs(self.table["words"].slice(0, keep))

    def to_bytes(self) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes, documents: int = DOCUMENTS, tokens: int = TOKENS) -> Sample:
        """What `to_bytes` made, with its limits."""
        return cls(pa.ipc.open_stream(data).read_all().combine_chunks(), documents, tokens)


def sample_key(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], copy: NDArray[Any]
) -> NDArray[np.uint64]:
    """uint64[n], the order in which documents are sampled.

    Args:
        hi, lo: uint64[n], fingerprints.
        copy: int[n], which appearance of the document it is, from 1.
    """
    # Without the run's seed: two runs then sample the same documents of a corpus.
    return seeded_hash(hi, lo + copy.astype(np.uint64), 0, "sample")


def _words_of(column: pa.ChunkedArray, rows: NDArray[np.int64], limit: int) -> pa.Array:
    """The words of some rows until the limit is passed; nothing after."""
    offsets, words = packed_runs(column)
    lengths = np.diff(offsets)[rows]
    before = np.cumsum(lengths) - lengths
    keep = int(np.searchsorted(before, limit))
    ends = np.cumsum(np.where(np.arange(len(rows)) < keep, lengths, 0), dtype=np.int64)
    runs = [words[offsets[row] : offsets[row + 1]] for row in rows[:keep]]
    values = np.concatenate([np.zeros(0, np.uint32), *runs])
    starts = np.concatenate([[0], ends]).astype(np.int64) * 4
    return pa.Array.from_buffers(
        pa.large_binary(), len(rows), [None, pa.py_buffer(starts), pa.py_buffer(values)]
    )
