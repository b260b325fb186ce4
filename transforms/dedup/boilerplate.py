"""Sum of the documents with each shingle, by ranges of the table that counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outcross.transforms.base import files
from outcross.transforms.dedup.candidates import GROUPED, REPEAT
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.jaccard import Boilerplate, count_shingles
from outcross.transforms.exchange.deal import deal
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.sketches.store import packed_runs

_RANGE_BITS = 6
_MOST = 0xFFFF


@dataclass(frozen=True)
class BoilerplateFiles:
    """Files of the table of `Boilerplate`.

    Attributes:
        folder: path of their folder.
        limit: least number of documents that makes a shingle boilerplate.
    """

    folder: str
    limit: int

    @property
    def bits(self) -> str:
        """Path of the file with the number of bits of the table."""
        return files.join(self.folder, "bits.json")

    def range(self, number: int) -> str:
        """Return the path of a range of the table."""
        return files.join(self.folder, f"range-{number:02d}.npy")

    def load(self) -> Boilerplate:
        """Read the table; ranges without a shingle have no file."""
        bits = files.read_json(self.bits)
        table = np.zeros(1 << bits, np.uint16)
        for number in range(1 << _RANGE_BITS):
            if files.exists(self.range(number)):
                part = files.read_array(self.range(number))
                table[number * len(part) : (number + 1) * len(part)] = part
        return Boilerplate(self.limit, table)


@dataclass
class CountBoilerplate:
    """Count the shingles of a unit's documents that share a band, and send the counts to ranges.

    Attributes:
        corpus: documents of all units.
        paths: files of the table.
        ngram: words in a shingle.
    """

    corpus: Corpus
    paths: BoilerplateFiles
    ngram: int

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Yield the counts of each range."""
        bits = files.read_json(self.paths.bits)
        told = (rows["bin"].to_numpy() != GROUPED) & (rows["sort"].to_numpy() > REPEAT)
        chosen = rows["row"].to_numpy()[told]
        if len(chosen) == 0:
            return
        sketch = self.corpus.table(key, ["words", "fingerprint_lo"]).take(pa.array(np.sort(chosen)))
        wordless = sketch["fingerprint_lo"].to_numpy()
        table = count_shingles(packed_runs(sketch["words"]), wordless, self.ngram, bits)
        place = np.flatnonzero(table)
        counts = {"place": place, "count": table[place]}
        yield from deal((place >> max(bits - _RANGE_BITS, 0)).astype(np.uint16), counts)


@dataclass
class SumBoilerplate:
    """Add up the counts of a range, and write it.

    Attributes:
        paths: files of the table.
    """

    paths: BoilerplateFiles

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write one range."""
        if rows is None:
            return
        length = 1 << max(files.read_json(self.paths.bits) - _RANGE_BITS, 0)
        place = rows["place"].to_numpy() - key * length
        total = np.bincount(place, rows["count"].to_numpy(), length)
        files.write_array(self.paths.range(key), np.minimum(total, _MOST).astype(np.uint16))
        yield key
