"""Answers to prompts, as the functions that judge them take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.measuring.answer_classes import BY_TABLE, SameRule, classify_answers
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.words import split_words, word_ids


class Documents(NamedTuple):
    """What the functions take of n documents."""

    offsets: NDArray[np.int64]
    words: NDArray[np.uint32]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    embeddings: NDArray[np.int8]

    def at(self, rows: list[int]) -> Documents:
        parts = [self.words[self.offsets[d] : self.offsets[d + 1]] for d in rows]
        offsets = np.cumsum([0, *map(len, parts)])
        words = np.concatenate([*parts, np.zeros(0, np.uint32)])
        return Documents(offsets, words, self.hi[rows], self.lo[rows], self.embeddings[rows])


def sketched(texts: list[str]) -> Documents:
    array = pa.array(texts, pa.string())
    words = split_words(array)
    embeddings = load_default().embed(words, array).vectors
    return Documents(words.offsets, word_ids(words), *fingerprints(words), embeddings)


@st.composite
def documents(draw: st.DrawFn, most: int = 12) -> Documents:
    """Few words and few directions, so that all kinds of pairs come up, copies too.

    Copies have embeddings of their own now and then, as from embedders that see punctuation.
    """
    directions = [(0, 0), (4, 0), (4, 1), (3, 2), (2, 3), (0, 4)]
    word_lists = st.lists(st.integers(0, 4), max_size=6)
    kinds = draw(
        st.lists(st.tuples(word_lists, st.sampled_from(directions)), min_size=1, max_size=6)
    )
    picks = draw(st.lists(st.sampled_from(range(len(kinds))), max_size=most))
    shaken = draw(st.lists(st.booleans(), min_size=len(picks), max_size=len(picks)))
    words = [np.array(kinds[pick][0], np.uint32) for pick in picks]
    embeddings = np.zeros((len(picks), 256), np.int8)
    for d, pick in enumerate(picks):
        embeddings[d, :2] = np.array(kinds[pick][1]) * 30
        embeddings[d, 200] += shaken[d]
    # Kinds are in another order by fingerprint than by number, and share upper halves.
    hi = np.array([(pick * 5) % 3 for pick in picks], np.uint64)
    lo = np.array([(pick * 7) % 11 for pick in picks], np.uint64)
    offsets = np.cumsum([0, *map(len, words)])
    return Documents(offsets, np.concatenate([*words, np.zeros(0, np.uint32)]), hi, lo, embeddings)


def partition(answers: Documents, rule: SameRule = BY_TABLE) -> list[int]:
    """Return the class of each answer to one prompt, in the order of the leaders' fingerprints."""
    n = len(answers.hi)
    classified = classify_answers(np.ones(n, np.uint64), *answers, rule=rule, most=max(n, 1))
    classes = np.empty(n, np.int64)
    classes[np.lexsort((answers.lo, answers.hi))] = np.unique(
        classified.leader, return_inverse=True
    )[1]
    return classes.tolist()
