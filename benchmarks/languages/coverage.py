"""Count the words that the embedder knows in many languages, and where they are too few.

    OUTCROSS_UDHR=FOLDER OUTCROSS_DATA=FOLDER python benchmarks/languages/coverage.py

English of several kinds from `$OUTCROSS_DATA` and from the machine's own Python, and the Universal
Declaration of Human Rights in the languages of `texts.py`. Prints a Markdown table; fails where
English prose falls below the threshold, or another language does not.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import pyarrow as pa
from pydoc_corpus import human_paragraphs
from texts import FILES, passages

from outcross.transforms.text.embed import load_default
from outcross.transforms.text.known import LEAST_KNOWN, Known
from outcross.transforms.text.words import split_words

DOCUMENTS = 1_000
CHARACTERS = 4_000  # of a document that are read
KINDS = {
    "film reviews": ("human/movie_reviews", "text"),
    "short product reviews": ("human/pros_cons", "text"),
    "speeches": ("human/us_speeches", "text"),
    "instructions and answers": ("human/dolly_6400", "response"),
    "answers in mathematics": ("human/gsm8k", "answer"),
    "documentation of C++": ("human/ms_cpp_docs", "text"),
    "Rust RFCs": ("human/rust_rfcs", "text"),
    "Python PEPs": ("human/peps", "text"),
    "Ethereum EIPs": ("human/eips", "text"),
    "answers of GPT-4": ("synthetic/gpteacher", "response"),
    "jokes of models": ("multisample/jokegpt", "text"),
    "answers of seven models": ("multisample/vicuna_bench_7models", "output"),
    "questions to a bank": ("labelled/banking", "text"),
    "lists of authors": ("neardup/cora", "author"),
}
"""English of several kinds: file below `$OUTCROSS_DATA`, and the column of the text."""
NO_PROSE = ("lists of authors",)
"""Kinds that are mostly names and abbreviations, and may fall below the threshold."""


def known(texts: list[str]) -> Known:
    """Return how many of the texts' words the default embedder knows."""
    array = pa.array([text[:CHARACTERS] for text in texts], pa.string())
    return load_default().embed(split_words(array), array).known


def english() -> Iterator[tuple[str, list[str]]]:
    """Yield kinds of English with their texts."""
    data = Path(os.environ.get("OUTCROSS_DATA", "../shared/data"))
    for kind, (name, column) in KINDS.items():
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in islice(lines, DOCUMENTS)]
        yield kind, [row[column] for row in rows if row.get(column)]
    yield "documentation of Python", [p.text for p in islice(human_paragraphs(), DOCUMENTS)]
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    yield "source code of Python", [path.read_text("utf-8", "replace") for path in sources]


def main() -> None:
    """Print the table, and check that the threshold separates."""
    print("| language | words | known | clusters are |\n| --- | ---: | ---: | --- |")
    wrong = []
    named = [(f"English: {kind}", texts) for kind, texts in english()]
    named += [(language, passages(language)) for language in FILES]
    for language, texts in named:
        counted = known(texts)
        share = counted.known / counted.words
        is_judged = share >= LEAST_KNOWN
        outcome = "judged" if is_judged else "not judged"
        print(f"| {language} | {counted.words:,} | {share:.1%} | {outcome} |")
        if is_judged != language.startswith("English") and not language.endswith(NO_PROSE):
            wrong.append(language)
    if wrong:
        sys.exit(f"the threshold {LEAST_KNOWN:.0%} does not separate: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
