"""Corpora of any size whose repeats are known, written shard by shard: no text stays in memory.

Document number d has the same text whatever the size of the shards, as each word is a hash of the
seed, the document and the word's place. Documents come in blocks of 100. One block in six is human.
Of the others' blocks, documents 95 to 99 repeat documents 0 to 4 of another block: two word for
word, three with 1, 3 and 5 words changed. A fifth of the synthetic documents are on 4 of 64 topics,
and use few words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "transforms" / "data"
BLOCK, HUMAN, SYNTHETIC = 100, 6, 3
"""Documents of a block; one block in so many is human; number of synthetic sources."""
CHANGED = (0, 0, 1, 3, 5)
"""Changed words of the documents at the end of a block."""
NGRAM = 5
SHARD = 20_000  # documents that are made at a time
_TOPICS, _COLLAPSED, _COLLAPSE, _FEW = 64, 4, 0.2, 400
_TABLE = 1 << 16  # quantiles of Zipf's law
_EXPONENT = 1.0
_TEXT, _CHANGE, _TOPIC = 1, 2, 3  # salts


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix 64 bits by the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True)
class MadeCorpus:
    """Documents 0 to n - 1 of a seed.

    Attributes:
        documents: number n of the documents, a multiple of 600.
        words: words of a document.
        seed: seed of all choices.
    """

    documents: int
    words: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if self.documents % (BLOCK * HUMAN):
            raise ValueError(f"documents: is {self.documents}, no multiple of {BLOCK * HUMAN}")

    @cached_property
    def vocabulary(self) -> pa.Array:
        """Array string[v] of words of Python's reference that carry no meaning of their own."""
        words = {
            word.lower()
            for text in topics.values()
            for word in re.findall(r"[A-Za-z]+", text)
            if 3 <= len(word) <= 12
        }
        groups = json.loads((DATA / "meaning.json").read_text("utf-8"))
        entries = {entry for group in groups.values() for entry in group.values()}
        return pa.array(sorted(words - {word for entry in entries for word in entry.split()}))

    @cached_property
    def _quantiles(self) -> NDArray[np.int64]:
        """Ranks of words at the quantiles of Zipf's law."""
        weights = 1 / np.arange(1, len(self.vocabulary) + 1) ** _EXPONENT
        cumulated = np.cumsum(weights) / weights.sum()
        return np.searchsorted(cumulated, (np.arange(_TABLE) + 0.5) / _TABLE)

    @cached_property
    def _ranked(self) -> NDArray[np.int32]:
        """Array int32[topics, v]: words of each topic, by rank."""
        size = len(self.vocabulary)
        rng = np.random.default_rng(self.seed)
        return np.stack([rng.permutation(size) for _ in range(_TOPICS)]).astype(np.int32)

    def is_human(self, documents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return bool[m]: the documents of human blocks."""
        return documents // BLOCK % HUMAN == HUMAN - 1

    def original(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64[m]: the document that each repeats; itself for an original."""
        block, place = documents // BLOCK, documents % BLOCK
        first = BLOCK - len(CHANGED)
        blocks = self.documents // BLOCK // HUMAN * (HUMAN - 1)
        number = block // HUMAN * (HUMAN - 1) + block % HUMAN  # among the synthetic blocks
        other = (number + blocks // 2 + 1) % blocks
        other = other // (HUMAN - 1) * HUMAN + other % (HUMAN - 1)
        repeats = (place >= first) & ~self.is_human(documents)
        return np.where(repeats, other * BLOCK + place - first, documents)

    def changed(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64[m]: how many words differ from the original; -1 for an original."""
        place = documents % BLOCK - (BLOCK - len(CHANGED))
        changes = np.array(CHANGED)[np.maximum(place, 0)]
        return np.where(self.original(documents) == documents, -1, changes)

    def similarity(self, changed: int) -> float:
        """Return the Jaccard similarity of a text's shingles after so many separate changes."""
        shingles, gone = self.words - NGRAM + 1, NGRAM * changed
        return (shingles - gone) / (shingles + gone)

    def _hash(self, documents: NDArray[np.int64], salt: int, count: int) -> NDArray[np.uint64]:
        """Return uint64[m, count]: hashes of the documents."""
        start = mix(documents.astype(np.uint64) * np.uint64(8) + np.uint64(salt))
        start ^= mix(np.array([self.seed + 1], np.uint64))
        steps = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return mix(start[:, None] + steps)

    def texts(self, documents: NDArray[np.int64]) -> pa.Array:
        """Return string[m]: the texts of documents.

        Args:
            documents: int64[m], numbers of documents.
        """
        source = self.original(documents)
        hashes = self._hash(source, _TEXT, -(-self.words // 4))
        ranks = self._quantiles[hashes.view(np.uint16)][:, : self.words]
        choice = self._hash(source, _TOPIC, 2)
        collapsed = (choice[:, 0] < np.uint64(_COLLAPSE * 2**64)) & ~self.is_human(source)
        topic = choice[:, 1] % np.where(collapsed, _COLLAPSED, _TOPICS).astype(np.uint64)
        ranks = np.where(collapsed[:, None], ranks % _FEW, ranks)
        words = self._ranked[topic.astype(np.int64)[:, None], ranks]
        self._change(words, documents)
        offsets = pa.array(np.arange(len(documents) + 1) * self.words, pa.int32())
        taken = self.vocabulary.take(pa.array(words.ravel()))
        return pc.binary_join(pa.ListArray.from_arrays(offsets, taken), " ")

    def _change(self, words: NDArray[np.int32], documents: NDArray[np.int64]) -> None:
        """Replace words of near repeats, at least a shingle apart."""
        changed = self.changed(documents)
        for count in sorted({*CHANGED} - {0}):
            rows = np.flatnonzero(changed == count)
            gap = self.words // count
            if gap < 2 * NGRAM:
                raise ValueError(f"words: {self.words} are too few for {count} separate changes")
            hashes = self._hash(documents[rows], _CHANGE, 2 * count)
            places = gap * np.arange(count) + NGRAM
            places = places + (hashes[:, :count] % np.uint64(gap - 2 * NGRAM + 1)).astype(np.int64)
            steps = (hashes[:, count:] % np.uint64(len(self.vocabulary) - 1)).astype(np.int64) + 1
            at = rows[:, None], places
            words[at] = (words[at] + steps) % len(self.vocabulary)

    def write(self, folder: Path) -> dict[str, str]:
        """Write the documents as Parquet files.

        Args:
            folder: folder of the files, which is made.

        Returns:
            Pattern of the files of each source, by its name; the human one is "people".
        """
        for start in range(0, self.documents, SHARD):
            documents = np.arange(start, min(start + SHARD, self.documents))
            texts, names = self.texts(documents), self.sources(documents)
            for name in np.unique(names).tolist():
                chosen = np.flatnonzero(names == name)
                ids = pa.array(documents[chosen]).cast(pa.string())
                table = pa.table({"id": ids, "text": texts.take(pa.array(chosen))})
                path = folder / name / f"{start // SHARD:06d}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(table, path, compression="zstd", row_group_size=4096)
        return {path.name: str(path / "*.parquet") for path in sorted(folder.iterdir())}

    def sources(self, documents: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return str[m]: the name of each document's source."""
        names = np.array([*(f"model-{number}" for number in range(SYNTHETIC)), "people"])
        number = documents // BLOCK // HUMAN % SYNTHETIC
        return names[np.where(self.is_human(documents), SYNTHETIC, number)]

    def repeats(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield for each number of changed words the repeats and their originals."""
        first = np.arange(0, self.documents, BLOCK)
        first = first[~self.is_human(first)]
        for count in sorted({*CHANGED}):
            places = [place for place, changed in enumerate(CHANGED) if changed == count]
            offsets = BLOCK - len(CHANGED) + np.array(places)
            documents = (first[:, None] + offsets).ravel()
            yield count, documents, self.original(documents)
