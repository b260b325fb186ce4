"""Sums over all removals, added up from the files of the stage `deduplicate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.stages.earlier import ReferencePool
from outcross.schemas.deduplication import Overlap, SourceOverlap
from outcross.schemas.sources import Role, Source
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, SEMANTIC, STAGES
from outcross.transforms.dedup.removal_sums import (
    LEAST,
    LEAST_SEMANTIC,
    LEAST_SIMILAR,
    SETS,
    SHOWN,
)
from outcross.transforms.dedup.resolve import Counts
from outcross.transforms.dedup.rules import Party


@dataclass(frozen=True)
class RepeatedDocument:
    """A kept document that others repeat.

    Attributes:
        document: its number.
        times: number of its repeats, and itself.
        exact: number of exact repeats, and itself.
    """

    document: int
    times: int
    exact: int


@dataclass(frozen=True)
class RemovalSums:
    """Sums over all removals.

    Attributes:
        folder: folder of the files.
        values: sums as JSON: `counts` of the work; `units`, sums by number of the source;
            `components`, of documents that share bands, as `sum_components` gives them, or None;
            `found`, repeated documents of each party; `removed`, removals as [party of the kept
            document, party, stage, number]; `most_repeated`, as [document, times, exact, halves
            of the fingerprint]; `groups`, for each of `SETS` [size, 1 with the kept document or
            0, groups].
    """

    folder: str
    values: dict[str, Any]

    @classmethod
    def add_up(cls, folder: str) -> RemovalSums:
        """Add up the sums of all partitions.

        Args:
            folder: folder of the files that `SumRemovals` wrote.
        """
        parts = [files.read_json(path) for path in files.list_files(f"{folder}/part-*.json")]
        found: list[int] = []
        removed: dict[tuple[int, ...], int] = defaultdict(int)
        groups: list[dict[tuple[int, ...], int]] = [defaultdict(int) for _ in SETS]
        for part in parts:
            found = [
                sum(pair)
                for pair in zip(found or [0] * len(part["found"]), part["found"], strict=True)
            ]
            for *kind, often in part["removed"]:
                removed[tuple(kind)] += often
            for total, lines in zip(groups, part["groups"], strict=True):
                for *kind, often in lines:
                    total[tuple(kind)] += often
        most = [line for part in parts for line in part["most_repeated"]]
        most.sort(key=lambda line: (-line[1], line[3], line[4]))
        counted, units = files.join(folder, "bins.json"), files.join(folder, "units.json")
        components = files.join(folder, "components.json")
        nothing = dict.fromkeys([*Counts.__dataclass_fields__, "restored", "different_meaning"], 0)
        values = {
            "counts": files.read_json(counted) if files.exists(counted) else nothing,
            "components": files.read_json(components) if files.exists(components) else None,
            "units": files.read_json(units) if files.exists(units) else [],
            "found": found,
            "removed": [[*kind, often] for kind, often in sorted(removed.items())],
            "most_repeated": most[:SHOWN],
            "groups": [
                [[*kind, often] for kind, often in sorted(total.items())] for total in groups
            ],
        }
        return cls(folder, values)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the work, from `resolve.Counts`, and two of `decide`."""
        return dict(self.values["counts"])

    def total(self, name: str, sources: Sequence[int] | None = None) -> int:
        """Return a sum over units.

        Args:
            name: documents, exact, near, contained, semantic, open, repeated_id or bytes.
            sources: numbers of the sources; None for all sources of the run.
        """
        return sum(
            line[name]
            for line in self.values["units"]
            if sources is None or line["source"] in sources
        )

    def removed(self, sources: Sequence[int] | None = None) -> int:
        """Return the number of removed documents, of some sources or of all."""
        return sum(self.total(stage, sources) for stage in STAGES.values())

    @property
    def components(self) -> dict[str, Any]:
        """Sums of components, as `sum_components` gives them."""
        names = ("components", "small", "kept", "unchecked", "unchecked_kept")
        return dict(self.values["components"] or {**dict.fromkeys(names, 0), "sample": []})

    @property
    def bytes(self) -> int:
        """Bytes of the removed rows."""
        return self.total("bytes")

    @property
    def most_repeated(self) -> list[RepeatedDocument]:
        """Kept documents that most others repeat; of equal ones the lower fingerprints."""
        return [RepeatedDocument(*line[:3]) for line in self.values["most_repeated"]]

    @property
    def least_similar(self) -> pa.Table | None:
        """Near removals of least similarity, the first in the total order of equal ones.

        They are columns of removed/ with the numbers `document` and `partner`; None without any.
        """
        return self._least(LEAST_SIMILAR)

    @property
    def least_semantic(self) -> pa.Table | None:
        """Paraphrases of least similarity, as `least_similar`."""
        return self._least(LEAST_SEMANTIC)

    def _least(self, key: int) -> pa.Table | None:
        path = files.join(self.folder, f"{LEAST[key]}.parquet")
        return files.read_table(path) if files.exists(path) else None

    def group_sizes(self, roles: Sequence[Role], sources: Sequence[int]) -> NDArray[np.int64]:
        """Count the groups of documents that repeat one document, by size: int64[m, 2].

        Args:
            roles: one of `SETS`.
            sources: numbers of the sources with these roles.
        """
        sizes: dict[int, int] = defaultdict(int)
        alone = self.total("documents", sources) - self.removed(sources)
        for size, kept, groups in self.values["groups"][SETS.index(tuple(roles))]:
            sizes[size] += groups
            alone -= kept * groups
        sizes[1] += alone
        lines = [line for line in sorted(sizes.items()) if line[1]]
        return np.array(lines, np.int64).reshape(-1, 2)

    def overlaps(
        self, parties: Sequence[Party], sources: Sequence[Source], containment: str
    ) -> list[Overlap]:
        """Count the repeats of each evaluation set and of each source of an earlier run.

        Args:
            parties: parties of the run and of earlier runs.
            sources: sources of the configuration.
            containment: folder of the search for evaluation texts.
        """
        unsought = np.zeros(len(parties), np.int64)
        path = files.join(containment, "unsought.json")
        if files.exists(path):
            unsought[:] = files.read_json(path)
        lines = []
        for number, party in enumerate(parties):
            if not party.fixed:
                continue
            counts = np.zeros((len(sources), len(STAGES) + 1), np.int64)
            for kept, removed, stage, often in self.values["removed"]:
                if kept == number:
                    counts[removed, stage] += often
            lines.append(
                Overlap(
                    name=party.name,
                    kind=_kind(party),
                    documents=self.total("documents", [number]),
                    found=self.values["found"][number] if self.values["found"] else 0,
                    whole_only=int(unsought[number]),
                    removed=[
                        SourceOverlap(
                            source=source.name,
                            exact=int(often[EXACT]),
                            near=int(often[NEAR]),
                            contained=int(often[CONTAINED]),
                            semantic=int(often[SEMANTIC]),
                        )
                        for source, often in zip(sources, counts, strict=True)
                        if often.any()
                    ],
                )
            )
        return lines


def _kind(party: Party) -> Literal["exclude", "earlier run", "reference"]:
    if party.run is None:
        return "exclude"
    return "reference" if party.run == ReferencePool.name else "earlier run"
