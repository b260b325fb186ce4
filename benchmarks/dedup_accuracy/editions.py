"""Find the paragraphs that several editions of one book share, by their place in the book.

Two editions are aligned word by word, by the sequences of `ANCHOR` words that each holds once:
those that stand in the same order in both (a longest increasing subsequence) say which word is
which. Two paragraphs are the same if half of the longer one's words are the other one's. A
paragraph's own likeness decides nothing: one that was rewritten is found by what stands around it,
and equal sentences of two chapters stay apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from shingles import words

ANCHOR = 6


def same_paragraphs(texts: Sequence[str], editions: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of indices into `texts` that are the same paragraph in two editions.

    Args:
        texts: paragraphs; those of one edition stand in the book's order.
        editions: name of each text's edition.
    """
    names = list(dict.fromkeys(editions))
    book = {name: [i for i, edition in enumerate(editions) if edition == name] for name in names}
    pairs_ = []
    for number, edition_ in enumerate(names):
        for other in names[number + 1 :]:
            pairs_ += _same(texts, book[edition_], book[other])
    return pairs_


def _same(texts: Sequence[str], first: list[int], second: list[int]) -> list[tuple[int, int]]:
    a, a_paragraph = _flat(texts, first)
    b, b_paragraph = _flat(texts, second)
    at = aligned(a, b)
    known = np.flatnonzero(at >= 0)
    shared = Counter(zip(a_paragraph[known].tolist(), b_paragraph[at[known]].tolist(), strict=True))
    length = Counter(a_paragraph.tolist()), Counter(b_paragraph.tolist())
    return [(i, j) for (i, j), n in shared.items() if 2 * n >= max(length[0][i], length[1][j])]


def _flat(texts: Sequence[str], places: list[int]) -> tuple[list[str], NDArray[np.int64]]:
    """Return all words of an edition, and for each word the text that holds it."""
    split = [words(texts[place]) for place in places]
    return list(chain.from_iterable(split)), np.repeat(
        places, [len(paragraph) for paragraph in split]
    )


def aligned(a: Sequence[str], b: Sequence[str]) -> NDArray[np.int64]:
    """Return the index in `b` of each word of `a`, or -1: int64[len(a)]."""
    in_a, in_b = _once(a), _once(b)
    anchors = _increasing([(i, in_b[anchor]) for anchor, i in in_a.items() if anchor in in_b])
    at = np.full(len(a), -1)
    for i, j in anchors:
        at[i : i + ANCHOR] = np.arange(j, j + ANCHOR)
    # Between two anchors of the same distance the words were changed one for one.
    for (i, j), (next_i, next_j) in pairwise(anchors):
        if next_i - i == next_j - j:
            at[i:next_i] = np.arange(j, next_j)
    return at


def _once(sequence: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Return the places of the anchors that occur once, in order."""
    anchors = [tuple(sequence[i : i + ANCHOR]) for i in range(len(sequence) - ANCHOR + 1)]
    count = Counter(anchors)
    return {anchor: i for i, anchor in enumerate(anchors) if count[anchor] == 1}


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a longest subsequence whose second places rise; first places rise already."""
    ends: list[int] = []
    end_at: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        place = bisect_left(ends, j)
        before.append(end_at[place - 1] if place else -1)
        ends[place : place + 1] = [j]
        end_at[place : place + 1] = [number]
    chain = []
    number = end_at[-1] if end_at else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]
