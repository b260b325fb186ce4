"""Makers of a generation's training text: the product by its command line, or a control."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from arms import Arm
from documents import Documents, joined, up_to
from numpy.typing import NDArray
from world import World

COMMAND = Path(sys.executable).with_name("outcross")
"""The installed command of the environment that runs the benchmark."""


class Mix(NamedTuple):
    """Training text, and its share of human words."""

    documents: Documents
    human_share: float


def outcross(*arguments: object) -> None:
    """Run the installed command.

    Raises:
        RuntimeError: it failed; the message has the end of what it wrote to stderr.
    """
    line = [str(COMMAND), *map(str, arguments)]
    done = subprocess.run(line, check=False, capture_output=True, text=True, cwd=COMMAND.parent)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(line)}\n{done.stderr[-3000:]}")


def write(path: Path, world: World, documents: Documents) -> None:
    """Write one JSON line per document, with its text and its topic."""
    with path.open("w", encoding="utf-8") as file:
        for text, topic in zip(world.texts(documents), documents.topic.tolist(), strict=True):
            file.write(json.dumps({"text": text, "topic": topic}) + "\n")


def read(folder: Path, world: World, join: bool = False) -> tuple[Documents, Documents]:
    """Return the documents that the product has written: synthetic ones and human ones.

    With `join`, the pieces of a document, which stand one after the other, are one document again.
    """
    rows = pq.read_table(folder / "data", columns=["text", "topic", "outcross"]).to_pylist()
    names = [
        (row["outcross"]["source"], row["outcross"]["id"], row["outcross"]["copy"])
        if join
        else number
        for number, row in enumerate(rows)
    ]
    groups = [
        [row for _, row in group]
        for _, group in groupby(zip(names, rows, strict=True), lambda pair: pair[0])
    ]
    topics = np.array([group[0]["topic"] for group in groups], np.int32)
    documents = world.parse([" ".join(row["text"] for row in group) for group in groups], topics)
    roles = np.array([group[0]["outcross"]["role"] for group in groups])
    return (
        documents.take(np.flatnonzero(roles == "synthetic")),
        documents.take(np.flatnonzero(roles == "human")),
    )


def requested(out: Path, topics: int, words: float, share: float) -> NDArray[np.float64]:
    """Return the tokens that the product asks for, by topic: float64[topics].

    A request's topics are those of its seeds. Without seeds they are those of the cluster's
    documents, by which a language model would go on from the request's words.

    Args:
        out: output directory of a run.
        topics: number of topics.
        words: words of the candidates; the requests don't depend on their scale.
        share: share of the candidates that is asked for.
    """
    path = out / "requests.jsonl"
    amounts = "--tokens", round(share * words), "--unasked", round((1 - share) * words)
    outcross("requests", out, "-o", path, *amounts, "--seeds", 20, "--json")
    topic_of, topics_of = {}, defaultdict[int, list[int]](list)
    for row in pq.read_table(out / "data", columns=["topic", "outcross"]).to_pylist():
        place, topic = row["outcross"], row["topic"]
        topic_of[place["source"], place["id"]] = topic
        topics_of[place["cluster"]].append(topic)
    asked = np.zeros(topics)
    for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        if line["kind"] == "cluster":
            seeds = [topic_of[seed["source"], seed["id"]] for seed in line["seeds"]]
            chosen = seeds or topics_of[line["cluster"]]
            asked += line["tokens"] * np.bincount(chosen, minlength=topics) / max(len(chosen), 1)
    return asked


def build_reference(world: World, folder: Path) -> Path:
    """Return the product's reference of the world's reference text; the first caller builds it."""
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "reference"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            half, texts = folder / "half", folder / "reference.jsonl"
            shutil.rmtree(half, ignore_errors=True)
            write(texts, world, world.reference)
            outcross(*("reference", "build", "--human", texts, "--out", half, "--workers", 1))
            half.rename(built)
    return built


@dataclass
class Curator:
    """Curator of one arm, with its memory from generation to generation.

    Attributes:
        arm: arm of the experiment.
        world: world of the seed.
        seed: seed of its draws.
        folder: its own folder for files; files that a lineage names stay there.
        reference: the product's reference; arms that don't need it get it as well.
        ledger: human text bought so far, for the plain controls; the product has its own.
        archive: candidates so far, for the plain controls.
        asked: float64[topics], tokens to ask the next generator for; None for a generator that is
            asked for nothing.
    """

    arm: Arm
    world: World
    seed: int
    folder: Path
    reference: Path
    ledger: list[Documents] = field(default_factory=list)
    archive: list[Documents] = field(default_factory=list)
    asked: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.arm.owns_first:
            self.ledger.append(self.world.first)
            if self.arm.curator == "product":
                self._add_to_ledger(self.world.first)

    def mix(self, generation: int, candidates: Documents, fresh: Documents, words: float) -> Mix:
        """Make training text.

        Args:
            generation: number of the generation that is trained on it, from 1.
            candidates: samples of the generation before.
            fresh: human text bought for this generation.
            words: number of words to make.
        """
        rng = np.random.default_rng([self.seed, generation])
        if self.arm.curator == "human":
            return Mix(self.world.ceiling(generation, words * (self.arm.human or 0.0)), 1.0)
        if self.arm.curator == "product":
            return self._joined(*self._curated(generation, candidates, fresh, words))
        synthetic = candidates
        if self.arm.curator == "dedup":
            synthetic, fresh = self._deduplicated(generation, candidates, fresh)
        if self.arm.archive:
            self.archive.append(candidates)
            synthetic = joined(self.archive)
        human = self._plain_human(fresh, words, rng)
        remaining = words - (self._words(human) if human.n else 0)
        return self._joined(self._drawn(synthetic, remaining, rng), human)

    def _words(self, documents: Documents) -> int:
        return int(self.world.counted(documents).sum())

    def _drawn(self, documents: Documents, words: float, rng: np.random.Generator) -> Documents:
        order = rng.permutation(documents.n)
        return documents.take(order[: up_to(self.world.counted(documents)[order], words)])

    def _joined(self, synthetic: Documents, human: Documents) -> Mix:
        if not human.n:
            return Mix(synthetic, 0.0)
        bought, sampled = self._words(human), self._words(synthetic) if synthetic.n else 0
        return Mix(joined([human, synthetic]), bought / (bought + sampled))

    def _plain_human(self, fresh: Documents, words: float, rng: np.random.Generator) -> Documents:
        if self.arm.human == 0.0:
            return fresh.take([])
        human = fresh
        room = (self.arm.human or 0.0) * words - self._words(fresh)
        if self.ledger and room > 0:
            earlier = joined(self.ledger)
            enough = min(room, self._words(earlier))
            human = joined([fresh, self._drawn(earlier, enough, rng)])
        self.ledger.append(fresh)
        return human

    def _deduplicated(
        self, generation: int, candidates: Documents, fresh: Documents
    ) -> tuple[Documents, Documents]:
        out = self.folder / f"run-{generation}"
        sources = self._sources(generation, candidates, fresh)
        outcross("dedup", *sources, "--out", out, "--seed", self.seed, "--workers", 1, "--json")
        kept = read(out, self.world)
        shutil.rmtree(out)
        return kept

    def _curated(
        self, generation: int, candidates: Documents, fresh: Documents, words: float
    ) -> tuple[Documents, Documents]:
        arm = self.arm
        bought = self._words(fresh)
        out = self.folder / f"run-{generation}"
        options: list[object] = ["--tokens", round(words), "--select", arm.select]
        if arm.select == "residual":
            options += ["--rounds", arm.rounds]
        if arm.human is None and not arm.archive:
            options += ["--human-share", bought / words]
        else:
            share = bought / words if arm.human is None else arm.human
            options += ["--lineage", self.folder / "lineage", "--human-share", share]
            options += ["--fresh-human-tokens", bought, "--archive", arm.archive]
        outcross(
            *("run", *self._sources(generation, candidates, fresh), *options),
            *("--reference", self.reference, "--out", out, "--best-effort"),
            *("--max-copies-synthetic", 2, "--max-copies-human", 1),
            *("--seed", self.seed, "--workers", 1, "--json"),
        )
        chosen = read(out, self.world, arm.joined)
        if arm.steered:
            self.asked = requested(out, self.world.sizes.topics, words, arm.steered)
        shutil.rmtree(out)
        return chosen

    def _sources(
        self, generation: int, candidates: Documents, fresh: Documents
    ) -> tuple[object, ...]:
        first = max(1, generation - self.arm.recent + 1)
        paths = [
            self.folder / f"candidates-{number}.jsonl" for number in range(first, generation + 1)
        ]
        human = self.folder / "fresh.jsonl"
        write(paths[-1], self.world, candidates)
        write(human, self.world, fresh)
        if self.arm.pieces is None:
            synthetic = [part for path in paths for part in ("--synthetic", path)]
            return *synthetic, "--human", human
        sampled = {"pieces": self.arm.pieces, "piece_tokens": 1}
        roles = {"synthetic": (paths, sampled), "human": ([human], {})}
        sources = [
            {"name": role, "role": role, "files": [str(path) for path in files], **keys}
            for role, (files, keys) in roles.items()
        ]
        config = self.folder / "run.yaml"
        config.write_text(json.dumps({"sources": sources}), encoding="utf-8")
        return (config,)

    def _add_to_ledger(self, documents: Documents) -> None:
        """Put human text into the product's ledger."""
        texts, out = self.folder / "first.jsonl", self.folder / "run-0"
        write(texts, self.world, documents)
        outcross(
            *("run", "--human", texts, "--human-share", 1, "--reference", self.reference),
            *("--lineage", self.folder / "lineage", "--tokens", self._words(documents)),
            *("--best-effort", "--max-copies-human", 1, "--out", out),
            *("--seed", self.seed, "--workers", 1, "--json"),
        )
        shutil.rmtree(out)
