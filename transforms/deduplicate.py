"""Who repeats whom: exact by fingerprint, near by LSH bands whose pairs are verified.

Decisions are made on ranks in one total order of all documents, which content and configuration
alone decide. Workers group the band values; the driver resolves the groups over packed arrays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from schemas.config import Role, Source
from schemas.documents import Unit
from transforms import files
from transforms.minhash import agreement, band_values
from transforms.progress import count
from transforms.resolve import Resolution, resolve
from transforms.sketch import Sketches, fixed_matrix
from transforms.units import unit_file

EXACT, NEAR = 1, 2
STAGES = {EXACT: "exact", NEAR: "near"}
RULES = {EXACT: "same words", NEAR: "minhash signature"}

_ORDER: dict[Role, int] = {"reference": 0, "exclude": 0, "human": 1, "synthetic": 2}
_ENTRY = np.dtype([("band", "<u8"), ("rank", "<u4")])
_APART = np.uint64(0x9E3779B97F4A7C15)
_PART_BITS = 8  # entries are shuffled by this prefix of their band value


@dataclass(frozen=True)
class Order:
    """The total order of all documents.

    Attributes:
        rank: int64[n], place of each document; 0 is kept first.
        document: int64[n], the document at each rank.
        key: uint64[n] and uint64[n] by document, equal for exact repeats only.
        apart: bool[n] by document, those of the yardstick: they are compared with each other only,
            because they are never written.
    """

    rank: NDArray[np.int64]
    document: NDArray[np.int64]
    key: tuple[NDArray[np.uint64], NDArray[np.uint64]]
    apart: NDArray[np.bool_]


def total_order(sketches: Sketches, sources: Sequence[Source]) -> Order:
    """Orders documents by role, source priority, own priority, length, fingerprint, row.

    Rows that are the same in every column stay in the order of the input; nothing but their
    place tells them apart.

    Args:
        sketches: of all units.
        sources: the configuration's sources.
    """
    by_unit = [unit.source for unit in sketches.units]
    rows = np.diff(sketches.offsets)
    role = np.repeat(np.array([_ORDER[sources[s].role] for s in by_unit], np.int8), rows)
    source_priority = np.repeat(np.array([sources[s].priority for s in by_unit], np.int64), rows)
    yardstick = np.repeat(np.array([sources[s].role == "reference" for s in by_unit], bool), rows)
    hi, lo = sketches.numbers("fingerprint_hi"), sketches.numbers("fingerprint_lo")
    hi = np.where(yardstick, hi ^ _APART, hi)
    least_to_most = [
        sketches.numbers("row_hash"),
        lo,
        hi,
        -sketches.numbers("length"),
        -sketches.numbers("priority"),
        -source_priority,
        role,
    ]
    telling = [key for key in least_to_most if len(key) and (key != key[0]).any()]
    document = np.lexsort(telling) if telling else np.arange(len(sketches))
    rank = np.empty(len(document), np.int64)
    rank[document] = np.arange(len(document))
    return Order(rank, document.astype(np.int64), (hi, lo), yardstick)


def exact_repeats(order: Order) -> NDArray[np.int64]:
    """For each document the rank of the first with the same fingerprint; its own if it is that."""
    hi, lo = order.key
    # One half tells nearly all apart, and sorting by it alone is quick.
    grouped = np.argsort(hi)
    same = hi[grouped][1:] == hi[grouped][:-1]
    shared = np.zeros(len(grouped), bool)
    shared[1:] |= same
    shared[:-1] |= same
    grouped = grouped[shared]
    hi, lo, rank = hi[grouped], lo[grouped], order.rank[grouped]
    inside = np.lexsort((rank, lo, hi))
    hi, lo, rank = hi[inside], lo[inside], rank[inside]
    starts = np.ones(len(inside), bool)
    starts[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
    kept = order.rank.copy()
    kept[grouped[inside]] = rank[starts][np.cumsum(starts) - 1]
    return kept


@dataclass
class GroupBands(beam.PTransform):
    """Groups documents by their LSH band values.

    Elements in: lists of `Unit`; elements out: names of files that hold (band value, rank) entries
    of the groups with two members or more. What is shuffled is one packed array a unit and prefix
    of the band value, since Beam's cost is per element.

    Args:
        sketches: folder of the sketches.
        ranks: folder of row-aligned ranks; -1 for documents that take no part.
        folder: where the groups go.
        bands, rows: of the LSH.
        parts: prefixes to work on, so that a wave fits the memory.
    """

    sketches: str
    ranks: str
    folder: str
    bands: int
    rows: int
    parts: range

    def expand(self, lanes: Any) -> Any:
        return (
            lanes
            | beam.ParDo(_Entries(self.sketches, self.ranks, self.bands, self.rows, self.parts))
            | beam.GroupByKey()
            | beam.ParDo(_Groups(self.folder))
        )


class _Entries(beam.DoFn):
    def __init__(self, sketches: str, ranks: str, bands: int, rows: int, parts: range) -> None:
        self.sketches, self.ranks, self.parts = sketches, ranks, parts
        self.bands, self.rows = bands, rows

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[int, bytes]]:
        for unit in lane:
            yield from self._entries(unit)

    def _entries(self, unit: Unit) -> Iterator[tuple[int, bytes]]:
        rank = files.read_array(unit_file(self.ranks, unit.index, "npy"))
        column = files.read_table(
            unit_file(self.sketches, unit.index, "parquet"), ["signature"]
        ).column(0)
        if len(rank) == 0:
            return
        signatures = fixed_matrix(column, np.uint32)[rank >= 0]
        values = band_values(signatures, self.bands, self.rows).ravel()
        entries = np.empty(len(values), _ENTRY)
        entries["band"] = values
        entries["rank"] = np.repeat(rank[rank >= 0], self.bands)
        part = (values >> np.uint64(64 - _PART_BITS)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        cuts = np.searchsorted(part[order], np.arange((1 << _PART_BITS) + 1))
        for number in self.parts:
            chosen = order[cuts[number] : cuts[number + 1]]
            if len(chosen):
                yield number, entries[chosen].tobytes()
        count("documents", int((rank >= 0).sum()))


class _Groups(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, item: tuple[int, Any]) -> Iterator[str]:
        part, packed = item
        entries = np.concatenate([np.frombuffer(data, _ENTRY) for data in packed])
        entries = entries[np.lexsort((entries["rank"], entries["band"]))]
        same = entries["band"][1:] == entries["band"][:-1]
        shared = np.zeros(len(entries), bool)
        shared[1:] |= same
        shared[:-1] |= same
        path = files.join(self.folder, f"part-{part:03d}.npy")
        files.write_array(path, entries[shared])
        yield path


def part_waves(documents: int, bands: int, memory: int) -> list[range]:
    """Prefixes of the band values in as many waves as keep a shuffle within the memory.

    Args:
        documents: that take part.
        bands: entries of each.
        memory: bytes; a local runner holds a shuffled entry about four times.
    """
    total = 1 << _PART_BITS
    waves = min(total, max(1, -(-documents * bands * _ENTRY.itemsize * 4 // memory)))
    cuts = [total * wave // waves for wave in range(waves + 1)]
    return [range(start, stop) for start, stop in pairwise(cuts)]


@dataclass(frozen=True)
class Verdicts:
    """What deduplication decided, by document.

    Attributes:
        partner: int64[n], the kept document that this one repeats; -1 for kept documents.
        stage: int8[n], EXACT, NEAR or 0.
        similarity: float32[n], with the partner.
        open: bool[n], kept although not everything that it might repeat was looked at.
        counts: what the resolver did.
    """

    partner: NDArray[np.int64]
    stage: NDArray[np.int8]
    similarity: NDArray[np.float32]
    open: NDArray[np.bool_]
    counts: dict[str, int]

    @property
    def kept(self) -> NDArray[np.bool_]:
        return np.asarray(self.partner < 0)


def decide(
    sketches: Sketches,
    order: Order,
    first: NDArray[np.int64],
    groups: Sequence[str],
    threshold: float,
    num_perm: int,
) -> Verdicts:
    """Verifies the pairs that share a band, and settles who is kept.

    Args:
        sketches: of all units.
        order: of all documents.
        first: from `exact_repeats`.
        groups: files of `GroupBands`.
        threshold: similarity from which two documents repeat.
        num_perm: permutations of the signatures.
    """
    parts = [np.zeros(0, _ENTRY), *(files.read_array(path) for path in groups)]
    entries = np.concatenate(parts)
    near = _resolve(sketches, order, entries, threshold, num_perm)
    n = len(sketches)
    partner = np.full(n, -1, np.int64)
    stage = np.zeros(n, np.int8)
    similarity = np.zeros(n, np.float32)
    removed = order.document[near.removed]
    partner[removed] = order.document[near.partner]
    stage[removed] = NEAR
    similarity[removed] = near.similarity
    repeats = np.flatnonzero(first != order.rank)
    original = order.document[first[repeats]]
    # Where the first of equal texts was itself removed, its partner is theirs too: the same words
    # have the same signature, so the similarity is the same.
    gone = partner[original] >= 0
    partner[repeats] = np.where(gone, partner[original], original)
    stage[repeats] = np.where(gone, NEAR, EXACT)
    similarity[repeats] = np.where(gone, similarity[original], 1.0)
    still_open = np.zeros(n, bool)
    still_open[order.document[near.open]] = True
    still_open[order.document[near.left_over]] = True
    return Verdicts(partner, stage, similarity, still_open, asdict(near.counts))


def _resolve(
    sketches: Sketches,
    order: Order,
    entries: NDArray[Any],
    threshold: float,
    num_perm: int,
) -> Resolution:
    ranks = np.unique(entries["rank"]).astype(np.int64)
    documents = np.sort(order.document[ranks])
    with tempfile.TemporaryFile() as scratch:
        if len(documents):
            signatures: NDArray[np.uint32] = np.memmap(
                scratch, np.uint32, "w+", shape=(len(documents), num_perm)
            )
            sketches.matrix("signature", documents, np.uint32, signatures)
        else:
            signatures = np.zeros((0, num_perm), np.uint32)
        similarity = _verifier(order, documents, signatures)
        apart = order.apart[order.document[entries["rank"]]]
        bands = np.where(apart, entries["band"] ^ _APART, entries["band"])
        return resolve(bands, entries["rank"], similarity, threshold)


def _verifier(
    order: Order, documents: NDArray[np.int64], signatures: NDArray[np.uint32]
) -> Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]:
    def similarity(child: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.float32]:
        left = np.searchsorted(documents, order.document[child])
        right = np.searchsorted(documents, order.document[parent])
        equal = agreement(signatures, left.astype(np.int64), right.astype(np.int64))
        return (equal / signatures.shape[1]).astype(np.float32)

    return similarity
