r"""Write the Unicode tables of `transforms/characters.py`: words, spaces, forms, lower case.

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
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import unicodedata2

SURROGATES = range(0xD800, 0xE000)
CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if c not in SURROGATES]
HANGUL_VOWELS_AND_FINALS = {chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
CAPITAL_SIGMA = "\u03a3"
"""Its lower case depends on whether it ends a word."""
CAPITAL_I_WITH_DOT = "\u0130"
"""The only character whose lower case is two (SpecialCasing.txt); Arrow maps one to one."""


def is_word(character: str) -> bool:
    """Whether the expression matches: a letter, what has a numeric value, or the underscore."""
    return (
        character == "_"
        or unicodedata2.category(character)[0] == "L"
        or unicodedata2.numeric(character, None) is not None
    )


def is_silent(character: str) -> bool:
    """Whether it is a mark on other characters, or white space."""
    return unicodedata2.category(character)[0] == "M" or character.isspace()


def composing() -> set[str]:
    """Characters whose normalisation depends on their neighbours.

    These are the ones whose NFKC form begins with a combining mark or with what may be the second
    half of a composed character (the property NFC_Quick_Check = Maybe), and capital sigma.
    """
    seconds = set(HANGUL_VOWELS_AND_FINALS)
    for character in CHARACTERS:
        parts = unicodedata2.decomposition(character).split()
        canonical_pair = len(parts) == 2 and parts[0][0] != "<"
        if canonical_pair and unicodedata2.normalize("NFC", character) == character:
            seconds.add(chr(int(parts[1], 16)))
    found = set()
    for character in CHARACTERS:
        normal = unicodedata2.normalize("NFKC", character)
        if normal[0] in seconds or unicodedata2.combining(normal[0]) or CAPITAL_SIGMA in normal:
            found.add(character)
    return found


def replacements() -> dict[str, str]:
    """Lower case of the NFKC form of every non-ASCII character that these change."""
    normal = [unicodedata2.normalize("NFKC", character) for character in CHARACTERS]
    lower = pc.utf8_lower(pa.array(normal, pa.large_string())).to_pylist()
    lower[CHARACTERS.index(CAPITAL_I_WITH_DOT)] = "i\u0307"
    return {
        c: low for c, low in zip(CHARACTERS, lower, strict=True) if not c.isascii() and c != low
    }


def as_ranges(characters: set[str]) -> list[list[int]]:
    """First and last code point of every run, in order."""
    runs = itertools.groupby(enumerate(sorted(map(ord, characters))), key=lambda x: x[1] - x[0])
    return [[run[0][1], run[-1][1]] for run in (list(group) for _, group in runs)]


def main() -> None:
    """Write the file that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    context = composing()
    tables = {
        "unicode_version": unicodedata2.unidata_version,
        "word": as_ranges(set(filter(is_word, CHARACTERS))),
        "silent": as_ranges(set(filter(is_silent, CHARACTERS))),
        "composing": as_ranges(context),
        "replaced": {c: low for c, low in replacements().items() if c not in context},
    }
    out.write_text(json.dumps(tables, indent=0, separators=(",", ":")) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
