"""Paraphrases by embeddings: precision, recall, false removals, cells, and the tail.

    python -m benchmarks.semantic.run --embedder transformers:DIRECTORY [--data ../shared/data]

Without `--embedder` the packaged table is measured, which `semantic_threshold` refuses. The vectors
of each set are kept in `--vectors`, so that a second run takes a minute.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.agreement import STRICT_TOKENS, Marks, Meanings
from outcross.transforms.dedup.components import connect
from outcross.transforms.dedup.cosines import CELLS, nearest_pivots, similar_pairs, squared_lengths
from outcross.transforms.dedup.paraphrases import DOCUMENTS_A_PIVOT
from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.reference.codebook import default_clusters, fit_codebook
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.words import split_words

THRESHOLDS = (0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98)
BANDS = ((1, 15), (16, 50), (51, STRICT_TOKENS), (STRICT_TOKENS + 1, 1 << 30))
TAIL = 0.2  # quantile of the density below which a document is tail, as in references


@dataclass(frozen=True)
class Texts:
    """Texts of a set in the product's total order: longer first, then by hash.

    Attributes:
        texts: n different texts.
        label: int64[n], what must be the same in paraphrases.
        prompt: int64[n], prompts of answers; 0 for other texts.
        words: int64[n], numbers of words.
        hashes: uint64[n], hashes of the texts.
        marks: marks of the texts.
        vectors: int8[n, D], embeddings.
    """

    texts: list[str]
    label: NDArray[np.int64]
    prompt: NDArray[np.int64]
    words: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    marks: Marks
    vectors: NDArray[np.int8]


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sets(data: Path) -> Iterator[tuple[str, list[str], list[Any], list[Any]]]:
    """Yield the name, texts, labels and prompts of each set."""
    answers = rows(data / "multisample/novelty_bench.jsonl.gz")
    yield (
        "novelty",
        [text for row in answers for text in row["generations"]],
        [(n, part) for n, row in enumerate(answers) for part in row["partition"]],
        [n + 1 for n, row in enumerate(answers) for _ in row["generations"]],
    )
    for name in ("banking", "clinc"):
        questions = rows(data / f"labelled/{name}.jsonl.gz")
        texts = [row["text"] for row in questions]
        yield name, texts, [row["label"] for row in questions], [0] * len(texts)
    records = rows(data / "neardup/cora.jsonl.gz")
    truth = [(int(row["a"]), int(row["b"])) for row in rows(data / "neardup/cora_truth.jsonl.gz")]
    left, right = (np.array(side, np.int64) for side in zip(*truth, strict=True))
    documents, roots = connect(left, right)
    entity = dict(zip(documents.tolist(), roots.tolist(), strict=True))
    texts = [" ".join(v for k, v in row.items() if k != "Entity Id" and v) for row in records]
    yield "cora", texts, [entity.get(n, n) for n in range(len(texts))], [0] * len(texts)
    dolly = rows(data / "human/dolly_6400.jsonl.gz")
    for name, field in (("dolly", "response"), ("dollyq", "instruction")):
        texts = [row[field] for row in dolly]
        yield name, texts, list(range(len(texts))), [0] * len(texts)


def read(
    key: str | None,
    cache: Path | None,
    name: str,
    texts: list[str],
    labels: list[Any],
    prompts: Any,
) -> Texts:
    """Embed a set, and order its different texts; answers to different prompts are different."""
    column = pa.array(texts, pa.string())
    words = split_words(column)
    path = None if cache is None else cache / f"{name}.npy"
    if path is not None and path.exists():
        vectors = np.load(path)
    else:
        vectors = load_embedder(key).embed(words, column).vectors
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
    hi, lo = fingerprints(words)
    prompt = np.array(prompts, np.int64)
    tokens = np.diff(words.offsets)
    order = np.lexsort((lo, hi, -np.array([len(text.encode()) for text in texts])))
    seen: set[tuple[int, int, int]] = set()
    chosen = []
    for at in order.tolist():
        identity = int(hi[at]), int(lo[at]), int(prompt[at])
        if identity not in seen and tokens[at] and vectors[at].any():
            seen.add(identity)
            chosen.append(at)
    meanings = Meanings.of(words)
    marks = Marks.of(meanings.letters, meanings.wording, (meanings.offsets, meanings.items))
    numbers = {label: n for n, label in enumerate(dict.fromkeys(labels))}
    return Texts(
        [texts[at] for at in chosen],
        np.array([numbers[labels[at]] for at in chosen], np.int64),
        prompt[chosen],
        tokens[chosen],
        seeded_hash(hi[chosen], lo[chosen], 0, "pivots"),
        Marks(*(getattr(marks, field)[chosen] for field in Marks.__dataclass_fields__)),
        vectors[chosen],
    )


def cosines(
    vectors: NDArray[np.int8], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the cosines of pairs: float64[m]."""
    squares = squared_lengths(vectors)
    dots = np.einsum("ij,ij->i", vectors[left], vectors[right], dtype=np.int64)
    return np.asarray(dots / np.sqrt(squares[left] * squares[right]))


def show_pairs(answers: Texts) -> None:
    """Print precision and recall of the pairs of answers to one prompt, by length."""
    parts = [np.flatnonzero(answers.prompt == p) for p in np.unique(answers.prompt)]
    pairs = [part[np.stack(np.triu_indices(len(part), 1))] for part in parts]
    left, right = np.concatenate(pairs, axis=1)
    same = answers.label[left] == answers.label[right]
    longest = np.maximum(answers.words[left], answers.words[right])
    agree, cosine = answers.marks.agree(left, right), cosines(answers.vectors, left, right)
    print("\n| words | threshold | precision | recall | with marks: precision | recall |")
    print("|---|---:|---:|---:|---:|---:|")
    for low, high in BANDS:
        inside = (longest >= low) & (longest <= high)
        for threshold in THRESHOLDS:
            cells = []
            for chosen in (cosine >= threshold, (cosine >= threshold) & agree):
                reported = chosen & inside
                share = (reported & same).sum() / max(reported.sum(), 1)
                recall = (reported & same).sum() / max((same & inside).sum(), 1)
                cells += [f"{share:.3f} ({reported.sum():,})", f"{recall:.3f}"]
            limit = f"{low}-{high}" if high < 1 << 30 else f"{low} or more"
            print(f"| {limit} | {threshold} | {' | '.join(cells)} |")


def pairs_of(part: Texts, threshold: float) -> tuple[NDArray[np.int64], ...]:
    """Return the pairs (child, parent, cosine) of a set that the rule finds, all in one cell.

    Answers are compared with answers to the same prompt of the same source, as only these have
    common labels.
    """
    short = np.flatnonzero(part.words <= STRICT_TOKENS)

    def may(child: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.bool_]:
        child, parent = short[child], short[parent]
        asked = part.prompt[child] == part.prompt[parent]
        return np.asarray(asked & part.marks.agree(child, parent))

    child, parent, cosine, _ = similar_pairs(part.vectors[short], threshold, may)
    return short[child], short[parent], cosine


def removals(pairs: tuple[NDArray[np.int64], ...]) -> dict[int, int]:
    """Walk documents in order; return the most similar kept document of each removed one."""
    child, parent, cosine = pairs
    removed: dict[int, int] = {}
    order = np.lexsort((parent, -cosine, child))
    for at in order.tolist():
        if int(child[at]) not in removed and int(parent[at]) not in removed:
            removed[int(child[at])] = int(parent[at])
    return removed


def show_removals(parts: dict[str, Texts]) -> None:
    """Print how many documents go, and how many of them for one of another label."""
    print("\n| set | documents | threshold | removed | for another label | largest component |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, part in parts.items():
        for threshold in THRESHOLDS:
            pairs = pairs_of(part, threshold)
            gone = removals(pairs)
            wrong = sum(part.label[child] != part.label[kept] for child, kept in gone.items())
            shown = f"{wrong / max(len(gone), 1):.1%}" if not name.startswith("dolly") else "–"
            _, roots = connect(pairs[0], pairs[1])
            largest = int(np.unique(roots, return_counts=True)[1].max(initial=0))
            print(
                f"| {name} | {len(part.texts):,} | {threshold} | {len(gone) / len(part.texts):.2%} "
                f"| {shown} | {largest:,} |"
            )


def show_cells(parts: dict[str, Texts]) -> None:
    """Print the share of pairs that meet in a cell, for numbers of cells of a document."""
    most = range(1, CELLS + 3)
    print(f"\n| set | pivots | threshold | pairs |{'|'.join(f' {n} cells ' for n in most)}|")
    print("|---|---:|---:|---:|" + "---:|" * len(most))
    for name, part in parts.items():
        pivots = part.vectors[part.hashes < np.uint64(2**64 // DOCUMENTS_A_PIVOT)]
        cells = nearest_pivots(pivots, part.vectors, max(most))
        for threshold in THRESHOLDS[2:5]:
            child, parent, _ = pairs_of(part, threshold)
            met = [
                (cells[child, :n, None] == cells[parent, None, :n]).any(axis=(1, 2)).mean()
                for n in most
            ]
            shown = "|".join(f" {share:.4f} " for share in met)
            print(f"| {name} | {len(pivots)} | {threshold} | {len(child):,} |{shown}|")


def show_tail(parts: dict[str, Texts]) -> None:
    """Print the shares of head and tail documents that go, by densities of half of the texts."""
    print("\n| set | threshold | of the head | of the tail |")
    print("|---|---:|---:|---:|")
    for name, part in parts.items():
        fit = part.hashes >> np.uint64(63) == 0
        sample = part.vectors[fit][np.argsort(part.hashes[fit])]
        _, _, density = fit_codebook(sample, default_clusters(len(part.texts)), 0).assign(
            part.vectors
        )
        tail = density < np.quantile(density, TAIL)
        for threshold in THRESHOLDS:
            gone = np.zeros(len(part.texts), bool)
            gone[list(removals(pairs_of(part, threshold)))] = True
            print(f"| {name} | {threshold} | {gone[~tail].mean():.2%} | {gone[tail].mean():.2%} |")


def show_examples(part: Texts, threshold: float, number: int) -> None:
    """Print some removals with the lowest cosines, to read them."""
    child, parent, cosine = pairs_of(part, threshold)
    for at in np.argsort(cosine)[:number].tolist():
        print(f"{cosine[at]:.3f}\n  - {part.texts[child[at]][:160]!r}")
        print(f"  - {part.texts[parent[at]][:160]!r}")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", help="key `embedder`; the packaged table if absent")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--vectors", type=Path, help="folder that keeps the vectors of the sets")
    parser.add_argument("--examples", type=int, default=0, help="removals of Dolly to print")
    asked = parser.parse_args()
    parts = {
        name: read(asked.embedder, asked.vectors, name, *columns)
        for name, *columns in sets(asked.data)
    }
    show_pairs(parts["novelty"])
    show_removals(parts)
    show_cells(parts)
    show_tail({name: parts[name] for name in ("dolly", "dollyq", "clinc")})
    if asked.examples:
        show_examples(parts["dollyq"], 0.95, asked.examples)
        show_examples(parts["dolly"], 0.95, asked.examples)


if __name__ == "__main__":
    main()
