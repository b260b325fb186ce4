"""The recursive loop: generators that learn from their own samples, with a curator in between.

    python benchmarks/loop/run.py [--arms naive residual] [--seeds 0 1 2] [--out results.jsonl]

writes one line for every arm, seed and generation. What is finished there is not done again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: a process has one core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from arms import ARMS, STANDARD
from corpus import Corpus, corpus, human_corpus, labelled_sources
from curator import Curator, build_reference
from documents import Documents, joined
from evaluate import HeldOut
from generator import REGIMES, Model
from world import Sizes, World, world

DATA = Path(__file__).parents[3] / "shared" / "data" / "human"

GENERATORS = {"kn": "generator", "gru": "neural"}
"""The modules whose `train` makes them."""

WORLDS = {
    "human": Sizes(),
    "python": Sizes(
        words=8_000, test=12_000, reference=12_000, topics=8, dimensions=16, clusters=24
    ),
}


@dataclass(frozen=True)
class Settings:
    """Settings that all arms and seeds of an experiment share."""

    world: str
    generator: str
    regime: str
    fresh: float
    """Human text that is bought for each generation, as a share of its training words."""
    generations: int
    growth: float
    """Training words of a generation by those of the one before."""
    candidates: float
    """Words that are sampled for each that the next generator learns from."""

    @property
    def sizes(self) -> Sizes:
        return WORLDS[self.world]

    def words(self, generation: int) -> float:
        """Return the number of words that a generation's generator learns from."""
        return self.sizes.words * self.growth**generation


@dataclass(frozen=True)
class Task:
    """One arm with one seed."""

    arm: str
    seed: int
    settings: Settings

    def key(self) -> str:
        return json.dumps({"arm": self.arm, "seed": self.seed, **asdict(self.settings)})


@dataclass(frozen=True)
class Start:
    """State in which all arms of a seed begin."""

    world: World
    held_out: HeldOut
    model: Model
    candidates: Documents
    figures: dict[str, float]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _corpus(name: str, data: Path, work: Path) -> Corpus:
    if name == "human":
        return human_corpus(data, work)
    return corpus(labelled_sources((text, page) for page, text in sorted(topics.items())), {})


def _train(documents: Documents, of: World, settings: Settings, seed: int) -> Model:
    module = importlib.import_module(GENERATORS[settings.generator])
    model: Model = module.train(documents, of.vocabulary, of.sizes.topics, seed, settings.regime)
    return model


def _candidates(model: Model, of: World, settings: Settings, seed: int, after: int) -> Documents:
    """Sample the generator of generation `after`; the last one is sampled for measuring only."""
    last = after == settings.generations
    words = settings.sizes.words if last else settings.candidates * settings.words(after + 1)
    return model.sample(of.tokens(words), seed * 1000 + after)


def _steered(
    unasked: Documents, model: Model, curator: Curator, task: Task, after: int
) -> Documents:
    """Replace part of the candidates by documents on the topics that the curator asks for."""
    if curator.asked is None:
        return unasked
    tokens = len(unasked.tok)
    rows = np.searchsorted(unasked.off, (1 - curator.arm.steered) * tokens)
    remaining = unasked.take(np.arange(rows))
    seed = task.seed * 1000 + 500 + after
    asked = model.sample(tokens - len(remaining.tok), seed, curator.asked)
    return joined([remaining, asked])


@lru_cache(maxsize=1)
def _start(settings: Settings, seed: int, data: Path, work: Path) -> Start:
    steps = range(1, settings.generations + 1)
    words = [settings.words(generation) for generation in steps]
    of = world(
        _corpus(settings.world, data, work),
        settings.sizes,
        seed,
        [settings.fresh * some for some in words],
        max(words, default=0.0),
    )
    model = _train(of.first, of, settings, seed)
    measured = HeldOut.fit(of, model, seed)
    candidates = _candidates(model, of, settings, seed, 0)
    figures = {**measured.loss(model), **measured.width(candidates)}
    return Start(of, measured, model, candidates, figures)


def recursion(task: Task, data: Path, work: Path) -> Iterator[dict[str, Any]]:
    """Train, sample, curate, train: one line of results a generation."""
    arm, settings, seed = ARMS[task.arm], task.settings, task.seed
    start = _start(settings, seed, data, work)
    of, candidates = start.world, start.candidates
    folder = work / f"{settings.world}-{seed}-{_digest(of.reference.tok.tobytes())}"
    reference = build_reference(of, folder) if arm.curator == "product" else folder
    of_own = folder / f"{arm.name}-{_digest(task.key().encode())}"
    curator = Curator(arm, of, seed, of_own, reference)

    def line(generation: int, **results: object) -> dict[str, Any]:
        return {**json.loads(task.key()), "generation": generation, **results}

    if arm.recursive:
        yield line(0, human_share=1.0, words=settings.sizes.words, **start.figures)
    for generation in range(1, settings.generations + 1):
        if not arm.recursive and generation < settings.generations:
            continue
        clock = [time.perf_counter()]
        fresh = of.fresh[generation - 1]
        mix = curator.mix(generation, candidates, fresh, settings.words(generation))
        clock.append(time.perf_counter())
        model = _train(mix.documents, of, settings, seed * 1000 + generation)
        clock.append(time.perf_counter())
        unasked = _candidates(model, of, settings, seed, generation)
        candidates = _steered(unasked, model, curator, task, generation)
        clock.append(time.perf_counter())
        figures = {**start.held_out.loss(model), **start.held_out.width(unasked)}
        clock.append(time.perf_counter())
        parts = ("curate", "train", "sample", "evaluate")
        spent = {
            part: round(after - before, 3)
            for part, before, after in zip(parts, clock, clock[1:], strict=False)
        }
        yield line(
            generation,
            human_share=mix.human_share,
            words=int(of.counted(mix.documents).sum()),
            **figures,
            seconds=spent,
        )
    shutil.rmtree(of_own)


def carry_out(task: Task, data: Path, work: Path, out: Path) -> float:
    """Append the results of a task as they come; return its seconds."""
    began = time.perf_counter()
    for results in recursion(task, data, work):
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(results) + "\n")
    return time.perf_counter() - began


def finished(out: Path) -> set[str]:
    """Return the keys of the tasks whose last generation is done."""
    keys = set()
    if out.exists():
        for text in out.read_text(encoding="utf-8").splitlines():
            results = json.loads(text)
            if results["generation"] == results["generations"]:
                settings = {name: results[name] for name in Settings.__dataclass_fields__}
                keys.add(Task(results["arm"], results["seed"], Settings(**settings)).key())
    return keys


def arguments(line: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the recursive loop, with outcross as its curator")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(STANDARD))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--regime", choices=list(REGIMES), default="sharp")
    parser.add_argument("--fresh", type=float, default=0.1, help="share that is bought")
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--growth", type=float, default=1.0, help="of training words a generation")
    parser.add_argument(
        "--candidates", type=float, default=4.5, help="times the training words that are sampled"
    )
    parser.add_argument("--generator", choices=list(GENERATORS), default="kn")
    parser.add_argument("--world", choices=list(WORLDS), default="human")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the human sets")
    parser.add_argument("--work", type=Path, default=Path("out/loop"), help="folder for files")
    parser.add_argument("--out", type=Path, default=Path("out/loop/results.jsonl"))
    parser.add_argument("--jobs", type=int, default=2, help="arms at a time, one core each")
    return parser.parse_args(line)


def main() -> int:
    asked = arguments()
    settings = Settings(**{name: getattr(asked, name) for name in Settings.__dataclass_fields__})
    work, out = asked.work.resolve(), asked.out.resolve()
    work.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    if asked.world == "human":
        human_corpus(asked.data, work)  # once, before several ask for it
    finished_keys = finished(out)
    tasks = [Task(arm, seed, settings) for seed in asked.seeds for arm in asked.arms]
    tasks = [task for task in tasks if task.key() not in finished_keys]
    failed = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, mp_context=context) as pool:
        running = {pool.submit(carry_out, task, asked.data, work, out): task for task in tasks}
        for future in as_completed(running):
            task = running[future]
            if (error := future.exception()) is not None:
                failed += 1
                print(f"{task.arm} seed {task.seed}: {error}", file=sys.stderr, flush=True)
            else:
                print(f"{task.arm} seed {task.seed}: {future.result():.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
