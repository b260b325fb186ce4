"""Set (b): a text that differs in form alone, or in a word of fifty, goes for the other."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from tests.acceptance import form
from tests.acceptance.form import EXACT, LEAST
from tests.acceptance.pairs import Pair
from tests.acceptance.removal import Removal, Text, alike, removals
from tests.acceptance.tokens import tokens

CATEGORIES = {
    *("Markdown", "NFC and NFD", "case", "double spaces", "full width", "quotes and dashes"),
    *("line ends", "line ends for spaces", "trailing blanks", "punctuation between words"),
    *("spaces between Han and Latin", "one character of 100", "one word of 100"),
    *("two words of 100",),
}
SHARE = 0.95
ENOUGH = 20  # pairs of a category that is judged alone


@cache
def pairs() -> list[Pair]:
    return form.pairs()


@cache
def long() -> list[int]:
    """Return the numbers of the pairs that have enough tokens."""
    sizes = [min(len(tokens(pair.a)), len(tokens(pair.b))) for pair in pairs()]
    return [number for number, size in enumerate(sizes) if size >= LEAST]


@pytest.fixture(scope="module")
def removed(tmp_path_factory: pytest.TempPathFactory) -> dict[Text, Removal]:
    return removals(pairs(), tmp_path_factory.mktemp("form"))


def recognised(number: int, removed: dict[Text, Removal]) -> bool:
    """Return whether just one text of a pair went, and went for the other."""
    a, b = (number, "a"), (number, "b")
    if (a in removed) == (b in removed):
        return False
    return removed[a].kept == b if a in removed else removed[b].kept == a


def test_the_set_is_as_large_and_as_varied_as_promised() -> None:
    assert len(pairs()) >= 450
    assert len(long()) >= 450
    assert len({pair.script for pair in pairs()}) >= 15
    assert {pairs()[number].category for number in long()} == CATEGORIES
    assert {pair.kind for pair in pairs()} == {"prose", "chat"}
    assert form.pairs() == pairs()
    assert all(pair.a != pair.b for pair in pairs())
    assert Counter(pairs()[number].category for number in long()).most_common()[-1][1] >= ENOUGH


def test_texts_of_different_pairs_are_unlike() -> None:
    assert alike(pairs(), 0.5) == []


def test_nearly_all_long_pairs_are_recognised(removed: dict[Text, Removal]) -> None:
    missed = [number for number in long() if not recognised(number, removed)]
    assert len(missed) <= (1 - SHARE) * len(long()), _message(missed)


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_nearly_all_long_pairs_of_a_category_are_recognised(
    category: str, removed: dict[Text, Removal]
) -> None:
    numbers = [number for number in long() if pairs()[number].category == category]
    missed = [number for number in numbers if not recognised(number, removed)]
    assert len(missed) <= (1 - SHARE) * len(numbers), _message(missed)


def test_only_normal_form_and_line_ends_are_exact(removed: dict[Text, Removal]) -> None:
    wrong = Counter(
        (pairs()[number].category, gone.stage)
        for (number, _), gone in removed.items()
        if (gone.stage == "exact") != (pairs()[number].category in EXACT)
    )
    assert not wrong, wrong.most_common()


def _message(missed: list[int]) -> str:
    """Return the counts by category and script, and the first pairs."""
    lines = [f"{len(missed)} pairs are not recognised"]
    for name in ("category", "script", "kind"):
        every = Counter(getattr(pairs()[number], name) for number in long())
        count = Counter(getattr(pairs()[number], name) for number in missed)
        shares = ", ".join(f"{key} {n} of {every[key]}" for key, n in count.most_common())
        lines.append(f"by {name}: {shares}")
    for number in missed[:8]:
        pair = pairs()[number]
        lines.append(f"{number}, {pair.category}, {pair.script}:")
        lines += [f"  a: {pair.a[:300]!r}", f"  b: {pair.b[:300]!r}"]
    return "\n".join(lines)
