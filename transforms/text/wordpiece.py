"""BERT's uncased WordPiece (Schuster & Nakajima 2012, Devlin et al. 2019) for single words.

The `tokenizers` package takes about 12 µs for a word that comes alone, and a corpus never stops
bringing new ones. Words of ASCII letters, digits and underscores need none of its Unicode rules, so
a kernel splits them, with the same result. All other words go through the package.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import interpreted, kernel

_PREFIX = "##"
_PUNCTUATION = (ord("_"), ord("'"))
_INITIAL, _CONTINUED = np.uint64(1), np.uint64(2)


@kernel(inline="always")
def _extended(key, byte):  # type: ignore[no-untyped-def]
    return (key ^ np.uint64(byte)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(byte)


@kernel()
def _insert(data, offsets, initial, values, keys, ids):  # type: ignore[no-untyped-def]
    for t in range(len(values)):
        key = _INITIAL if initial[t] else _CONTINUED
        for i in range(offsets[t], offsets[t + 1]):
            key = _extended(key, data[i])
        slot = find_slot(key, mix64(key), keys, ids, 0, len(keys))
        keys[slot] = key
        ids[slot] = values[t]


@kernel()
def _split(data, spans, keys, ids, longest_token, longest_word, unknown):  # type: ignore[no-untyped-def]
    most = np.int64(0)
    for w in range(len(spans)):
        most += spans[w, 1] - spans[w, 0]
    counts = np.zeros(len(spans), np.int64)
    out = np.empty(most, np.int32)
    position = np.int64(0)
    for w in range(len(spans)):
        begin = position
        i = spans[w, 0]
        while i < spans[w, 1]:
            # BERT takes underscores and apostrophes for punctuation: each is a token of its own.
            stop = i + 1
            if data[i] not in _PUNCTUATION:
                while stop < spans[w, 1] and data[stop] not in _PUNCTUATION:
                    stop += 1
            first = position
            start = i
            while i < stop:
                token = np.int32(-1)
                after = stop
                if stop - start <= longest_word:
                    key = _INITIAL if i == start else _CONTINUED
                    for k in range(i, min(i + longest_token, stop)):
                        c = data[k]
                        key = _extended(key, c + 32 if 65 <= c <= 90 else c)
                        candidate = ids[find_slot(key, mix64(key), keys, ids, 0, len(keys))]
                        if candidate >= 0:
                            token = candidate
                            after = k + 1
                if token < 0:
                    out[first] = unknown
                    position = first + 1
                    break
                out[position] = token
                position += 1
                i = after
            i = stop
        counts[w] = position - begin
    return counts, out[:position].copy()


@kernel()
def _are_ascii(data, spans):  # type: ignore[no-untyped-def]
    out = np.ones(len(spans), np.bool_)
    for w in range(len(spans)):
        for i in range(spans[w, 0], spans[w, 1]):
            if data[i] >= 128:
                out[w] = False
                break
    return out


class WordPiece:
    """Splits words into token ids as a given tokenizer does."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Read the tokenizer's vocabulary.

        Its settings for padding and truncation are left out: a word has the tokens that it has.

        Raises:
            ValueError: it is not BERT's uncased WordPiece, whose rules the kernel follows.
        """
        serialised = tokenizer.to_str()
        described: dict[str, Any] = json.loads(serialised)
        model = described["model"]
        rules = (
            model["type"],
            model.get("continuing_subword_prefix"),
            (described["normalizer"] or {}).get("type"),
            (described["normalizer"] or {}).get("lowercase"),
            (described["pre_tokenizer"] or {}).get("type"),
        )
        expected = ("WordPiece", _PREFIX, "BertNormalizer", True, "BertPreTokenizer")
        if rules != expected:
            raise ValueError(f"the tokenizer has {rules}; {expected} is needed")
        self._tokenizer = Tokenizer.from_str(serialised)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        vocabulary: dict[str, int] = model["vocab"]
        pieces = [token.removeprefix(_PREFIX).encode() for token in vocabulary]
        begins = [not token.startswith(_PREFIX) or token == _PREFIX for token in vocabulary]
        ids = list(vocabulary.values())
        self.begins = np.zeros(max(ids) + 1, np.bool_)
        """By token id, whether it begins a word."""
        self.begins[ids] = begins
        self._longest_token = max(map(len, pieces))
        self._longest_word = int(model["max_input_chars_per_word"])
        self._unknown = np.int32(vocabulary[model["unk_token"]])
        slots = interpreted(table_size)(2 * len(pieces))
        self._keys = np.zeros(slots, np.uint64)
        self._ids = np.full(slots, -1, np.int32)
        _insert(
            np.frombuffer(b"".join(pieces), np.uint8),
            np.cumsum([0, *map(len, pieces)], dtype=np.int64),
            np.array(begins),
            np.array(ids, np.int32),
            self._keys,
            self._ids,
        )

    def split(
        self, data: NDArray[np.uint8], spans: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Split words.

        Args:
            data: uint8[bytes], UTF-8.
            spans: int64[m, 2], where each word begins and ends in `data`.

        Returns:
            int64[m + 1] offsets and int32[total] token ids, without special tokens.
        """
        counts = np.empty(len(spans), np.int64)
        ascii_ = _are_ascii(data, spans)
        counts[ascii_], plain = _split(
            data,
            spans[ascii_],
            self._keys,
            self._ids,
            self._longest_token,
            self._longest_word,
            self._unknown,
        )
        words = [data[a:b].tobytes().decode() for a, b in spans[~ascii_]]
        encodings = self._tokenizer.encode_batch(words, add_special_tokens=False)
        encoded = [np.array(encoding.ids, np.int32) for encoding in encodings]
        counts[~ascii_] = [len(ids) for ids in encoded]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        is_plain = np.repeat(ascii_, counts)
        tokens = np.empty(offsets[-1], np.int32)
        tokens[is_plain] = plain
        tokens[~is_plain] = np.concatenate([np.zeros(0, np.int32), *encoded])
        return offsets, tokens
