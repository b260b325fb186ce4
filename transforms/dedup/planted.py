"""Planted copies of texts: how many of them the bands bring together with their originals.

Some words of a text are replaced by made-up words, so that its copy has a wanted Jaccard
similarity. Which words these are depends on the text and the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.certificate import band_recall
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.minhash import band_values, signatures
from outcross.transforms.text.shingles import shingles
from outcross.transforms.text.words import Words, split_words

SIMILARITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Jaccard similarities that copies are planted for."""
COPIES, TOGETHER, EXPECTED = range(3)
"""Columns of the counts: copies, those that share a band, and the sum of their chances."""
UNIT = 1 << 30
"""Unit of the chances, so that their sum is an integer."""

_NEAREST = 0.025  # a copy counts at a similarity that is at most so far from its own


@dataclass(frozen=True)
class Bands:
    """Numbers that decide what shares a band.

    Attributes:
        ngram: words in a shingle.
        num_perm: values in a signature.
        bands: number of bands.
        rows: rows of a band.
    """

    ngram: int
    num_perm: int
    bands: int
    rows: int

    def values(self, words: Words) -> NDArray[np.uint64]:
        """Return the band values of n documents: uint64[n, bands]."""
        return band_values(signatures(words, self.ngram, self.num_perm), self.bands, self.rows)


def count_together(texts: Sequence[str], bands: Bands, seed: int) -> NDArray[np.int64]:
    """Plant a copy of each text for each similarity, and count those that share a band with it.

    Args:
        texts: n texts. Those of fewer than two words have no copies.
        bands: numbers that decide what shares a band.
        seed: seed of the choice of words.

    Returns:
        int64[len(SIMILARITIES), 3], with the columns COPIES, TOGETHER and EXPECTED. A copy is
        counted at the similarity nearest to its own exact one.
    """
    counts = np.zeros((len(SIMILARITIES), 3), np.int64)
    words = split_words(pa.array(texts, pa.large_string()))
    original_bands, original_shingles = bands.values(words), _distinct(words, bands.ngram)
    for similarity in SIMILARITIES:
        originals, copies = plant(words, similarity, bands.ngram, seed)
        if not copies:
            continue
        planted = split_words(pa.array(copies, pa.large_string()))
        share = (bands.values(planted) == original_bands[originals]).any(axis=1)
        pairs = zip(originals.tolist(), _distinct(planted, bands.ngram), share, strict=True)
        for original, copied, together in pairs:
            both = len(np.intersect1d(original_shingles[original], copied, assume_unique=True))
            exact = both / (len(original_shingles[original]) + len(copied) - both)
            place = int(np.argmin(np.abs(np.array(SIMILARITIES) - exact)))
            if abs(SIMILARITIES[place] - exact) <= _NEAREST:
                chance = round(band_recall(exact, bands.bands, bands.rows) * UNIT)
                counts[place] += (1, int(together), chance)
    return counts


def plant(
    words: Words, similarity: float, ngram: int, seed: int
) -> tuple[NDArray[np.int64], list[bytes]]:
    """Replace so many words of each document that its copy has about a Jaccard similarity.

    For similarity s, a share 2 s / (1 + s) of the shingles has to stay. A shingle stays if none of
    its words is replaced, so 1 − (2 s / (1 + s))^(1 / ngram) of the words are.

    Args:
        words: words of n documents.
        similarity: wanted similarity s, 0 to 1.
        ngram: words in a shingle.
        seed: seed of the choice of words.

    Returns:
        int64[m], the documents of two words or more, and their m copies in UTF-8.
    """
    sizes = np.diff(words.offsets)
    documents = np.flatnonzero(sizes >= 2)
    hi, lo = fingerprints(words)
    data = words.characters.data.tobytes()
    share = 1.0 - (2.0 * similarity / (1.0 + similarity)) ** (1.0 / ngram)
    copies = []
    for document in documents.tolist():
        size = int(sizes[document])
        replaced = min(max(round(size * share), 1), size - 1)
        number = np.arange(size, dtype=np.uint64)
        key = seeded_hash(hi[document] + number, lo[document] ^ number, seed, f"{similarity}")
        chosen = np.sort(np.argsort(key, kind="stable")[:replaced])
        spans = words.spans(words.offsets[document] + chosen)
        begin = int(words.characters.starts[document])
        parts = []
        for (start, stop), name in zip(spans.tolist(), key[chosen].tolist(), strict=True):
            parts += [data[begin:start], b"w%016x" % name]
            begin = stop
        copies.append(b"".join([*parts, data[begin : int(words.characters.stops[document])]]))
    return documents, copies


def _distinct(words: Words, ngram: int) -> list[NDArray[np.uint32]]:
    offsets, hashes = shingles(words, ngram)
    return [np.unique(part) for part in np.split(hashes, offsets[1:-1])]
