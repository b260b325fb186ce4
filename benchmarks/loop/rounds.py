"""Rounds and buckets of residual selection: quality against time.

    python benchmarks/loop/rounds.py [--rounds 1 2 4 8 16] [--buckets 13 16 18 20 22] [--seeds 0 1]

One generation: quotas for a third of a corpus of candidates are filled beside a fixed human part,
by the product's own functions, and a generator is trained on the result. Quality is its perplexity
on held-out human text, against that of quotas filled at random; time is that of scoring and
filling. Corpora: samples of the n-gram generator (with the documents of the recursive loop), and
answers of language models beside human ones (GPTeacher and Dolly in ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from corpus import corpus, human_corpus, labelled_sources, rows
from documents import Documents, joined, up_to
from generator import train
from numpy.typing import NDArray
from run import DATA
from topics import Codebook
from world import Sizes, world

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.budget.problem import Problem
from outcross.transforms.selection.cuts import Rows, Windows
from outcross.transforms.selection.residual import Coherence, Moments, Scorer, in_steps, keys
from outcross.transforms.selection.wants import SCORED, USES, Quotas, fill_by_hash, fill_round
from outcross.transforms.text.ngrams import Tables, count_ngrams

_CLUSTERS, _DIMENSIONS, _TOPICS = 64, 50, 24
_SHARE = 3  # candidates by what is chosen of them


@dataclass(frozen=True)
class Task:
    """Text to choose from, and text to judge the choice.

    `human` is the human part, `reference` is human text that the curator knows, and `test` is human
    text that it doesn't know.
    """

    name: str
    vocabulary: int
    topics: int
    candidates: Documents
    human: Documents
    reference: Documents
    test: Documents


class Outcome(NamedTuple):
    """Perplexity, and seconds of scoring and filling."""

    perplexity: float
    seconds: float


def generated(data: Path, work: Path, seed: int) -> Task:
    """Sample a generator that has learned human text once."""
    of = world(human_corpus(data, work), Sizes(), seed, [34_000.0], 170_000.0)
    model = train(of.first, of.vocabulary, of.sizes.topics, seed, "sharp")
    candidates = model.sample(of.tokens(136_000 * _SHARE), seed)
    return Task(
        "n-gram", of.vocabulary, of.sizes.topics, candidates, of.fresh[0], of.reference, of.test
    )


def answered(data: Path, seed: int) -> Task:
    """Return answers of language models and human ones, cut like all documents here."""
    answers = {"models": data.parent / "synthetic" / "gpteacher", "people": data / "dolly_6400"}
    cut = corpus(
        labelled_sources(
            (row["response"], name)
            for name, path in answers.items()
            for row in rows(path.parent, path.name)
        ),
        {},
    )
    documents = Documents(cut.tok, cut.off, np.zeros(len(cut.off) - 1, np.int32))
    order = np.random.default_rng(seed).permutation(documents.n)
    of = np.array(cut.domains)[cut.domain[order]]
    models = documents.take(order[of == "models"])
    people = documents.take(order[of == "people"])
    topics = Codebook.fit(people, len(cut.words), _TOPICS, _DIMENSIONS, seed)
    models, people = (replace(part, topic=topics.assign(part)) for part in (models, people))
    ends = [up_to(people.lengths, share * len(people.tok)) for share in (0.1, 0.6)]
    human, reference, test = (people.take(part) for part in np.split(np.arange(people.n), ends))
    return Task("answers", len(cut.words), _TOPICS, models, human, reference, test)


def chosen(task: Task, rounds: int, buckets: int, seed: int) -> tuple[Documents, float]:
    """Return the mix that the product's selection makes, and the seconds it took.

    Args:
        task: text to choose from.
        rounds: rounds of residual selection; 0 fills quotas at random.
        buckets: logarithm of the size of the n-gram tables.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    words = _word_hashes(task)
    codebook = Codebook.fit(task.reference, task.vocabulary, _CLUSTERS, _DIMENSIONS, 50 + seed)
    cells = codebook.assign(task.candidates).astype(np.int64)
    sizes = task.candidates.lengths
    total = len(task.candidates.tok) / _SHARE
    tokens = np.bincount(cells, sizes, _CLUSTERS)
    human = np.bincount(codebook.assign(task.human), task.human.lengths, _CLUSTERS)
    shares = codebook.shares(task.reference) + 1e-6
    problem = Problem.of(shares, 2 * tokens, human, total, float(human.sum()))
    quota = problem.at(0.7).solution.synthetic
    hi, lo = rng.integers(2**64, size=(2, len(sizes)), dtype=np.uint64)
    quotas = _quotas(cells, sizes, quota)
    every = Windows.every(quotas.quota.size)
    rows = Rows(cells + SCORED * _CLUSTERS, lo, lo, np.arange(len(sizes)), sizes)
    standing = fill_by_hash(quotas, rows.take(np.zeros(0, np.int64)), every)
    full = standing.full[SCORED][cells]
    fillable = ((full < 2) & (standing.rest[SCORED][cells] > 0)).astype(bool)
    picks = np.zeros(len(sizes), bool)
    noise = seeded_hash(hi, lo, seed, "synthetic")
    reference = _count(task.reference, words, np.ones(task.reference.n, np.int32), buckets)
    fixed = _count(task.human, words, np.ones(task.human.n, np.int32), buckets)
    coherence = Coherence(reference).score(
        task.candidates.off, words[task.candidates.tok], np.arange(len(sizes))
    )
    began = time.perf_counter()
    for number in range(1, max(rounds, 1) + 1):
        remaining = np.flatnonzero(fillable & ~picks)
        key = noise[remaining]
        if rounds:
            drawn = fillable & (noise < standing.threshold(quotas, rounds))
            expected = (full + (picks | drawn)).astype(np.int32)
            current = _count(task.candidates, words, expected, buckets).merge(fixed)
            scores = Scorer(reference, current).score(
                task.candidates.off, words[task.candidates.tok], remaining
            )
            figures = np.vstack([scores, coherence[remaining]])
            moments = [Moments.of(values) for values in figures]
            key = in_steps(keys(figures, moments))
        candidates = replace(rows.take(remaining), key=key)
        standing = fill_round(standing, candidates, number / max(rounds, 1), every)
        columns = candidates.cell, candidates.key, candidates.tie, candidates.number
        picks[remaining] = standing.cuts.take(*columns)
    seconds = time.perf_counter() - began
    picked = task.candidates.take(np.repeat(np.arange(len(sizes)), full + picks))
    return joined([task.human, picked]), seconds


def _quotas(
    cells: NDArray[np.int64], sizes: NDArray[np.int64], quota: NDArray[np.float64]
) -> Quotas:
    """Return synthetic quotas alone, for documents that may stand twice."""
    shape = len(USES), _CLUSTERS
    wanted, supply = np.zeros(shape), np.zeros(shape, np.int64)
    wanted[SCORED] = quota
    supply[SCORED] = np.bincount(cells, sizes, _CLUSTERS)
    return Quotas(wanted, supply, np.full(shape, 2))


def _count(
    documents: Documents, words: NDArray[np.uint32], copies: NDArray[np.int32], buckets: int
) -> Tables:
    tables = Tables.empty(buckets)
    ids = words[documents.tok]
    count_ngrams(documents.off, ids, copies, tables.unigrams, tables.bigrams)
    return tables


def _word_hashes(task: Task) -> NDArray[np.uint32]:
    """Return the hash of each word as the product computes it, uint32[vocabulary]."""
    return np.random.default_rng(0).integers(2**32, size=task.vocabulary, dtype=np.uint32)


def measure(task: Task, rounds: int, buckets: int, seed: int) -> Outcome:
    """Choose, train, and look at what the result predicts."""
    mix, seconds = chosen(task, rounds, buckets, seed)
    model = train(mix, task.vocabulary, task.topics, seed, "sharp")
    loss = model.nll(task.test).sum() / len(task.test.tok)
    return Outcome(float(np.exp(loss)), seconds)


def main(line: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="rounds and buckets of residual selection")
    parser.add_argument("--rounds", nargs="+", type=int, default=[1, 2, 4, 8, 16])
    parser.add_argument("--buckets", nargs="+", type=int, default=[13, 16, 18, 20, 22])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the human sets")
    parser.add_argument("--work", type=Path, default=Path("out/loop"), help="folder for files")
    asked = parser.parse_args(line)
    grid = [(rounds, 20) for rounds in asked.rounds]
    grid += [(8, bits) for bits in asked.buckets if bits != 20]
    print("| corpus | rounds | buckets | perplexity against random | seconds |")
    print("|---|---:|---:|---:|---:|")
    for make in (
        lambda seed: generated(asked.data, asked.work, seed),
        lambda s: answered(asked.data, s),
    ):
        tasks = {seed: make(seed) for seed in asked.seeds}
        at_random = {seed: measure(task, 0, 1 << 10, seed) for seed, task in tasks.items()}
        for rounds, bits in grid:
            outcomes = {
                seed: measure(task, rounds, 1 << bits, seed) for seed, task in tasks.items()
            }
            gains = [outcomes[s].perplexity / at_random[s].perplexity - 1 for s in tasks]
            spent = statistics.median(outcome.seconds for outcome in outcomes.values())
            low, high = min(gains), max(gains)
            print(
                f"| {tasks[asked.seeds[0]].name} | {rounds} | 2^{bits} | "
                f"{statistics.mean(gains):+.2%} ({low:+.2%} to {high:+.2%}) | {spent:.2f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
