"""rensa: `RMinHashDeduplicator.add_pairs` with its LSH, as its README has it.

Tokens are word n-grams, made in Python as rensa takes no texts. Its Rust part uses `--workers`
threads where it can. It says what is a duplicate, not of what: partners are asked for afterwards.
"""

from __future__ import annotations

import os

from face import PERMUTATIONS, Clock, arguments, read, shingles, write

BATCH = 4096
"""Documents whose shingles are in memory at a time."""


def main() -> None:
    task = arguments(__doc__)
    os.environ["RAYON_NUM_THREADS"] = str(task.workers)
    from rensa import RMinHash, RMinHashDeduplicator

    clock = Clock()
    with clock.phase("read"):
        ids, texts = read(task)
    deduplicator = RMinHashDeduplicator(
        threshold=task.threshold, num_perm=PERMUTATIONS, use_lsh=True
    )
    kept: list[bool] = []
    for start in range(0, len(texts), BATCH):
        with clock.phase("tokens"):
            tokens = [shingles(text, task.ngram) for text in texts[start : start + BATCH]]
        with clock.phase("deduplicate"):
            keys = map(str, range(start, start + len(tokens)))
            kept += deduplicator.add_pairs(list(zip(keys, tokens, strict=True)))
    partners: list[object] = [None] * len(ids)
    with clock.phase("partners", aside=True):
        for i, keep in enumerate(kept):
            if not keep:
                sketch = RMinHash(num_perm=PERMUTATIONS, seed=42)
                sketch.update(shingles(texts[i], task.ngram))
                candidates = [int(key) for key in deduplicator.get_duplicates(sketch)]
                partners[i] = ids[min(candidates)] if candidates else None
    with clock.phase("write"):
        write(task, ids, kept, "partner", partners)
    clock.report()


if __name__ == "__main__":
    main()
