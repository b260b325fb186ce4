"""Distinct answers per prompt against NoveltyBench's published partitions.

    python benchmarks/measures/novelty.py [--data ../shared/data] [--embedder KEY]

NoveltyBench (Zhang et al. 2025) has 100 prompts, answered 10 times by GPT-4o in each of four ways
and 8 times by people, with a published partition of every prompt's answers: a classifier's that
agreed with 79 % of held-out human judgements. Prompts are cut in two by a hash; rule and threshold
of `outcross.transforms.measuring.answer_classes` were chosen on the first half, the other is what
counts.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import pearsonr, spearmanr

sys.path[:0] = [str(Path(__file__).parents[1] / "dedup_accuracy")]

from score import agreement

from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.measuring.answer_classes import (
    BY_ENCODER,
    BY_TABLE,
    SameRule,
    classify_answers,
)
from outcross.transforms.measuring.answers import Answers, summarise
from outcross.transforms.text.embed import Embedder
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.shingles import shingles
from outcross.transforms.text.words import Words, split_words, word_ids

CHOSEN, HELD_OUT = "chosen on", "held out"
FEW_WORDS = 5


@dataclass(frozen=True)
class Sketched:
    """Texts in the form that sketches have."""

    words: Words
    ids: NDArray[np.uint32]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    embeddings: NDArray[np.int8]
    rule: SameRule

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return what the rule for same answers reads."""
        return self.words.offsets, self.ids, self.hi, self.lo, self.embeddings


@dataclass(frozen=True)
class Asked:
    """Answers of one source to one prompt, and their published partition."""

    source: str
    half: str
    texts: list[str]
    published: NDArray[np.int64]
    sketched: Sketched


Partition = Callable[[Asked], NDArray[np.int64]]


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sketched(texts: list[str], embedder: Embedder) -> Sketched:
    """Sketch texts as the pipeline does."""
    array = pa.array(texts, pa.string())
    words = split_words(array)
    embeddings = embedder.embed(words, array).vectors
    rule = BY_ENCODER if embedder.encodes else BY_TABLE
    return Sketched(words, word_ids(words), *fingerprints(words), embeddings, rule)


def half(prompt: str) -> str:
    """Return the half of a prompt: the half that the rule was chosen on, or the other."""
    return HELD_OUT if hashlib.sha256(prompt.encode()).digest()[0] & 1 else CHOSEN


def jaccard(asked: Asked, ngram: int) -> NDArray[np.float64]:
    """Return the similarity of all pairs of answers, by sets of word n-grams."""
    offsets, hashes = shingles(asked.sketched.words, ngram)
    sets = [set(hashes[a:b].tolist()) for a, b in pairwise(offsets)]
    return np.array([[len(a & b) / len(a | b) for b in sets] for a in sets])


def cosine(asked: Asked) -> NDArray[np.float64]:
    """Return the cosine of all pairs of answers."""
    unit = asked.sketched.embeddings.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    return np.asarray(unit @ unit.T)


def mean_of(asked: Asked) -> NDArray[np.float64]:
    """Return the mean that the rule cuts, of all pairs of answers."""
    weight = asked.sketched.rule.weight
    return (jaccard(asked, 1) + weight * cosine(asked)) / (1 + weight)


def above(similarity: Callable[[Asked], NDArray[np.float64]], least: float) -> Partition:
    """Leader clustering, in the order of the fingerprints, by any similarity."""

    def partition(asked: Asked) -> NDArray[np.int64]:
        same = similarity(asked) >= least
        sketches = asked.sketched
        order = np.lexsort((sketches.lo, sketches.hi))
        leader = np.empty(len(order), np.int64)
        leaders: list[int] = []
        for answer in order:
            leader[answer] = next((member for member in leaders if same[answer, member]), answer)
            if leader[answer] == answer:
                leaders.append(int(answer))
        return leader

    return partition


def ours(asked: Asked) -> NDArray[np.int64]:
    """Partition by `outcross.transforms.measuring.answer_classes`."""
    return classes_of(asked.sketched)


def classes_of(sketches: Sketched) -> NDArray[np.int64]:
    """Return the class of each answer of one prompt."""
    n = len(sketches.hi)
    columns = (sketches.words.offsets, sketches.ids, sketches.hi, sketches.lo, sketches.embeddings)
    led = classify_answers(np.ones(n, np.uint64), *columns, rule=sketches.rule, most=n)
    classes = np.empty(n, np.int64)
    classes[np.lexsort((sketches.lo, sketches.hi))] = np.unique(led.leader, return_inverse=True)[1]
    return classes


def by_fingerprint(asked: Asked) -> NDArray[np.int64]:
    """Return the partition in which only equal words in equal order are the same."""
    return np.unique(asked.sketched.hi, return_inverse=True)[1]


RULES: dict[str, Partition] = {
    "outcross": ours,
    "fingerprints": by_fingerprint,
    "5-grams, Jaccard ≥ .8": above(lambda asked: jaccard(asked, 5), 0.8),
    "words, Jaccard ≥ .35": above(lambda asked: jaccard(asked, 1), 0.35),
    "embeddings, cosine ≥ .85": above(cosine, 0.85),
}
"""The last two are the parts of ours, cut where they find about as many distinct answers as it."""


def distinct(partition: NDArray[np.int64]) -> int:
    """Count the classes of a partition."""
    return len(np.unique(partition))


def pairs(partition: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for all pairs of answers True if they are the same."""
    i, j = np.triu_indices(len(partition), 1)
    return np.asarray(partition[i] == partition[j])


def against_published(everything: list[Asked]) -> Table:
    """Print a line for each rule and half of the prompts."""
    table = Table(title="against the published partitions", title_justify="left")
    for name in (
        "rule", "prompts", "Pearson", "Spearman", "distinct", "published", "precision", "recall",
        "F1", "adjusted Rand",
    ):  # fmt: skip
        table.add_column(name, justify="left" if name in ("rule", "prompts") else "right")
    for name, rule in RULES.items():
        for part in (CHOSEN, HELD_OUT, "all"):
            part_ = [asked for asked in everything if part in (asked.half, "all")]
            partitions = [rule(asked) for asked in part_]
            ours_, theirs = (
                np.array([distinct(partition) for partition in column])
                for column in (partitions, [asked.published for asked in part_])
            )
            same = np.concatenate([pairs(partition) for partition in partitions])
            truly = np.concatenate([pairs(asked.published) for asked in part_])
            hits = int((same & truly).sum())
            rand = [
                agreement(a, b.published).adjusted_rand
                for a, b in zip(partitions, part_, strict=True)
            ]
            figures = (
                pearsonr(ours_, theirs)[0], spearmanr(ours_, theirs)[0], ours_.mean(),
                theirs.mean(), hits / same.sum(), hits / truly.sum(),
                2 * hits / (same.sum() + truly.sum()), np.mean(rand),
            )  # fmt: skip
            table.add_row(name, part, *(f"{figure:.3f}" for figure in figures))
    return table


def by_source(everything: list[Asked], k: int = 8) -> Table:
    """Distinct answers among k, as people gave 8 and the model 10."""
    table = Table(title=f"distinct answers expected among {k}, mean", title_justify="left")
    for name in ("source", "published", *RULES):
        table.add_column(name, justify="left" if name == "source" else "right")

    def mean(prompts: list[Asked], rule: Partition) -> str:
        counts = [np.unique(rule(asked), return_counts=True)[1] for asked in prompts]
        return f"{np.mean([Answers(counts_).distinct_rarefied(k) for counts_ in counts]):.2f}"

    for part in ("all", HELD_OUT):
        for source in sorted({asked.source for asked in everything}):
            subset = [a for a in everything if a.source == source and part in (a.half, "all")]
            table.add_row(
                f"{source}, {part}",
                mean(subset, lambda asked: asked.published),
                *(mean(subset, rule) for rule in RULES.values()),
            )
        table.add_section()
    return table


def calibration(everything: list[Asked]) -> Table:
    """Print the share of same pairs by the figure that the rule cuts."""
    edges = np.arange(0.4, 0.81, 0.05)
    table = Table(
        title="share of pairs that are published as the same, by mean of Jaccard and cosine",
        title_justify="left",
    )
    table.add_column("prompts")
    for edge in edges[:-1]:
        table.add_column(f"{edge:.2f}–{edge + 0.05:.2f}", justify="right")
    for part in (CHOSEN, HELD_OUT):
        prompts = [asked for asked in everything if asked.half == part]
        i = [np.triu_indices(len(asked.texts), 1) for asked in prompts]
        score = np.concatenate([mean_of(a)[at] for a, at in zip(prompts, i, strict=True)])
        truly = np.concatenate([pairs(asked.published) for asked in prompts])
        bins = np.digitize(score, edges) - 1
        cells = [truly[bins == b] for b in range(len(edges) - 1)]
        table.add_row(part, *(f"{cell.mean():.2f} ({len(cell)})" for cell in cells))
    return table


def errors(everything: list[Asked]) -> Table:
    """Print kinds of pairs that the product judges otherwise, with some examples of each."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], tuple[bytes, str, str]] = {}
    for asked in everything:
        i, j = np.triu_indices(len(asked.texts), 1)
        judged, truly = pairs(ours(asked)), pairs(asked.published)
        lengths, near = np.diff(asked.sketched.words.offsets), jaccard(asked, 1)
        rule = asked.sketched.rule
        mean = mean_of(asked)
        for pair in np.flatnonzero(judged != truly):
            a, b = i[pair], j[pair]
            short, long = sorted((int(lengths[a]), int(lengths[b])))
            if judged[pair]:
                which = "merged"
                kind = "mostly the same words" if near[a, b] >= 0.5 else "one topic"
                if mean[a, b] < rule.least:
                    kind = "through their leader"
            else:
                which = "missed"
                kind = "paraphrases"
                if short <= FEW_WORDS:
                    kind = f"the shorter has at most {FEW_WORDS} words"
                elif short < long / 2:
                    kind = "one is at least twice as long"
                elif mean[a, b] >= rule.least:
                    kind = "near, but led by others"
            counts[which, kind] += 1
            texts = (" ".join(asked.texts[a].split())[:90], " ".join(asked.texts[b].split())[:90])
            key = hashlib.sha256("\n".join(texts).encode()).digest()
            if (which, kind) not in examples or key < examples[which, kind][0]:
                examples[which, kind] = (key, *texts)
    table = Table(title="pairs judged otherwise, all prompts", title_justify="left")
    for name in ("", "kind", "pairs", "such as", "and"):
        table.add_column(name, justify="right" if name == "pairs" else "left")
    for (which, kind), count in sorted(counts.items(), key=lambda item: (item[0][0], -item[1])):
        _, first, other = examples[which, kind]
        table.add_row(which, kind, str(count), first, other)
    return table


def elsewhere(data: Path, embedder: Embedder) -> Table:
    """Print the rule's results where no partition is published."""
    table = Table(title="elsewhere", title_justify="left")
    for name in ("answers", "prompts", "answers a prompt", "k", "distinct among k", "same chance",
                 "saturates at", "collapsed"):  # fmt: skip
        table.add_column(name, justify="left" if name == "answers" else "right")
    replies = rows(data / "oasst_human_replies.jsonl.gz")
    sampled = rows(data / "oa_sampling_reports.jsonl.gz")
    corpora = {
        "JokeGPT": [("", row["text"]) for row in rows(data / "jokegpt.jsonl.gz")],
        "people's replies (OASST)": [
            (str(i), reply) for i, row in enumerate(replies) for reply in row["replies"]
        ],
        "one model, several samplings": [
            (row["model"] + "\n" + row["prompt"], row["output"]) for row in sampled
        ],
    }
    for name, file in (
        ("18 models (arena)", "arena_bench_v1_18models"),
        ("7 models (vicuna)", "vicuna_bench_7models"),
    ):
        corpora[name] = [(r["prompt"], r["output"] or "") for r in rows(data / f"{file}.jsonl.gz")]
    for name, answers in corpora.items():
        number = {prompt: i for i, prompt in enumerate(dict.fromkeys(p for p, _ in answers), 1)}
        prompt = np.array([number[p] for p, _ in answers], np.uint64)
        sketches = sketched([text for _, text in answers], embedder)
        summary = summarise(prompt, *sketches.columns(), sketches.rule)
        table.add_row(
            name,
            str(summary.prompts),
            f"{summary.answers / summary.prompts:.1f}",
            str(summary.k),
            f"{summary.distinct:.2f}",
            f"{summary.same_chance:.3f}",
            str(summary.saturates_at or "–"),
            str(len(summary.collapsed)),
        )
        if name == "JokeGPT":
            classes = classes_of(sketches)
            largest = np.sort(np.bincount(classes))[::-1]
            table.caption = (
                f"JokeGPT: {len(largest)} different jokes of {len(np.unique(sketches.hi))} texts; "
                f"the 25 most common are {largest[:25].sum() / len(classes):.1%} of {len(classes)}"
            )
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="holds multisample/")
    parser.add_argument("--embedder", help="as the configuration's key; the table if absent")
    arguments = parser.parse_args()
    data, embedder = arguments.data / "multisample", load_embedder(arguments.embedder)
    everything = [
        Asked(
            row["source"], half(row["prompt"]), row["generations"], np.array(row["partition"]),
            sketched(row["generations"], embedder),
        )
        for row in rows(data / "novelty_bench.jsonl.gz")
    ]  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 200)
    for table in (against_published, by_source, calibration, errors):
        console.print(table(everything), "")
    if arguments.embedder is None:
        console.print(elsewhere(data, embedder))


if __name__ == "__main__":
    main()
