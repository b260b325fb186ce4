"""Generator: word-level interpolated Kneser–Ney with topics.

    p(w | z u v) = (max(c(z u v w) − D, 0) + D · T(z u v) · p(w | z v)) / c(z u v)

z is the document's topic, u v the two words before w, T the number of distinct words seen after
them. Below are z v, then v, then nothing, then the uniform distribution. These orders count types:
how many different u stand before `v w` in z, in how many topics `v w` stands, after how many words
w stands (Kneser & Ney 1995; interpolated as by Chen & Goodman 1999, section 4.1.6).

A regime (τ, γ) is how it samples. D is multiplied by τ, which gives what smoothing had moved to
unseen words back to the seen ones: what truncated or cold decoding does to a language model (Hewitt
et al. 2022, "Truncation Sampling as Language Model Desmoothing"). Topics are drawn by the power γ
of their shares, as a model prefers common subjects that is asked for nothing in particular.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from documents import END, LONGEST, SHORTEST, UNKNOWN, Documents, borders, joined
from numba import njit
from numpy.typing import NDArray

REGIMES = {"sharp": (0.3, 1.25), "mid": (0.6, 1.1), "faithful": (1.0, 1.0)}

_DISCOUNTS = (0.85, 0.85, 0.8, 0.7)
_ADDED = 0.1  # documents of each topic, so that none is impossible

Levels = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class Model(Protocol):
    """A trained generator."""

    def sample(self, tokens: int, seed: int, asked: NDArray[np.float64] | None = None) -> Documents:
        """Sample documents of 12 to 130 tokens with their topics, `tokens` tokens in all.

        Args:
            tokens: tokens to sample.
            seed: seed of the draws.
            asked: float64[topics], shares of the topics that are asked for, of any scale; None for
                a model that is asked for nothing in particular.
        """
        ...

    def nll(self, documents: Documents) -> NDArray[np.float64]:
        """Return the negative log-likelihood of each document in nats, float64[n]."""
        ...


@njit(nogil=True, cache=True)
def _keys(
    tok: NDArray[np.int32], off: NDArray[np.int64], topic: NDArray[np.int32], words: int
) -> NDArray[np.int64]:
    """Return (z, u, v, w) of every token as one number to the base `words`, int64[total]."""
    out = np.empty(len(tok), np.int64)
    for document in range(len(off) - 1):
        u = v = np.int64(END)
        z = np.int64(topic[document])
        for i in range(off[document], off[document + 1]):
            out[i] = ((z * words + u) * words + v) * words + tok[i]
            u, v = v, np.int64(tok[i])
    return out


@njit(nogil=True, cache=True)
def _lower_bound(keys: NDArray[np.int64], key: int, low: int, high: int) -> int:
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, cache=True)
def _end(keys: NDArray[np.int64], key: int, low: int, high: int) -> int:
    """Return the first index from `low` on whose key is at least `key`.

    It is usually near, so steps double.
    """
    step = 1
    while low + step < high and keys[low + step] < key:
        step *= 2
    return _lower_bound(keys, key, low + step // 2, min(low + step, high))


@njit(nogil=True, cache=True)
def _surprisal(
    levels: Levels,
    distinct: Levels,
    tok: NDArray[np.int32],
    off: NDArray[np.int64],
    topic: NDArray[np.int32],
    words: int,
    discounts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return −ln p of every token, float64[total].

    `distinct[l][i]` is the number of distinct keys before index i.
    """
    out = np.empty(len(tok), np.float64)
    for document in range(len(off) - 1):
        u = v = np.int64(END)
        z = np.int64(topic[document])
        for i in range(off[document], off[document + 1]):
            w = np.int64(tok[i])
            contexts = ((z * words + u) * words + v, z * words + v, v, np.int64(0))
            p = 1.0 / words
            for level in range(3, -1, -1):
                keys = levels[level]
                context = contexts[level]
                low = _lower_bound(keys, context * words, 0, len(keys))
                high = _end(keys, (context + 1) * words, low, len(keys))
                if low == high:
                    continue
                key = context * words + w
                first = _lower_bound(keys, key, low, high)
                count = _end(keys, key + 1, first, high) - first
                types = distinct[level][high] - distinct[level][low]
                kept = max(count - discounts[level], 0.0)
                p = (kept + discounts[level] * types * p) / (high - low)
            out[i] = -np.log(p)
            u, v = v, w
    return out


@njit(nogil=True, cache=True)
def _sample(
    levels: Levels,
    topics: NDArray[np.int64],
    words: int,
    discounts: NDArray[np.float64],
    seed: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Sample one document per topic; return the tokens, and the length of each document.

    A place in a context's stretch of keys is drawn evenly, so a key comes with probability
    count / N. It is accepted with probability 1 − D / count, else the next order is asked:
    together (count − D) / N for the word and D · T / N for what is below, without any sum.
    """
    np.random.seed(seed)
    out = np.empty(len(topics) * LONGEST, np.int32)
    lengths = np.empty(len(topics), np.int64)
    end = 0
    for document in range(len(topics)):
        u = v = np.int64(END)
        z = topics[document]
        start = end
        while end - start < LONGEST:
            w = np.int64(UNKNOWN)
            contexts = ((z * words + u) * words + v, z * words + v, v, np.int64(0))
            for level in range(4):
                keys = levels[level]
                context = contexts[level]
                low = _lower_bound(keys, context * words, 0, len(keys))
                high = _end(keys, (context + 1) * words, low, len(keys))
                if low == high:
                    continue
                key = keys[low + np.random.randint(0, high - low)]
                first = _lower_bound(keys, key, low, high)
                count = _end(keys, key + 1, first, high) - first
                if level == 3 or np.random.random() > discounts[level] / count:
                    w = key - context * words
                    break
            if end - start == LONGEST - 1:
                w = np.int64(END)
            out[end] = w
            end += 1
            if w == END:
                break
            u, v = v, w
        lengths[document] = end - start
    return out[:end], lengths


def _distinct_before(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return borders(np.concatenate([np.ones(1, np.int64), (keys[1:] != keys[:-1]).astype(np.int64)]))


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys of sorted keys."""
    return keys[np.concatenate([np.ones(1, np.bool_), keys[1:] != keys[:-1]])]


@dataclass(frozen=True)
class KneserNey:
    """A trained model. `levels` holds the sorted keys of each order, repeated by their counts."""

    levels: Levels
    distinct: Levels
    topic_share: NDArray[np.float64]
    words: int
    mean_length: float
    regime: tuple[float, float]

    def nll(self, documents: Documents) -> NDArray[np.float64]:
        """Return the negative log-likelihood in nats, the topic's included, float64[n]."""
        surprisal = _surprisal(
            self.levels,
            self.distinct,
            documents.tok,
            documents.off,
            documents.topic,
            self.words,
            np.array(_DISCOUNTS),
        )
        return documents.sums(surprisal) - np.log(self.topic_share[documents.topic])

    def sample(self, tokens: int, seed: int, asked: NDArray[np.float64] | None = None) -> Documents:
        """Sample documents of 12 to 130 tokens, the same ones for a seed and number of tokens."""
        tau, gamma = self.regime
        share = self.topic_share**gamma if asked is None else asked
        rng = np.random.default_rng(seed)
        parts: list[Documents] = []
        have = 0
        while have < tokens:
            some = max(64, round((tokens - have) / self.mean_length))
            topics = rng.choice(len(share), some, p=share / share.sum())
            discounts = np.array(_DISCOUNTS) * tau
            draw = int(rng.integers(2**31))
            tok, lengths = _sample(self.levels, topics, self.words, discounts, draw)
            part = Documents(tok, borders(lengths), topics.astype(np.int32))
            parts.append(part.take(np.flatnonzero(lengths >= SHORTEST)))
            have += len(parts[-1].tok)
        drawn = joined(parts)
        return drawn.take(np.arange(np.searchsorted(drawn.off, tokens)))


def train(documents: Documents, vocabulary: int, topics: int, seed: int, regime: str) -> KneserNey:
    """Count the documents' n-grams.

    Args:
        documents: documents to learn from.
        vocabulary: number of words; `topics · vocabulary³` must be below 2^63.
        topics: number of topics.
        seed: unused, as counting draws nothing; other generators' training does.
        regime: one of `REGIMES`.

    Raises:
        ValueError: if there are too many topics and words.
    """
    del seed
    if topics * vocabulary**3 >= 2**63:
        raise ValueError(f"{topics} topics · {vocabulary} words³ is not below 2^63")
    base2, base3 = vocabulary**2, vocabulary**3
    keys = np.sort(_keys(documents.tok, documents.off, documents.topic, vocabulary))
    kinds = _distinct(keys)
    topical = np.sort(kinds // base3 * base2 + kinds % base2)
    pairs = np.sort(_distinct(topical) % base2)
    levels = (keys, topical, pairs, np.sort(_distinct(pairs) % vocabulary))
    share = np.bincount(documents.topic, minlength=topics) + _ADDED
    return KneserNey(
        levels,
        (
            _distinct_before(levels[0]),
            _distinct_before(levels[1]),
            _distinct_before(levels[2]),
            _distinct_before(levels[3]),
        ),
        share / share.sum(),
        vocabulary,
        len(documents.tok) / documents.n,
        REGIMES[regime],
    )
