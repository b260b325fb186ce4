"""Names of clusters: the words that set a cluster apart."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import pyarrow as pa

WORDS = 5
NAMES = pa.schema(
    [
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("words", pa.list_(pa.string()), nullable=False),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
    ]
)
"""Schema of the clusters' names: distinctive words, and beginnings of some human texts."""

_COMMON = 0.1
_LETTERS = re.compile(r"[^\W\d_]{3,}")  # whole runs of letters
_ASCII_LETTERS = re.compile(r"[a-z]{3,}")
_LONGEST = 24


def words_of(text: str) -> set[str]:
    """Return the different words of a text: runs of 3 to 24 letters, in lower case."""
    lower = text.lower()
    letters = _ASCII_LETTERS if lower.isascii() else _LETTERS
    return {word for word in {*letters.findall(lower)} if len(word) <= _LONGEST}


def distinctive_words(
    texts: Mapping[int, Sequence[Collection[str]]], most: int = WORDS
) -> dict[int, list[str]]:
    """Find the words that set each cluster's texts apart from all texts.

    Let p be the share of the cluster's texts that hold a word, and q its share of all texts. The
    word's weight is p ln(p / q), its part of the divergence between the two. Words of a single text
    come after all others, as they may be names. Words in more than a tenth of all texts come last,
    as they have no subject.

    Args:
        texts: different words of some texts of each cluster.
        most: number of words for each cluster.

    Returns:
        Words by cluster, the heaviest first; equal ones in alphabetical order.
    """
    counts_of = {
        cluster: Counter(chain.from_iterable(members)) for cluster, members in texts.items()
    }
    every_text = chain.from_iterable(texts.values())
    all_counts = Counter(chain.from_iterable(every_text))
    total = sum(map(len, texts.values()))
    common = _COMMON if len(texts) > 1 else 1.0

    def weight(word: str, count: int, members: int) -> tuple[bool, bool, float]:
        share = all_counts[word] / total
        return share > common, count == 1, -(count / members) * math.log(count / members / share)

    names = {}
    for cluster, counts in counts_of.items():
        members = len(texts[cluster])
        first = [w for w, n in counts.items() if n > 1 and all_counts[w] / total <= common]
        words = first if len(first) >= most else list(counts)  # most words stand in one text
        ranked = sorted(words, key=lambda word: (*weight(word, counts[word], members), word))
        names[cluster] = ranked[:most]
    return names
