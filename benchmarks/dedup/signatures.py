"""MinHash signatures from text on one core: this kernel, rensa, and datasketch's own `bulk`.

    python benchmarks/dedup/signatures.py [--documents 40000] [--repeat 3] [--peers rensa ...|none]
                                          [--texts 'corpora/*.jsonl.gz']

128 permutations of word 5-grams. Everything between texts in memory and signatures in memory is
timed, so tokenising too; every program is held to one core. Before that, signatures are held to
datasketch's, bit for bit, for the same 32-bit shingle hashes.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from datasketch import MinHash

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "peers")]

from corpora import LENGTHS, corpus, sentences, write_jsonl
from environments import environment
from processes import load, measured

from outcross.transforms.text.minhash import SCHEME, signatures
from outcross.transforms.text.shingles import shingles
from outcross.transforms.text.words import split_words

NGRAM, PERMUTATIONS, SEED = 5, 128, 1
BATCH = 4096
SLOW = {"datasketch": 10, "rensa": 2, "rensa-rho": 2}
"""Of so many documents a peer gets one, as its docs/s are the same and nobody needs to wait."""


def check_identity(texts: list[str]) -> int:
    """Holds signatures to datasketch's; returns how many were compared."""
    words = split_words(pa.array(texts))
    ours = signatures(words, NGRAM, PERMUTATIONS, SEED)
    offsets, hashes = shingles(words, NGRAM)
    for row, signature in enumerate(ours):
        theirs = MinHash(PERMUTATIONS, SEED, scheme=SCHEME, hashfunc=int)
        theirs.update_batch(hashes[offsets[row] : offsets[row + 1]].tolist())
        assert (theirs.hashvalues == signature).all(), f"document {row}: not datasketch's signature"
    return len(texts)


def one_run(texts: pa.Array) -> float:
    """Seconds of this kernel."""
    started = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        signatures(split_words(texts.slice(start, BATCH)), NGRAM, PERMUTATIONS, SEED)
    return time.perf_counter() - started


def peer(name: str, texts: list[str], repeat: int) -> float:
    """Documents a second of a peer, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        write_jsonl(path, texts)
        script = Path(__file__).parents[1] / "peers" / "signatures_peer.py"
        python = environment(name.partition("-")[0])
        command = [
            str(python), str(script), name, str(path),
            "--ngram", str(NGRAM), "--repeat", str(repeat),
        ]  # fmt: skip
        run = measured(command)
    return len(texts) / sum(json.loads(run.last_line).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=40_000, help="answers of 1.5 kB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=list(SLOW), choices=[*SLOW, "none"])
    parser.add_argument("--texts", help="JSONL files to take sentences from")
    arguments = parser.parse_args()
    peers = [name for name in arguments.peers if name != "none"]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # and of all that is started
    pool = sentences(arguments.texts)
    print(f"one core, {load()}, median of {arguments.repeat}; docs/s (× slower than this kernel)")
    head = "".join(f"{name:>20}" for name in peers)
    print(f"{'corpus':<10}{'documents':>11}{'kB each':>9}{'docs/s':>10}{'MB/s':>7}{head}")
    for name in LENGTHS:
        texts = corpus(pool, name, arguments.documents)
        assert texts, f"{name}: --documents {arguments.documents} leaves none"
        compared = check_identity(texts[:200])
        array = pa.array(texts)
        seconds = statistics.median(one_run(array) for _ in range(arguments.repeat))
        rate, size = len(texts) / seconds, array.nbytes / len(texts) / 1000
        line = f"{name:<10}{len(texts):>11,}{size:>9.2f}{rate:>10,.0f}{rate * size / 1000:>7.0f}"
        for other in peers:
            theirs = peer(other, texts[: max(1, len(texts) // SLOW[other])], arguments.repeat)
            line += f"{f'{theirs:,.0f} ({rate / theirs:.1f})':>20}"
        print(line, flush=True)
    print(f"signatures equal datasketch's, bit for bit ({compared} documents of each corpus)")


if __name__ == "__main__":
    main()
