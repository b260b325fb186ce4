"""Accuracy on duplicates that people made: bibliographies and five editions of one novel.

    python benchmarks/dedup_accuracy/neardup.py [--set cora] [--thresholds .3 .8] [--ngrams 1 5]

Sets, from `neardup/` of the data folder: `cora` (citations, as they were typed), `dblp_acm` (two
catalogues of the same papers), `pride` (paragraphs of five electronic editions; `editions.py` says
which are the same). A tool's cluster is a kept text and what was removed for it, or what the tool
itself calls a cluster; precision, recall and F1 are over pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from editions import same_paragraphs
from numpy.typing import NDArray
from real_texts import DATA, rows
from score import agreement, components
from shingles import Pairs
from verdicts import OURS, outcross, peer, peers

PRIDE_BEGINS = "It is a truth universally acknowledged"
PRIDE_ENDS = "had been the means of uniting them."

Set = tuple[list[str], NDArray[np.int64]]


def cora() -> Set:
    """Return 1,295 citations of 112 papers; the text is all fields, in the order of a citation."""
    records = rows("neardup/cora.jsonl.gz")
    fields = (
        "author", "title", "venue", "editor", "volume", "pages", "publisher", "institution",
        "address", "month", "year", "note",
    )  # fmt: skip
    texts = [_joined(record[field] for field in fields) for record in records]
    place = {record["Entity Id"]: i for i, record in enumerate(records)}
    truth = [(place[row["a"]], place[row["b"]]) for row in rows("neardup/cora_truth.jsonl.gz")]
    return texts, _clusters(truth, len(texts))


def dblp_acm() -> Set:
    """Return 4,910 papers of two catalogues that write authors and venues differently."""
    records = rows("neardup/dblp_acm.jsonl.gz")
    texts = [
        _joined(record[f] for f in ("title", "authors", "venue", "year")) for record in records
    ]
    place = {(record["src"], record["id"]): i for i, record in enumerate(records)}
    truth = [
        (place["dblp", row["D1"]], place["acm", row["D2"]])
        for row in rows("neardup/dblp_acm_truth.jsonl.gz")
    ]
    return texts, _clusters(truth, len(texts))


def pride() -> Set:
    """Return the paragraphs of five editions, from the novel's first sentence to its last."""
    records = []
    inside = False
    for record in rows("neardup/pride_editions.jsonl.gz"):
        flat = " ".join(record["text"].split())
        inside = inside or flat.startswith(PRIDE_BEGINS)
        if inside:
            records.append(record)
        inside = inside and not flat.endswith(PRIDE_ENDS)
    texts = [record["text"] for record in records]
    truth = same_paragraphs(texts, [record["edition"] for record in records])
    return texts, _clusters(truth, len(texts))


SETS: dict[str, Callable[[], Set]] = {"cora": cora, "dblp_acm": dblp_acm, "pride": pride}


def _joined(fields: Iterable[str]) -> str:
    return " ".join(field for field in fields if field)


def _clusters(pairs: Sequence[tuple[int, int]], documents: int) -> NDArray[np.int64]:
    a, b = np.array(pairs, dtype=np.int64).T
    return components(Pairs(a, b, np.ones(len(a))), documents)


def main() -> None:
    """Print a table for each set: all tools at all thresholds and lengths of shingles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.3, 0.4, 0.5, 0.6, 0.8])
    parser.add_argument("--ngrams", nargs="+", type=int, default=[1, 2, 3, 5])
    parser.add_argument("--tools", nargs="+", help="some of them, by the names in the table")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        parser.exit(0, f"nothing to measure: {DATA} is not there\n")
    tools = {
        f"outcross, {verify}": lambda *request, verify=verify: outcross(
            *request, extra=["--verify", verify]
        )
        for verify in OURS
    }
    for name, command in peers().items():
        tools[name] = lambda *request, command=command: peer(command, *request)
    for name in arguments.set:
        texts, truth = SETS[name]()
        sizes = np.bincount(truth)
        print(f"\n{name}: {len(texts):,} texts, {(sizes * (sizes - 1) // 2).sum():,} true pairs\n")
        print("| tool | words a shingle | threshold | precision | recall | F1 | ARI |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for tool in arguments.tools or tools:
            for ngram in arguments.ngrams:
                for threshold in arguments.thresholds:
                    a = agreement(tools[tool](texts, threshold, ngram).cluster, truth)
                    print(
                        f"| {tool} | {ngram} | {threshold} | {a.precision:.3f} | {a.recall:.3f} | "
                        f"{a.f1:.3f} | {a.adjusted_rand:.3f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
