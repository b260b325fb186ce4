"""Fit the codebooks and choose the samples of a reference from what the units send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import SURFACE_MEASURES, Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.compression import BLOCK, BLOCKS
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.candidates import smallest_hashes, until
from outcross.transforms.reference.codebook import (
    MAX_CLUSTERS,
    POINTS_PER_CENTROID,
    Codebook,
    default_clusters,
    fit_codebook,
)
from outcross.transforms.reference.documents import (
    FIT,
    ReferenceDocuments,
    read_frequencies,
    read_parts,
)
from outcross.transforms.reference.members import Members, MembersPart, part_of, write_part
from outcross.transforms.reference.pool import DOCUMENTS, TOKENS
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.reference.second_codebook import (
    SecondCodebook,
    word_vectors,
    word_weights,
)
from outcross.transforms.sketches.store import fixed_matrix, packed_runs, read_in_words
from outcross.transforms.text.surface import Bands, set_bands

SAMPLED = 1 << 20
"""Most documents from which bands, thresholds, rare words and texts are taken."""
RARE_WORDS_FROM = 1 << 20
"""Number of words in which a rare word occurs two to five times."""

POOL, WORDS, TEXTS = 1, 2, 4
"""Uses of a chosen document: in the pool, for rare words, and for the compression ratio."""

_FIT_SAMPLE = MAX_CLUSTERS * POINTS_PER_CENTROID
_CODEBOOK, _SECOND, _SAMPLE, _MEMBERS = range(4)  # keys; those of members' parts follow
_BANDS, _CHOSEN = "bands.json", "chosen.parquet"
_FIRST_CODEBOOK, _SECOND_CODEBOOK = "codebook.npz", "second.npz"
_COLUMNS = ["fingerprint_hi", "fingerprint_lo", "tokens", "length", "surface", "embedding", "words"]


@dataclass
class SendCandidates:
    """Send what the codebooks, the samples and the members are made of, as work of units.

    Args:
        documents: documents of the reference.
        folder: folder with the sum of `CountParts`.
        bits: number of leading bits that tell the part of a member.
    """

    documents: ReferenceDocuments
    folder: str
    bits: int

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Yield the candidates of a unit for each key, also where there are none."""
        if unit.source not in self.documents.sources:
            return
        rows, parts = self.documents.rows(unit), read_parts(self.folder)
        path = unit_file(self.documents.sketches, unit.index, "parquet")
        table = read_in_words(path, _COLUMNS).take(pa.array(rows)).combine_chunks()
        hi, lo, tokens, length = (table[name].to_numpy() for name in _COLUMNS[:4])
        part = self.documents.part(hi, lo)

        # A few documents may all have fallen into the other parts.
        fits = np.flatnonzero(part == FIT) if parts[FIT] else np.arange(len(rows))
        hashes = seeded_hash(hi[fits], lo[fits], self.documents.seed, "codebook")
        few = smallest_hashes(hashes, _FIT_SAMPLE, int(parts[FIT] or parts.sum()))
        embeddings = fixed_matrix(table["embedding"], np.int8)
        columns = {"hash": hashes[few], **_places(unit, rows[fits[few]])}
        yield _CODEBOOK, pa.table({**columns, "vector": _binary(embeddings[fits[few]])})
        words = packed_runs(table["words"].take(pa.array(fits[few])))
        vectors = word_vectors(*words, read_weights(self.folder))
        yield _SECOND, pa.table({**columns, "vector": _binary(vectors)})

        key = sample_key(hi, lo, np.ones(len(rows), np.int64))
        few = smallest_hashes(key, SAMPLED, int(parts.sum()))
        sample = {"key": key, "part": part, "tokens": tokens, "length": length}
        columns = {name: column[few] for name, column in sample.items()}
        columns |= _places(unit, rows[few])
        surface = table["surface"].combine_chunks().take(pa.array(few))
        yield _SAMPLE, pa.table({**columns, "surface": surface})

        member = part_of(hi, self.bits)
        for number in np.unique(member).tolist():
            inside = member == number
            yield _MEMBERS + number, pa.table({"hi": hi[inside], "lo": lo[inside]})


@dataclass
class FitReference:
    """Fit a codebook, choose the samples, or write a part of the members, as work of a partition.

    Args:
        seed: seed of the run.
        folder: folder with the sum of `CountParts`; gets the results.
        reference: folder of the reference, which gets the members.
        human: True if the reference is human text.
    """

    seed: int
    folder: str
    reference: str
    human: bool

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Do the work of one key."""
        assert rows is not None
        rows = rows.combine_chunks()
        if key in (_CODEBOOK, _SECOND):
            self._fit(key, rows)
        elif key == _SAMPLE:
            self._choose(rows)
        else:
            members = np.stack([rows["hi"].to_numpy(), rows["lo"].to_numpy()], axis=1)
            part = write_part(self.reference, key - _MEMBERS, members)
            path = _members_file(self.folder, key - _MEMBERS)
            files.write_json(path, [part.documents, *part.hashes])
        yield key

    def _fit(self, key: int, rows: pa.Table) -> None:
        clusters = default_clusters(int(read_parts(self.folder).sum()))
        order = by_hash(rows, "hash")[: clusters * POINTS_PER_CENTROID]
        vectors = fixed_matrix(rows["vector"], np.int8)[order]
        if key == _SECOND:
            codebook = fit_codebook(vectors, max(1, clusters * 2 // 3), self.seed + 1)
        else:
            codebook = fit_codebook(vectors, clusters, self.seed)
        arrays: dict[str, NDArray[Any]] = {
            "centroids": codebook.centroids,
            "counts": codebook.counts,
        }
        path = files.join(self.folder, _SECOND_CODEBOOK if key == _SECOND else _FIRST_CODEBOOK)
        files.write_bytes(path, files.pack_arrays(arrays))

    def _choose(self, rows: pa.Table) -> None:
        order = by_hash(rows, "key")[:SAMPLED]
        key, part, tokens, length, unit, place = (
            rows[name].to_numpy()[order]
            for name in ("key", "part", "tokens", "length", "unit", "place")
        )
        surface = fixed_matrix(rows["surface"], np.uint32).reshape(-1, SURFACE_MEASURES)
        # Set no bands if a corpus is its own reference, because they would accept its junk.
        bands = set_bands(surface[order]) if self.human else Bands()
        files.write_json(files.join(self.folder, _BANDS), [bands.low, bands.high])
        use = np.zeros(len(key), np.int8)
        unfitted, fits = np.flatnonzero(part != FIT), np.flatnonzero(part == FIT)
        pool = until(key[unfitted], tokens[unfitted], TOKENS)[:DOCUMENTS]
        use[unfitted[pool]] |= POOL
        use[fits[until(key[fits], tokens[fits], RARE_WORDS_FROM)]] |= WORDS
        use[until(key, np.minimum(length, BLOCK), BLOCK * BLOCKS)] |= TEXTS
        chosen = np.flatnonzero(use)
        columns = {"unit": unit, "place": place, "use": use, "key": key}
        table = pa.table({name: column[chosen] for name, column in columns.items()})
        files.write_table(files.join(self.folder, _CHOSEN), table)


def by_hash(rows: pa.Table, name: str) -> NDArray[np.int64]:
    """Order documents by a hash, and equal ones as in the input: int64[n].

    Args:
        rows: documents with the columns `unit` and `place`.
        name: column of the hashes.
    """
    columns = [rows[column].to_numpy() for column in ("place", "unit", name)]
    return np.lexsort(columns)


def read_codebook(folder: str) -> Codebook:
    """Read the codebook for decisions that `FitReference` has fitted."""
    return _read_codebook(files.join(folder, _FIRST_CODEBOOK))


def read_second_codebook(folder: str) -> SecondCodebook:
    """Read the second codebook that `FitReference` has fitted."""
    return SecondCodebook(
        read_weights(folder), _read_codebook(files.join(folder, _SECOND_CODEBOOK))
    )


def _read_codebook(path: str) -> Codebook:
    arrays = files.read_as(path, files.unpack_arrays)
    return Codebook(arrays["centroids"], arrays["counts"])


def read_weights(folder: str) -> NDArray[np.uint8]:
    """Return the weights of the words, uint8[BUCKETS], from the folder of the sums."""
    return word_weights(read_frequencies(folder), int(read_parts(folder)[FIT]))


def read_members(folder: str, bits: int) -> Members:
    """Return the parts of the members that `FitReference` has written.

    Args:
        folder: folder of the results.
        bits: number of leading bits that tell the part.
    """
    parts = []
    for number in range(1 << bits):
        path = _members_file(folder, number)
        documents, first, second = files.read_json(path) if files.exists(path) else (0, 0, 0)
        parts.append(MembersPart(documents, (first, second)))
    return Members(tuple(parts))


def _members_file(folder: str, number: int) -> str:
    return files.join(folder, f"members-{number:05d}.json")


def read_bands(folder: str) -> Bands:
    """Read the bands that `FitReference` has set."""
    low, high = files.read_json(files.join(folder, _BANDS))
    return Bands(tuple(low), tuple(high))


@dataclass(frozen=True)
class Choice:
    """Documents that `FitReference` has chosen.

    Attributes:
        table: columns `unit`, `place` (row in the unit), `use` and `key`, by key.
    """

    table: pa.Table

    @classmethod
    def read(cls, folder: str) -> Choice:
        """Read the choice from the folder of the results."""
        return cls(files.read_table(files.join(folder, _CHOSEN)))

    def rows(self, unit: int, use: int) -> NDArray[np.int64]:
        """Return the rows of a unit that are chosen for a use, ascending.

        Args:
            unit: number of the unit.
            use: POOL, WORDS or TEXTS.
        """
        inside = self.table["unit"].to_numpy() == unit
        inside &= self.table["use"].to_numpy() & use != 0
        return np.sort(self.table["place"].to_numpy()[inside])


def _places(unit: Unit, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    return {"unit": np.full(len(rows), unit.index), "place": rows}


def _binary(matrix: NDArray[np.int8]) -> pa.Array:
    flat = np.ascontiguousarray(matrix)
    width = pa.binary(matrix.shape[1])
    return pa.Array.from_buffers(width, len(matrix), [None, pa.py_buffer(flat)])
