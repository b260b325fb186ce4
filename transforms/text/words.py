"""Texts to words: each word of the folded text as a 64-bit hash.

Words are split once; MinHash, embeddings, n-gram counts and budgets all start from the same hashes.
`word_edges` says what a word is, `word_hashes` what its hash is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.kernels import copy_bytes, kernel
from outcross.transforms.text.characters import (
    Characters,
    character_classes,
    normalise,
    skeletons,
)
from outcross.transforms.text.word_edges import PADDING, find_edges
from outcross.transforms.text.word_hashes import hash_words

_SPACE = np.uint8(ord(" "))


@dataclass(frozen=True, eq=False)
class Words:
    """The words of n documents.

    Attributes:
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        hashes: uint64[total], their hashes in reading order.
        edges: uint32[2 * total], where each begins and ends in its document's folded text.
        kinds: uint8[total], the bits above.
        letters: uint64[n], a hash of each document's words without marks and vowel signs.
        characters: the normalised texts that they were read from.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    edges: NDArray[np.uint32]
    kinds: NDArray[np.uint8]
    letters: NDArray[np.uint64]
    characters: Characters

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def spans(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where words stand in `characters.data`, still with their ASCII capitals.

        Args:
            positions: int64[m], indices of `hashes`, in any order.

        Returns:
            int64[m, 2], begin and end.
        """
        documents = np.searchsorted(self.offsets, positions, side="right") - 1
        edges = self.edges.reshape(-1, 2)[positions]
        return self.characters.starts[documents][:, None] + edges.astype(np.int64)


def split_words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """Split texts into words.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Returns:
        The words of all texts.

    Raises:
        TypeError: `texts` is not an array of strings.
        ValueError: a text is null or not valid UTF-8; the message names its row.
    """
    characters = normalise(texts)
    bare = skeletons()
    offsets, hashes, edges, kinds, letters = _split(
        characters.data,
        characters.starts,
        characters.stops,
        character_classes(),
        (bare.code_points, bare.offsets, bare.data),
    )
    return Words(offsets, hashes, edges, kinds, letters, characters)


def word_ids(words: Words) -> NDArray[np.uint32]:
    """Return the upper halves of the hashes: uint32[total]."""
    ids: NDArray[np.uint32] = (words.hashes >> np.uint64(32)).astype(np.uint32)
    return ids


@kernel()
def _split(data, starts, stops, classes, bare):  # type: ignore[no-untyped-def]
    """Return offsets, hashes, edges and kinds of the words, and each document's letters."""
    n = len(starts)
    most = longest = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        most += (size + 1) // 2
        longest = max(longest, size)
    offsets = np.zeros(n + 1, np.int64)
    letters = np.empty(n, np.uint64)
    # Most of these is never touched, and so never becomes memory; nor are they copied for that.
    hashes = np.empty(most, np.uint64)
    kinds = np.empty(most, np.uint8)
    edges = np.empty(2 * most, np.uint32)
    special = np.empty(longest + PADDING, np.uint32)
    raw = np.empty(longest + PADDING, np.uint8)
    lowered = np.empty(longest + PADDING, np.uint8)
    scratch = np.empty(longest + PADDING, np.uint8)
    total = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        copy_bytes(data, starts[d], stops[d], raw)
        raw[size : size + PADDING] = _SPACE
        document_edges = edges[2 * total :]
        filled, ascii_ = find_edges(raw, lowered, size, classes, document_edges, special)
        count, letters[d] = hash_words(
            *(raw, lowered, document_edges, filled, special, ascii_),
            *(classes, bare, scratch, hashes[total:], kinds[total:]),
        )
        total += count
        offsets[d + 1] = total
    return offsets, hashes[:total], edges[: 2 * total], kinds[:total], letters
