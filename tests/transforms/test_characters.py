"""Normalisation against Python's own, and the frozen tables against Unicode's."""

from __future__ import annotations

import re
import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.characters import (
    COMPOSING,
    REPLACED,
    SILENT,
    WORD,
    character_classes,
    normalise,
    unicode_version,
)

# Code points that this interpreter's Unicode does not know yet have no normal form to compare with.
characters = st.characters(exclude_categories=["Cs", "Cn"])
texts = st.text(characters, max_size=40)


def normalised(*values: str) -> list[str]:
    found = normalise(pa.array(values, pa.string()))
    slices = zip(found.starts, found.stops, strict=True)
    return [found.data[a:b].tobytes().decode().lower() for a, b in slices]


def expected(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


@settings(deadline=None)  # the first call compiles
@given(st.lists(texts, max_size=5))
def test_is_nfkc_and_lower_case(values: list[str]) -> None:
    assert normalised(*values) == [expected(v) for v in values]


def test_every_character_alone() -> None:
    every = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) != "Cs"]
    known = [c for c in every if unicodedata.category(c) != "Cn"]
    assert normalised(*known) == [expected(c) for c in known]


def test_word_characters_are_those_of_python() -> None:
    is_word = character_classes() & WORD > 0
    python = np.array([re.match(r"\w", chr(c)) is not None for c in range(sys.maxunicode + 1)])
    differ = np.flatnonzero(is_word != python)
    if unicodedata.unidata_version == unicode_version():
        assert not len(differ)
    # An older Python lacks the newest letters. No character that both know may differ.
    assert all(unicodedata.category(chr(c)) == "Cn" or not is_word[c] for c in differ)


def test_white_space_and_marks_are_those_of_unicode() -> None:
    silent = character_classes() & SILENT > 0
    every = [chr(c) for c in range(sys.maxunicode + 1)]
    python = np.array([c.isspace() or unicodedata.category(c)[0] == "M" for c in every])
    assert all(unicodedata.category(every[c]) == "Cn" for c in np.flatnonzero(silent != python))
    assert not np.any(silent & (character_classes() & WORD > 0))


def test_characters_that_change_in_company_are_not_replaced_alone() -> None:
    classes = character_classes()
    assert not np.any((classes & REPLACED > 0) & (classes & COMPOSING > 0))
    for character in "\u0301\u3099\u1161\u11a8Σ":
        assert classes[ord(character)] & COMPOSING


@pytest.mark.parametrize(
    "text",
    [
        "e\u0301",  # composes to é
        "q\u0307\u0323",  # marks change places
        "\u1112\u1161\u11ab",  # Hangul letters compose to a syllable
        "ΟΔΟΣ ΣΟΦΟΣ",  # final sigma
        "İstanbul ISTANBUL",
        "\ufb01ne \u2122 \u00bd \u2026 \u00a0 \uff21",
        "\ufdfa",  # one character becomes eighteen
        "Ünïcode",
    ],
)
def test_named_cases(text: str) -> None:
    assert normalised("plain", text, "Σ plain") == ["plain", expected(text), "σ plain"]


def test_texts_in_normal_form_are_not_copied() -> None:
    array = pa.array(["Plain ASCII", "“quoted” — naïve 日本"], pa.large_string())
    address = array.buffers()[2].address
    assert normalise(array).data.ctypes.data == address


def test_slices_chunks_and_types() -> None:
    values = ["Äpfel", "", "plain", "né"]
    want = [expected(v) for v in values]
    array = pa.array(values, pa.string())
    for form in (
        array,
        array.cast(pa.large_string()),
        pa.chunked_array([array[:1], array[1:]]),
        pa.array(["x", *values, "y"]).slice(1, 4),
    ):
        found = normalise(form)
        slices = zip(found.starts, found.stops, strict=True)
        assert [found.data[a:b].tobytes().decode() for a, b in slices] == want
    for empty in (pa.array([], pa.string()), pa.chunked_array([], pa.string()), array[:0]):
        assert len(normalise(empty).starts) == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xc3",
        b"\x80",
    ],
)
def test_malformed_utf8_names_its_row(bad: bytes) -> None:
    array = pa.array([b"good", "gü".encode(), bad], pa.binary()).view(pa.string())
    with pytest.raises(ValueError, match="text 2 is not valid UTF-8"):
        normalise(array)


def test_nulls_and_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="text 1 is null"):
        normalise(pa.array(["a", None]))
    with pytest.raises(TypeError, match="int64"):
        normalise(pa.array([1]))
