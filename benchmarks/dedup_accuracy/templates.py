"""Texts that share a long boilerplate and differ in substance: how many are removed.

    python benchmarks/dedup_accuracy/templates.py [--threshold .8] [--show 20]
                                                  [-- --verify exact --boilerplate 20]

What stands after `--` is passed on to `outcross dedup`. Made templates: reference pages (a block of
other real text inside a long boilerplate, which is from .5 to .98 of the words) and form letters (a
real text with slots of one word for names and numbers). Real ones: Microsoft's C++ documentation
and the EIPs, whose titles say what each page is about, and a model's answers, whose prompts do.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import numpy as np
from real_texts import DATA, prose, rows
from shingles import jaccard, shingles, words
from verdicts import Verdict, outcross, peer, peers

WORDS = 400
TEMPLATES = 4  # of each kind and share, so that no single text decides
COPIES = 40
SHARES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
BOUNDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 2.0)
SLOTS = (1, 2, 4, 6, 8, 12, 20, 40)
REAL = (
    "human/ms_cpp_docs.jsonl.gz",
    "human/eips.jsonl.gz",
    "synthetic/gpteacher.jsonl.gz",
)

_TITLE = re.compile(r"^title:\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
_WORD_OF_PROSE = re.compile(r"[a-z]+")

Groups = dict[str, list[list[str]]]
Judges = dict[str, Callable[[Sequence[str]], Verdict]]


def reference_pages(pool: Sequence[str], seed: int = 0) -> Groups:
    """Return, by share of boilerplate, pages of `WORDS` words with a block of substance."""
    stream = _stream(pool, random.Random(seed))
    groups: Groups = {}
    for share in SHARES:
        common = round(share * WORDS)
        templates = []
        for _ in range(TEMPLATES):
            frame = [next(stream) for _ in range(common)]
            blocks = [[next(stream) for _ in range(WORDS - common)] for _ in range(COPIES)]
            head, foot = frame[: common // 2], frame[common // 2 :]
            templates.append([" ".join(head + block + foot) for block in blocks])
        groups[f"{share:.0%} of the words"] = templates
    return groups


def form_letters(pool: Sequence[str], seed: int = 0) -> Groups:
    """Return, by number of slots, letters of `WORDS` words with a name or a number in each slot."""
    rng = random.Random(seed)
    stream = _stream(pool, rng)
    names = sorted({token for text in pool for token in text.split() if token.istitle()})
    groups: Groups = {}
    for slots in SLOTS:
        places = [round((i + 0.5) * WORDS / slots) for i in range(slots)]
        templates = []
        for _ in range(TEMPLATES):
            letter = [next(stream) for _ in range(WORDS)]
            copies = []
            for _ in range(COPIES):
                for place in places:
                    letter[place] = rng.choice([rng.choice(names), str(rng.randrange(10**5))])
                copies.append(" ".join(letter))
            templates.append(copies)
        groups[f"{slots} slot{'s' * (slots > 1)}"] = templates
    return groups


def _stream(pool: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield words of real prose without end, text by text."""
    prose_only = [text for text in pool if _mostly_words(text.split())]
    while True:
        for text in rng.sample(prose_only, len(prose_only)):
            yield from words(text)


def _mostly_words(tokens: list[str]) -> bool:
    return len({token for token in tokens if _WORD_OF_PROSE.match(token)}) > len(tokens) / 3


def print_groups(groups: Groups, judges: Judges) -> None:
    """Print for each group the similarity within a template, and how many texts are removed."""
    texts = [text for group in groups.values() for template in group for text in template]
    verdicts = {name: judge(texts) for name, judge in judges.items()}
    print(f"| | J of two texts | {' | '.join(verdicts)} |")
    print("|---|---:|" + "---:|" * len(verdicts))
    begin, size = 0, TEMPLATES * COPIES
    for name, group in groups.items():
        alike = [jaccard(shingles(first), shingles(second)) for first, second, *_ in group]
        gone = [int((~v.kept[begin : begin + size]).sum()) for v in verdicts.values()]
        print(f"| {name} | {np.mean(alike):.2f} | {' | '.join(f'{n / size:.1%}' for n in gone)} |")
        begin += size


def subject(row: dict[str, Any]) -> str:
    """Return a document's subject: its prompt or its own title; empty if it has neither."""
    if "instruction" in row:
        return " ".join(words(f"{row['input']} {row['instruction']}"))
    title = _TITLE.search(row["text"])
    return " ".join(words(title[1])) if title else ""


def difference(first: str, second: str) -> list[tuple[str, str]]:
    """Return the runs of words in which two texts differ, as they stand in each text."""
    a, b = words(first), words(second)
    changes = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [(" ".join(a[i:j]), " ".join(b[k:m])) for tag, i, j, k, m in changes if tag != "equal"]


def real(name: str, judge: Callable[[Sequence[str]], Verdict], show: int) -> None:
    """Print the removed texts by similarity to their partner, and some pairs to read."""
    documents = rows(name)
    texts = [row.get("text") or row["response"] for row in documents]
    partner = judge(texts).partner
    removed = np.flatnonzero(partner >= 0)
    exact = np.array([jaccard(shingles(texts[i]), shingles(texts[partner[i]])) for i in removed])
    other = np.array([subject(documents[i]) != subject(documents[partner[i]]) for i in removed])
    changed = np.array([_words_changed(texts[i], texts[partner[i]]) for i in removed])
    print(f"\n{name}: {len(texts):,} texts, {len(removed):,} removed\n")
    print("| J to the kept text | removed | about something else | words that differ, median |")
    print("|---|---:|---:|---:|")
    for least, most in pairwise(BOUNDS):
        within = (exact >= least) & (exact < most)
        if within.any():
            label = f"{least:.2f} to {most:.2f}" if most <= 1 else "1.00"
            median = np.median(changed[within])
            print(f"| {label} | {within.sum()} | {other[within].sum()} | {median:.0f} |")
    near = [i for i, j in zip(removed, exact, strict=True) if j < 0.95]
    for i in random.Random(0).sample(near, min(show, len(near))):
        print(f"\nremoved: {subject(documents[i])[:160]}")
        print(f"kept:    {subject(documents[partner[i]])[:160]}")
        for gone, kept in difference(texts[i], texts[partner[i]])[:8]:
            print(f"    {gone[:100] or '-'}  →  {kept[:100] or '-'}")


def _words_changed(first: str, second: str) -> int:
    a, b = Counter(words(first)), Counter(words(second))
    return max((a - b).total(), (b - a).total())


def main() -> None:
    """Made templates beside the peers, then the real ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--show", type=int, default=0, help="pairs to print of each real corpus")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("options", nargs="*", help="further options of outcross dedup")
    arguments = parser.parse_args()

    def ours(texts: Sequence[str]) -> Verdict:
        return outcross(texts, arguments.threshold, extra=arguments.options)

    judges: Judges = {" ".join(["outcross", *arguments.options]): ours}
    for name, command in {} if arguments.no_peers else peers().items():
        judges[name] = lambda texts, command=command: peer(command, texts, arguments.threshold)
    pool = prose()
    print("reference pages: share of texts removed, by share of the boilerplate\n")
    print_groups(reference_pages(pool), judges)
    print("\nform letters: share of texts removed, by slots\n")
    print_groups(form_letters(pool), judges)
    for name in REAL if DATA.is_dir() else ():
        real(name, ours, arguments.show)


if __name__ == "__main__":
    main()
