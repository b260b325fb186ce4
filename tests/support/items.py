"""Items of texts, spelled: what carries meaning beside the words."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from outcross.transforms.base.hashing import mix64
from outcross.transforms.text.meaning import HIGH, items
from outcross.transforms.text.words import split_words
from tests.support.text_definition import word_hash

INDENTED, TABBED = "indented ", "tabs "


def sign_hash(sign: str) -> int:
    """Return the hash of a run of equal signs."""
    return int(mix64(np.uint64(ord(sign[0]) << 20 | len(sign))))


def white_space_hash(kind: str, count: int) -> int:
    """Return the hash of an indentation of so many columns, or of so many tabs."""
    return int(mix64(np.uint64((1 if kind == INDENTED else 2) << 40 | count)))


def values(*texts: str) -> list[list[int]]:
    """Return the items of some texts as they are."""
    offsets, found, _ = items(split_words(pa.array(texts, pa.string())))
    return [found[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]


def hashes(text: str) -> list[int]:
    """Return the items of a text without their places."""
    return [value & int(HIGH) for value in values(text)[0]]


def places(text: str) -> list[int]:
    """Return how many words stand before each item."""
    return [value & 0xFFFFFFFF for value in values(text)[0]]


def plain_words(text: str) -> list[int]:
    """Return the hashes of the words that are no items, in their order."""
    words = split_words(pa.array([text], pa.string()))
    spans = words.spans(np.arange(len(words.hashes)))
    raw = [word_hash(words.characters.data[a:b].tobytes().decode()) for a, b in spans]
    marked = {(value & 0xFFFFFFFF, value & int(HIGH)) for value in values(text)[0]}
    return [
        folded
        for place, folded in enumerate(words.hashes.tolist())
        if not marked & {(place, folded & int(HIGH)), (place, raw[place] & int(HIGH))}
    ]


def spelled(text: str) -> list[str]:
    """Return the items of a text by their names.

    Words compared with their case are spelled with it, others in lower case.
    """
    words = split_words(pa.array([text], pa.string()))
    spans = words.spans(np.arange(len(words.hashes)))
    raw = [words.characters.data[a:b].tobytes().decode() for a, b in spans]
    names = {word_hash(word): word for word in raw}
    names |= dict(zip(words.hashes.tolist(), [word.lower() for word in raw], strict=True))
    folded = words.characters.data[words.characters.starts[0] : words.characters.stops[0]]
    signs = set(folded.tobytes().decode())
    names |= {sign_hash(c * n): c * n for c in signs for n in range(1, 12)}
    for kind in (INDENTED, TABBED):
        names |= {white_space_hash(kind, n): f"{kind}{n}" for n in range(1, 40)}
    by_half = {value & int(HIGH): name for value, name in names.items()}
    return [by_half[value] for value in hashes(text)]
