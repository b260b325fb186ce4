"""The measures' estimators against known truths, other libraries and their definitions.

    python benchmarks/measures/estimators.py [--samples 400] [--seed 1]

Four tables: agreement with scipy, scikit-bio and definitions written again here; entropy estimates
and their standard errors on distributions whose entropy is known; Vendi scores beside the
vendi-score package; milliseconds on one core. What disagrees beyond its limit fails the run.
scikit-bio, scikit-learn and vendi-score are looked for when they are needed: without them their
rows are left out, and a line says so.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: the last table is about one core

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.spatial.distance import jensenshannon

from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.estimators.lexical import (
    lexical,
    opening_hashes,
    openings,
    rare_words,
    retained,
)
from outcross.transforms.estimators.richness import (
    chao_shen,
    effective_number,
    jackknife,
    js,
    sample_coverage,
    standard_error,
)
from outcross.transforms.estimators.vendi import DIMS, moments, unit_rows, vendi
from outcross.transforms.measuring.answers import Answers
from outcross.transforms.text.embed import SCALE

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

SIZES = (100, 300, 1000, 3000, 10_000)
TOKENS = 131_072
CONSOLE = Console(width=140)


def optional(module: str, package: str) -> Any:
    """Return a module, or None after a line that names the missing package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        CONSOLE.print(f"without {package} its rows are left out: {error}")
        return None


def zipf(cells: int, exponent: float) -> Floats:
    shares = 1 / np.arange(1, cells + 1) ** exponent
    return np.asarray(shares / shares.sum())


def geometric(cells: int, ratio: float) -> Floats:
    shares = ratio ** np.arange(cells)
    return np.asarray(shares / shares.sum())


DISTRIBUTIONS = {
    "Zipf 1.1, 1,000 cells": zipf(1000, 1.1),
    "Zipf 1.0, 4,096 cells": zipf(4096, 1.0),
    "Zipf 1.0, 300 cells": zipf(300, 1.0),
    "uniform, 100 cells": np.full(100, 0.01),
    "uniform, 1,000 cells": np.full(1000, 0.001),
    "geometric .9": geometric(200, 0.9),
    "geometric .99": geometric(2000, 0.99),
}


def plug_in(counts: Counts) -> float:
    return float(scipy.stats.entropy(counts))


def jackknife_by_leaving_out(counts: Counts) -> float:
    n = int(counts.sum())
    mean = 0.0
    for cell in np.flatnonzero(counts):
        rest = counts.copy()
        rest[cell] -= 1
        mean += int(counts[cell]) / n * plug_in(rest)
    return n * plug_in(counts) - (n - 1) * mean


def chao_shen_by_cells(counts: Counts) -> float:
    """Chao & Shen 2003 with the sample coverage of Chao & Jost 2012, equation 4a."""
    n = int(counts.sum())
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    if twice:
        coverage = 1 - once / n * ((n - 1) * once / ((n - 1) * once + 2 * twice))
    else:
        coverage = 1 - once / n * ((n - 1) * (once - 1) / ((n - 1) * (once - 1) + 2))
    total = 0.0
    for count in counts[counts > 0]:
        share = coverage * int(count) / n
        total -= share * math.log(share) / (1 - (1 - share) ** n)
    return total


def error_as_counted(counts: Counts) -> float:
    """Return the delete-one jackknife's standard error of the plug-in entropy, as commonly used."""
    n = int(counts.sum())
    cells, of_value = np.unique(counts[counts > 0], return_index=True)
    rests = np.tile(counts[counts > 0], (len(cells), 1))
    rests[np.arange(len(cells)), of_value] -= 1
    without = scipy.stats.entropy(rests, axis=1)
    weight = np.bincount(counts)[cells] * cells / n
    mean = (weight * without).sum()
    return float(math.sqrt((n - 1) * (weight * (without - mean) ** 2).sum()))


def hurlbert(counts: Counts, k: int) -> float:
    n = int(counts.sum())
    chances = (Fraction(math.comb(n - int(x), k), math.comb(n, k)) for x in counts if x)
    return float(sum(1 - chance for chance in chances))


def hurlbert_by_log_gamma(counts: Counts, k: int) -> float:
    """Return the rarefied richness by log-gammas."""

    def chosen(of: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)

    n = int(counts.sum())
    return sum(1 - math.exp(chosen(n - int(x)) - chosen(n)) for x in counts if x)


def agreement(rng: np.random.Generator) -> Table:
    """Print the largest differences over samples of all distributions.

    Differences above 1e-7 fail: leaving out each of 10,000 documents cancels large numbers.
    """
    skbio = optional("skbio.diversity.alpha", "scikit-bio")
    samples = [
        rng.multinomial(n, shares) for shares in DISTRIBUTIONS.values() for n in (100, 1000, 10_000)
    ]
    # Documents that hold one sample's cells as words: their order doesn't matter for single ones.
    words = [np.repeat(np.arange(len(s)), s).astype(np.uint32) for s in samples]
    bounds = [np.array([0, len(w)], np.int64) for w in words]
    pairs = [(s, rng.multinomial(500, s / s.sum())) for s in samples]
    differences: dict[tuple[str, str], Iterator[float]] = {
        ("entropy", "scipy.stats.entropy"): (entropy(s) - plug_in(s) for s in samples),
        ("entropy_1 of `lexical`", "scipy.stats.entropy"): (
            lexical(o, w).entropy_1 - plug_in(s)
            for o, w, s in zip(bounds, words, samples, strict=True)
        ),
        ("js", "scipy, jensenshannon squared"): (
            js(p, q) - float(jensenshannon(p, q)) ** 2 for p, q in pairs
        ),
        ("jackknife", "leaving each document out"): (
            jackknife(s) - jackknife_by_leaving_out(s) for s in samples
        ),
        ("chao_shen", "cell by cell"): (chao_shen(s) - chao_shen_by_cells(s) for s in samples),
        ("distinct_rarefied, k = 37", "fractions"): (
            Answers(s).distinct_rarefied(37) - hurlbert(s, 37) for s in samples[:7]
        ),
    }
    if skbio is not None:
        differences["entropy", "scikit-bio, shannon"] = (
            entropy(s) - skbio.shannon(s, base=math.e) for s in samples
        )
        differences["exp(entropy), relative", "scikit-bio, hill(1)"] = (
            math.exp(entropy(s)) / skbio.hill(s, order=1) - 1 for s in samples
        )
    table = Table("measure", "beside", "largest difference", title="Agreement")
    for (name, peer), gaps in differences.items():
        largest = max(abs(difference) for difference in gaps)
        table.add_row(name, peer, f"{largest:.1e}")
        assert largest < 1e-7, f"{name} differs from {peer} by {largest}"
    large = np.append(np.ones(1000, np.int64), 10**9)
    truth = float(
        sum(often * (1 - missed(x, 50, 10**9 + 1000)) for x, often in ((1, 1000), (10**9, 1)))
    )
    for name, value in (
        ("distinct_rarefied", Answers(large).distinct_rarefied(50)),
        ("(log-gammas)", hurlbert_by_log_gamma(large, 50)),
    ):
        table.add_row(f"{name}, n = 1e9, k = 50", "fractions", f"{abs(value - truth):.1e}")
    return table


def missed(x: int, k: int, n: int) -> Fraction:
    chance = Fraction(1)
    for i in range(k):
        chance *= Fraction(max(n - x - i, 0), n - i)
    return chance


def entropies(rng: np.random.Generator, samples: int) -> Table:
    """Print bias and error in nats, and standard errors as shares of the estimates' deviation."""
    table = Table(title=f"Entropy of `effective_number`, nats; {samples} samples each")
    table.add_column("distribution", no_wrap=True)
    for column in ("n", "coverage", "truth", "plug-in bias", "bias", "rmse", "sd"):
        table.add_column(column, justify="right")
    for column in ("as counted", "se / sd", "holds truth", "holds mean"):
        table.add_column(column, justify="right")
    for name, shares in DISTRIBUTIONS.items():
        truth = float(scipy.stats.entropy(shares))
        for n in SIZES:
            drawn = rng.multinomial(n, shares, samples)
            estimates = np.array([math.log(effective_number(s)) for s in drawn])
            naive = np.array([plug_in(s) for s in drawn])
            errors = np.array([standard_error(s) for s in drawn])
            as_counted = np.array([error_as_counted(s) for s in drawn])
            coverage = np.array([sample_coverage(s) for s in drawn])
            deviation = float(estimates.std(ddof=1))
            ratio = float(errors.mean()) / deviation
            table.add_row(
                name if n == SIZES[0] else "",
                f"{n:,}",
                f"{coverage.mean():.2f}",
                f"{truth:.3f}",
                f"{naive.mean() - truth:+.3f}",
                f"{estimates.mean() - truth:+.3f}",
                f"{math.sqrt(((estimates - truth) ** 2).mean()):.3f}",
                f"{deviation:.4f}",
                f"{as_counted.mean() / deviation:.2f}",
                f"{ratio:.2f}",
                f"{(np.abs(estimates - truth) < 1.96 * errors).mean():.0%}",
                f"{(np.abs(estimates - estimates.mean()) < 1.96 * errors).mean():.0%}",
            )
            between = (coverage < 0.95).any() and (coverage >= 0.95).any()
            if coverage.mean() >= 0.25 and not between:
                limit = 0.2 + 3 / math.sqrt(2 * samples)  # what so many samples tell of their sd
                assert abs(ratio - 1) < limit, f"{name}, n = {n}: standard error is {ratio:.2f} sd"
    return table


def embedded(rng: np.random.Generator, n: int, spread: float) -> tuple[Floats, NDArray[np.int8]]:
    """Return unit vectors around 12 centres, and the same vectors as an embedder stores them."""
    centres = rng.normal(size=(12, 256))
    rows = centres[rng.integers(0, 12, n)] + spread * rng.normal(size=(n, 256))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, np.clip(np.rint(rows * SCALE), -127, 127).astype(np.int8)


def vendis(rng: np.random.Generator) -> Table | None:
    peer = optional("vendi_score.vendi", "vendi-score")
    if peer is None:
        return None
    table = Table(title="Vendi score, 64 dimensions")
    table.add_column("vectors")
    for column in ("order", "ours", "vendi-score, same int8", "relative", "on floats", "relative"):
        table.add_column(column, justify="right")
    random = embedded(rng, 2000, 1e6)
    topics = embedded(rng, 2000, 0.5)
    alike = embedded(rng, 2000, 0.1)
    few = (random[0][:20], random[1][:20])
    copies = tuple(np.repeat(rows, 100, axis=0) for rows in few)
    cases = {
        "2,000 random": random,
        "2,000 around 12 centres, wide": topics,
        "2,000 around 12 centres, close": alike,
        "20 random": few,
        "the same 20, each 100 times": copies,
    }
    for name, (floats, stored) in cases.items():
        for order in (1, 2):
            ours = vendi(moments(stored), order)  # type: ignore[arg-type]
            # Cosines are of the first 64 dimensions; score_dual makes the rows unit vectors.
            same = float(peer.score_dual(stored[:, :DIMS].astype(float), q=order))
            exact = float(peer.score_dual(floats[:, :DIMS], q=order))
            table.add_row(
                name if order == 1 else "", str(order),
                f"{ours:.4f}", f"{same:.4f}", f"{ours / same - 1:+.1e}",
                f"{exact:.4f}", f"{ours / exact - 1:+.1e}",
            )  # fmt: skip
            assert abs(ours / same - 1) < 1e-3, f"{name}, order {order}: {ours} beside {same}"
    kernel = few[1][:, :DIMS].astype(float)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    direct = float(peer.score_K(kernel @ kernel.T))
    ours = vendi(moments(few[1]), 1)
    table.add_row("20 random, by the kernel", "1", f"{ours:.4f}", f"{direct:.4f}",
                  f"{ours / direct - 1:+.1e}", "", "")  # fmt: skip
    assert abs(ours / direct - 1) < 1e-3
    return table


def speeds(rng: np.random.Generator) -> Table:
    # Words as text has them: Zipf, in documents of 200.
    words = rng.permutation(1 << 20)[:200_000].astype(np.uint32) * np.uint32(4099)
    words = words[rng.choice(len(words), TOKENS, p=zipf(len(words), 1.05))]
    offsets = np.append(np.arange(0, TOKENS, 200), TOKENS)
    rare = rare_words(words)
    stored = rng.integers(-127, 128, (100_000, 256)).astype(np.int8)
    total = moments(stored)
    cases: dict[str, Callable[[], object]] = {
        "lexical": lambda: lexical(offsets, words),
        "openings": lambda: openings(opening_hashes(offsets, words)),
        "rare_words": lambda: rare_words(words),
        f"retained, {len(rare):,} rare words": lambda: retained(rare, words),
        "unit_rows of 100,000": lambda: unit_rows(stored),
        "moments of 100,000": lambda: moments(stored),
        "vendi, order 1": lambda: vendi(total, 1),
    }
    table = Table("function", title=f"Milliseconds on one core; {TOKENS:,} words")
    table.add_column("median of 15", justify="right")
    for name, work in cases.items():
        work()
        seconds = []
        for _ in range(15):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        table.add_row(name, f"{statistics.median(seconds) * 1e3:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=400, help="drawn of each size")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    CONSOLE.print(agreement(rng))
    CONSOLE.print(entropies(rng, arguments.samples))
    if (table := vendis(rng)) is not None:
        CONSOLE.print(table)
    CONSOLE.print(speeds(rng))


if __name__ == "__main__":
    main()
