"""Names of clusters: the words that set a cluster apart."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

WORDS = 5
_COMMON = 0.1
_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,24}(?![^\W\d_])")  # whole runs of letters


def distinctive_words(
    texts: Mapping[int, Sequence[str]], most: int = WORDS
) -> dict[int, list[str]]:
    """Find the words that set each cluster's texts apart from all texts.

    Let p be the share of the cluster's texts that hold a word, and q its share of all texts. The
    word's weight is p ln(p / q), its part of the divergence between the two. Words of a single text
    come after all others, as they may be names. Words in more than a tenth of all texts come last,
    as they have no subject.

    Args:
        texts: some texts of each cluster.
        most: number of words for each cluster.

    Returns:
        Words by cluster, the heaviest first; equal ones in alphabetical order.
    """
    counts_of = {
        cluster: Counter(word for text in members for word in set(_WORD.findall(text.lower())))
        for cluster, members in texts.items()
    }
    all_counts: Counter[str] = Counter()
    for counts in counts_of.values():
        all_counts.update(counts)
    total = sum(map(len, texts.values()))

    def weight(word: str, count: int, members: int) -> tuple[bool, bool, float]:
        share = all_counts[word] / total
        common = share > _COMMON and len(texts) > 1
        return common, count == 1, -(count / members) * math.log(count / members / share)

    names = {}
    for cluster, counts in counts_of.items():
        members = len(texts[cluster])
        ranked = sorted(counts, key=lambda word: (*weight(word, counts[word], members), word))
        names[cluster] = ranked[:most]
    return names
