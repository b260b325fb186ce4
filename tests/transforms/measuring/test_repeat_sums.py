"""Repeats of sets of documents, counted by partitions as over all documents."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.repeat_sums import CountRepeats, SendRepeats, read_repeats
from outcross.transforms.measuring.repeats import group_sizes, repeats_within

PARTS = 3


@dataclass
class Given:
    """Parts of documents, as drawn."""

    part: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def of_unit(self, unit: Unit) -> NDArray[np.int64]:
        """Return the parts of a unit's documents."""
        return self.part[self.offsets[unit.index] : self.offsets[unit.index + 1]]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 8), st.sampled_from([1, 3, 6]))
def test_partitions_count_as_over_all_documents(seed: int, n: int, units: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    partner = np.where(kept, -1, rng.choice([*np.flatnonzero(kept).tolist(), n], n))
    part = rng.integers(0, PARTS, n)
    cuts = np.sort(rng.integers(0, n + 1, units - 1))
    offsets = np.array([0, *cuts, n], np.int64)
    everything = Verdicts(partner, kept, kept, kept, {})
    for rows in (np.ones(n, bool), rng.random(n) < 0.7):
        sent = defaultdict(list)
        with tempfile.TemporaryDirectory() as folder:
            for index in range(units):
                table = pa.table({"partner": partner[offsets[index] : offsets[index + 1]]})
                files.write_table(unit_file(folder, index, "parquet"), table)
            work = SendRepeats(folder, offsets, Given(np.where(rows, part, -1), offsets), bits)
            for index in rng.permutation(units).tolist():
                for key, table in work.send(Unit(index, 0, ())):
                    sent[key].append(table)
            out = Path(folder, "counts")
            out.mkdir()
            for key, tables in sent.items():
                assert list(CountRepeats(str(out)).collect(key, pa.concat_tables(tables))) == [key]
            groups, repeats = read_repeats(str(out), PARTS)
        assert groups.tolist() == group_sizes(everything, rows).tolist()
        if rows.all():
            assert repeats.tolist() == repeats_within(everything, part, PARTS).tolist()
