"""Time of a budget: one solve, and the whole plan with its frontier.

    python benchmarks/budget.py [--clusters 100000] [--domains 20] [--repeat 3]

Clusters of all domains together: every domain has its part of them, with a skewed reference, a
generator that has too little of the tails, and half as much human as synthetic text. In
`human-bound` it is a fiftieth, so that there are two levels to be found. Every fourth domain is
meant to converge, and one has a floor. Allowed are 0.3 seconds for a solve of all domains and 5
seconds for the plan, its frontier and its file.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from processes import load
from rich.console import Console
from rich.table import Table

from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas.budget import DomainPolicy
from outcross.schemas.config import Config
from outcross.schemas.sources import Source
from outcross.transforms.budget.domains import Division
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import solve, temper

MOST_SOLVE, MOST_PLAN = 0.3, 5.0  # seconds
MEAN_TOKENS = 20_000  # synthetic ones of a cluster
ALPHA = 0.7


def make_supply(clusters: int, domains: int, scarcity: float) -> Supply:
    """Return the text of `clusters` clusters, divided evenly among the domains.

    Args:
        clusters: number of clusters of all domains together.
        domains: number of domains.
        scarcity: human tokens / synthetic tokens.
    """
    size_ = clusters // domains
    parts = []
    rng = np.random.default_rng(0)
    sizes = rng.dirichlet(np.full(domains, 5.0))
    for number, size in enumerate(sizes):
        human = rng.dirichlet(np.full(size_, 0.5))
        narrow = human**1.5 * (rng.random(size_) < 0.9)
        tokens_ = MEAN_TOKENS * clusters * size
        parts.append(
            DomainSupply(
                name=f"domain-{number:03d}",
                synthetic=np.floor(tokens_ * narrow / narrow.sum()),
                off_support=np.floor(0.01 * tokens_ * rng.dirichlet(np.ones(size_))),
                human=np.floor(scarcity * tokens_ * rng.dirichlet(np.full(size_, 0.3))),
                shares=0.99 * human + 0.01 / size_,
                reference_share=float(size),
                off_support_share=0.01,
            )
        )
    return Supply(parts, (5.0, 5.0), True, {}, "benchmark")


def make_config(supply: Supply) -> Config:
    """Return a configuration in which every fourth domain converges and the first has a floor."""
    policies = {
        part.name: DomainPolicy(kind="converge" if number % 4 == 3 else "open")
        for number, part in enumerate(supply.domains)
    }
    first = supply.domains[0]
    problem = Problem.of(
        first.shares,
        2 * first.synthetic,
        2 * first.human,
        float(first.synthetic.sum()) / 2,
        min(float(first.synthetic.sum()) / 8, float(first.human.sum())),
    )
    reachable = problem.at(0.5)
    policies[first.name] = DomainPolicy(entropy_floor=0.99 * reachable.entropy)
    source = Source(name="all", role="synthetic", files=["x"], domain_field="domain")
    return Config(out="out", sources=[source], domains=policies, best_effort=True)


def one_solve(supply: Supply) -> None:
    """Solve the totals of the domains, and each domain at one α."""
    parts = supply.domains
    division = Division(
        [part.name for part in parts],
        np.array([part.reference_share for part in parts]),
        np.full(len(parts), np.nan),
        np.array([2 * part.synthetic.sum() for part in parts]),
        np.array([2 * part.human.sum() for part in parts]),
    )
    synthetic = 2 / 3 * sum(float(part.synthetic.sum()) for part in parts)
    human = min(synthetic / 4, 2 * supply.human)
    totals = division.divide(synthetic, human)
    for part, x, y in zip(parts, totals.synthetic, totals.human, strict=True):
        solve(temper(part.shares, ALPHA), 2 * part.synthetic, 2 * part.human, x, y)


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the median time of several runs, after one that is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=100_000, help="of all domains together")
    parser.add_argument("--domains", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.clusters:,} clusters in {arguments.domains} domains; {load()}")
    for heading in ("supply", "work"):
        table.add_column(heading)
    for heading in ("seconds", "allowed", ""):
        table.add_column(heading, justify="right")
    for name, scarcity in (("slack", 0.5), ("human-bound", 0.02)):
        supply = make_supply(arguments.clusters, arguments.domains, scarcity)
        config = make_config(supply)
        lines = {
            "one solve": (lambda supply_=supply: one_solve(supply_), MOST_SOLVE),
            "plan with its frontier": (
                lambda supply_=supply, asked=config: make_plan(asked, supply_).to_json(),
                MOST_PLAN,
            ),
        }
        for work, (run, allowed) in lines.items():
            took = seconds(run, arguments.repeat)
            verdict = "ok" if took <= allowed else "too slow"
            table.add_row(name, work, f"{took:.2f}", f"{allowed:.1f}", verdict)
    Console().print(table)


if __name__ == "__main__":
    main()
