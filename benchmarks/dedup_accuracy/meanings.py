"""Tell which pairs of English texts say the same, by a plain count of numbers, signs and negations.

No line of the product's is used. A token between white spaces counts with its case where it holds a
digit, an inner capital or a sign; a negation counts as itself. Prose punctuation and quotes around
a token are left out. Texts of up to `STRICT` words need the same ones, longer ones need a multiset
Jaccard similarity of the threshold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from shingles import Pairs, words

STRICT = 200
NEGATIONS = {"no", "not", "never", "none", "nothing", "nobody", "nowhere", "neither", "nor"}
NEGATIONS |= {"without", "cannot"}

_PROSE = ".,;:!?\"'()“”‘’…—–-"
_ORDINARY = re.compile(r"[A-Z]?[a-z]+([-,;—–][a-zA-Z]?[a-z]+)*|[A-Z]+")


def carried(text: str) -> Counter[str]:
    """Count what carries meaning beyond the words."""
    counts: Counter[str] = Counter()
    for token in text.replace("’", "'").split():
        core = token.strip(_PROSE)
        low = core.lower()
        if low in NEGATIONS or low.endswith("n't"):
            counts[low] += 1
        elif core and not _ORDINARY.fullmatch(core.replace("'", "")):
            counts[core] += 1
        elif not core and len(set(token)) > 1:
            counts[token] += 1
    return counts


def same_meaning(texts: Sequence[str], pairs: Pairs, threshold: float) -> NDArray[np.bool_]:
    """Tell which pairs carry the same beyond their words: bool[pairs]."""
    places = np.unique(np.concatenate([pairs.a, pairs.b]))
    counts = {place: carried(texts[place]) for place in places.tolist()}
    sizes = {place: len(words(texts[place])) for place in places.tolist()}
    same = np.zeros(len(pairs.a), bool)
    for pair, (a, b) in enumerate(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)):
        either = (counts[a] | counts[b]).total()
        share = (counts[a] & counts[b]).total() / either if either else 1.0
        same[pair] = share == 1 if min(sizes[a], sizes[b]) <= STRICT else share >= threshold
    return same
