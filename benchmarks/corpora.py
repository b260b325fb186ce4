"""Corpora for benchmarks, made from sentences of real text.

The sentences are those of Python's own documentation, or of any JSONL whose string columns hold
prose. Everything that is drawn is seeded: the same arguments give the same bytes.
"""

from __future__ import annotations

import glob
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

NEAR_COPIES = 0.04

LENGTHS: dict[str, int | tuple[int, int]] = {
    "short": (120, 400),
    "answers": 1500,
    "long": (20_000, 100_000),
}
"""Characters of a document of each of the three corpora, evenly spread where there are two."""

PER_LONG = 40
"""Answers for each long document: both corpora have about as many bytes."""


def sentences(pattern: str | None) -> list[str]:
    """Return the sentences of at least 5 words, in a fixed order."""
    if pattern is None:
        from pydoc_corpus import human_paragraphs

        texts = [paragraph.text for paragraph in human_paragraphs()]
    else:
        texts = [text for path in sorted(glob.glob(pattern)) for text in _strings(path)]
    cut = (part.strip() for text in texts for part in text.replace("\n", " ").split(". "))
    return sorted({part for part in cut if len(part.split()) >= 5})


def _strings(path: str) -> list[str]:
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8")  # noqa: SIM115
    with opened as lines:
        rows = [json.loads(line) for line in lines]
    return [value for row in rows for value in row.values() if isinstance(value, str)]


def documents(
    pool: Sequence[str], count: int, length: int | tuple[int, int], seed: int = 0
) -> list[str]:
    """Return documents of random sentences; the last 4 % are near-copies of the first ones.

    Args:
        pool: sentences to draw from.
        count: number of documents.
        length: approximate characters of a document, or the least and the most.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    mean = np.array([len(sentence) for sentence in pool]).mean()
    if isinstance(length, int):
        rows = rng.integers(0, len(pool), (count, int(length / mean) + 1))
        texts = [". ".join(pool[i] for i in picks) + "." for picks in rows]
    else:
        sizes = (rng.integers(*length, count) / mean).astype(np.int64) + 1
        texts = [". ".join(pool[i] for i in rng.integers(0, len(pool), n)) + "." for n in sizes]
    for copy in range(int(count * NEAR_COPIES)):
        texts[count - 1 - copy] = texts[copy].replace(" the ", " a ", 1)
    return texts


def corpus(pool: Sequence[str], name: str, answers: int) -> list[str]:
    """Return one of the three corpora, with as much text as `answers` answers of 1.5 kB."""
    return documents(pool, answers // PER_LONG if name == "long" else answers, LENGTHS[name])


def write_jsonl(path: Path, texts: Sequence[str]) -> None:
    """Write texts as JSON lines with `id` and `text`."""
    with open(path, "w", encoding="utf-8") as lines:
        for i, text in enumerate(texts):
            lines.write(json.dumps({"id": f"d{i}", "text": text}, ensure_ascii=False) + "\n")
