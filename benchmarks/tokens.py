"""Measure tokens for each word, and tokens a second, of tokenizers on corpora.

    python -m benchmarks.tokens --tokenizer DIR --tokenizer DIR CORPUS.jsonl.gz:FIELD ...

A corpus is JSON lines; FIELD names the column of the text, `text` if absent. CORPUS:FIELD:KEY=VALUE
takes only rows with that value. The table has a row for each corpus: words, then tokens / words of
each tokenizer. The last row has MB of text a second of one thread.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from outcross.pipeline.inputs.tokenizer import read_given
from outcross.transforms.text.tokens import encode, read_tokenizer
from outcross.transforms.text.words import split_words

BYTES = 4 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--tokenizer", action="append", required=True)
    options = parser.parse_args()
    given = [read_given(value) for value in options.tokenizer]
    tokenizers = [(g.tokenizer.name, read_tokenizer(g.data, "")) for g in given if g is not None]
    print("| corpus | words | " + " | ".join(name for name, _ in tokenizers) + " |")
    print("|---|---:|" + "---:|" * len(tokenizers))
    seconds, size = np.zeros(len(tokenizers)), 0
    for corpus in options.corpora:
        texts = pa.array(list(sample(corpus)), pa.large_string())
        words = int(split_words(texts).offsets[-1])
        size += sum(len(text.as_py().encode()) for text in texts)
        factors = []
        for number, (place, tokenizer) in enumerate(tokenizers):
            start = time.perf_counter()
            tokens = sum(len(encoding) for encoding in encode(texts, tokenizer, place))
            seconds[number] += time.perf_counter() - start
            factors.append(f"{tokens / words:.2f}")
        name = Path(corpus.split(":")[0]).name.removesuffix(".jsonl.gz")
        chosen = corpus.split(":")[2:]
        print(f"| {' '.join([name, *chosen])} | {words:,} | " + " | ".join(factors) + " |")
    rates = (f"{size / spent / 1e6:.1f}" for spent in seconds)
    print("| MB/s, one thread | | " + " | ".join(rates) + " |")


def sample(corpus: str) -> Iterator[str]:
    """Yield the first texts of a corpus, `BYTES` of them."""
    path, _, rest = corpus.partition(":")
    field, _, chosen = rest.partition(":")
    key, _, value = chosen.partition("=")
    total = 0
    with gzip.open(path, "rt") if path.endswith(".gz") else Path(path).open() as file:
        for line in file:
            row = json.loads(line)
            if key and row[key] != value:
                continue
            text = row[field or "text"]
            if not isinstance(text, str):
                continue
            yield text
            total += len(text)
            if total > BYTES:
                return


if __name__ == "__main__":
    main()
