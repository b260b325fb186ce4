"""Signs against a plain definition of theirs, and how they stand among the words."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.text.characters import SILENT, character_classes
from outcross.transforms.text.signs import signs, with_signs
from outcross.transforms.text.words import split_words, word_ids
from tests.support.text_definition import folded, is_mark, words_of

CHARACTERS = st.sampled_from("abZ09_ .,;-—…!?'\"()\n\t\x00\u00a0\u0301éß日本🙂\u200bก็’’«कि½")
TEXTS = st.lists(st.text(CHARACTERS, max_size=60), max_size=6)


def spoken(text: str) -> list[str]:
    """Signs without white space, marks and repeats, and a space for each word."""
    left = "".join(c.lower() if c.isascii() else c for c in folded(text))
    classes = character_classes()
    out: list[str] = []
    for word in [*words_of(text), ""]:
        # A mark alone is a word only behind an underscore, and may stand before it as none.
        lead = "_" if word and all(is_mark(c) for c in word) else ""
        gap, _, left = left.partition(lead + word) if word else (left, "", "")
        gap += lead
        for before, c in pairwise(["", *gap]):
            if c not in ("\0", before) and not classes[ord(c)] & SILENT:
                out.append(c)
        out.append(" ")
    return out[:-1]


def of(*texts: str) -> list[list[int]]:
    offsets, found = signs(split_words(pa.array(texts, pa.string())))
    return [found[a:b].tolist() for a, b in pairwise(offsets.tolist())]


@given(TEXTS)
@example(["\u0301_\u0301"])
def test_words_and_signs_in_reading_order(texts: list[str]) -> None:
    for text, found in zip(texts, of(*texts), strict=True):
        wanted = spoken(text)
        assert len(found) == len(wanted)
        for byte, piece in zip(found, wanted, strict=True):
            if piece == " ":
                assert byte == 0
            elif piece.isascii():
                assert byte == ord(piece)
            else:
                assert [byte] == of(piece)[0]
                assert byte >= 128


def test_values_never_change() -> None:
    """Other bytes would mean other documents: change these only with the format's version."""
    (found,) = of('"Well," he said, "no — twice…" - ---')
    assert bytes(found) == b'"\0,"\0\0,"\0\xd2\0."--'


@pytest.mark.parametrize(("text", "found"), [("", ""), (" \n\t ", ""), ("?!", "?!"), ("===", "=")])
def test_texts_without_words_may_have_signs(text: str, found: str) -> None:
    assert of(text) == [[ord(c) for c in found]]


def test_common_signs_beyond_ascii_are_told_apart() -> None:
    common = "–—“”‘’«»•·§°€£、。！？「」।،؟"
    normal = {c for c in common if len(folded(c)) == 1 and not folded(c).isascii()}
    assert len({of(c)[0][0] for c in normal}) == len(normal)


@given(TEXTS)
def test_words_and_signs_follow_each_other_between_borders(texts: list[str]) -> None:
    words = split_words(pa.array(texts, pa.string()))
    ids = word_ids(words)
    sign_offsets, own = signs(words)
    offsets, both = with_signs(words.offsets, ids, sign_offsets, own)
    assert len(offsets) == len(texts) + 1
    left = iter(ids.tolist())
    for d in range(len(texts)):
        run = own[sign_offsets[d] : sign_offsets[d + 1]].tolist()
        found = both[offsets[d] : offsets[d + 1]].tolist()
        if not run:
            assert found == []
            continue
        assert len(found) == len(run) + 2
        assert found[0] == found[-1] == hash_of(0)
        for byte, one in zip(run, found[1:-1], strict=True):
            assert one == (hash_of(byte) if byte else next(left))


def hash_of(byte: int) -> int:
    """Return the hash of a sign, or of the border."""
    run = np.array([byte or ord(".")], np.uint8)
    ends = np.array([0, 1])
    _, both = with_signs(np.array([0, 0]), np.zeros(0, np.uint32), ends, run)
    return int(both[1 if byte else 0])


def test_signs_and_the_border_are_no_words() -> None:
    words = split_words(pa.array(["".join(f" {chr(c)}" for c in range(33, 127))]))
    every = [c for c in range(256) if c > 127 or not re.match(r"\w", chr(c))]
    hashes = {hash_of(byte) for byte in every}
    assert len(hashes) == len(every)
    assert not hashes & set(word_ids(words).tolist())
