"""A pair of texts, and the layouts that a pair's texts can have: prose, chat, table, code."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tests.acceptance.alphabets import ALPHABETS
from tests.acceptance.asia import ASIA
from tests.acceptance.bank import Bank

Kind = Literal["prose", "mathematics", "code", "chat", "table"]

BANKS: tuple[Bank, ...] = ALPHABETS + ASIA


class Pair(NamedTuple):
    """Two texts, in what they differ, their script, and the kind of text that they are."""

    category: str
    script: str
    kind: Kind
    a: str
    b: str


def prose(sentences: Sequence[str], bank: Bank) -> str:
    """Return the sentences as one paragraph."""
    return bank.joiner.join(sentences)


def chat(sentences: Sequence[str]) -> str:
    """Return the sentences as turns of two speakers, one a line."""
    return "\n".join(f"{'AB'[i % 2]}: {text}" for i, text in enumerate(sentences))


def table(cell: str, bank: Bank, rows: int, place: int, rng: random.Random) -> str:
    """Return a Markdown table of who, where and a figure; `cell` is the figure of row `place`.

    Args:
        cell: content of the cell that a pair differs in.
        bank: gives the words.
        rows: their number without the head.
        place: the row that gets the cell, from 0.
        rng: decides everything else; the same state gives the same table around the cell.
    """
    lines = [f"| {rng.choice(bank.when)} | {rng.choice(bank.where)} | № |", "|---|---|---|"]
    for row in range(rows):
        figure = str(rng.randrange(100, 10_000))
        words = rng.choice(bank.who), rng.choice(bank.what)
        lines.append(f"| {words[0]} | {words[1]} | {cell if row == place else figure} |")
    return "\n".join(lines)


_VERBS = "load sort merge split check count print scan trim pack find read join draw move"
_NOUNS = "rows names users files pages edges nodes items words boxes lines units cells jobs"
_FILLERS = {
    "py": (
        "def {v}_{n}({m}, limit):",
        "    {n}_{k} = {v}({m}[{k}], size={k2})",
        "    if len({m}) > {k}: {v}_{m}({n})",
        "    for {m}_{k} in {v}_{n}({k2}): {n}.append({m})",
        "    return {v}({n}) + {m}[{k}] * {k2}",
    ),
    "c": (
        "static int {v}_{n}(struct {m} *{n}, long n{k})",
        "    {n}[{k}].{m} = {v}_{m}({n}, {k2});",
        "    while ({m}_{k} < {v}({n})) {n}_{k2} += {k};",
        "    if ({v}_{m}({n}[{k2}]) > {k}) return {m};",
        '    printf("{v} {m} %d", {n}_{k});',
    ),
    "js": (
        "function {v}_{n}({m}, n{k}) {{",
        "  const {m}_{k} = {n}.map({v}_{m}).slice({k2});",
        "  if ({n}.length > {k}) {{ {v}({m}, {k2}); }}",
        "  {m}.{v}({n}[{k}], {k2});",
        "  return {v}({n}).{m}.concat({k}); }}",
    ),
    "sh": (
        "export {v}_{n}={m}{k}",
        "{v} --{n} {k} --{m} {k2}",
        "for {m} in {n}_{k}; do {v} {m}_{k2}; done",
        "test -f {m}_{k} && {v} {n}{k2}",
        "{v}_{m} {n}_{k} > {m}{k2}.log",
    ),
}
COMMENT = {"py": "#", "sh": "#", "c": "//", "js": "//"}


def code_lines(language: str, count: int, rng: random.Random) -> list[str]:
    """Return so many lines of code that no other text has."""
    lines = []
    for _ in range(count):
        lines.append(
            rng.choice(_FILLERS[language]).format(
                v=rng.choice(_VERBS.split()),
                n=rng.choice(_NOUNS.split()),
                m=rng.choice(_NOUNS.split()),
                k=rng.randrange(2, 90),
                k2=rng.randrange(90, 900),
            )
        )
    return lines


def fenced(lines: Sequence[str], language: str) -> str:
    """Return code between Markdown fences."""
    return "\n".join([f"```{language}", *lines, "```"])


def indented(lines: Sequence[str]) -> str:
    """Return code as a block that Markdown recognises by its four spaces."""
    return "\n".join(f"    {line}" for text in lines for line in text.splitlines())
