"""Counts by class merge to the counts of all documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.reference.class_counts import ClassCounts
from outcross.transforms.text.surface import SURFACE

M = len(SURFACE)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 7), st.integers(1, 4))
def test_counts_are_those_of_a_plain_definition(
    seed: int, n: int, units: int, bundles: int
) -> None:
    rng = np.random.default_rng(seed)
    unit = np.sort(rng.integers(0, units, n))
    row = np.arange(n) - np.searchsorted(unit, unit)
    source_of = rng.integers(0, 3, units)
    document_class, stage = (rng.integers(0, most, n).astype(np.int8) for most in (3, 4))
    outside = rng.random((n, M)) < 0.2
    hi, lo = rng.integers(0, 4, (2, n)).astype(np.uint64)
    parts = [ClassCounts.empty(3) for _ in range(bundles)]
    for number in rng.permutation(units).tolist():
        inside, counts = unit == number, parts[rng.integers(bundles)]
        source = int(source_of[number])
        counts.add_verdicts(source, document_class[inside], stage[inside])
        rows = np.flatnonzero(inside & (stage == 0))
        counts.add_surfaces(outside[rows], hi[rows], lo[rows], number, row[rows])
    total = ClassCounts.empty(3)
    for part in parts:
        total.merge(ClassCounts.from_bytes(part.to_bytes()))
    total = ClassCounts.from_json(total.to_json())
    stages = np.zeros_like(total.stages)
    for document in range(n):
        stages[source_of[unit[document]], document_class[document], stage[document]] += 1
    np.testing.assert_array_equal(total.stages, stages)
    kept = np.flatnonzero(stage == 0)
    assert total.synthetic.tolist() == [len(kept), int(outside[kept].any(axis=1).sum())]
    assert total.outside.tolist() == outside[kept].sum(axis=0).tolist()
    for m in range(M):
        strange = kept[outside[kept, m]]
        if len(strange):
            first = min((int(hi[d]), int(lo[d]), int(unit[d]), int(row[d])) for d in strange)
            assert tuple(total.example[m].tolist()) == first
