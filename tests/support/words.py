"""Helpers that split texts into words, and spell the words again."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from outcross.transforms.text.words import Words, split_words


def split(*texts: str) -> Words:
    """Split some texts into words."""
    return split_words(pa.array(texts, pa.string()))


def spelled(words: Words) -> list[list[str]]:
    """Return the words of each text, in lower case."""
    spans = words.spans(np.arange(len(words.hashes)))
    data = words.characters.data
    flat = [_lowered(data[a:b].tobytes().decode()) for a, b in spans]
    return [flat[a:b] for a, b in itertools.pairwise(words.offsets)]


def _lowered(folded: str) -> str:
    """Lower the only capitals of a folded text, which are those of ASCII."""
    return "".join(c.lower() if c.isascii() else c for c in folded)
