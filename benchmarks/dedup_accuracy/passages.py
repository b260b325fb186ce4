"""Texts of Debian packages in Chinese, Japanese, Thai and English, cut into passages.

Pages of GNOME's help, the plain text of the Debian Reference, and messages of programs. A token is
a word between spaces and punctuation; in scripts without spaces, one character with its marks.
"""

from __future__ import annotations

import gettext
import gzip
import re
import sys
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

LEAST, MOST = 60, 400  # tokens of a passage
ALIKE = 0.3  # passages as similar as this are taken once
SHINGLE = 5

Shingles = frozenset[tuple[str, ...]]


def _marks() -> str:
    """Return all combining marks as ranges of a regular expression's class."""
    codes = [c for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == "M"]
    ranges = []
    for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]):
        members = [code for _, code in group]
        ranges.append(f"{chr(members[0])}-{chr(members[-1])}")
    return "".join(ranges)


# Thai, Lao, Tibetan, Myanmar, Khmer, Hiragana, Han: a token each, with its marks.
_SINGLE = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u309f"
_SINGLE += "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


@cache
def _token() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"(?:(?![{_SINGLE}])\w[{marks}]*)"
    return re.compile(rf"[{_SINGLE}](?<=\w)[{marks}]*|{letter}+(?:['’]{letter}+)*")


def spans(text: str) -> list[tuple[int, int]]:
    """Return where each token begins and ends.

    A token is a run of letters, digits, marks and underscores, with apostrophes inside; in scripts
    without spaces it is one character with its marks.
    """
    return [match.span() for match in _token().finditer(text)]


def tokens(text: str) -> list[str]:
    """Return the tokens of a text in lower case, NFC."""
    normal = unicodedata.normalize("NFC", text).lower()
    return [normal[i:j] for i, j in spans(normal)]


def shingles(words: Sequence[str]) -> Shingles:
    """Return the distinct runs of five tokens; a shorter text is its own only one."""
    count = max(len(words) - SHINGLE + 1, 1)
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(count))


def jaccard(a: Shingles, b: Shingles) -> float:
    """Return |a ∩ b| / |a ∪ b|."""
    return len(a & b) / len(a | b)


@dataclass(frozen=True)
class Language:
    """A language and the places of its texts.

    Attributes:
        name: English name.
        letters: class of a regular expression for its script.
        negation: regular expression of negations, which no edit may add, remove or move.
        help: folder below `share/help` with pages of Mallard.
        book: end of the name of the Debian Reference, or empty.
        messages: folder below `share/locale` with message catalogues, or empty.
        packages: names of the packages that carry the texts.
    """

    name: str
    letters: str
    negation: str
    help: str
    book: str | None
    messages: str | None
    packages: str


ENGLISH = Language(
    "English",
    "a-zA-Z",
    r"\b(?:not|no|nor|never|none|neither|nothing|nobody|without|cannot|non|\w+n['’]t)\b",
    "C",
    "debian-reference.en.txt.gz",
    None,
    "gnome-user-docs, debian-reference-en",
)
LANGUAGES = (
    Language(
        "Chinese",
        "\u3400-\u4dbf\u4e00-\u9fff",
        "[不没無无未非否别勿莫]",
        "zh_CN",
        "debian-reference.zh-cn.txt.gz",
        None,
        "gnome-user-docs, debian-reference-zh-cn",
    ),
    Language(
        "Japanese",
        "\u3040-\u30ff\u4e00-\u9fff",
        "な[いくけかしさ]|ませ?ん|[ずぬ不無非未否]",
        "ja",
        "debian-reference.ja.txt.gz",
        None,
        "gnome-user-docs, debian-reference-ja",
    ),
    Language(
        "Thai",
        "\u0e00-\u0e7f",
        "ไม่|มิ|ไร้|ห้าม|อย่า|เปล่า|ยกเลิก",
        "th",
        None,
        "th",
        "libreoffice-l10n-th, evolution-common, vlc-l10n, gedit-common, dpkg, nautilus-data",
    ),
)


def paragraphs(language: Language, folder: Path) -> Iterator[list[str]]:
    """Yield the documents of a language, each as its paragraphs in the language's script.

    Args:
        language: language whose files are read.
        folder: folder of the unpacked packages, at any depth.
    """
    for path in sorted(folder.rglob(f"share/help/{language.help}/**/*.page")):
        yield _written_in(language, _page(path))
    if language.book:
        for path in sorted(folder.rglob(language.book)):
            yield _written_in(language, _book(path))
    if language.messages:
        for path in sorted(folder.rglob(f"{language.messages}/LC_MESSAGES/*.mo")):
            for message in _messages(path):
                yield _written_in(language, [message])


def _page(path: Path) -> Iterator[str]:
    """Yield titles and paragraphs of a page of Mallard, without credits."""
    pending = [ElementTree.parse(path).getroot()]
    while pending:
        element = pending.pop()
        name = element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
        if name in ("p", "title"):
            yield " ".join("".join(element.itertext()).split())
        elif name not in ("info", ""):
            pending.extend(reversed(element))


def _book(path: Path) -> Iterator[str]:
    """Yield the flowing text of a plain-text book, without tables and indented examples."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        blocks = re.split(r"\n\s*\n", lines.read())
    for block in blocks:
        if "|" not in block and not block.startswith(" " * 8):
            text = re.sub(r"\s+", " ", block.strip())
            yield re.sub(rf"(?<=[{_SINGLE}]) (?=[{_SINGLE}])", "", text)


def _messages(path: Path) -> list[str]:
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return [text for key, text in catalogue.items() if key and isinstance(text, str)]


def _written_in(language: Language, texts: Iterable[str]) -> list[str]:
    """Return the texts of which most letters are in the language's script."""
    script = re.compile(f"[{language.letters}]")
    shares = ((text, sum(map(str.isalpha, text))) for text in texts)
    return [t for t, letters in shares if letters and len(script.findall(t)) > letters / 2]


def passages(documents: Iterable[list[str]], rng: np.random.Generator) -> list[str]:
    """Cut documents into passages of whole paragraphs, each of `LEAST` to `MOST` tokens."""
    result = []
    for document in documents:
        wanted, parts, count = int(rng.integers(LEAST, MOST)), [], 0
        for text in document:
            size = len(spans(text))
            if count + size <= MOST:
                parts.append(text)
                count += size
            if count >= wanted or count + size > MOST:
                result.append("\n".join(parts))
                wanted, parts, count = int(rng.integers(LEAST, MOST)), [], 0
        result.append("\n".join(parts))
    return [text for text in result if len(spans(text)) >= LEAST]


def unlike(texts: Iterable[str]) -> list[str]:
    """Return the texts that have no earlier one within `ALIKE`."""
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes: list[int] = []
    result = []
    for text in texts:
        distinct = shingles(tokens(text))
        common = Counter(other for shingle in distinct for other in holders[shingle])
        if all(n / (len(distinct) + sizes[other] - n) < ALIKE for other, n in common.items()):
            for shingle in distinct:
                holders[shingle].append(len(sizes))
            sizes.append(len(distinct))
            result.append(text)
    return result


def of_lengths(texts: Sequence[str], lengths: Iterable[int]) -> list[str]:
    """Return the beginnings of texts so that each wanted number of tokens is there once.

    Longest first, each from the shortest text that has as many; lengths beyond the texts are left.
    """
    remaining = sorted((len(spans(text)), text) for text in texts)
    result = []
    for length in sorted(lengths, reverse=True):
        place = bisect_left(remaining, (length, ""))
        if place < len(remaining):
            _, text = remaining.pop(place)
            result.append(text[: spans(text)[length - 1][1]])
    return result
