"""Pairs of texts that differ in form alone, or in one or two words of a hundred: set (b).

One text of such a pair repeats the other. No edit touches a number, sign, unit, emoji or negation:
the phrases of the banks have none.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from itertools import cycle

from tests.acceptance.bank import Bank
from tests.acceptance.pairs import BANKS, Pair, chat, prose
from tests.acceptance.tokens import SINGLE, tokens

SEED = 29
LEAST = 50  # tokens of a text that has to be recognised
EXACT = {"NFC and NFD", "line ends", "trailing blanks"}  # what goes as an exact repeat
LENGTHS = (52, 140, 70, 220, 90, 330)
LENGTHS_SINGLE = (52, 110, 75, 150, 90, 130)  # where each character is a token
SHORT = 12

_CASED = ("English", "German", "Vietnamese", "Yoruba", "Russian", "Greek", "Armenian", "Georgian")
_ASCII = ("English", "German", "Turkish")
_CJK = ("Chinese", "Japanese")
_SPEAKERS = {"Chinese": "{}小组认为，", "Japanese": "{}班によると、"}
_TERMS = ("Linux", "Python", "Docker", "Kafka", "Redis", "Git", "Unicode", "Firefox", "Debian")
_HAN = "花草树鸟鱼云雪山海田茶酒火土金石木竹门车船马牛羊"
# Numerals and units that stand in the banks; no edit touches them.
_HAN_FIGURES = "一二三四五六七八九十百千万日月年天分里点"
_FIGURES = frozenset(("một", "ein", "eine", "einen", "bir", "ένα", "μια", "एक", "একটা", "ఒక", "ஒரு"))
_HALF = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)}
_HALF_MARKS = {"\u3099": "\uff9e", "\u309a": "\uff9f"}
_QUOTES = {
    "Latin": ("“", "”"),
    "Cyrillic": ("«", "»"),
    "Greek": ("«", "»"),
    "Armenian": ("«", "»"),
    "Arabic": ("«", "»"),
    "Georgian": ("„", "“"),
    "Han": ("“", "”"),
    "Kana": ("「", "」"),
}

# Prose punctuation, and what can stand in its place.
_MARKS = {
    ".": ";…,",
    "。": "；…",
    "，": "、：",
    "、": "，；",
    "\u0964": ";…",  # Devanagari and Bengali
    "\u0f0d": ";…",  # Tibetan
    "\u104b": ";…",  # Myanmar
    "\u1362": "\u1365…",  # Ethiopic
    "\u17d4": ";…",  # Khmer
    "\u0589": ",…",  # Armenian
}

Edit = Callable[[str, random.Random], str]


def pairs(seed: int = SEED) -> list[Pair]:
    """Return the pairs of set (b), the same for the same seed."""
    rng = random.Random(seed)
    return [pair for bank in BANKS for pair in _Maker(bank, rng).all()]


class _Maker:
    """Makes the pairs of one language."""

    def __init__(self, bank: Bank, rng: random.Random) -> None:
        self.bank = bank
        self.rng = rng
        self.lengths = cycle(LENGTHS_SINGLE if _single(bank) else LENGTHS)
        for _ in range(rng.randrange(3)):
            next(self.lengths)

    def all(self) -> Iterator[Pair]:
        """Yield the pairs of all categories."""
        yield from self.edited()
        yield from self.laid_out()
        yield from self.widths()
        yield from self.quotes()
        yield from self.words()
        if self.bank.language in _CJK:
            yield from self.characters()
            yield from self.terms()
        text = self.prose(SHORT)
        yield self.pair("short", text, _double_spaces(f"**{text}**", self.rng))

    def pair(self, category: str, a: str, b: str, *, talk: bool = False) -> Pair:
        """Return a pair in the bank's script."""
        return Pair(category, self.bank.script, "chat" if talk else "prose", a, b)

    def sentences(self) -> list[str]:
        """Return sentences of the next length."""
        return self.bank.sentences(next(self.lengths), self.rng)

    def prose(self, least: int | None = None) -> str:
        """Return a paragraph of at least `least` tokens, or of the next length."""
        return prose(self.bank.sentences(least or next(self.lengths), self.rng), self.bank)

    def edited(self) -> Iterator[Pair]:
        """Yield texts and what an edit of the finished text makes of them."""
        for turn, (category, edit) in enumerate(_edits(self.bank)):
            talk = turn % 3 == 2 or category in ("line ends", "trailing blanks")
            text = chat(self.sentences()) if talk else self.prose()
            yield self.pair(category, text, edit(text, self.rng), talk=talk)

    def laid_out(self) -> Iterator[Pair]:
        """Yield headings, bullets, quotations, bold sentences and lines in place of a paragraph."""
        for layout in (_heading, _bullets, _quotation, _bold):
            sentences = self.sentences()
            yield self.pair("Markdown", prose(sentences, self.bank), layout(sentences, self.bank))
        sentences = self.sentences()
        yield self.pair("line ends for spaces", prose(sentences, self.bank), "\n".join(sentences))

    def widths(self) -> Iterator[Pair]:
        """Yield full-width and half-width forms, of digits too."""
        changes: tuple[Callable[[str], str], ...] = ()
        if self.bank.language in _ASCII:
            changes = (_wide,) * 5
        elif self.bank.language == "Chinese":
            changes = (_half_marks, _wide, _half_marks)
        elif self.bank.language == "Japanese":
            changes = (_half_kana, _wide, _half_kana, _half_marks, _half_kana)
        for change in changes:
            figures = str(self.rng.randrange(20, 900))
            sentences = [*self.sentences(), self.bank.middle.format(n=figures)]
            text = prose(sentences, self.bank)
            yield self.pair("full width", text, change(text))

    def quotes(self) -> Iterator[Pair]:
        """Yield typographic quotation marks, dashes and apostrophes for those of ASCII."""
        opening, closing = _QUOTES.get(self.bank.script, ("“", "”"))
        sentences = self.sentences()
        a, b = (
            prose([f"{x}{t}{y}" if i % 2 else t for i, t in enumerate(sentences)], self.bank)
            for x, y in (('"', '"'), (opening, closing))
        )
        yield self.pair("quotes and dashes", a, b)
        sentences = self.sentences()
        a, b = (dash.join(sentences) for dash in (" - ", " – "))
        yield self.pair("quotes and dashes", a, b)
        if self.bank.language == "English":
            for _ in range(3):
                text = self.prose().replace("the ", "the neighbour's ")
                yield self.pair("quotes and dashes", text, text.replace("'", "’"))

    def words(self) -> Iterator[Pair]:
        """Yield texts with one or two words of a hundred replaced by others of the language.

        Where spaces don't show the words, a hundred words are about three hundred tokens.
        """
        if self.bank.swaps:
            for category, least in (
                ("one word of 100", 300),
                ("two words of 100", 150),
                ("two words of 100", 170),
            ):
                text = self.prose(least)
                yield self.pair(category, text, _swapped(text, self.bank, self.rng))
            return
        for category, lengths, each in (
            ("one word of 100", (100, 200, 310), 100),
            ("two words of 100", (52, 105, 160, 260), 50),
        ):
            for least in lengths:
                text = self.prose(least)
                often = len(tokens(text)) // each
                yield self.pair(category, text, _replaced(text, self.bank, often, self.rng))

    def characters(self) -> Iterator[Pair]:
        """Yield texts with one character of a hundred replaced by another."""
        for turn in range(12):
            text = self.prose((100, 150, 120, 170, 110, 200)[turn % 6])
            letters = list(text)
            places = [
                i
                for i, letter in enumerate(letters)
                if "\u4e00" <= letter <= "\u9fff" and letter not in _HAN_FIGURES
            ]
            for place in self.rng.sample(places, len(tokens(text)) // 100):
                letters[place] = self.rng.choice([c for c in _HAN if c != letters[place]])
            yield self.pair("one character of 100", text, "".join(letters))

    def terms(self) -> Iterator[Pair]:
        """Yield texts with and without spaces between Han and Latin."""
        start = _SPEAKERS[self.bank.language]
        for _ in range(11):
            sentences = self.sentences()
            terms = [self.rng.choice(_TERMS) for _ in sentences]
            a, b = (
                prose(
                    [start.format(t + gap) + s for t, s in zip(terms, sentences, strict=True)],
                    self.bank,
                )
                for gap in ("", " ")
            )
            yield self.pair("spaces between Han and Latin", a, b)


def _edits(bank: Bank) -> Iterator[tuple[str, Edit]]:
    """Yield category and edit for what changes a finished text of the language."""
    yield "line ends", lambda text, _: "\r\n".join(text.split("\n")) + "\r\n"
    yield "trailing blanks", _trailing
    if bank.joiner:
        yield from [("double spaces", _double_spaces), ("line ends for spaces", _wrapped)] * 2
    yield "punctuation between words", _other_marks
    if bank.order[-1] in _MARKS:
        yield "punctuation between words", _fewer_marks
    if not _single(bank):
        yield "punctuation between words", _more_marks
        yield "Markdown", _emphasis("**")
        yield "Markdown", _emphasis("*")
    if bank.language in _CASED:
        yield from [("case", _upper)] * 2
    if bank.language in _CASED and bank.language != "Georgian":
        yield "case", lambda text, _: text.lower()
    if _decomposes(bank):
        yield from [("NFC and NFD", lambda text, _: unicodedata.normalize("NFD", text))] * 3


def _heading(sentences: list[str], bank: Bank) -> str:
    return f"## {sentences[0]}\n\n{prose(sentences[1:], bank)}\n"


def _bullets(sentences: list[str], bank: Bank) -> str:
    return "\n".join(f"{'-*'[len(bank.language) % 2]} {text}" for text in sentences)


def _quotation(sentences: list[str], bank: Bank) -> str:
    return "\n".join(f"> {text}" for text in sentences)


def _bold(sentences: list[str], bank: Bank) -> str:
    return prose([t if i % 2 else f"**{t}**" for i, t in enumerate(sentences)], bank)


def _replaced(text: str, bank: Bank, often: int, rng: random.Random) -> str:
    """Return the text with so many of its words replaced by words of the bank."""
    words = text.split(" ")
    phrases = " ".join((*bank.what, *bank.where)).split(" ")
    vocabulary = sorted(set(phrases) - _FIGURES)
    places = [i for i, word in enumerate(words) if word.lower() not in _FIGURES]
    for place in rng.sample(places, often):
        word = words[place]
        core = word.strip("".join(_MARKS) + ",")
        other = rng.choice([w for w in vocabulary if w.lower() != core.lower()])
        words[place] = word.replace(core, other)
    return " ".join(words)


def _swapped(text: str, bank: Bank, rng: random.Random) -> str:
    """Return the text with one of its words replaced, where it stands first."""
    old, new = rng.choice([swap for swap in bank.swaps if swap[0] in text])
    return text.replace(old, new, 1)


def _single(bank: Bank) -> bool:
    letter = bank.who[0][0]
    return any(first <= ord(letter) <= last for first, last in SINGLE)


def _decomposes(bank: Bank) -> bool:
    return any(unicodedata.normalize("NFD", p) != p for p in (*bank.what, *bank.where, *bank.who))


def _trailing(text: str, _: random.Random) -> str:
    return (
        "\n".join(f"{line}{'  ' if i % 2 else ' '}" for i, line in enumerate(text.split("\n")))
        + "\n\n"
    )


def _double_spaces(text: str, _: random.Random) -> str:
    return text.replace(" ", "  ")


def _wrapped(text: str, rng: random.Random) -> str:
    start = text.index(" ")
    rest = ("\n" if c == " " and rng.random() < 0.3 else c for c in text[start + 1 :])
    return f"{text[:start]}\n{''.join(rest)}"


def _fewer_marks(text: str, _: random.Random) -> str:
    return text.translate({ord(mark): None for mark in _MARKS})


def _other_marks(text: str, rng: random.Random) -> str:
    if not set(text) & set(_MARKS):
        return text.replace(" ", ", ")
    return "".join(rng.choice(_MARKS[c]) if c in _MARKS else c for c in text)


def _more_marks(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    return " ".join(
        w + rng.choice(",;") if _letters(w) and rng.random() < 0.15 else w for w in words
    )


def _emphasis(mark: str) -> Edit:
    def edit(text: str, rng: random.Random) -> str:
        return " ".join(
            f"{mark}{w}{mark}" if _letters(w) and rng.random() < 0.2 else w for w in text.split(" ")
        )

    return edit


def _letters(word: str) -> bool:
    return all(unicodedata.category(character)[0] in "LM" for character in word)


def _upper(text: str, _: random.Random) -> str:
    """Return capitals for all letters that have a single one: not for ß or the Armenian և."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def _wide(text: str) -> str:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    return text.translate({**wide, 0x20: 0x3000})


def _half_marks(text: str) -> str:
    return text.replace("，", ",").replace("。", "｡").replace("、", "､")


def _half_kana(text: str) -> str:
    """Return the text with half-width katakana and Japanese punctuation."""
    halves = []
    for character in text:
        decomposed = unicodedata.normalize("NFD", character)
        base, marks = decomposed[0], decomposed[1:]
        if base in _HALF and all(mark in _HALF_MARKS for mark in marks):
            halves.append(_HALF[base] + "".join(_HALF_MARKS[mark] for mark in marks))
        else:
            halves.append(character)
    return "".join(halves)
