"""Phrases of one language, and texts that are put together from them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.acceptance.tokens import tokens

Two = tuple[str, str]


@dataclass(frozen=True)
class Bank:
    """Phrases and sentences of one language.

    Attributes:
        language: its name.
        script: the script that it is written in.
        joiner: what stands between two sentences.
        order: a sentence with the slots when, who, what and where, its full stop included.
        when: phrases of a slot, as `who`, `what` and `where`; none has a negation or a number.
        first: a sentence that begins with the number n; `middle` and `last` have it elsewhere.
        weight: a sentence with the amount q, as `price` and `degrees`.
        negation: pairs of sentences that differ in a negation.
        marks: kind of mark, and two sentences that differ in marks of this kind only.
        native: two numbers in the language's own digits, or nothing.
        swaps: words of the phrases and others in their place, where spaces don't show the words.
    """

    language: str
    script: str
    joiner: str
    order: str
    when: tuple[str, ...]
    who: tuple[str, ...]
    what: tuple[str, ...]
    where: tuple[str, ...]
    first: str
    middle: str
    last: str
    weight: str
    price: str
    degrees: str
    negation: tuple[Two, ...]
    marks: tuple[tuple[str, str, str], ...] = ()
    native: Two | None = None
    swaps: tuple[Two, ...] = ()

    def sentences(self, least: int, rng: random.Random) -> list[str]:
        """Return sentences of at least `least` tokens in all, no phrase of `what` twice in a row.

        Args:
            least: tokens, as `tokens` counts them.
            rng: decides all phrases.
        """
        texts: list[str] = []
        count = 0
        left: dict[str, list[str]] = {}
        while count < least:
            slots = {}
            for name in ("when", "who", "what", "where"):
                if not left.get(name):
                    left[name] = rng.sample(getattr(self, name), len(getattr(self, name)))
                slots[name] = left[name].pop()
            text = self.order.format(**slots)
            texts.append(text[0].title() + text[1:])
            count += len(tokens(texts[-1]))
        return texts


def bank(language: str, script: str, order: str, *, joiner: str = " ", **rest: object) -> Bank:
    """Return a bank whose slots are given as phrases between upright strokes."""
    slots = {name: tuple(str(rest.pop(name)).split("|")) for name in _SLOTS}
    swaps = tuple(tuple(word.split("=")) for word in str(rest.pop("swaps", "")).split())
    rest["swaps"] = swaps
    return Bank(language, script, joiner, order, **slots, **rest)  # type: ignore[arg-type]


_SLOTS = ("when", "who", "what", "where")
