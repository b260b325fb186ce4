"""What a text is, in plain Python: its composed and folded forms, its words and its shingles.

Rules are those of `tools/build_characters.py`, with the properties of this interpreter's Unicode.
"""

from __future__ import annotations

import functools
import re
import unicodedata

SPACELESS = (
    *("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "HENTAIGANA", "THAI", "LAO"),
    *("KHMER", "MYANMAR", "TIBETAN", "IDEOGRAPHIC ITERATION", "IDEOGRAPHIC NUMBER"),
)
JOINERS = "\u200c\u200d"

INVISIBLE = {
    *("\u00ad", "\u200b", "\u200e", "\u200f", "\u2060", "\ufeff", "\u0640"),
    *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10))),
}
SAME = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u00b4\u05f3", "'"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
    **{"\u2015": "\u2014", "\u05f4": '"'},
}
FORMS = {
    *("<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>", "<noBreak>"),
    *("<small>", "<vertical>"),
}

_BLANK = " \t\n\v\f\r"


def composed(text: str) -> str:
    """Return what makes two texts exactly the same."""
    text = unicodedata.normalize("NFC", text)
    text = text.rstrip(_BLANK).replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[ \t]+(?=\n)", "", text)


def is_numeric(character: str) -> bool:
    return unicodedata.numeric(character, None) is not None


def is_word(character: str) -> bool:
    """Tell whether it is a letter, a number or the underscore."""
    letter = unicodedata.category(character)[0] == "L"
    return letter or character == "_" or is_numeric(character)


def is_mark(character: str) -> bool:
    """Tell whether it belongs to the word before it."""
    return unicodedata.category(character)[0] == "M" or character in JOINERS


def is_solo(character: str) -> bool:
    """Tell whether it is a word of its own."""
    named = unicodedata.name(character, "").startswith(SPACELESS)
    return named and unicodedata.category(character) in ("Lo", "Lm", "Nl")


@functools.cache
def folded_character(character: str) -> str:
    """Return a character in lower case, without what is form alone."""
    if character.isascii():
        return character
    tag = unicodedata.decomposition(character).partition(" ")[0]
    normal = unicodedata.normalize("NFKC", character)
    plain = all(unicodedata.category(c)[0] in "LM" for c in normal) or normal in (" ", "...", "..")
    if character in INVISIBLE:
        form = ""
    elif character in SAME:
        form = SAME[character]
    elif tag in FORMS or (tag == "<compat>" and plain and not is_numeric(character)):
        form = normal
    else:
        form = character
    return "".join(c.lower() for c in form).replace("\u03c2", "\u03c3")


def folded(text: str) -> str:
    """Return what words are read from, ASCII capitals still as they are."""
    text = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", "".join(map(folded_character, text)))


def words_of(text: str) -> list[str]:
    """Return the words of a text, in their order."""
    words: list[str] = []
    word = ""
    alone = False  # whether the last letter is of a script without spaces
    text = "".join(c.lower() if c.isascii() else c for c in folded(text))
    for c, after in zip(text, [*text[1:], " "], strict=False):
        joined = is_word(after) and not is_solo(after)
        if is_mark(c):
            word += c if word else ""
        elif c == "'" and word and joined and not alone:
            word += c
        elif is_word(c):
            if alone or is_solo(c):
                words.append(word)
                word = ""
            word += c
            alone = is_solo(c)
        else:
            words.append(word)
            word, alone = "", False
    words.append(word)
    return [word.strip("_'") for word in words if word.strip("_'")]


def word_hash(word: str) -> int:
    """Return the hash of a word."""

    def mix64(x: int) -> int:
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return x ^ x >> 31

    h = 0
    encoded = word.encode()
    for i in range(0, len(encoded), 8):
        h = mix64(h ^ int.from_bytes(encoded[i : i + 8], "little"))
    return h


def shingles_of(text: str, ngram: int = 5) -> set[str | tuple[str, ...]]:
    """Return the runs of so many words; of a text without words itself."""
    words = words_of(text)
    if not words:
        return {composed(text)}
    return {tuple(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))}
