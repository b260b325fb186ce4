"""Words of the lexicon: each is recognised in a sentence of its language."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from outcross.transforms.text import lexicon as module
from outcross.transforms.text.lexicon import (
    ALWAYS,
    CURRENCY,
    FIRST,
    SYLLABLE,
    UNIT,
    known_word,
    lexicon,
    passes,
)
from outcross.transforms.text.meaning import HIGH
from tests.support.items import hashes
from tests.support.text_definition import composed, folded, is_numeric, is_word, word_hash, words_of

GROUPS = json.loads((Path(module.__file__).parents[1] / "data" / "meaning.json").read_text("utf-8"))
ENTRIES = [
    (group, language, entry)
    for group, languages in GROUPS.items()
    for language, words in languages.items()
    for entry in words.split()
]

SENTENCES = {
    "spaces": ("mama {} papa", "Mama, {}. Papa"),
    "th": ("เรา{}กิน", "{}กิน"),
    "lo": ("ເຮົາ{}ກິນ", "{}ກິນ"),
    "km": ("គេ{}ញ៉ាំ", "{}ញ៉ាំ"),
    "my": ("သူ{}စား", "{}စား"),
    "bo": ("ང་{}་འགྲོ", "{}་འགྲོ"),
    "zh": ("他{}去", "{}去。"),
    "ja": ("本が{}と思う", "{}と"),
}
"""Sentences that have no items; those of Tibetan have a mark around each syllable."""


def sentences(language: str) -> tuple[str, ...]:
    return SENTENCES.get(language, SENTENCES["spaces"])


def letters(word: str) -> int:
    return sum(is_word(c) for c in word)


def halves(word: str) -> list[int]:
    """Return the items that an entry is: one for each of its words."""
    return [word_hash(part) & int(HIGH) for part in words_of(word)]


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_sentences_have_no_items(language: str) -> None:
    for sentence in sentences(language):
        assert hashes(sentence.format("")) == []


@pytest.mark.parametrize("group", ["negations", "numbers", "syllables"])
def test_every_word_is_an_item_in_a_sentence(group: str) -> None:
    missing = [
        (language, entry, sentence)
        for kind, language, entry in ENTRIES
        for sentence in sentences(language)
        if kind == group and hashes(sentence.format(entry)) != halves(entry)
    ]
    assert missing == []


def test_every_word_is_an_item_however_it_is_written() -> None:
    """Return a word with a capital, in capitals, decomposed, and with signs of form around it."""
    missing = [
        (language, entry, form)
        for kind, language, entry in ENTRIES
        for form in (entry.capitalize(), f"“{entry}”", f"**{entry}**", f"{entry},\n", f"({entry})")
        if kind in ("negations", "numbers")
        and language not in SENTENCES
        and letters(entry) > 1  # brackets around a single letter are mathematics
        and words_of(form) == words_of(entry)
        and hashes(f"mama {form} papa") != halves(entry)
    ]
    assert missing == []


def test_every_unit_is_an_item_after_a_number_alone() -> None:
    other = {entry for kind, _, entry in ENTRIES if kind != "units"}
    missing = []
    for kind, language, entry in ENTRIES:
        if kind != "units":
            continue
        number = word_hash("7") & int(HIGH)
        unit = [word_hash(part) & int(HIGH) for part in words_of(entry)]
        if hashes(f"mama 7 {entry} papa") != [number, *unit]:
            missing.append((language, entry, "behind"))
        number_like = any(is_numeric(c) for c in entry)  # km² counts wherever it stands
        if entry not in other and not number_like and hashes(f"mama {entry} papa") != []:
            missing.append((language, entry, "alone"))
    assert missing == []


def test_currencies_are_items_on_either_side_of_a_number() -> None:
    for code in GROUPS["currencies"]["codes"].split():
        number, unit = word_hash("7") & int(HIGH), word_hash(code) & int(HIGH)
        assert hashes(f"mama {code} 7 papa") == [unit, number]
        assert hashes(f"mama 7 {code} papa") == [number, unit]
        assert hashes(f"mama {code} papa") == []


def test_entries_are_words_each_of_them_once() -> None:
    for group, languages in GROUPS.items():
        for language, words in languages.items():
            entries = words.split()
            assert entries, (group, language)
            assert words == " ".join(entries)
            assert sorted(entries) == sorted(set(entries)), (group, language)
    assert all(len(words_of(entry)) in range(1, 5) for *_, entry in ENTRIES)
    several = {language for _, language, entry in ENTRIES if len(words_of(entry)) > 1}
    assert several <= {"th", "lo", "km", "my", "bo", "zh", "ja", "han"}


def test_entries_are_composed_and_in_lower_case() -> None:
    entries = [entry for *_, entry in ENTRIES]
    assert entries == [composed(entry).lower() for entry in entries]
    assert [e for e in entries if "".join(words_of(e)) != folded(e)] == []


def test_the_table_holds_all_entries_and_nothing_else() -> None:
    keys, bits, every, standing = lexicon()
    kinds = {"negations": ALWAYS, "numbers": ALWAYS, "units": UNIT, "syllables": SYLLABLE}
    kinds |= {"currencies": UNIT | CURRENCY, "measures": ALWAYS}
    wanted: dict[str, int] = {}
    for group, _, entry in ENTRIES:
        words = words_of(entry)
        if len(words) == 1:
            wanted[words[0]] = wanted.get(words[0], 0) | kinds[group]
        else:
            wanted[words[0]] = wanted.get(words[0], 0) | FIRST
    for word, kind in wanted.items():
        assert known_word(np.uint64(word_hash(word)), keys, bits, every) == kind, word
        counts_alone = kind & (ALWAYS | FIRST | SYLLABLE) != 0
        assert passes(np.uint64(word_hash(word)), standing) >= counts_alone, word
    singles = len(wanted)
    sequences = len({entry for *_, entry in ENTRIES if len(words_of(entry)) > 1})
    assert np.count_nonzero(bits) == singles + sequences
    for word in ("mama", "papa", "house", "и", "的", "knot"):
        assert known_word(np.uint64(word_hash(word)), keys, bits, every) == 0
