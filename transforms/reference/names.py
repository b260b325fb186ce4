"""What a cluster is about, in a few of its own words."""

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
    """The words that set each cluster's texts apart from those of the others.

    A word's weight is the share of the cluster's texts that hold it, times the logarithm of how
    many times larger that is than its share of all texts: its part of the divergence between the
    two. Words of one text alone come after all others, as they may be names, and after these those
    that stand in more than a tenth of all texts, which are about nothing.

    Args:
        texts: some texts of each cluster.
        most: words a cluster.

    Returns:
        By cluster, the most telling word first; of equal ones the first in the alphabet.
    """
    held = {
        cluster: Counter(word for text in own for word in set(_WORD.findall(text.lower())))
        for cluster, own in texts.items()
    }
    everywhere: Counter[str] = Counter()
    for counts in held.values():
        everywhere.update(counts)
    total = sum(map(len, texts.values()))

    def weight(word: str, often: int, of: int) -> tuple[bool, bool, float]:
        share = everywhere[word] / total
        common = share > _COMMON and len(texts) > 1
        return common, often == 1, -(often / of) * math.log(often / of / share)

    found = {}
    for cluster, counts in held.items():
        of = len(texts[cluster])
        ranked = sorted(counts, key=lambda word: (*weight(word, counts[word], of), word))
        found[cluster] = ranked[:most]
    return found
