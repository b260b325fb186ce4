"""datasketch: `MinHash.bulk` with xxhash, `MinHashLSH` with its default weights.

A document that the index already holds a candidate for is removed, and is not inserted: its users'
common loop. It is single-threaded; `--workers` changes nothing.
"""

from __future__ import annotations

from datasketch import MinHash, MinHashLSH
from face import PERMUTATIONS, Clock, arguments, read, shingles, write
from xxhash import xxh32_intdigest

BATCH = 4096


def main() -> None:
    task = arguments(__doc__)
    clock = Clock()
    with clock.phase("read"):
        ids, texts = read(task)
    index = MinHashLSH(threshold=task.threshold, num_perm=PERMUTATIONS)
    kept: list[bool] = []
    partners: list[object] = []
    for start in range(0, len(texts), BATCH):
        with clock.phase("tokens"):
            tokens = [
                [shingle.encode() for shingle in shingles(text, task.ngram)]
                for text in texts[start : start + BATCH]
            ]
        with clock.phase("signatures"):
            sketches = MinHash.bulk(tokens, num_perm=PERMUTATIONS, hashfunc=xxh32_intdigest)
        with clock.phase("index"):
            for i, sketch in enumerate(sketches, start):
                candidates = index.query(sketch)
                if not candidates:
                    index.insert(i, sketch)
                kept.append(not candidates)
                partners.append(ids[min(candidates)] if candidates else None)
    with clock.phase("write"):
        write(task, ids, kept, "partner", partners)
    clock.report()


if __name__ == "__main__":
    main()
