"""Accuracy on graded truth: outcross and its peers on one set, one table, one plot.

    python benchmarks/dedup_accuracy/run.py [--seeds 2000] [--plot curve.svg] [--json figures.json]

The set is made by `graded.py`, the figures are those of `score.py`; see README.md beside this.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from graded import Row, make
from meanings import same_meaning
from real_texts import prose
from score import BINS, SUPPORT, Score, score
from shingles import Pairs, exact_pairs
from verdicts import OURS, Verdict, outcross, peer, peers

# Okabe and Ito's colours, told apart by all kinds of eyes, and in grey by their markers.
STYLES = (
    ("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"),
    ("#E69F00", "v"), ("#56B4E9", "P"), ("#000000", "X"), ("#F0E442", "*"),
)  # fmt: skip


def graded_set(seeds: int, seed: int = 0) -> list[Row]:
    """Return `seeds` real texts with their versions, and all other texts as distractors."""
    pool = prose()
    order = np.random.default_rng(seed).permutation(len(pool))
    chosen = [pool[i] for i in order]
    return make(chosen[:seeds], seed, chosen[seeds:])


def verdicts(texts: list[str], threshold: float) -> dict[str, Verdict]:
    """Return the verdict of every tool."""
    tools = {
        f"outcross, {verify}": lambda verify=verify: outcross(
            texts, threshold, extra=["--verify", verify]
        )
        for verify in OURS
    }
    for name, command in peers().items():
        tools[name] = lambda command=command: peer(command, texts, threshold)
    return {name: judge() for name, judge in tools.items()}


def named_too_far(verdict: Verdict, pairs: Pairs, threshold: float) -> int:
    """Count removed texts whose named partner is below the threshold, or not kept."""
    near = pairs.above(threshold)
    known = set(zip(near.a.tolist(), near.b.tolist(), strict=True))
    return sum(
        not verdict.kept[partner] or (min(document, partner), max(document, partner)) not in known
        for document, partner in enumerate(verdict.partner.tolist())
        if partner >= 0
    )


def print_table(scores: dict[str, Score]) -> None:
    """Print a row of figures for each tool, and the similarity of removed texts to kept ones."""
    heads = ("tool", "recall, J > .85", "same numbers, signs, negations", "kept, best J < .75")
    heads += (
        "removed",
        "of them with a kept one at J ≥ .75",
        "lowest such J",
        "families wiped out",
    )
    print(f"| {' | '.join(heads)} |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for name, s in scores.items():
        print(
            f"| {name} | {s.recall} | {s.recall_of_same} | {s.precision_below} | {s.removed} | "
            f"{s.supported} | {s.least_support:.3f} | {s.wiped_out}/{s.families} |"
        )
    places = [f"{a:g}–{b:g}" for a, b in pairwise(SUPPORT)]
    print(f"\nremoved, by J of the nearest kept text\n\n| tool | {' | '.join(places)} |")
    print("|---|" + "---:|" * len(places))
    for name, s in scores.items():
        print(f"| {name} | {' | '.join(str(count) for count in s.support)} |")
    for title, which in (("neither has a closer relative", "curve"), ("all pairs", "all_pairs")):
        places = [f"{a:.2f}" for a in BINS[:-1]]
        print(f"\nshare of pairs that do not both stay, by J from …, {title}\n")
        print(f"| tool | {' | '.join(places)} |\n|---|" + "---:|" * len(places))
        curves = {name: getattr(s, which) for name, s in scores.items()}
        counts = [str(ratio.count) for ratio in next(iter(curves.values()))]
        print(f"| *pairs* | {' | '.join(counts)} |")
        for name, curve in curves.items():
            cells = [f"{ratio.value:.3f}" if ratio.count else "" for ratio in curve]
            print(f"| {name} | {' | '.join(cells)} |")


def plot(scores: dict[str, Score], path: Path, threshold: float) -> None:
    """Plot each tool's curve by similarity, and the distance of removed texts from kept ones."""
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "outcross", "font.size": 10})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), width_ratios=(3, 2))
    middle = (BINS[:-1] + BINS[1:]) / 2
    for (name, s), (colour, marker) in zip(scores.items(), STYLES, strict=False):
        share = np.array([ratio.value if ratio.count >= 10 else np.nan for ratio in s.curve])
        left.plot(middle, share, color=colour, marker=marker, markersize=5, label=name)
    left.axvline(threshold, color="0.4", linestyle=":", linewidth=1)
    left.set(
        xlabel="true Jaccard similarity of the pair (word 5-grams)",
        ylabel="share of pairs that do not both stay",
        xlim=(0.48, 1.0), ylim=(-0.03, 1.03),
    )  # fmt: skip
    figure.legend(loc="lower center", ncols=len(scores), frameon=False, fontsize=9)
    unsupported = [1 - s.supported.value for s in scores.values()]
    bars = right.barh(list(scores), unsupported, color=[colour for colour, _ in STYLES])
    right.bar_label(bars, [f"{value:.1%}" for value in unsupported], padding=3)
    right.set(xlabel="of what is removed: no kept text within J .75")
    right.set_xlim(0, max(*unsupported, 0.01) * 1.25)
    right.invert_yaxis()
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    right.xaxis.set_major_formatter("{x:.0%}")
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Make the set, run every tool, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--plot", type=Path, help="where to draw the curve (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    rows = graded_set(arguments.seeds, arguments.seed)
    texts = [row.text for row in rows]
    pairs = exact_pairs(texts)
    print(f"{len(rows):,} texts, {len(pairs.a):,} pairs at J .3 or more, "
          f"{len(pairs.above(0.85, strictly=True).a):,} above .85\n")  # fmt: skip
    same = same_meaning(texts, pairs, arguments.threshold)
    scores = {}
    for name, verdict in verdicts(texts, arguments.threshold).items():
        scores[name] = score(verdict.kept, pairs, same, arguments.threshold)
        if (verdict.partner >= 0).any():
            wrong = named_too_far(verdict, pairs, arguments.threshold)
            print(f"{name}: {wrong} of {scores[name].removed} removed texts name a text that is "
                  f"not kept or is below J {arguments.threshold}")  # fmt: skip
    print()
    print_table(scores)
    if arguments.plot:
        plot(scores, arguments.plot, arguments.threshold)
    if arguments.json:
        figures = {
            name: {
                "recall": s.recall.value, "recall_of_same": s.recall_of_same.value,
                "precision_below": s.precision_below.value,
                "supported": s.supported.value, "least_support": s.least_support,
                "removed": s.removed, "wiped_out": s.wiped_out, "families": s.families,
                "curve": [[ratio.hits, ratio.count] for ratio in s.curve],
            }
            for name, s in scores.items()
        }  # fmt: skip
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
