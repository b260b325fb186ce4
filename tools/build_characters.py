r"""Write the Unicode tables of `transforms/text/characters.py`.

    pip install unicodedata2==17.0.0
    python -m tools.build_characters transforms/data/characters.json

The tables are frozen in a file because Python, Arrow and every other library follow Unicode at
their own pace, and two workers must not split a text differently. Normalisation and properties
come from the package `unicodedata2`, lower case from Arrow, both at the version that is stated.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import unicodedata2

SURROGATES = range(0xD800, 0xE000)
CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if c not in SURROGATES]
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)
HANGUL_VOWELS_AND_FINALS = {chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
ETHIOPIC = range(0x1200, 0x1358)

SPACELESS = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "HENTAIGANA", "THAI", "LAO")
SPACELESS += ("KHMER", "MYANMAR", "TIBETAN", "IDEOGRAPHIC ITERATION", "IDEOGRAPHIC NUMBER")
"""How the names of letters begin that are words of their own: scripts without spaces."""

JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners: they belong to the word around them."""

VOWEL_LETTERS = {chr(c) for c in (0xE30, *range(0xE32, 0xE34), *range(0xE40, 0xE46))}
VOWEL_LETTERS |= {chr(c) for c in (0xEB0, *range(0xEB2, 0xEB4), *range(0xEC0, 0xEC5), 0xEBD)}
"""Vowels of Thai and Lao that Unicode has as letters."""

NOT_PROSE = set("#%&*/@\\{}[]_§¶†‡‰‱′″‴‵‶‷⁎⁑⁓⁗٪؉؊٭⌈⌉⌊⌋〈〉⟦⟧⟨⟩⟪⟫⁽⁾₍₎‼")
"""Punctuation that means something beside the words, wherever it stands."""

INVISIBLE = {chr(c) for c in (0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F))}
INVISIBLE |= {chr(c) for c in (0x2060, *range(0x2066, 0x206A), 0xFEFF, 0x640)}
INVISIBLE |= {chr(c) for c in range(0xFE00, 0xFE10)}
"""Form alone: soft hyphens, directions, variation selectors, Arabic's elongation."""

SAME = dict.fromkeys("‘’‚‛´׳", "'") | dict.fromkeys("‐‑‒–−﹣－", "-") | {"―": "—", "״": '"'}
"""Marks that typography has in several forms."""

FORMS = {"<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>", "<noBreak>"}
FORMS |= {"<small>", "<vertical>"}
"""Compatibility mappings that never change what a text says; superscripts and fractions do."""


def category(character: str) -> str:
    """Return the general category."""
    return str(unicodedata2.category(character))


def is_numeric(character: str) -> bool:
    """Tell whether the character has a numeric value."""
    return unicodedata2.numeric(character, None) is not None


def is_word(character: str) -> bool:
    """Tell whether it is a letter, has a numeric value, or is the underscore."""
    return character == "_" or category(character)[0] == "L" or is_numeric(character)


def is_exact(character: str) -> bool:
    """Tell whether it is a number, or a letter whose form means something: eˣ, 𝐱, ⓐ, ㎏."""
    tag = unicodedata2.decomposition(character).partition(" ")[0]
    return is_numeric(character) or tag in ("<super>", "<sub>", "<font>", "<circle>", "<square>")


def is_solo(character: str) -> bool:
    """Tell whether it is a word of its own: a letter of a script without spaces."""
    named = unicodedata2.name(character, "").startswith(SPACELESS)
    return named and category(character) in ("Lo", "Lm", "Nl")


def is_mark(character: str) -> bool:
    """Tell whether it belongs to the word before it."""
    return category(character)[0] == "M" or character in JOINERS


def is_silent(character: str) -> bool:
    """Tell whether it is a mark on other characters, or white space."""
    return category(character)[0] == "M" or character.isspace()


def is_prose(character: str) -> bool:
    """Tell whether it is punctuation that carries no meaning between words."""
    return category(character)[0] == "P" and character not in NOT_PROSE


def composed_pairs() -> list[list[int]]:
    """Return the pairs of characters that NFC makes one of, Hangul's left out."""
    pairs = []
    for character in CHARACTERS:
        parts = unicodedata2.decomposition(character).split()
        canonical_pair = len(parts) == 2 and parts[0][0] != "<"
        if canonical_pair and unicodedata2.normalize("NFC", character) == character:
            pairs.append([int(part, 16) for part in parts])
    return sorted(pairs)


def folded(character: str) -> str:
    """Return a character without what is form alone, before its case is lowered."""
    if character in INVISIBLE:
        return ""
    if character in SAME:
        return SAME[character]
    tag = unicodedata2.decomposition(character).partition(" ")[0]
    normal = str(unicodedata2.normalize("NFKC", character))
    if tag in FORMS:
        return normal
    letters = all(category(c)[0] in "LM" for c in normal)
    plain = letters or normal in (" ", "...", "..")
    return normal if tag == "<compat>" and plain and not is_numeric(character) else character


def replacements() -> dict[str, str]:
    """Return the folded lower case of every non-ASCII character that it changes."""
    forms = [folded(character) for character in CHARACTERS]
    lower = pc.utf8_lower(pa.array(forms, pa.large_string())).to_pylist()
    # The only character whose lower case is two (SpecialCasing.txt); Arrow maps one to one.
    lower[CHARACTERS.index("\u0130")] = "i\u0307"
    lower = [low.replace("ς", "σ") for low in lower]
    return {
        c: low for c, low in zip(CHARACTERS, lower, strict=True) if not c.isascii() and c != low
    }


def skeletons() -> dict[str, str]:
    """Return the letter that remains of each character without marks and vowel signs."""
    bases = {}
    for character in CHARACTERS:
        if is_mark(character):
            bases[character] = ""
        elif character in VOWEL_LETTERS:
            bases[character] = chr(ord(character) & ~0x7F | 0x30)  # A stands for all of a script
        elif ord(character) in ETHIOPIC and category(character) == "Lo":
            bases[character] = chr(ord(character) & ~7)
        elif category(character)[0] == "L" and ord(character) not in HANGUL_SYLLABLES:
            parts = unicodedata2.normalize("NFD", character)
            bases[character] = "".join(c for c in parts if not is_mark(c))
    return {c: base for c, base in bases.items() if base != c}


def as_ranges(test: Callable[[str], bool]) -> list[list[int]]:
    """Return the first and last code point of every run of characters that pass a test."""
    code_points = [ord(c) for c in CHARACTERS if test(c)]
    runs = itertools.groupby(enumerate(code_points), key=lambda x: x[1] - x[0])
    return [[run[0][1], run[-1][1]] for run in (list(group) for _, group in runs)]


def main() -> None:
    """Write the file that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    pairs = composed_pairs()
    seconds = HANGUL_VOWELS_AND_FINALS | {chr(second) for _, second in pairs}
    tables: dict[str, Any] = {
        "unicode_version": unicodedata2.unidata_version,
        "word": as_ranges(is_word),
        "solo": as_ranges(is_solo),
        "mark": as_ranges(is_mark),
        "numeric": as_ranges(is_exact),
        "silent": as_ranges(is_silent),
        "prose": as_ranges(is_prose),
        "operator": as_ranges(lambda c: category(c) == "Sm" or c in "%&*/@\\^#"),
        "unstable": as_ranges(lambda c: unicodedata2.normalize("NFC", c) != c),
        "second": as_ranges(lambda c: c in seconds),
        "combining": [
            [value, as_ranges(lambda c: unicodedata2.combining(c) == value)]  # noqa: B023
            for value in sorted({unicodedata2.combining(c) for c in CHARACTERS} - {0})
        ],
        "pairs": pairs,
        "replaced": replacements(),
        "skeleton": skeletons(),
    }
    out.write_text(json.dumps(tables, separators=(",", ":")) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
