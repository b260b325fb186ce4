"""Set (a): no text goes for another that says something else."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from tests.acceptance import meaning
from tests.acceptance.meaning import MOST
from tests.acceptance.pairs import Pair
from tests.acceptance.removal import Removal, Text, alike, removals
from tests.acceptance.tokens import tokens

CATEGORIES = {
    *("sign", "operator", "comparison", "logical or set symbol", "currency", "unit"),
    *("superscript or subscript", "accidental", "emoji", "vowel sign", "tone mark", "kana mark"),
    *("accent", "negation", "number", "number, native digits", "order of numbers", "path"),
    *("regular expression", "pointer or operator in code", "indentation", "version"),
    *("letters' case in code", "C, C++ and C#"),
}


@cache
def pairs() -> list[Pair]:
    return meaning.pairs()


@pytest.fixture(scope="module")
def removed(tmp_path_factory: pytest.TempPathFactory) -> dict[Text, Removal]:
    return removals(pairs(), tmp_path_factory.mktemp("meaning"))


def test_the_set_is_as_large_and_as_varied_as_promised() -> None:
    assert len(pairs()) >= 450
    assert len({pair.script for pair in pairs()}) >= 15
    assert {pair.category for pair in pairs()} == CATEGORIES
    assert {pair.kind for pair in pairs()} == {"prose", "mathematics", "code", "chat", "table"}
    assert meaning.pairs() == pairs()
    assert len({text for pair in pairs() for text in (pair.a, pair.b)}) == 2 * len(pairs())
    sizes = [max(len(tokens(pair.a)), len(tokens(pair.b))) for pair in pairs()]
    assert min(sizes) >= 5
    assert max(sizes) <= MOST
    assert sum(size >= 50 for size in sizes) >= len(pairs()) / 3


def test_texts_of_different_pairs_are_unlike() -> None:
    assert alike(pairs(), 0.5) == []


def test_no_text_is_lost(removed: dict[Text, Removal]) -> None:
    lost = list(removed.items())
    assert not lost, _message(lost)


def _message(lost: list[tuple[Text, Removal]]) -> str:
    """Return the counts by category, script and stage, and the first texts."""
    counts: dict[str, Counter[str]] = {
        "category": Counter(pairs()[number].category for (number, _), _ in lost),
        "script": Counter(pairs()[number].script for (number, _), _ in lost),
        "kind": Counter(pairs()[number].kind for (number, _), _ in lost),
        "stage": Counter(gone.stage for _, gone in lost),
    }
    lines = [f"{len(lost)} of {2 * len(pairs())} texts are removed"]
    lines += [f"by {name}: {dict(count.most_common())}" for name, count in counts.items()]
    for text, gone in lost[:10]:
        pair = pairs()[text[0]]
        lines.append(f"{text} for {gone.kept} ({gone.stage}), {pair.category}, {pair.script}:")
        lines += [f"  a: {pair.a[:300]!r}", f"  b: {pair.b[:300]!r}"]
    return "\n".join(lines)
