"""A demonstration generator: topical word trigrams under interpolated Kneser–Ney smoothing.

    p(w | z u v) = (max(c(z u v w) − D, 0) + D · T(z u v) · p(w | z v)) / c(z u v)

z is the topic that a document is about, u v the two words before w, and T the number of distinct
words seen after them. It goes on below with z v, then v, then nothing. Those lower orders count
*contexts*, not occurrences: how many distinct words stand before `v w` in the topic, in how many
topics `v w` stands, how many distinct words stand before `w` (Kneser & Ney 1995; interpolated as
by Chen & Goodman 1999, section 4.1.6). It matters here more than elsewhere: a model with raw counts
below drifts whenever it is retrained on its own samples, and would show a narrowing that no sharp
sampling caused.

Sharp sampling scales D down by `1 − sharpness`. What smoothing had moved to unseen continuations
goes back to the seen ones, which is what top-k, nucleus and low-temperature decoding do to a
language model (Hewitt et al. 2022, "Truncation Sampling as Language Model Desmoothing"). It also
prefers the larger topics, as a model does that is asked for nothing in particular.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# A token keeps its case and the space before it, so that joined tokens are the text again.
_TOKEN = re.compile(r"\s?\w+|\s?[^\w\s]")

_GLUED = re.compile(r"(?<=\w)\0(?=\w)")

_BOUNDARY = 0  # the word before the first (twice) and after the last one of a document
_DISCOUNT = 0.8  # estimates from counts of one and two, n₁/(n₁ + 2n₂), are .79 to .82 here
_LONGEST = 250  # tokens of a sampled document; a sharp model can go in circles

_Levels = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class Document(NamedTuple):
    """A text and its topic."""

    text: str
    topic: str = ""


def tokenize(text: str) -> list[str]:
    """Cut into words and single signs, each with the space before it, if there is one."""
    return _TOKEN.findall(" ".join(text.split()))


def join(tokens: Iterable[str]) -> str:
    """Write tokens as text. Two words keep a space between them, lest new words be coined."""
    return _GLUED.sub(" ", "\0".join(tokens)).replace("\0", "").strip()


def _levels(
    words: NDArray[np.int64], topics: NDArray[np.int64], n_words: int, n_topics: int
) -> _Levels:
    """Return sorted keys of (z, u, v, w), (z, v, w), (v, w) and (w), repeated by their counts.

    A key is a number to the base `n_words`, so all continuations of a context lie side by side.

    Args:
        words: int64[n], documents with two boundaries between them, before and after them.
        topics: int64[n], topic of each word.
        n_words: number of different words.
        n_topics: number of topics.

    Raises:
        ValueError: if there are too many topics and words for 64-bit keys.
    """
    if n_topics * n_words**3 >= 2**63:
        raise ValueError(
            f"{n_topics} topics and {n_words} words are too many: topics · words³ must be < 2^63"
        )
    u, v, w = words[:-2], words[1:-1], words[2:]
    within = (u == _BOUNDARY) | (v != _BOUNDARY)
    keys = (((topics[2:] * n_words + u) * n_words + v) * n_words + w)[within]
    opening = ((u == _BOUNDARY) & (v == _BOUNDARY))[within]
    base2, base3 = n_words**2, n_words**3

    def without_u(keys: NDArray[np.int64]) -> NDArray[np.int64]:
        return keys // base3 * base2 + keys % base2

    # A document's first word has no other word before it, so there occurrences have to count.
    inner = np.unique(keys[~opening])
    topical = np.sort(np.concatenate([without_u(keys[opening]), without_u(inner)]))
    kinds = np.unique(topical)
    pairs = np.sort(kinds % base2)
    # Under a single topic its pairs and the pairs are the same, and the level would be asked twice.
    return (
        np.sort(keys),
        topical,
        pairs if n_topics > 1 else pairs[:0],
        np.sort(np.unique(pairs) % n_words),
    )


@njit(cache=True, nogil=True)
def _lower_bound(keys: NDArray[np.int64], key: int, low: int, high: int) -> int:
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _sample(
    levels: _Levels,
    topics: NDArray[np.int64],
    n_words: int,
    discount: float,
    seed: int,
) -> NDArray[np.int64]:
    """Return one document a topic, each closed by a boundary, int64 of all their words.

    A place in a context's stretch of keys is drawn evenly, so a key comes with probability
    count / N. It is accepted with probability 1 − D / count, else the next order is asked:
    together (count − D) / N for the word and D · T / N for what is below, without any sum.
    """
    np.random.seed(seed)
    out = np.empty(len(topics) * (_LONGEST + 1), np.int64)
    end = 0
    for topic in topics:
        u = v = _BOUNDARY
        for _ in range(_LONGEST):
            contexts = ((topic * n_words + u) * n_words + v, topic * n_words + v, v, 0)
            word = _BOUNDARY
            for level in range(4):
                keys = levels[level]
                context = contexts[level]
                low = _lower_bound(keys, context * n_words, 0, len(keys))
                high = _lower_bound(keys, (context + 1) * n_words, low, len(keys))
                if low == high:
                    continue
                key = keys[low + int(np.random.random() * (high - low))]
                first = _lower_bound(keys, key, low, high)
                count = _lower_bound(keys, key + 1, first, high) - first
                if level == 3 or np.random.random() >= discount / count:
                    word = key - context * n_words
                    break
            if word == _BOUNDARY:
                break
            out[end] = word
            end += 1
            u, v = v, word
        out[end] = _BOUNDARY
        end += 1
    return out[:end]


@dataclass(frozen=True)
class KneserNey:
    """An interpolated Kneser–Ney model of words and topics.

    Attributes:
        words: tokens by their number; number 0 is the boundary of a document.
        topics: names of the topics.
        levels: sorted keys of every order (see `_levels`).
        documents_of_topic: int64[topics], documents of each topic.
        mean_length: mean length of a document in tokens.
    """

    words: tuple[str, ...]
    topics: tuple[str, ...]
    levels: _Levels
    documents_of_topic: NDArray[np.int64]
    mean_length: float

    @classmethod
    def fit(cls, documents: Iterable[Document]) -> KneserNey:
        """Count the documents' trigrams, and below them the contexts. Raises if there are none."""
        words = {"": _BOUNDARY}
        topics: dict[str, int] = {}
        stream = [_BOUNDARY, _BOUNDARY]
        topic_of_place = [0, 0]
        topic_of_document = []
        for text, name in documents:
            tokens = [words.setdefault(token, len(words)) for token in tokenize(text)]
            if tokens:
                topic = topics.setdefault(name, len(topics))
                topic_of_document.append(topic)
                stream += [*tokens, _BOUNDARY, _BOUNDARY]
                topic_of_place += repeat(topic, len(tokens) + 2)
        if not topic_of_document:
            raise ValueError("nothing to fit: the documents hold no words; at least one is needed")
        return cls(
            tuple(words),
            tuple(topics),
            _levels(
                np.array(stream, np.int64),
                np.array(topic_of_place, np.int64),
                len(words),
                len(topics),
            ),
            np.bincount(np.array(topic_of_document, np.int64)),
            len(stream) / len(topic_of_document) - 2,
        )

    def probabilities(
        self, u: str, v: str, topic: str = "", sharpness: float = 0.0
    ) -> NDArray[np.float64]:
        """Return p(· | topic, u, v) as float64[words]; "" stands for the boundary."""
        n_words = len(self.words)
        z, first, second = self.topics.index(topic), self.words.index(u), self.words.index(v)
        discount = _DISCOUNT * (1.0 - sharpness)
        contexts = ((z * n_words + first) * n_words + second, z * n_words + second, second)
        p = np.bincount(self.levels[3], minlength=n_words) / len(self.levels[3])
        for keys, context in reversed(list(zip(self.levels[:3], contexts, strict=True))):
            low, high = np.searchsorted(keys, (context * n_words, (context + 1) * n_words))
            if low < high:
                counts = np.bincount(keys[low:high] - context * n_words, minlength=n_words)
                backed_off = discount * np.count_nonzero(counts)
                p = (np.maximum(counts - discount, 0.0) + backed_off * p) / (high - low)
        return p

    def sample(self, n_tokens: int, seed: int, sharpness: float = 0.0) -> list[Document]:
        """Sample whole documents, about `n_tokens` tokens of them; the same ones for a seed.

        `sharpness` runs from 0 (the model itself) to 1 (nothing but what was seen, and a topic's
        share raised to the power 4/3). A document is cut at 250 tokens and may be empty, where the
        model ends it before its first word.
        """
        if not 0.0 <= sharpness <= 1.0:
            raise ValueError(f"sharpness is {sharpness}; it lies between 0 and 1")
        share = self.documents_of_topic.astype(np.float64) ** (1.0 + sharpness / 3.0)
        topics = np.random.default_rng(seed).choice(
            len(share), size=max(1, round(n_tokens / self.mean_length)), p=share / share.sum()
        )
        discount = _DISCOUNT * (1.0 - sharpness)
        numbers = _sample(self.levels, topics, len(self.words), discount, seed)
        ends = np.flatnonzero(numbers == _BOUNDARY)
        texts = np.split(numbers, ends[:-1] + 1)
        return [
            Document(join(self.words[i] for i in text[:-1]), self.topics[topic])
            for text, topic in zip(texts, topics, strict=True)
        ]
