"""Embedders: documents to unit vectors of small integers.

Embeddings are int8: a unit vector times `SCALE`, rounded and clipped to +-127. The products of two
such vectors are whole numbers, so what is computed from them is the same on every machine.

The default embedder is static: the rows of a document's WordPiece tokens are summed. The table is
distilled from all-MiniLM-L6-v2 by `tools/build_table.py`; `data/static_table.json` says from what.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from outcross.transforms.base import files
from outcross.transforms.base.kernels import kernel
from outcross.transforms.base.prefetch import prefetch
from outcross.transforms.text.characters import unicode_version
from outcross.transforms.text.known import Known
from outcross.transforms.text.word_memory import WordMemory, number_new
from outcross.transforms.text.wordpiece import WordPiece
from outcross.transforms.text.words import Words

SCALE = 254
"""Factor from a unit vector to its int8 embedding; values beyond half a unit are clipped."""

MAX_DIMS = 1024
"""Most dimensions, up to which the sum of the squares of a text's sums is exact."""

DEFAULT_NAME = "static MiniLM table"
"""Name of the default embedder."""

REMEMBERED = 1 << 20
"""Words and WordPiece tokens that an embedder remembers, together; some 15 MB."""

_DATA = Path(__file__).parents[1] / "data"

ROWS_IN_INT16 = 255
"""Rows of int8 whose sums int16 holds: 255 * 128 = 32,640."""

_ROWS_AHEAD = 8  # rows between the prefetch of a row and its use
_LINE = 64  # bytes that the processor loads together

# Sums are halved until they are below this, so that the sum of the squares of up to 1,024 of them
# stays below 2**63. Texts of less than a million words are not concerned.
_LARGEST_SUM = 1 << 26

# Bits that an embedder remembers for a word: it is counted; it is known.
COUNTED, KNOWN = 1, 2


class Reading(NamedTuple):
    """Number of texts that an embedder cuts to its longest length, and how much of them it reads.

    Attributes:
        texts: texts embedded.
        cut: texts among them that are longer than the embedder reads.
        characters: characters of all texts.
        read: characters that the embedder reads.
        tokens: tokens that it reads, without special ones.
    """

    texts: int = 0
    cut: int = 0
    characters: int = 0
    read: int = 0
    tokens: int = 0

    @classmethod
    def total(cls, parts: Iterable[Reading]) -> Reading:
        """Return the sum of parts."""
        return cls(*map(sum, zip(cls(), *parts, strict=True)))


class Embedded(NamedTuple):
    """Result of an embedder for n documents.

    Attributes:
        vectors: int8[n, dims]; a row of zeros where there is nothing to embed.
        known: how many of the documents' words it knows.
        reading: how much of the texts it reads; None for an embedder that reads whole texts.
        whole: bool[n], texts that it has read to the end and knows all tokens of; None for an
            embedder that is no encoder.
    """

    vectors: NDArray[np.int8]
    known: Known
    reading: Reading | None = None
    whole: NDArray[np.bool_] | None = None


class Embedder(Protocol):
    """Turns documents into embeddings.

    An instance belongs to one thread and may remember words. The embedding of a document still
    depends on that document alone: not on its batch, the batch's size, or earlier documents.
    """

    @property
    def name(self) -> str:
        """Name the model and its variant for people."""

    @property
    def dims(self) -> int:
        """Return the length of an embedding."""

    @property
    def encodes(self) -> bool:
        """Return whether it is an encoder, which sees the order of words and tells `whole`."""

    @property
    def fingerprint(self) -> str:
        """Hash all that decides embeddings: they are comparable where it is equal."""

    def embed(self, words: Words, texts: pa.Array | pa.ChunkedArray) -> Embedded:
        """Embed n documents.

        Args:
            words: the documents' words, for embedders that need no more.
            texts: the documents themselves, Arrow strings.
        """


@kernel()
def quantise(total, out):  # type: ignore[no-untyped-def]
    """Scale a vector to length SCALE, by correctly rounded operations on exact integers alone."""
    largest = np.int64(0)
    for q in range(len(total)):
        largest = max(largest, abs(total[q]))
    while largest >= _LARGEST_SUM:
        largest >>= 1
        for q in range(len(total)):
            total[q] >>= 1
    # Each number fits 32 bits now, and processors convert and multiply several of those at once.
    squares = np.int64(0)
    for q in range(len(total)):
        value = np.int64(np.int32(total[q]))
        squares += value * value
    if squares == 0:
        out[:] = 0
        return
    norm = np.sqrt(np.float64(squares))
    for q in range(len(total)):
        scaled = np.rint(np.float64(np.int32(total[q])) * np.float64(SCALE) / norm)
        out[q] = np.int8(np.int32(min(max(scaled, -127.0), 127.0)))


@kernel()
def _look(data, spans):  # type: ignore[no-untyped-def]
    """Count each word's characters; 0 for numbers and for single ASCII characters."""
    out = np.zeros(len(spans), np.int64)
    for w in range(len(spans)):
        is_number = True
        for i in range(spans[w, 0], spans[w, 1]):
            if data[i] & 0xC0 != 0x80:
                out[w] += 1
            if data[i] < 48 or data[i] > 57:
                is_number = False
        if is_number or spans[w, 1] - spans[w, 0] < 2:
            out[w] = 0
    return out


@kernel(inline="always")
def _prefetch_row(table, row):  # type: ignore[no-untyped-def]
    dims = table.shape[1]
    for column in range(0, dims, _LINE):
        prefetch(table, row * dims + column)


@kernel()
def add_rows(table, rows, count, total):  # type: ignore[no-untyped-def]
    """Add at most `ROWS_IN_INT16` rows of a table to a vector.

    Four are added at a time, as their sum is read and written once for all of them.
    """
    dims = table.shape[1]
    sums = np.zeros(dims, np.int16)
    fours = count // 4 * 4
    for i in range(min(_ROWS_AHEAD, count)):
        _prefetch_row(table, rows[i])
    for i in range(0, fours, 4):
        for ahead in range(i + _ROWS_AHEAD, min(i + _ROWS_AHEAD + 4, count)):
            _prefetch_row(table, rows[ahead])
        # Views of the rows would cost as much as adding them up.
        a, b = np.uint64(rows[i]), np.uint64(rows[i + 1])
        c, d = np.uint64(rows[i + 2]), np.uint64(rows[i + 3])
        for q in range(dims):
            left = np.int16(np.int16(table[a, q]) + np.int16(table[b, q]))
            right = np.int16(np.int16(table[c, q]) + np.int16(table[d, q]))
            sums[q] = np.int16(sums[q] + np.int16(left + right))
    for i in range(fours, count):
        a = np.uint64(rows[i])
        for q in range(dims):
            sums[q] = np.int16(sums[q] + table[a, q])
    for q in range(dims):
        total[q] += sums[q]


@kernel()
def sum_rows(offsets, entries, starts, rows, states, table):  # type: ignore[no-untyped-def]
    """Sum the table rows of each document's entries, and scale the sums.

    Args:
        offsets: int64[n + 1]; document d has the entries offsets[d] to offsets[d + 1].
        entries: int32[total], words or tokens.
        starts, rows: entry e is made of the table rows rows[starts[e]] to rows[starts[e + 1]].
        states: uint8 of each entry, the bits COUNTED and KNOWN.
        table: int8[vocabulary, dims].

    Returns:
        int8[n, dims] embeddings, number of entries that are counted, and of those that are known.
    """
    n = len(offsets) - 1
    counted = known = np.int64(0)
    dims = table.shape[1]
    out = np.empty((n, dims), np.int8)
    total = np.zeros(dims, np.int64)
    batch = np.empty(ROWS_IN_INT16, np.int64)
    for d in range(n):
        total[:] = 0
        pending = np.int64(0)
        for i in range(offsets[d], offsets[d + 1]):
            entry = entries[i]
            counted += states[entry] & COUNTED
            known += states[entry] // KNOWN
            for p in range(starts[entry], starts[entry + 1]):
                batch[pending] = rows[p]
                pending += 1
                if pending == ROWS_IN_INT16:
                    add_rows(table, batch, pending, total)
                    pending = 0
        add_rows(table, batch, pending, total)
        quantise(total, out[d])
    return out, counted, known


@functools.lru_cache(maxsize=1)
def _wordpiece(tokenizer: Tokenizer) -> WordPiece:
    """Build the splitter of a tokenizer; threads share the last one, which is only read."""
    return WordPiece(tokenizer)


class StaticEmbedder:
    """Sums the table rows of a document's WordPiece tokens.

    Words are split into tokens by the tokenizer when they are first met, and remembered. When the
    memory is full it is emptied and started again, which changes nothing but the time taken.

    It knows a word that is made of whole words of the vocabulary, of two characters or more on
    average. `snake_case` is; a Russian word, which falls into letters, is not, nor one that falls
    into beginnings and ends.
    """

    encodes = False

    def __init__(
        self,
        table: NDArray[np.int8],
        tokenizer: Tokenizer,
        *,
        name: str,
        fingerprint: str,
        remembered: int = REMEMBERED,
    ) -> None:
        """Set up with nothing remembered.

        Args:
            table: int8[vocabulary, dims], shared and only read.
            tokenizer: gives row numbers of `table`; called without special tokens.
            name: for people.
            fingerprint: of table and tokenizer.
            remembered: how many words and tokens to remember, and those of one call beyond it.

        Raises:
            ValueError: the table is not int8, has no row for a token, or more than 1,024 columns.
        """
        rows = tokenizer.get_vocab_size()
        if (
            table.dtype != np.int8
            or table.ndim != 2
            or len(table) < rows
            or table.shape[1] > MAX_DIMS
        ):
            raise ValueError(
                f"the table of {name} is {table.dtype}{list(table.shape)}; "
                f"int8 with at least {rows} rows and at most 1,024 columns is needed"
            )
        self._table = np.ascontiguousarray(table).view()
        self._table.flags.writeable = False
        self._says_something = self._table.any(axis=1)
        self._apostrophe = tokenizer.token_to_id("'")  # within words it stands for nothing
        if self._apostrophe is not None:
            self._says_something[self._apostrophe] = False
        self._wordpiece = _wordpiece(tokenizer)
        self._remembered = remembered
        self._memory = WordMemory()
        self.name = name
        self.dims = int(table.shape[1])
        self.fingerprint = fingerprint

    def embed(self, words: Words, texts: pa.Array | pa.ChunkedArray) -> Embedded:
        """Embed n documents by their words alone; see `Embedder.embed`."""
        del texts
        entries = self._memory.find(words.hashes)
        if entries.size and entries.min() < 0:
            entries = self._learn(words, entries)
        memory = self._memory
        out, counted, known = sum_rows(
            words.offsets, entries, memory.starts, memory.rows, memory.states, self._table
        )
        return Embedded(out, Known(counted, known))

    def _learn(self, words: Words, entries: NDArray[np.int32]) -> NDArray[np.int32]:
        """Remember the words without an entry; return the entries of all words."""
        first = number_new(words.hashes, entries, self._memory.words)
        if len(self._memory) + 2 * len(first) > self._remembered and len(self._memory):
            self._memory = WordMemory()
            entries = np.full(len(words.hashes), -1, np.int32)
            first = number_new(words.hashes, entries, 0)
        spans = words.spans(first)
        offsets, ids = self._wordpiece.split(words.characters.data, spans)
        states = self._states(_look(words.characters.data, spans), offsets, ids)
        # Rows of zeros, such as [UNK]'s, need not be added up.
        kept = self._says_something[ids]
        offsets = _sums(kept)[offsets]
        self._memory.add(words.hashes[first], offsets, ids[kept], states)
        return entries

    def _states(
        self,
        characters: NDArray[np.int64],
        offsets: NDArray[np.int64],
        ids: NDArray[np.int32],
    ) -> NDArray[np.uint8]:
        """Say of words whether they are counted, and whether they are known.

        Args:
            characters: int64[m], of each word; 0 where it isn't counted.
            offsets, ids: the words' tokens.
        """
        pieces = np.diff(_sums(ids != self._apostrophe)[offsets])
        whole_words = _sums(self._wordpiece.begins[ids] & self._says_something[ids])
        is_whole = np.diff(whole_words[offsets]) == pieces
        is_known = is_whole & (characters > 0) & (characters >= 2 * pieces)
        return (COUNTED * (characters > 0) + KNOWN * is_known).astype(np.uint8)


def _sums(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return int64[n + 1], how many flags are set before each place."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(flags)])


def _checked(name: str, sha256: str) -> bytes:
    content = (_DATA / name).read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(
            f"{_DATA / name} has sha256 {actual}; static_table.json, which was built with it, "
            f"says {sha256}: install the package again"
        )
    return content


@functools.cache
def _default_parts() -> tuple[NDArray[np.int8], Tokenizer, str]:
    """Table, tokenizer and fingerprint, read and checked once a process."""
    metadata = _metadata()
    tokenizer = _checked("tokenizer.json", metadata["tokenizer"]["sha256"]).decode()
    _checked("static_table.npy", metadata["table"]["sha256"])
    table = files.read_array(str(_DATA / "static_table.npy"))
    return table, Tokenizer.from_str(tokenizer), default_fingerprint()


def _metadata() -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((_DATA / "static_table.json").read_text("utf-8"))
    return metadata


@functools.cache
def default_fingerprint() -> str:
    """Return the fingerprint of the default embedder, without loading it."""
    metadata = _metadata()
    decides = [
        metadata["table"]["sha256"],
        metadata["tokenizer"]["sha256"],
        unicode_version(),
        SCALE,
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]


def load_default(remembered: int = REMEMBERED) -> StaticEmbedder:
    """Load the default embedder, of 256 dimensions, from the files in the package.

    Args:
        remembered: see `StaticEmbedder`.

    Raises:
        ValueError: a file is not the one that the metadata beside it describes.
    """
    table, tokenizer, fingerprint = _default_parts()
    return StaticEmbedder(
        table,
        tokenizer,
        name=DEFAULT_NAME,
        fingerprint=fingerprint,
        remembered=remembered,
    )
