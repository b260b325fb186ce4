"""Verify all pairs of a sample of components, for the certificate of deduplication."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.bands import Entries
from outcross.transforms.dedup.certificate import clique_cover
from outcross.transforms.dedup.components import connect_groups
from outcross.transforms.dedup.decide import SEMANTIC, Comparison, Measure, Settings, Verdicts

SAMPLE = 1_000
"""Number of components that are checked."""
LARGEST = 64
"""Most documents of a component that is checked."""

COMPONENTS = pa.schema(
    [
        ("hash", pa.uint64()),
        ("documents", pa.int64()),
        ("kept", pa.int64()),
        ("bound", pa.int64()),
        ("missed", pa.int64()),
    ]
)
"""Columns of components, as in `certificate.Component`. A component that was not checked has a
`bound` of -1."""


def check_components(
    comparison: Comparison,
    entries: Entries,
    verdicts: Verdicts,
    settings: Settings,
    measures: Sequence[Measure],
    seed: int,
) -> pa.Table:
    """Check the components of a bin with the smallest hashes.

    A component is documents that are connected by bands. Its hash is that of its first document,
    so the sample of all bins is a part of their samples. The certificate is about the near rule, so
    documents that were removed as paraphrases are left out.

    Args:
        comparison: documents of the bin.
        entries: groups of documents that share a band.
        verdicts: verdicts on the documents.
        settings: settings of the near rule.
        measures: similarities of shingles and of items; the smaller one decides.
        seed: seed of the run.

    Returns:
        A row of `COMPONENTS` for each component with two documents or more.
    """
    compared = np.flatnonzero(verdicts.stage[entries.document] != SEMANTIC)
    by_group = compared[np.argsort(entries.group[compared], kind="stable")]
    documents, roots = connect_groups(entries.group[by_group], entries.document[by_group])
    if len(documents) == 0 or settings.same_answers not in (None, 1):
        return COMPONENTS.empty_table()
    order = np.lexsort((comparison.order.position[documents], roots))
    documents = documents[order]
    _, starts, sizes = np.unique(roots[order], return_index=True, return_counts=True)
    movable = comparison.order.position[documents] >= comparison.order.fixed
    kept = (verdicts.kept[documents] & movable).astype(np.int64)
    hi, lo = (half[documents[starts]] for half in comparison.fingerprint)
    hashes = seeded_hash(hi, lo, seed, "components")
    columns = {
        "hash": hashes,
        "documents": sizes,
        "kept": np.add.reduceat(kept, starts),
        "bound": np.full(len(sizes), -1),
        "missed": np.zeros(len(sizes), np.int64),
    }
    small = np.flatnonzero(sizes <= LARGEST)
    chosen = small[np.argsort(hashes[small], kind="stable")[:SAMPLE]]
    members = [documents[starts[c] : starts[c] + sizes[c]] for c in chosen]
    pairs = _repeating(comparison, members, settings, measures)
    for component, part, repeats in zip(chosen, members, pairs, strict=True):
        bound, missed = _bounds(comparison, part, verdicts.kept[part], repeats)
        columns["bound"][component], columns["missed"][component] = bound, missed
    return pa.table(columns, schema=COMPONENTS)


def _repeating(
    comparison: Comparison,
    components: Sequence[NDArray[np.int64]],
    settings: Settings,
    measures: Sequence[Measure],
) -> list[NDArray[np.int64]]:
    """Return the pairs of each component of which one document may be removed for the other.

    Returns:
        int64[m, 2] for each component, places of the documents in it.
    """
    places = [
        np.array(list(combinations(range(len(part)), 2)), np.int64).reshape(-1, 2)
        for part in components
    ]
    if not places:
        return []
    parts = zip(components, places, strict=True)
    left, right = np.concatenate([part[pairs] for part, pairs in parts]).T
    may = comparison.rules.may(left, right) | comparison.rules.may(right, left)
    similar = np.zeros(len(left), bool)
    reached = [measure(left[may], right[may]) for measure in measures]
    similar[may] = np.minimum.reduce(reached) >= np.float32(settings.threshold)
    cuts = np.cumsum([len(pairs) for pairs in places])[:-1]
    return [pairs[chosen] for pairs, chosen in zip(places, np.split(similar, cuts), strict=True)]


def _bounds(
    comparison: Comparison,
    documents: NDArray[np.int64],
    kept: NDArray[np.bool_],
    pairs: NDArray[np.int64],
) -> tuple[int, int]:
    """Return the most documents that could be kept, and kept ones that repeat a kept one.

    Documents that are never removed don't count, and what repeats one of them can't be kept.
    """
    fixed = comparison.order.position[documents] < comparison.order.fixed
    lost = np.zeros(len(documents), bool)
    lost[pairs[fixed[pairs[:, 0]], 1]] = True
    lost[pairs[fixed[pairs[:, 1]], 0]] = True
    free = ~(fixed | lost)
    number = np.cumsum(free) - 1
    inside = pairs[free[pairs].all(axis=1)]
    bound = clique_cover(int(free.sum()), number[inside])
    both = pairs[kept[pairs].all(axis=1)]  # documents stand in the total order
    repeating = np.unique(both[:, 1])
    return bound, int((~fixed[repeating]).sum())
