"""Pairs of texts that differ in meaning by as little as possible: set (a).

Whatever removes one text of such a pair as a repeat of the other loses what it says. The smallest
difference stands alone, in a sentence or two, or in a text of up to 200 tokens, at its beginning,
in its middle or at its end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count, cycle
from typing import TypeVar

from tests.acceptance import cores
from tests.acceptance.bank import Bank, Two
from tests.acceptance.pairs import (
    BANKS,
    COMMENT,
    Kind,
    Pair,
    chat,
    code_lines,
    fenced,
    indented,
    prose,
    table,
)

Member = TypeVar("Member")

SEED = 13
MOST = 200  # tokens of a text
# Tokens of the sentences around a difference; half of the texts get 50 or more.
AROUND = (0, 55, 10, 120, 0, 75, 105, 60)
LINES = (0, 6, 1, 11, 0, 9)  # lines of code around one
ROWS = (1, 5, 3, 6)  # of a table
FORMULAS_EACH = 4  # of one bank
CODES_EACH = 4


def pairs(seed: int = SEED) -> list[Pair]:
    """Return the pairs of set (a), the same for the same seed."""
    return list(_Maker(seed).all())


class _Maker:
    """Draws what stands around a difference, and deals out what no language owns."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.around = cycle(AROUND)
        self.lines = cycle(LINES)
        self.rows = cycle(ROWS)
        self.turn = count()
        self.numbers = cycle(cores.NUMBERS)
        self.units = cycle(cores.UNITS)
        self.currencies = cycle(cores.CURRENCIES)
        self.signs = cycle(cores.SIGNS)
        self.emoji = cycle(cores.EMOJI)
        self.names = cycle(
            [("accidental", two) for two in cores.NOTES]
            + [("C, C++ and C#", two) for two in cores.LANGUAGE_NAMES]
            + [("version", two) for two in cores.VERSIONS]
        )
        self.formulas = _dealt(cores.FORMULAS)
        self.codes = _dealt(cores.CODE)

    def all(self) -> Iterator[Pair]:
        """Yield all pairs, language by language, then those of languages without a bank."""
        for bank in BANKS:
            yield from self.of_language(bank)
            yield from self.of_numbers(bank)
            yield from self.of_formulas(bank)
            yield from self.of_code(bank)
        for script, negations in cores.NEGATIONS.items():
            for a, b in negations:
                yield Pair("negation", script, "prose", a, b)
        for a, b in cores.PINYIN:
            yield Pair("tone mark", "Latin", "prose", a, b)

    def of_language(self, bank: Bank) -> Iterator[Pair]:
        """Yield what the language has itself: negation and marks."""
        for two in bank.negation:
            yield self.sentences("negation", bank, two)
        for category, a, b in bank.marks:
            yield self.sentences(category, bank, (a, b))
            yield self.sentences(category, bank, (a, b), around=85, more=True)

    def of_numbers(self, bank: Bank) -> Iterator[Pair]:
        """Yield numbers, units, currencies, signs, emoji, notes, names and cells of tables."""
        for template, place in ((bank.first, 0), (bank.middle, None), (bank.last, -1)):
            two = _filled(template, "n", next(self.numbers))
            yield self.sentences("number", bank, two, place=place)
        if bank.native:
            two = _filled(bank.middle, "n", bank.native)
            yield self.sentences("number, native digits", bank, two, around=60)
        yield self.swapped(bank)
        yield self.sentences("unit", bank, _filled(bank.weight, "q", next(self.units)))
        yield self.sentences("currency", bank, _filled(bank.price, "q", next(self.currencies)))
        yield self.sentences("sign", bank, _filled(bank.degrees, "q", next(self.signs)))
        yield self.sentences("emoji", bank, next(self.emoji), kind="chat", more=True)
        category, two = next(self.names)
        yield self.sentences(category, bank, two, more=True)
        for category, source in (
            ("number", self.numbers),
            ("unit", self.units),
            ("sign", self.signs),
            ("emoji", self.emoji),
        )[next(self.turn) % 2 :: 2]:
            yield self.cell(category, bank, next(source))

    def of_formulas(self, bank: Bank) -> Iterator[Pair]:
        """Yield formulas between sentences."""
        for _ in range(FORMULAS_EACH):
            category, two = next(self.formulas)
            yield self.sentences(category, bank, two, kind="mathematics", more=True)

    def of_code(self, bank: Bank) -> Iterator[Pair]:
        """Yield code with a comment in the bank's language."""
        for _ in range(CODES_EACH):
            category, (language, a, b) = next(self.codes)
            comment = f"{COMMENT[language]} {bank.sentences(1, self.rng)[0]}"
            around = code_lines(language, next(self.lines), self.rng)
            place = self.rng.randint(0, len(around))
            turn = next(self.turn)

            def laid_out(line: str) -> str:
                lines = [comment, *around[:place], line, *around[place:]]  # noqa: B023
                return fenced(lines, language) if turn % 2 else indented(lines)  # noqa: B023

            yield Pair(category, bank.script, "code", laid_out(a), laid_out(b))

    def sentences(
        self,
        category: str,
        bank: Bank,
        two: Two,
        *,
        place: int | None = None,
        around: int | None = None,
        more: bool = False,
        kind: Kind | None = None,
    ) -> Pair:
        """Return a pair of two cores among sentences of the bank.

        Args:
            category: of the difference.
            bank: gives the sentences around it.
            two: the cores.
            place: 0 for the first sentence, -1 for the last, else anywhere.
            around: tokens around it; by turns, if not given.
            more: whether there is at least one sentence.
            kind: of text; prose and chat by turns, if not given.
        """
        wanted = next(self.around) if around is None else around
        texts = bank.sentences(max(wanted, int(more)), self.rng) if wanted or more else []
        place = self.rng.randint(0, len(texts)) if place is None else place % (len(texts) + 1)
        turn = next(self.turn)
        kind = kind or ("chat" if turn % 3 == 0 else "prose")

        def laid_out(core: str) -> str:
            all_texts = [*texts[:place], core, *texts[place:]]
            if kind == "chat":
                return chat(all_texts)
            return "\n".join(all_texts) if turn % 4 == 1 else prose(all_texts, bank)

        return Pair(category, bank.script, kind, laid_out(two[0]), laid_out(two[1]))

    def swapped(self, bank: Bank) -> Pair:
        """Return two sentences with a number each, and with the numbers swapped."""
        low, high = self.rng.sample(range(11, 99), 2)
        templates = bank.middle, bank.first

        def core(x: int, y: int) -> str:
            return bank.joiner.join([templates[0].format(n=x), templates[1].format(n=y)])

        return self.sentences("order of numbers", bank, (core(low, high), core(high, low)))

    def cell(self, category: str, bank: Bank, two: Two) -> Pair:
        """Return two tables that differ in a cell."""
        rows = next(self.rows)
        place = self.rng.randrange(rows)
        seed = self.rng.random()
        a, b = (table(cell, bank, rows, place, random.Random(seed)) for cell in two)
        return Pair(category, bank.script, "table", a, b)


def _filled(template: str, slot: str, two: Two) -> Two:
    return template.format(**{slot: two[0]}), template.format(**{slot: two[1]})


def _dealt(groups: dict[str, tuple[Member, ...]]) -> Iterator[tuple[str, Member]]:
    """Yield members of all groups by turns, over and over, with their group's name."""
    members = {name: cycle(group) for name, group in groups.items()}
    shares = [name for name, group in groups.items() for _ in range(max(1, len(group) // 6))]
    for name in cycle(shares):
        yield name, next(members[name])
