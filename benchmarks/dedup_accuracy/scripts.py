r"""Recall in scripts without spaces: Chinese, Japanese and Thai against English of equal length.

    mkdir packages && cd packages
    apt-get download gnome-user-docs debian-reference-{en,ja,zh-cn} gedit-common \
        libreoffice-l10n-th evolution-common vlc-l10n dpkg nautilus-data
    for file in *.deb; do dpkg -x "$file" unpacked; done && cd ..
    python benchmarks/dedup_accuracy/scripts.py packages/unpacked

The texts are documentation and messages of Debian packages; nothing of them is shipped here. Each
text gets one version with tokens dropped, replaced or swapped. For each language the same is done
to English passages of the same numbers of tokens. What is true is the Jaccard similarity of 5-token
shingles in plain Python (`passages.py` defines tokens).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from passages import (
    ENGLISH,
    LANGUAGES,
    Language,
    jaccard,
    of_lengths,
    paragraphs,
    passages,
    shingles,
    spans,
    tokens,
    unlike,
)
from verdicts import outcross

AIMS = 0.7, 1.0  # similarities of a text and its version
BINS = 0.85, 0.9, 0.95  # where each column of the table begins
FAR = 0.75  # what is less alike than this must stay
TRIES = 8  # of an edit that may not touch numbers or negation


class Version(NamedTuple):
    """A text, a version of it, the kind of edit, and the similarity of the two."""

    text: str
    edited: str
    kind: str
    jaccard: float


class Editor:
    """Maker of versions of texts of one language; it touches no number, sign or negation."""

    def __init__(self, language: Language, texts: Sequence[str], rng: np.random.Generator) -> None:
        """Collect the tokens that replace others from all texts."""
        self.rng = rng
        self.negation = re.compile(language.negation, re.IGNORECASE)
        self.vocabulary = [
            text[slice(*span)]
            for text in texts
            for span, free in zip(spans(text), self.free(text), strict=True)
            if free
        ]

    def free(self, text: str) -> list[bool]:
        """Return for each token whether an edit may touch it."""
        places = spans(text)
        barred = [False] * len(places)
        kept = [match.span() for match in self.negation.finditer(text)]
        for i, (start, end) in enumerate(places):
            token = text[start:end]
            after = text[end : places[i + 1][0]] if i + 1 < len(places) else ""
            if any(map(str.isnumeric, token)):
                for neighbour in range(max(i - 1, 0), min(i + 2, len(places))):
                    barred[neighbour] = True
            barred[i] |= "_" in token or token[1:] != token[1:].lower()
            if re.search(r"[^\s\w.,;:!?()\"'。，、；：！？（）「」“”‘’…]", after):
                for neighbour in range(i, min(i + 2, len(places))):
                    barred[neighbour] = True
            barred[i] |= any(a < end and start < b for a, b in kept)
        return [not mark for mark in barred]

    def version(self, text: str, kind: str, aim: float) -> Version | None:
        """Return the version nearest to a similarity; nothing where a negation always changes."""
        original = shingles(tokens(text))
        meant = self.negation.findall(text)
        for _ in range(TRIES):
            carry_out, most = self._edit(text, kind)
            if most == 0:
                return None
            low, high = 1, most
            tried: dict[int, tuple[float, str]] = {}
            while low <= high:
                middle = (low + high) // 2
                edited = carry_out(middle)
                similarity = jaccard(original, shingles(tokens(edited)))
                tried[middle] = similarity, edited
                low, high = (middle + 1, high) if similarity > aim else (low, middle - 1)
            similarity, edited = min(tried.values(), key=lambda pair: abs(pair[0] - aim))
            if self.negation.findall(edited) == meant and edited != text:
                return Version(text, edited, kind, similarity)
        return None

    def _edit(self, text: str, kind: str) -> tuple[Callable[[int], str], int]:
        """Return what edits a number of places, and how many places there are."""
        places = spans(text)
        words = [text[i:j] for i, j in places]
        inner = (text[i:j] for (_, i), (j, _) in pairwise(places))
        gaps = [text[: places[0][0]], *inner, text[places[-1][1] :]]
        free = self.free(text)
        usable = [i for i, can in enumerate(free) if can]
        if kind == "swap":
            usable = [i for i in usable[:-1] if free[i + 1] and not gaps[i + 1].strip()]
        order = self.rng.permutation(usable).tolist()
        draws = self.rng.choice(len(self.vocabulary), len(words)).tolist()

        def carry_out(count: int) -> str:
            changed, between = list(words), list(gaps)
            for i in order[:count]:
                if kind == "swap":
                    changed[i], changed[i + 1] = changed[i + 1], changed[i]
                elif kind == "replace":
                    changed[i] = self.vocabulary[draws[i]]
                else:
                    changed[i], between[i + 1] = "", between[i + 1].removeprefix(" ")
            return between[0] + "".join(w + g for w, g in zip(changed, between[1:], strict=True))

        return carry_out, len(order)


def versions(language: Language, texts: Sequence[str], rng: np.random.Generator) -> list[Version]:
    """Return a version of each text, at similarities spread evenly over `AIMS`."""
    editor = Editor(language, texts, rng)
    aims = rng.permutation(np.linspace(*AIMS, len(texts)))
    kinds = ("drop", "replace", "swap")
    tried = (
        editor.version(text, kinds[i % 3], float(aim))
        for i, (text, aim) in enumerate(zip(texts, aims, strict=True))
    )
    return [version for version in tried if version]


def measured(name: str, pairs: Sequence[Version], extra: Sequence[str]) -> str:
    """Return a row of the table: recall by similarity, and removals without a similar kept text."""
    texts = [text for pair in pairs for text in (pair.text, pair.edited)]
    verdict = outcross(texts, extra=extra)
    both_kept: NDArray[np.bool_] = np.all(verdict.kept.reshape(-1, 2), axis=1)
    truth = np.array([pair.jaccard for pair in pairs])
    cells = [_share(~both_kept[truth >= BINS[0]])]
    for low, high in zip(BINS, [*BINS[1:], 2.0], strict=True):
        cells.append(_share(~both_kept[(truth >= low) & (truth < high)]))
    cells.append(_share(both_kept[truth < FAR]))
    gone = np.flatnonzero(~verdict.kept)
    near = [
        jaccard(shingles(tokens(texts[i])), shingles(tokens(texts[verdict.partner[i]]))) >= FAR
        for i in gone.tolist()
    ]
    cells.append(_share(np.array(near, bool)))
    middle = int(np.median([len(spans(pair.text)) for pair in pairs]))
    return f"| {name} | {len(pairs)} | {middle} | " + " | ".join(cells) + " |"


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{hits.mean():.3f} ({hits.sum()}/{len(hits)})" if len(hits) else "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packages", type=Path, help="folder of unpacked Debian packages")
    parser.add_argument("--texts", type=int, default=600, help="of a language, at most")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("extra", nargs="*", help="after --: options of outcross")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    english = unlike(passages(paragraphs(ENGLISH, given.packages), rng))
    if not english:
        sys.exit(f"{given.packages}: no English texts; unpack {ENGLISH.packages} there")
    print(
        "| texts | pairs | tokens, median | recall, J ≥ .85 | .85 to .9 | .9 to .95 | .95 to 1 ",
        end="",
    )
    print("| kept, J < .75 | removed with a kept one at J ≥ .75 |")
    print("|---|" + "---:|" * 8)
    for language in LANGUAGES:
        texts = unlike(passages(paragraphs(language, given.packages), rng))
        if not texts:
            print(f"left out: {language.name}; unpack {language.packages}", file=sys.stderr)
            continue
        chosen = [texts[i] for i in rng.permutation(len(texts))[: given.texts].tolist()]
        pairs = versions(language, chosen, rng)
        print(measured(language.name, pairs, given.extra), flush=True)
        control = of_lengths(english, [len(spans(pair.text)) for pair in pairs])
        name = f"English, as long as {language.name}"
        print(measured(name, versions(ENGLISH, control, rng), given.extra), flush=True)


if __name__ == "__main__":
    main()
