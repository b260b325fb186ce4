"""Tables and curves of the recursive loop's results.

    python benchmarks/loop/table.py results.jsonl [--generation 10] [--curves curves.svg]

prints Markdown, a section for each experiment in the file. Perplexities are set above those of the
ceiling, all human text, of the same seed and generation; ± is half of a 95 % interval by Student's
t over seeds, and is absent where there is only one.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from arms import ARMS
from scipy.stats import t as student

Results = Mapping[str, Any]
"""One line: an arm, seed and generation."""

LOSSES = ("perplexity", "median", "rare_domains", "hardest")
WIDTHS = ("coverage", "effective_clusters", "rare_words", "distinct_3")

PAIRS = (
    ("naive", "human.1"),
    ("dedup", "naive"),
    ("quotas", "naive"),
    ("residual", "naive"),
    ("residual", "quotas"),
    ("residual", "human.1"),
    ("naive+ledger.4", "human.4"),
    ("naive+ledger.7", "human.7"),
    ("dedup+ledger.4", "naive+ledger.4"),
    ("quotas+archive+ledger.4", "naive+archive+ledger.4"),
    ("residual+archive+ledger.4", "naive+archive+ledger.4"),
    ("residual+archive+ledger.4", "quotas+archive+ledger.4"),
    ("quotas+ledger.4", "naive+ledger.4"),
    ("residual+ledger.4", "naive+ledger.4"),
    ("residual+ledger.4", "quotas+ledger.4"),
    ("residual+ledger.4", "human.4"),
    ("residual+ledger.7", "naive+ledger.7"),
    ("residual+ledger.7", "human.7"),
    ("residual+archive", "residual"),
    ("residual+archive+ledger.4", "residual+ledger.4"),
    ("residual+archive+ledger.4", "human.4"),
    ("residual+archive+ledger.7", "residual+ledger.7"),
    ("residual+archive+ledger.7", "human.7"),
    ("naive+first+ledger.4", "naive+ledger.4"),
    ("residual+first+ledger.4", "residual+ledger.4"),
    ("residual+steered", "residual"),
    ("residual+ledger.4+steered", "residual+ledger.4"),
    ("residual+first+archive+ledger.4", "residual+archive+ledger.4"),
)
"""Of arms: the first one against what it has to beat."""


class Interval(NamedTuple):
    """A mean over seeds, and half of its 95 % interval; a single seed has no interval."""

    mean: float
    half: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        n = len(values)
        if n == 1:
            return cls(values[0], None)
        error = np.std(values, ddof=1) / np.sqrt(n)
        return cls(float(np.mean(values)), float(student.ppf(0.975, n - 1) * error))

    def percent(self) -> str:
        half = "" if self.half is None else f" ± {100 * self.half:.1f}"
        return f"{100 * self.mean:+.1f}{half} %"


class Experiment:
    """Results with the same settings, by arm, generation and seed; of equal keys the last wins."""

    def __init__(self, lines: Iterable[Results]) -> None:
        self._found: dict[str, dict[int, dict[int, Results]]] = {}
        for line in lines:
            generations = self._found.setdefault(line["arm"], {})
            generations.setdefault(line["generation"], {})[line["seed"]] = line

    @property
    def arms(self) -> list[str]:
        """Return the arms in the order of their definition."""
        return [name for name in ARMS if name in self._found]

    def generations(self, arm: str) -> list[int]:
        return sorted(self._found[arm])

    def at(self, arm: str, generation: int) -> dict[int, Results]:
        """Return the results of an arm by seed; empty if the arm has not come so far."""
        return self._found.get(arm, {}).get(generation, {})

    def mean(self, arm: str, generation: int, figure: str) -> float:
        return float(np.mean([line[figure] for line in self.at(arm, generation).values()]))

    def against(self, arm: str, other: str, generation: int, figure: str) -> Interval | None:
        """Return a figure of an arm divided by another arm's of the same seed, less 1, by seed."""
        ours, theirs = self.at(arm, generation), self.at(other, generation)
        seeds = sorted(ours.keys() & theirs.keys())
        ratios = [ours[seed][figure] / theirs[seed][figure] - 1 for seed in seeds]
        return Interval.of(ratios) if ratios else None


def _percent(interval: Interval | None) -> str:
    return "" if interval is None else interval.percent()


def table(experiment: Experiment, generation: int) -> Iterator[str]:
    """Return a table with one row per arm."""
    losses = ["perplexity", "above the ceiling", "median", "rare domains", "hardest decile"]
    widths = ["coverage", "effective clusters", "rare words", "distinct-3"]
    heads = ["arm", "seeds", "human share", *losses, *widths]
    yield f"| {' | '.join(heads)} |"
    yield "|---" + "|---:" * (len(heads) - 1) + "|"
    for arm in experiment.arms:
        if not experiment.at(arm, generation):
            continue
        cells = [
            arm,
            str(len(experiment.at(arm, generation))),
            f"{experiment.mean(arm, generation, 'human_share'):.2f}",
            f"{experiment.mean(arm, generation, 'perplexity'):.0f}",
            *(
                _percent(experiment.against(arm, "ceiling", generation, figure))
                for figure in LOSSES
            ),
            *(f"{experiment.mean(arm, generation, figure):.2f}" for figure in WIDTHS),
        ]
        yield f"| {' | '.join(cells)} |"


def differences(
    experiment: Experiment, generation: int, pairs: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """Return one row per pair of arms: the advantage of the first over the second."""
    figures = (*LOSSES, *WIDTHS)
    yield f"| arm | against | {' | '.join(name.replace('_', ' ') for name in figures)} |"
    yield "|---|---" + "|---:" * len(figures) + "|"
    for arm, other in pairs:
        row = [experiment.against(arm, other, generation, figure) for figure in figures]
        if row[0] is not None:
            yield f"| {arm} | {other} | {' | '.join(map(_percent, row))} |"


def draw(experiment: Experiment, path: Path) -> None:
    """Draw curves over generations; arms that are trained only once are dotted lines."""
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "outcross", "font.size": 9})
    figure, (loss, width) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    colours = pyplot.get_cmap("tab20")
    for number, arm in enumerate(arm for arm in experiment.arms if arm != "ceiling"):
        colour = colours(number % 20)
        steps = experiment.generations(arm)
        above = [experiment.against(arm, "ceiling", step, "perplexity") for step in steps]
        points = [
            (step, 100 * interval.mean)
            for step, interval in zip(steps, above, strict=True)
            if interval
        ]
        if not ARMS[arm].recursive:
            for _, height in points:
                loss.axhline(height, color=colour, linestyle=":", linewidth=1, label=arm)
            continue
        if points:
            loss.plot(*zip(*points, strict=True), color=colour, linewidth=1.5, label=arm)
        clusters = [experiment.mean(arm, step, "effective_clusters") for step in steps]
        width.plot(steps, clusters, color=colour, linewidth=1.5)
    loss.set(xlabel="generation", ylabel="perplexity above the ceiling, %")
    width.set(xlabel="generation", ylabel="effective clusters, human text = 1", ylim=(0, None))
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def experiments(lines: Iterable[Results]) -> dict[str, Experiment]:
    """Group the lines by the settings that they share, which are their title."""
    names = ("world", "generator", "regime", "fresh", "generations", "growth", "candidates")
    groups = defaultdict(list)
    for line in lines:
        groups[", ".join(f"{name} {line[name]}" for name in names)].append(line)
    return {title: Experiment(group) for title, group in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="tables and curves of the recursive loop")
    parser.add_argument("results", nargs="+", type=Path, help="files that run.py has written")
    parser.add_argument("--generation", type=int, help="the last one if absent")
    parser.add_argument("--pairs", nargs="+", metavar="ARM:OTHER", help="differences to show")
    parser.add_argument("--curves", type=Path, help="where to draw them (needs matplotlib)")
    asked = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in asked.pairs] if asked.pairs else PAIRS
    lines = [
        json.loads(line)
        for path in asked.results
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    for number, (title, experiment) in enumerate(experiments(lines).items()):
        last = max(step for arm in experiment.arms for step in experiment.generations(arm))
        generation = last if asked.generation is None else asked.generation
        print(f"## {title}: generation {generation}\n")
        print(*table(experiment, generation), sep="\n")
        print(*("", *differences(experiment, generation, pairs), ""), sep="\n")
        if asked.curves is not None:
            name = asked.curves.name if not number else f"{asked.curves.stem}-{number}.svg"
            draw(experiment, asked.curves.with_name(name))


if __name__ == "__main__":
    main()
