"""Blind mix: what the tokens of a plan would be if they were drawn evenly from all documents.

The gap to human text of a mix is measured on a sample of it, as a larger one looks nearer. So a
blind mix is a sample of the size of that sample. Documents are counted by origin, in slices of a
seeded hash that hold a half of what a sample needs at most, a quarter, an eighth and so on. A union
of slices is an even sample of nearly any size. So a plan that is solved later needs no other pass
over the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.gap import SAMPLE_TOKENS, Counts
from outcross.transforms.selection.supply import SUPPLY, SupplySums
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.selection.uses import FRESH, GENERATED, LEDGER, USES
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import (
    Tables,
    count_ngrams,
    merge_parts,
    pack_parts,
    unpack_parts,
)

ORIGINS = ((FRESH,), (LEDGER,), GENERATED)
"""Uses of each origin: fresh human text, the ledger, synthetic text."""
SLICES = 10
"""Number of slices; the last two hold as much each."""
TOKENS = "slices.npz"
"""File of the tokens of each origin and slice."""


def slice_file(origin: int, number: int) -> str:
    """Return the name of the n-grams of a slice."""
    return f"slice-{origin}-{number}"


def slices_of(hashes: NDArray[np.uint64], share: float) -> NDArray[np.int64]:
    """Return the slice of each hash, `SLICES` for those beyond a share of all.

    Args:
        hashes: uint64[n].
        share: share of the hashes that are in slices, above 0 to 1.
    """
    limit = int(share * 2.0**64)
    last = [max((limit >> number) - 1, 0) for number in reversed(range(SLICES))]
    place = np.searchsorted(np.array(last, np.uint64), hashes)
    return np.where(place < SLICES, SLICES - 1 - place, SLICES)


class SliceSums(NamedTuple):
    """Sums of slices.

    Attributes:
        tokens: int64[ORIGINS, SLICES + 1], tokens of the documents; the last of those in no slice.
        tables: n-grams by origin and slice, of those that have documents.
    """

    tokens: NDArray[np.int64]
    tables: dict[tuple[int, int], Tables]


@dataclass
class CountSlices:
    """Work of a sum over units: n-grams of documents that may be written, by origin and slice.

    Args:
        columns: columns of the units.
        ranking: folder of the supply's sums.
        uses: folder of the column `use`.
        seed: seed of the run.
        most: tokens of an origin that are in slices, at most.
    """

    columns: UnitColumns
    ranking: str
    uses: str
    seed: int
    most: int = SAMPLE_TOKENS

    def setup(self) -> None:
        """Find the share of each origin that is in slices."""
        supply = files.read_as(files.join(self.ranking, SUPPLY), SupplySums.from_bytes)
        tokens = [int(supply.of_uses(*uses)[1]) for uses in ORIGINS]
        self.shares = [min(self.most / max(total, 1), 1.0) for total in tokens]

    def start(self) -> SliceSums:
        """Return empty sums."""
        return SliceSums(np.zeros((len(ORIGINS), SLICES + 1), np.int64), {})

    def add(self, unit: Unit, sums: SliceSums) -> None:
        """Count the documents of a unit."""
        (use,) = load_unit(self.uses, unit.index, ["use"])
        columns = ["tokens", "fingerprint_hi", "fingerprint_lo"]
        table = self.columns.sketch(unit, columns)
        tokens, hi, lo = (column.to_numpy() for column in table.columns)
        hashes = seeded_hash(hi, lo, self.seed, "blind")
        number, origin_of = np.full(len(use), SLICES), np.full(USES, -1)
        for origin, uses in enumerate(ORIGINS):
            origin_of[list(uses)] = origin
            rows = np.flatnonzero(origin_of[use] == origin)
            number[rows] = slices_of(hashes[rows], self.shares[origin])
            np.add.at(sums.tokens[origin], number[rows], tokens[rows].astype(np.int64))
        rows = np.flatnonzero(number < SLICES)
        if not len(rows):
            return
        ngrams = self.columns.sketch(unit, NGRAM_COLUMNS)
        offsets, ids = ngram_runs(ngrams.take(pa.array(rows)))
        place = origin_of[use[rows]] * SLICES + number[rows]
        for part in np.unique(place).tolist():
            counts = sums.tables.setdefault(divmod(part, SLICES), Tables.empty(DISTANCE_BUCKETS))
            count_ngrams(offsets, ids, place == part, counts.unigrams, counts.bigrams)

    def pack(self, sums: SliceSums) -> Iterator[tuple[str, bytes]]:
        """Yield the tokens, and the n-grams of each slice."""
        yield TOKENS, files.pack_arrays({"tokens": sums.tokens})
        for key, tables in sums.tables.items():
            yield slice_file(*key), pack_parts(tables, 1)[0]

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of one name."""
        if name != TOKENS:
            return merge_parts(parts)
        tokens = np.sum([files.unpack_arrays(part)["tokens"] for part in parts], axis=0)
        return files.pack_arrays({"tokens": tokens})


@dataclass(frozen=True)
class Slices:
    """Slices that `CountSlices` has counted, from which even samples are drawn.

    Attributes:
        folder: folder of the sums.
        most: tokens of a sample, at most.
    """

    folder: str
    most: int = SAMPLE_TOKENS

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Array int64[ORIGINS, SLICES + 1]: tokens of each origin and slice, and of the rest."""
        return files.read_as(files.join(self.folder, TOKENS), files.unpack_arrays)["tokens"]

    def mix(self, fresh: float, ledger: float, synthetic: float) -> Counts:
        """Return the expected n-grams of a sample of a mix that is drawn evenly from each origin.

        Documents are repeated where an origin has fewer tokens than are drawn of it.

        Args:
            fresh: tokens of fresh human text in the mix.
            ledger: tokens of the ledger.
            synthetic: synthetic tokens.
        """
        words, pairs = (np.zeros(DISTANCE_BUCKETS) for _ in range(2))
        sampled = min(self.most / max(fresh + ledger + synthetic, 1.0), 1.0)
        for origin, amount in enumerate((fresh, ledger, synthetic)):
            supply, tokens = float(self.tokens[origin].sum()), self.tokens[origin, :SLICES]
            chosen = choose_slices(tokens, sampled * min(amount, supply))
            weight = sampled * amount / max(float(tokens[chosen].sum()), 1.0)
            for number in chosen.tolist():
                tables = self._tables(origin, number)
                words += weight * tables.unigrams
                pairs += weight * tables.bigrams
        return Counts(words, pairs)

    def human(self, tokens: float) -> Counts | None:
        """Return the expected n-grams of human text that is drawn evenly; None with too little.

        Args:
            tokens: tokens of the mix whose sample has the same size.
        """
        wanted, (fresh, ledger) = min(tokens, self.most), self.tokens[:2].sum(axis=1).tolist()
        if wanted > fresh + ledger:
            return None
        share = wanted / max(fresh + ledger, 1)
        return self.mix(share * fresh, share * ledger, 0.0)

    def _tables(self, origin: int, number: int) -> Tables:
        path = files.join(self.folder, slice_file(origin, number))
        return files.read_as(path, lambda data: unpack_parts([data]))


def choose_slices(tokens: NDArray[np.int64], wanted: float) -> NDArray[np.int64]:
    """Choose slices that together hold about as many tokens as are wanted, larger ones first.

    Args:
        tokens: int64[n], tokens of each slice.
        wanted: tokens to draw.

    Returns:
        Ascending numbers of slices with tokens; the smallest one where all hold more than wanted.
    """
    filled = np.flatnonzero(tokens)
    if wanted <= 0 or not len(filled):
        return filled[:0]
    chosen = []
    for number in filled[np.argsort(-tokens[filled], kind="stable")].tolist():
        if tokens[number] <= wanted + 0.5:
            chosen.append(number)
            wanted -= float(tokens[number])
    return np.sort(chosen) if chosen else filled[[np.argmin(tokens[filled])]]
