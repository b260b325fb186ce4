"""Seconds that a library takes for signatures of texts on one core, tokenising included.

    python signatures_peer.py rensa|rensa-rho|datasketch INPUT.jsonl [--ngram 5] [--repeat 3]

The last line on stdout is JSON: the median run's seconds for tokens and for signatures.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

from face import PERMUTATIONS, opened, shingles

BATCH = 4096
"""Documents whose shingles are in memory at a time."""

Tokens = list[list[str]]


def _rensa(tokens: Tokens) -> Any:
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_token_sets(tokens, PERMUTATIONS, 42)


def _rensa_rho(tokens: Tokens) -> Any:
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_token_sets_rho(tokens, PERMUTATIONS, 42)


def _datasketch(tokens: Tokens) -> Any:
    from datasketch import MinHash
    from xxhash import xxh32_intdigest

    encoded = ([token.encode() for token in document] for document in tokens)
    return MinHash.bulk(encoded, num_perm=PERMUTATIONS, hashfunc=xxh32_intdigest)


LIBRARIES: dict[str, Callable[[Tokens], Any]] = {
    "rensa": _rensa,
    "rensa-rho": _rensa_rho,
    "datasketch": _datasketch,
}


def one_run(library: Callable[[Tokens], Any], texts: list[str], ngram: int) -> list[float]:
    """Return the seconds for tokens and for signatures."""
    seconds = [0.0, 0.0]
    for start in range(0, len(texts), BATCH):
        started = time.perf_counter()
        tokens = [shingles(text, ngram) for text in texts[start : start + BATCH]]
        between = time.perf_counter()
        library(tokens)
        seconds[0] += between - started
        seconds[1] += time.perf_counter() - between
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("input")
    parser.add_argument("--ngram", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"
    with opened(arguments.input) as lines:
        texts = [json.loads(line)["text"] for line in lines]
    library = LIBRARIES[arguments.library]
    library([shingles(texts[0], arguments.ngram)])  # imports are not counted
    runs = sorted(
        (one_run(library, texts, arguments.ngram) for _ in range(arguments.repeat)), key=sum
    )
    tokens, signatures = runs[len(runs) // 2]
    print(json.dumps({"tokens": tokens, "signatures": signatures}))


if __name__ == "__main__":
    main()
