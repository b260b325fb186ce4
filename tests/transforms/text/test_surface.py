"""Surfaces against a plain definition of theirs, zlib's opinion, and what is and isn't junk."""

from __future__ import annotations

import math
import random
import string
import unicodedata
import zlib
from base64 import b64encode
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from outcross.transforms.base.logarithm import LN2, LOG_BITS, log
from outcross.transforms.text.characters import SILENT, WORD, character_classes
from outcross.transforms.text.surface import (
    LEAST_BYTES,
    LEAST_DOCUMENTS,
    MISSING,
    ONE,
    ORDINARY,
    SURFACE,
    Bands,
    set_bands,
    surface,
)
from tests.support.corpora import paragraphs

COMPRESSION, SYMBOLS, REPEATED, LENGTH = range(len(SURFACE))


def known(character: str) -> bool:
    """Return whether this interpreter's Unicode and the frozen tables agree on a character."""
    bits = character_classes()[ord(character)]
    silent = unicodedata.category(character)[0] == "M" or character.isspace()
    is_word = character == "_" or character.isalnum()
    return (bool(bits & WORD), bool(bits & SILENT)) == (is_word, silent)


characters = st.one_of(
    st.sampled_from("aAbZ09_ .,-\n\r\t\u00a0\u0301\u0940éß…—日本🙂\u200b"),
    st.characters(exclude_categories=["Cs", "Cn"]).filter(known),
)
# Pieces that come again, so that there is something to match and lines that repeat.
pieces = st.lists(st.text(characters, min_size=1, max_size=30), min_size=1, max_size=5)


@st.composite
def repetitive(draw: st.DrawFn) -> str:
    own = draw(pieces)
    order = draw(st.lists(st.integers(0, len(own) - 1), max_size=60))
    between = draw(st.sampled_from(["", " ", "\n"]))
    return between.join(own[i] for i in order)


texts = st.lists(st.one_of(repetitive(), st.text(characters, max_size=300)), max_size=5)


def compressed(data: bytes) -> float:
    """Bytes that a greedy parse with 8-byte matches costs, a byte."""
    table: dict[int, int] = {}
    bits, alone, at, missed = 0, len(data), 0, 0
    while at + 8 <= len(data):
        own = int.from_bytes(data[at : at + 8], "little")
        slot = (own * 0x9E3779B97F4A7C15 % 2**64) >> 52
        before = table.get(slot)
        table[slot] = at
        if before is None or at - before > 4096 or data[before : before + 8] != data[at : at + 8]:
            at += 1 + missed // 32
            missed += 1
            continue
        length = 8
        while at + length < len(data) and data[before + length] == data[at + length]:
            length += 1
        bits += 16 + 8 * (length // 256)
        alone -= length
        at += length
        missed = 0
    counts = Counter(data).values()
    nats = sum(-c * math.log(c / len(data)) for c in counts) + (len(counts) - 1) / 2
    return (bits + nats / math.log(2) * alone / len(data)) / 8 / len(data)


def symbols(text: str) -> int:
    found = sum(not (c.isalnum() or c.isspace() or unicodedata.category(c)[0] == "M") for c in text)
    return found * ONE // len(text)


def repeated(data: bytes) -> int:
    before: set[bytes] = set()
    found = 0
    for line in data.split(b"\n"):
        found += len(line) * (line in before)
        before.add(line)
    return found * ONE // len(data)


@given(st.sampled_from([3, 254, 255, 256, 257, 700]), st.integers(0, 2**32 - 1))
def test_the_entropy_is_exact_for_small_and_large_counts(most: int, seed: int) -> None:
    """Check the largest counts on both sides of those that are looked up."""
    rng = np.random.default_rng(seed)
    counts = [most, *rng.integers(1, most + 1, 60).tolist()]
    text = "".join(chr(33 + i) for i in rng.permutation(np.repeat(np.arange(61), counts)))
    assume(len(text) >= LEAST_BYTES)
    assume(len({text[i : i + 8] for i in range(len(text) - 7)}) == len(text) - 7)  # no matches
    shift = LOG_BITS - 24
    nats = len(text) * (log(len(text)) >> shift) - sum(c * (log(c) >> shift) for c in counts)
    nats = (nats + (len(counts) - 1) * (1 << 23)) // len(text)
    (measured,) = surface(pa.array([text])).tolist()
    assert measured[COMPRESSION] == nats * (ONE // 8) // (LN2 >> shift)


@given(texts)
def test_measures_are_those_of_the_definition(values: list[str]) -> None:
    found = surface(pa.array(values, pa.string()))
    for text, own in zip(values, found.tolist(), strict=True):
        data = text.encode()
        assert own[LENGTH] == len(data)
        if len(data) < LEAST_BYTES:
            assert own[:LENGTH] == [MISSING] * LENGTH
            continue
        assert own[COMPRESSION] == pytest.approx(compressed(data) * ONE, abs=2)
        assert own[SYMBOLS] == symbols(text)
        assert own[REPEATED] == repeated(data)


@given(texts, st.integers(0, 5))
def test_a_text_is_measured_alone_in_any_array(values: list[str], start: int) -> None:
    alone = [surface(pa.array([text], pa.large_string()))[0].tolist() for text in values]
    assert surface(pa.array(values, pa.string())).tolist() == alone
    doubled = pa.array(values + values, pa.large_string())
    assert surface(doubled).tolist() == alone + alone
    assert surface(doubled[start:]).tolist() == (alone + alone)[start:]


def test_a_text_of_one_byte_of_many_lines_and_of_a_million_bytes() -> None:
    lines = "".join(f"{i:06d}\n" for i in range(20_000))
    values = ["x", lines, lines + lines, "a" * 1_000_000]
    found = surface(pa.array(values))
    assert found[:, LENGTH].tolist() == [1, 140_000, 280_000, 1_000_000]
    assert found[1:, REPEATED].tolist() == [0, 120_000 * ONE // 280_000, 0]
    assert found[3, COMPRESSION] < ONE // 200


def test_so_many_lines_are_remembered_and_no_more() -> None:
    lines = [f"{i:07d}\n" for i in range(70_000)]
    first, last = "".join(lines[:1000]), "".join(lines[-1000:])
    texts_ = ["".join(lines) + more for more in (first, last, first + last)]
    found = surface(pa.array(texts_))[:, REPEATED].tolist()
    assert found == [7000 * ONE // (71_000 * 8), 0, 7000 * ONE // (72_000 * 8)]


def test_compression_orders_texts_as_zlib_does() -> None:
    rng = random.Random(1)
    plain = [text for text in paragraphs() if len(text) > 200]
    samples = []
    for text in plain[:150]:
        cut = text[:400]
        noise = "".join(rng.choices(string.printable[:95], k=100))
        samples += [cut, cut + cut[: rng.randrange(400)], cut[:50] * 8, cut[:300] + noise]
    own = surface(pa.array(samples))[:, COMPRESSION].astype(float)
    theirs = np.array([len(zlib.compress(s.encode())) / len(s.encode()) for s in samples])
    ranks = [np.argsort(np.argsort(values)) for values in (own, theirs)]
    assert np.corrcoef(ranks)[0, 1] > 0.9


def test_length_hardly_changes_how_far_plain_text_compresses() -> None:
    plain = " ".join(paragraphs())[:200_000]
    means = [
        surface(pa.array([plain[i : i + size] for i in range(0, len(plain) - size, size)]))[
            :, COMPRESSION
        ].mean()
        / ONE
        for size in (100, 400, 1600, 6400)
    ]
    assert means[0] / means[-1] < 1.35


@pytest.fixture(scope="module")
def human() -> list[str]:
    """More than 1,000 pieces of real text, without its tables."""
    words = " ".join(paragraphs(5)).split()
    words = [word for word in words if any(map(str.isalnum, word)) and len(word) < 30]
    return [" ".join(words[i : i + 20 + i % 21]) for i in range(0, len(words) - 40, 20)]


def junk(kind: str, rng: random.Random, words: list[str]) -> str:
    size = rng.randrange(100, 2000)
    if kind == "characters":
        return "".join(rng.choices(string.printable[:95], k=size))
    if kind == "base64":
        return b64encode(rng.randbytes(size)).decode()
    if kind == "a word":
        return (rng.choice(words)[:12] + " ") * rng.randrange(30, 300)
    if kind == "a line":
        return (" ".join(rng.choices(words, k=6)) + "\n") * rng.randrange(8, 40)
    return "".join(rng.choices("-=+|_#* ", k=size))


@pytest.mark.parametrize("kind", ["characters", "base64", "a word", "a line", "dashes"])
def test_junk_is_out_of_the_bands_of_human_text(human: list[str], kind: str) -> None:
    rng, words = random.Random(kind), " ".join(human[:200]).split()
    words = [word for word in words if word.isalpha()]
    bands = set_bands(surface(pa.array(human)))
    found = bands.outside(surface(pa.array([junk(kind, rng, words) for _ in range(300)])))
    assert found.any(axis=1).mean() > 0.98


def test_human_text_and_shuffled_words_are_within(human: list[str]) -> None:
    rng = random.Random(3)
    bands = set_bands(surface(pa.array(human)))
    other = [text for text in human if rng.random() < 0.3]
    shuffled = [" ".join(rng.sample(text.split(), len(text.split()))) for text in other]
    short = ["Yes.", "42", "?!", "ha ha ha ha ha ha"]
    for texts_ in (human, shuffled, short):
        assert bands.outside(surface(pa.array(texts_))).any(axis=1).mean() <= 0.005


def measured(n: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint32]]:
    """Surfaces that lie far beyond what is ordinary at either end."""
    rng = np.random.default_rng(seed)
    spread = rng.integers(0, ONE, (n, len(SURFACE))).astype(np.uint32)
    spread[:, LENGTH] *= 100
    return spread


@pytest.mark.parametrize("n", [LEAST_DOCUMENTS, 1999, 2000, 12_345])
def test_a_thousandth_of_human_text_lies_beyond_either_end(n: int) -> None:
    values = measured(n)
    out = set_bands(values).outside(values).sum(axis=0)
    ends = np.array([2, 1, 1, 1])  # no share of symbols or repeated lines is too low, no text short
    assert (out <= ends * (n // 1000)).all()
    assert (out >= ends * (n // 1000) - 2).all()
    order = np.random.default_rng(1).permutation(n)
    assert set_bands(values[order]) == set_bands(values)


def test_what_is_ordinary_is_within_whatever_the_reference_holds() -> None:
    bands = set_bands(np.full((LEAST_DOCUMENTS, len(SURFACE)), 3 * ONE // 10, np.uint32))
    assert bands.low[:LENGTH] == tuple(least for least, _ in ORDINARY[:LENGTH])
    for m, (least, most) in enumerate(ORDINARY):
        assert bands.low[m] <= least
        assert bands.high[m] >= most


def test_too_little_human_text_makes_no_bands() -> None:
    assert set_bands(measured(LEAST_DOCUMENTS - 1)) == Bands()
    assert not Bands().outside(measured(100)).any()
    assert set_bands(np.zeros((0, len(SURFACE)), np.uint32)) == Bands()
    # Nor does any number of texts that are too short for a measure.
    values = measured(5000)
    values[: 5001 - LEAST_DOCUMENTS, :LENGTH] = MISSING
    bands = set_bands(values)
    assert bands.high[:LENGTH] == (MISSING,) * LENGTH
    assert bands.high[LENGTH] < MISSING


def test_a_measure_that_is_not_told_is_never_out_of_its_band() -> None:
    bands = Bands(low=(10,) * len(SURFACE), high=(20,) * len(SURFACE))
    values = np.array([[MISSING] * LENGTH + [length] for length in (9, 10, 20, 21)], np.uint32)
    assert bands.outside(values).any(axis=1).tolist() == [True, False, False, True]
