"""Documents of a known distribution, and small references made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import EMBEDDING_DIMS, SURFACE_MEASURES, Piece, Unit, sketch_schema
from outcross.transforms.base import files
from outcross.transforms.estimators.lexical import rare_words
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.members import Members, MembersPart
from outcross.transforms.reference.names import NAMES
from outcross.transforms.reference.pool import Pool
from outcross.transforms.reference.reference import Reference
from outcross.transforms.reference.sample import DOCUMENTS, TOKENS, Sample, sample_key
from outcross.transforms.reference.second_codebook import BUCKETS, WORD_DIMS, SecondCodebook
from outcross.transforms.reference.thresholds import Thresholds
from outcross.transforms.sketches.store import Sketches, UnitReport, packed_runs
from outcross.transforms.text.embed import SCALE
from outcross.transforms.text.known import Known
from outcross.transforms.text.ngrams import Tables

TOPICS, SECOND_TOPICS = 48, 20
NUM_PERM = 16
THRESHOLDS = Thresholds(density=200, dot=10)
_VOCABULARY, _PHRASES, _LENGTH = 6000, 250, 4


@dataclass(frozen=True)
class Documents:
    """Documents with their sketches and their cells.

    Attributes:
        sketch: sketches, with `sketch_schema`.
        cells: columns of `ASSIGNMENTS`, and `class`.
    """

    sketch: pa.Table
    cells: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return int(self.sketch.num_rows)

    @property
    def fingerprints(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        return tuple(self.sketch[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))

    @property
    def key(self) -> NDArray[np.uint64]:
        """Compute the sampling key of each document's first appearance."""
        return sample_key(*self.fingerprints, np.ones(len(self), np.int64))

    @property
    def runs(self) -> list[list[int]]:
        """List the word hashes of each document."""
        offsets, words = packed_runs(self.sketch["words"])
        return [words[a:b].tolist() for a, b in pairwise(offsets)]

    def take(self, rows: Any) -> Documents:
        rows = np.asarray(rows, np.int64)
        sketch = self.sketch.take(pa.array(rows)).combine_chunks()
        return Documents(sketch, {name: column[rows] for name, column in self.cells.items()})

    def at(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Take the cells of some rows, as `Sample` and `Diversity` expect them."""
        names = ("cluster", "audit_cluster", "class")
        return {"row": rows} | {name: self.cells[name][rows] for name in names}

    def sample(self, documents: int = DOCUMENTS, tokens: int = TOKENS) -> Sample:
        every = np.arange(len(self))
        return Sample.of(self.key, self.at(every), self.sketch, documents, tokens)

    def counts(self) -> ClusterCounts:
        total = ClusterCounts.empty(TOPICS, SECOND_TOPICS)
        cluster, classes, second = (
            self.cells[name] for name in ("cluster", "class", "audit_cluster")
        )
        total.add(cluster, self.sketch["tokens"].to_numpy(), classes, second)
        return total

    def pool(self) -> Pool:
        """Make a pool of all documents."""
        ordered = self.take(np.argsort(self.key))
        return Pool.of(ordered.sketch, pa.table(ordered.cells))

    def write(self, folder: Path, units: int, sources: Sequence[int] = (0,)) -> Sketches:
        """Write the sketches as those of several units; the last unit has no documents.

        Args:
            folder: folder of the sketches.
            units: number of units.
            sources: sources of the units, in turn.
        """
        folder.mkdir(parents=True, exist_ok=True)
        cuts = np.linspace(0, len(self), units).astype(int).tolist()
        unit_list = []
        for index, (start, stop) in enumerate(zip(cuts, [*cuts[1:], len(self)], strict=True)):
            source = sources[index % len(sources)]
            unit_list.append(Unit(index, source, (Piece(f"{source}.jsonl", "jsonl", 0, -1, 0),)))
            report = UnitReport(unit=index, rows=stop - start, read=stop - start)
            part = self.sketch.slice(start, stop - start)
            files.write_table(unit_file(str(folder), index, "parquet"), part)
            files.write_json(unit_file(str(folder), index, "json"), asdict(report))
        return Sketches(str(folder), unit_list)


class Population:
    """A distribution of documents: topics of very different size, each with a place and phrases.

    In each topic a fifth of the documents is tail and a hundredth off-support. A document has eight
    to twenty phrases of four words, half of them from its topic and half from all topics.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.shares = 1 / np.arange(2, TOPICS + 2) ** 0.8
        self.shares /= self.shares.sum()
        self.places = rng.normal(size=(TOPICS, EMBEDDING_DIMS))
        self.second = rng.integers(0, SECOND_TOPICS, (TOPICS, 2))
        weight = 1 / np.arange(3, _VOCABULARY + 3)
        chosen = rng.choice(_VOCABULARY, (TOPICS, _PHRASES, _LENGTH), p=weight / weight.sum())
        self.phrases = rng.integers(0, 2**32, _VOCABULARY, dtype=np.uint32)[chosen]
        weight = 1 / np.arange(5, _PHRASES + 5)
        self.often = np.cumsum(weight / weight.sum())

    def draw(self, n: int, seed: int, topics: NDArray[np.int64] | None = None) -> Documents:
        """Draw documents.

        Args:
            n: number of documents.
            seed: seed of the draw.
            topics: topics to draw from; all if absent.
        """
        rng = np.random.default_rng(seed)
        topics = np.arange(TOPICS) if topics is None else topics
        shares = self.shares[topics] / self.shares[topics].sum()
        topic = topics[rng.choice(len(topics), n, p=shares)]
        near = self.places[topic] + 1.2 * rng.normal(size=(n, EMBEDDING_DIMS))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        embeddings = np.clip(np.rint(near * SCALE), -127, 127).astype(np.int8)
        phrases = rng.integers(8, 21, n)
        by_topic = np.repeat(topic, phrases)
        slots = len(by_topic)
        about = np.where(rng.random(slots) < 0.5, by_topic, rng.integers(0, TOPICS, slots))
        phrase = np.minimum(np.searchsorted(self.often, rng.random(slots)), _PHRASES - 1)
        words = self.phrases[about, phrase].ravel()
        offsets = np.concatenate([[0], np.cumsum(phrases * _LENGTH)])
        hi, lo = rng.integers(0, 2**64, (2, n), dtype=np.uint64)
        dot, density = rng.integers(0, 1000, (2, n))
        cells = {
            "cluster": topic.astype(np.int32),
            "dot": dot.astype(np.int32),
            "density": density,
            "audit_cluster": self.second[topic, rng.integers(0, 2, n)].astype(np.int32),
        }
        surface = np.zeros((n, SURFACE_MEASURES), np.uint32)
        cells["class"] = THRESHOLDS.classify(cells["dot"], density, surface)
        columns = {
            "row": np.arange(n),
            "id": pa.nulls(n, pa.string()),
            "fingerprint_hi": hi,
            "fingerprint_lo": lo,
            "row_hash": hi,
            "size": phrases * 24,
            "length": phrases * 20,
            "tokens": np.diff(offsets),
            "priority": np.zeros(n),
            "domain": pa.array([f"d{number}" for number in topic % 3], pa.string()),
            "generation": pa.nulls(n, pa.string()),
            "prompt": np.zeros(n, np.uint64),
            "signature": fixed(rng.integers(0, 2**32, (n, NUM_PERM), dtype=np.uint32)),
            "embedding": fixed(embeddings),
            "surface": fixed(surface),
            "words": packed(offsets, words),
            "wording": hi,
            "letters": lo,
            "items": packed(np.zeros(n + 1, np.int64), np.zeros(0, np.uint64)),
            "signs": packed(offsets, np.zeros(len(words), np.uint8)),
        }
        schema = sketch_schema(NUM_PERM)
        return Documents(pa.table([columns[name] for name in schema.names], schema=schema), cells)


def unit_vectors(rng: np.random.Generator, n: int, centres: int = 0) -> NDArray[np.int8]:
    """Draw embeddings as the embedder makes them, around some centres or anywhere."""
    x = rng.normal(size=(n, EMBEDDING_DIMS))
    if centres:
        x = 0.5 * x + 3 * rng.normal(size=(centres, EMBEDDING_DIMS))[rng.integers(0, centres, n)]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.clip(np.rint(x * SCALE), -127, 127).astype(np.int8)


def fixed(matrix: NDArray[Any]) -> pa.Array:
    """Convert the rows of a matrix to fixed-size binary values."""
    binary = pa.binary(matrix.shape[1] * matrix.itemsize)
    return pa.array([row.tobytes() for row in matrix], binary)


def packed(offsets: NDArray[np.int64], values: NDArray[Any]) -> pa.Array:
    """Convert runs of numbers to binary values."""
    runs = [values[start:stop].tobytes() for start, stop in pairwise(offsets)]
    return pa.array(runs, pa.large_binary())


def reference(
    seed: int = 0, pool: int = 100, population: Population | None = None, human: bool = True
) -> Reference:
    """Make a small reference: random codebooks and n-grams, and the figures of a population.

    Args:
        seed: seed of the draws.
        pool: number of documents in the pool.
        population: distribution of the documents.
        human: whether its text is human.
    """
    population = population or Population()
    rng = np.random.default_rng(seed)
    documents, held_out = population.draw(8 * pool, seed + 10_000_000), population.draw(pool, seed)
    hi, lo = documents.fingerprints
    return Reference(
        known=Known(0, 0),
        human=human,
        embedder="e-1",
        codebook=_codebook(rng, TOPICS, EMBEDDING_DIMS),
        second_codebook=SecondCodebook(
            rng.integers(0, 100, BUCKETS).astype(np.uint8),
            _codebook(rng, SECOND_TOPICS, WORD_DIMS),
        ),
        thresholds=THRESHOLDS,
        counts=documents.counts(),
        held_out=held_out.counts(),
        ngrams=Tables(*rng.integers(0, 2**40, (2, 64))),
        pool=held_out.pool(),
        rare=rare_words(packed_runs(documents.sketch["words"])[1]),
        members=Members((MembersPart.of(np.stack([hi, lo], axis=1)),)),
        repeats=np.array([[1, 8 * pool + seed], [2, 5]]),
        ngram=5,
        num_perm=NUM_PERM,
        names=pa.table({"cluster": [seed], "words": [["a"]], "texts": [["b", "c"]]}, schema=NAMES),
        zstd_ratio=2.5,
    )


def members_of(seed: int = 0, pool: int = 100) -> NDArray[np.uint64]:
    """Return the fingerprints of the members of `reference`: uint64[8 * pool, 2]."""
    hi, lo = Population().draw(8 * pool, seed + 10_000_000).fingerprints
    return np.stack([hi, lo], axis=1)


def _codebook(rng: np.random.Generator, size: int, dims: int) -> Codebook:
    centroids = rng.integers(-127, 128, (size, dims)).astype(np.int8)
    return Codebook(centroids, rng.integers(0, 99, size))
