"""Sums over all removals: by source and stage, by kept document, and the least similar ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.base import files
from outcross.transforms.dedup.check_components import LARGEST, SAMPLE
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.decide import EXACT
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed

COUNTS, UNITS, LEAST_SIMILAR, CHECKED, LEAST_SEMANTIC = -1, -2, -3, -4, -5
"""Keys of the counts of bins, of the sums of units, of the least similar removals, of the
components of bins, and of the least similar paraphrases."""

LEAST = {LEAST_SIMILAR: "least_similar", LEAST_SEMANTIC: "least_semantic"}
"""Names of the files of the least similar removals, by key."""

SHOWN = 20
"""Number of documents in each list of examples."""

SETS: list[tuple[Role, ...]] = [("reference",), ("human",), ("synthetic",), WRITABLE]
"""Sets of documents, by their roles, whose groups are counted by size."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def partner_rows(
    partner: NDArray[np.int64],
    kept: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    stage: NDArray[np.int8],
    party: int,
    bits: int,
) -> Iterator[Keyed]:
    """Yield m removed documents of a unit, by the partition of the document that they repeat.

    Args:
        partner: int64[m], numbers of the kept documents.
        kept: uint64[m] each, halves of their fingerprints.
        stage: int8[m], stages of the removals.
        party: party of the unit.
        bits: bits that choose a partition.
    """
    columns = {
        "partner": partner,
        "kept_hi": kept[0],
        "kept_lo": kept[1],
        "stage": stage,
        "party": np.full(len(partner), party, np.int16),
    }
    # Neighbours go to different partitions, as one unit may hold all that is repeated.
    yield from deal(leading(partner.astype(np.uint64) * _SPREAD, bits), columns)


@dataclass
class SumRemovals:
    """Write the sums of one key as JSON; the least similar removals as a table.

    Attributes:
        corpus: documents of all units.
        folder: folder of the files.
    """

    corpus: Corpus
    folder: str

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the sums of one key."""
        if rows is None:
            return
        if key in LEAST:
            order = [name for name in rows.column_names if name.startswith("order_")]
            keys = [rows[name].to_numpy() for name in [*order, "similarity"]]
            least = np.lexsort(keys)[:SHOWN]
            table = rows.drop_columns(order).take(pa.array(least))
            files.write_table(files.join(self.folder, f"{LEAST[key]}.parquet"), table)
        elif key == COUNTS:
            self._write("bins", _sum_counts(rows))
        elif key == CHECKED:
            self._write("components", sum_components(rows))
        elif key == UNITS:
            totals = rows.group_by("source").aggregate(
                [(name, "sum") for name in rows.column_names if name != "source"]
            )
            totals = totals.rename_columns(
                [name.removesuffix("_sum") for name in totals.column_names]
            )
            self._write("units", totals.sort_by("source").to_pylist())
        else:
            self._write(f"part-{key:04d}", sum_partners(self.corpus, rows))
        yield key

    def _write(self, name: str, value: Any) -> None:
        files.write_json(files.join(self.folder, f"{name}.json"), value)


def _sum_counts(rows: pa.Table) -> dict[str, int]:
    """Sum the counts of bins; of stars and rounds take the most."""
    columns = {name: rows[name].to_numpy() for name in rows.column_names}
    largest = ("stars", "rounds")
    return {
        name: int(values.max() if name in largest else values.sum())
        for name, values in columns.items()
    }


def sum_components(rows: pa.Table) -> dict[str, Any]:
    """Sum the components of all bins.

    Args:
        rows: rows from `check_components`.

    Returns:
        `components` in all; `small`, those that are small enough to check, and `kept`, their kept
        documents; `unchecked` and `unchecked_kept`, documents and kept ones of the others;
        `sample`, the checked ones with the smallest hashes as
        [documents, kept, bound, missed].
    """
    columns = {name: rows[name].to_numpy() for name in rows.column_names}
    large = columns["documents"] > LARGEST
    checked = np.flatnonzero(columns["bound"] >= 0)
    chosen = checked[np.argsort(columns["hash"][checked], kind="stable")[:SAMPLE]]
    names = ("documents", "kept", "bound", "missed")
    return {
        "components": rows.num_rows,
        "small": int((~large).sum()),
        "kept": int(columns["kept"][~large].sum()),
        "unchecked": int(columns["documents"][large].sum()),
        "unchecked_kept": int(columns["kept"][large].sum()),
        "sample": np.stack([columns[name][chosen] for name in names], axis=1).tolist(),
    }


def sum_partners(corpus: Corpus, rows: pa.Table) -> dict[str, Any]:
    """Sum the removals of a partition by the document that they repeat.

    Args:
        corpus: documents of all units.
        rows: rows from `partner_rows`.

    Returns:
        `found`, kept documents of each party that a removal repeats; `removed`, removals as
        [party of the kept document, party, stage, number]; `most_repeated`, the kept documents of
        this run that most others repeat, of equal ones the lower fingerprints; `groups`, for each
        of `SETS` the groups of one kept document as [size, 1 if the kept document is in the set
        else 0, groups].
    """
    partner, stage, party = (rows[name].to_numpy() for name in ("partner", "stage", "party"))
    documents, at, group, often = np.unique(
        partner, return_index=True, return_inverse=True, return_counts=True
    )
    owner = corpus.parties_of(documents)
    found = np.bincount(owner, minlength=len(corpus.parties))
    kinds = np.stack([owner[group], party, stage], axis=1).astype(np.int64)
    kinds, removed = np.unique(kinds, axis=0, return_counts=True)
    times = often + 1
    exact = np.bincount(group[stage == EXACT], minlength=len(documents)) + 1
    hi, lo = (rows[f"kept_{half}"].to_numpy()[at] for half in ("hi", "lo"))
    current = np.flatnonzero(documents < corpus.offsets[corpus.current])
    shown = current[np.lexsort((lo[current], hi[current], -times[current]))[:SHOWN]]
    most = [documents, times, exact, hi, lo]
    groups = []
    for roles in SETS:
        inside = np.array([p.run is None and p.source.role in roles for p in corpus.parties])
        size = np.bincount(group[inside[party]], minlength=len(documents))
        counted = size > 0
        kept = inside[owner][counted]
        pairs = np.stack([size[counted] + kept, kept], axis=1)
        values, numbers = np.unique(pairs, axis=0, return_counts=True)
        groups.append(np.column_stack([values, numbers]).tolist())
    return {
        "found": found.tolist(),
        "removed": np.column_stack([kinds, removed]).tolist(),
        "most_repeated": np.stack([c[shown].astype(object) for c in most], axis=1).tolist(),
        "groups": groups,
    }
