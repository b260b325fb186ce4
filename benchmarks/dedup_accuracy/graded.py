"""Graded truth: versions of real texts at a known Jaccard similarity, among other texts.

Most seeds become *pairs*: a text and one version of it, with similarities spread evenly over .5 to
1.0. The rest become *stars* (several versions of one text, spread alike) and *chains* (each version
made from the one before it, at .8 to .95: neighbours repeat each other, the ends do not).
The similarity aimed at only steers the edits; what is measured against is the exact similarity of
all pairs of the finished set (`shingles.exact_pairs`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from shingles import jaccard, shingles

LEAST, MOST = 0.5, 1.0
LINKS = 0.8, 0.95
VERSIONS = 5  # of a star or a chain, beside the text that they are made from
UNCHANGED = 0.05  # share of versions that have all words of their original
CLOSE = 0.01  # an edit that misses the aim by more is finished by dropping words
BOILERPLATES = 8
BOILERPLATE_WORDS = 1500

_SUBSTITUTES = """
    film=movie films=movies picture=film big=large small=little good=fine great=excellent
    bad=poor nice=pleasant start=begin starts=begins end=finish ends=finishes show=display
    shows=displays make=create makes=creates made=created get=obtain gets=obtains help=assist
    helps=assists use=employ uses=employs used=employed need=require needs=requires
    many=numerous much=plenty very=really really=truly also=additionally but=yet however=still
    because=since since=as so=thus about=regarding almost=nearly often=frequently maybe=perhaps
    perhaps=possibly only=merely just=simply about=around before=prior after=following
    people=persons person=individual man=guy woman=lady child=kid children=kids idea=notion
    story=tale work=job way=manner part=portion problem=issue important=significant
    different=distinct new=novel old=aged fast=quick hard=difficult easy=simple
    think=believe thinks=believes say=state says=states said=stated look=glance find=discover
    found=discovered give=provide gives=provides given=provided keep=retain includes=contains
    include=contain must=should can=may will=shall which=that while=whereas until=till
    each=every several=some entire=whole whole=entire example=instance main=primary
"""
SUBSTITUTES = dict(pair.split("=") for pair in _SUBSTITUTES.split())
HEDGES = ("indeed", "in fact", "of course", "as it were", "so to speak", "after all", "perhaps")

Tokens = list[str]
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*$")
_NOT_A_WORD = re.compile(r"[^\w\s]+")


class Row(NamedTuple):
    """One document; `id` tells how it was made, `family` names its original text."""

    id: str
    text: str
    family: int


class Edit(NamedTuple):
    """A kind of edit and the places where it can be made."""

    places: int
    carry_out: Callable[[int], Tokens]


def make(seeds: Sequence[str], seed: int, distractors: Sequence[str] = ()) -> list[Row]:
    """Return the seeds, their versions and the distractors, in random order.

    Two thirds of the seeds get one version, a sixth a star, a sixth a chain. Boilerplate that is
    added before and after comes from the distractors, or from the seeds if there are none.
    """
    rng = np.random.default_rng(seed)
    boilerplates = _boilerplates(distractors or seeds, rng)
    singles = len(seeds) - 2 * (len(seeds) // 6)
    stars = singles + len(seeds) // 6
    aims = iter(_spread(LEAST, MOST, singles + VERSIONS * (stars - singles), rng))
    links = iter(_spread(*LINKS, VERSIONS * (len(seeds) - stars), rng))
    rows_: list[Row] = []
    for family, text in enumerate(seeds):
        rows_.append(Row(f"{family}", text, family))
        parent = text
        for number in range(1 if family < singles else VERSIONS):
            chained = family >= stars
            aim = next(links if chained else aims)
            kind = "reformat" if rng.random() < UNCHANGED else str(rng.choice(list(KINDS)))
            version = edited(parent, kind, aim, rng, boilerplates)
            rows_.append(Row(f"{family}/{number + 1}/{kind}", version, family))
            parent = version if chained else parent
    rows_.extend(Row(f"{len(seeds) + i}", d, len(seeds) + i) for i, d in enumerate(distractors))
    return [rows_[i] for i in rng.permutation(len(rows_))]


def edited(
    text: str, kind: str, aim: float, rng: np.random.Generator, boilerplates: Sequence[Tokens]
) -> str:
    """`text` after edits of one kind, as near to the similarity `aim` as their number allows."""
    if kind == "reformat":
        return reformat(text)
    original = shingles(text)
    tokens, reached = _nearest(original, aim, KINDS[kind](text.split(), rng, boilerplates))
    if reached > aim + CLOSE:
        tokens, _ = _nearest(original, aim, _drop(tokens, rng, boilerplates))
    return " ".join(tokens)


def reformat(text: str) -> str:
    """Return the same words in capitals, without punctuation, on other lines."""
    bare = _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", text)).upper().split()
    return "\n".join(" ".join(bare[i : i + 8]) for i in range(0, len(bare), 8))


def _nearest(original: set[tuple[str, ...]], aim: float, edit: Edit) -> tuple[Tokens, float]:
    """Find the number of edited places that comes nearest to the aim, by bisection.

    Similarity falls as the number rises, apart from small waves.
    """

    def tried(count: int) -> tuple[float, Tokens]:
        tokens = edit.carry_out(count)
        return jaccard(original, shingles(" ".join(tokens))), tokens

    low, high = 0, edit.places
    best = tried(high)
    while low < high:
        middle = (low + high) // 2
        now = tried(middle)
        best = min(best, now, key=lambda candidate: abs(candidate[0] - aim))
        low, high = (middle + 1, high) if now[0] > aim else (low, middle)
    return best[1], best[0]


def _drop(tokens: Tokens, rng: np.random.Generator, _: Sequence[Tokens]) -> Edit:
    order = rng.permutation(len(tokens))

    def carry_out(count: int) -> Tokens:
        gone = set(order[:count].tolist())
        return [token for i, token in enumerate(tokens) if i not in gone]

    return Edit(len(tokens) - 1, carry_out)


def _swap(tokens: Tokens, rng: np.random.Generator, _: Sequence[Tokens]) -> Edit:
    order = rng.permutation(len(tokens) - 1)

    def carry_out(count: int) -> Tokens:
        changed = list(tokens)
        for i in order[:count].tolist():
            changed[i], changed[i + 1] = changed[i + 1], changed[i]
        return changed

    return Edit(len(order), carry_out)


def _shuffle(tokens: Tokens, rng: np.random.Generator, _: Sequence[Tokens]) -> Edit:
    ends = [i + 1 for i, token in enumerate(tokens) if _SENTENCE_END.search(token)]
    bounds = sorted({0, *ends, len(tokens)})
    sentences = [tokens[i:j] for i, j in pairwise(bounds)]
    order = rng.permutation(len(sentences)).tolist()

    def carry_out(count: int) -> Tokens:
        changed = list(sentences)
        for i, j in zip(order[:count], order[1:count] + order[:1], strict=True):
            changed[i] = sentences[j]
        return [token for sentence in changed for token in sentence]

    return Edit(len(sentences), lambda count: carry_out(count) if count else tokens)


def _paraphrase(tokens: Tokens, rng: np.random.Generator, _: Sequence[Tokens]) -> Edit:
    order = rng.permutation(len(tokens))
    known = np.array([token.lower() in SUBSTITUTES for token in tokens])[order]
    order = np.concatenate([order[known], order[~known]])
    hedges = rng.integers(0, len(HEDGES), len(tokens))

    def carry_out(count: int) -> Tokens:
        changed = list(tokens)
        for i in order[:count].tolist():
            other = SUBSTITUTES.get(tokens[i].lower())
            changed[i] = other or f"{tokens[i]} {HEDGES[hedges[i]]}"
        return changed

    return Edit(len(order), carry_out)


def _truncate(tokens: Tokens, _: np.random.Generator, __: Sequence[Tokens]) -> Edit:
    return Edit(len(tokens) - 1, lambda count: tokens[: len(tokens) - count])


def _frame(tokens: Tokens, rng: np.random.Generator, boilerplates: Sequence[Tokens]) -> Edit:
    frame = boilerplates[rng.integers(0, len(boilerplates))]

    def carry_out(count: int) -> Tokens:
        return frame[: count // 2] + tokens + frame[len(frame) - (count - count // 2) :]

    return Edit(len(frame), carry_out)


KINDS: dict[str, Callable[[Tokens, np.random.Generator, Sequence[Tokens]], Edit]] = {
    "drop": _drop,
    "swap": _swap,
    "shuffle": _shuffle,
    "paraphrase": _paraphrase,
    "truncate": _truncate,
    "frame": _frame,
}


def _boilerplates(texts: Sequence[str], rng: np.random.Generator) -> list[Tokens]:
    """Return a few long texts that are put around many others."""
    boilerplates = []
    for _ in range(BOILERPLATES):
        tokens: Tokens = []
        while len(tokens) < BOILERPLATE_WORDS:
            tokens.extend(texts[rng.integers(0, len(texts))].split())
        boilerplates.append(tokens[:BOILERPLATE_WORDS])
    return boilerplates


def _spread(least: float, most: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """`count` numbers spread evenly from `least` to `most`, in random order."""
    return rng.permutation(least + (most - least) * (np.arange(count) + 0.5) / max(count, 1))
