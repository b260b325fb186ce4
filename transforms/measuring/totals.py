"""Totals of the documents that a job has read, kept and selected: sums that merge exactly."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.estimators.compression import BLOCK, BLOCKS
from outcross.transforms.measuring.smallest import smallest_until
from outcross.transforms.selection.uses import BEYOND, NONE
from outcross.transforms.sketches.passages import PassageRows

NO_DOCUMENT = np.int64(1) << np.int64(62)
"""Number in place of a document where there is none; above all numbers of documents."""
USES = BEYOND + 1
"""Number of uses of a document."""
ROLES = ("synthetic", "human")
"""Roles of documents in cells, in the order of the first axis."""

Ints = NDArray[np.int64]

SOURCES, DOMAINS, EXAMPLES, TEXTS = "sources", "domains", "examples", "texts"


PartT = TypeVar("PartT", bound="_Arrays")


class _Arrays:
    """Sums that are arrays only."""

    @classmethod
    def from_bytes(cls: type[PartT], data: bytes) -> PartT:
        """Read the result of `to_bytes`."""
        return cls(**files.unpack_arrays(data))

    def to_bytes(self) -> bytes:
        """Serialise the arrays."""
        return files.pack_arrays(vars(self))


@dataclass
class SourceSums(_Arrays):
    """Sums by source, each int64[S] but `unselected`.

    Attributes:
        kept: documents that deduplication kept.
        removed: documents that deduplication removed.
        selected: documents with copies, or with a passage that has some.
        pieces: kept documents, or their passages.
        selected_pieces: the same among those with copies. All that follows is about these where
            documents are offered in passages, but for `unselected`.
        rows: their copies.
        tokens: tokens of all copies.
        worded: selected documents that have tokens.
        selected_size: uncompressed bytes of the selected documents, each once.
        removed_size: uncompressed bytes of the removed documents.
        answers: documents that answer a prompt.
        kept_answers: kept documents among these.
        unselected: int64[S, USES], kept documents without copies, by use; by the first of the
            uses of its passages.
        longest: tokens of the longest selected document.
        copies: most copies of a document.
        heaviest: tokens of all copies of the document that has most.
        document: number of that document, the first of equal ones; else `NO_DOCUMENT`.
    """

    kept: Ints
    removed: Ints
    selected: Ints
    pieces: Ints
    selected_pieces: Ints
    rows: Ints
    tokens: Ints
    worded: Ints
    selected_size: Ints
    removed_size: Ints
    answers: Ints
    kept_answers: Ints
    unselected: Ints
    longest: Ints
    copies: Ints
    heaviest: Ints
    document: Ints

    @classmethod
    def empty(cls, sources: int) -> SourceSums:
        """Return the sums over no documents."""
        arrays = {name: np.zeros(sources, np.int64) for name in cls.__dataclass_fields__}
        arrays["unselected"] = np.zeros((sources, USES), np.int64)
        arrays["document"] = np.full(sources, NO_DOCUMENT)
        return cls(**arrays)

    @classmethod
    def of(
        cls,
        sources: int,
        source: int,
        first: int,
        kept: NDArray[np.bool_],
        copies: Ints,
        use: NDArray[np.int8],
        sketch: pa.Table,
        passages: PassageRows | None = None,
    ) -> SourceSums:
        """Return the sums over the n documents of a unit, or over n passages of some.

        Args:
            sources: number of sources.
            source: number of the unit's source.
            first: number of the unit's first document.
            kept: bool[n], documents that deduplication kept.
            copies: int64[n], copies of each document.
            use: int8[n], use of each document.
            sketch: columns `tokens`, `size` and `prompt` of the documents.
            passages: places of the passages in their documents; None for documents.
        """
        sums = cls.empty(sources)
        if len(kept) == 0:
            return sums
        tokens, size = (sketch[name].to_numpy() for name in ("tokens", "size"))
        answers, selected = sketch["prompt"].to_numpy() != 0, copies > 0
        weight = copies * tokens
        heaviest = int(weight.argmax())
        values = {
            "kept": kept.sum(),
            "removed": (~kept).sum(),
            "selected": selected.sum(),
            "pieces": kept.sum(),
            "selected_pieces": selected.sum(),
            "rows": copies.sum(),
            "tokens": weight.sum(),
            "worded": np.count_nonzero(weight),
            "selected_size": size[selected].sum(),
            "removed_size": size[~kept].sum(),
            "answers": answers.sum(),
            "kept_answers": (answers & kept).sum(),
            "unselected": np.bincount(use[kept & ~selected], minlength=USES),
            "longest": tokens[selected].max(initial=0),
            "copies": copies.max(),
            "heaviest": weight[heaviest],
            "document": first + heaviest,
        }
        if passages is not None:
            values |= _by_document(passages, kept, selected, use)
        for name, value in values.items():
            getattr(sums, name)[source] = value
        return sums

    def merge(self, other: SourceSums) -> SourceSums:
        """Return the sums over both sets of documents."""
        heavier = (other.heaviest > self.heaviest) | (
            (other.heaviest == self.heaviest) & (other.document < self.document)
        )
        merged = {name: values + getattr(other, name) for name, values in vars(self).items()}
        merged["document"] = np.where(heavier, other.document, self.document)
        for name in ("longest", "copies", "heaviest"):
            merged[name] = np.maximum(getattr(self, name), getattr(other, name))
        return SourceSums(**merged)


def _by_document(
    passages: PassageRows,
    kept: NDArray[np.bool_],
    selected: NDArray[np.bool_],
    use: NDArray[np.int8],
) -> dict[str, Any]:
    """Count documents by their passages.

    Args:
        passages: places of the n passages in their documents.
        kept: bool[n], passages of documents that deduplication kept.
        selected: bool[n], passages with copies.
        use: int8[n], use of each passage.
    """
    first = passages.number == 1
    chosen = passages.most(selected.astype(np.int32))[passages.document] > 0
    # A passage that may be written tells more of its document than one that may not.
    order = np.where(use == NONE, USES, use)
    uses = USES - passages.most((USES - order).astype(np.int32))[passages.document]
    left_out = uses[first & kept & ~chosen] % USES
    return {
        "kept": (first & kept).sum(),
        "removed": (first & ~kept).sum(),
        "selected": (first & chosen).sum(),
        "unselected": np.bincount(left_out, minlength=USES),
    }


@dataclass
class CellSums(_Arrays):
    """Sums over the selected documents of one domain, by role (`ROLES`).

    Attributes:
        tokens: int64[2, C], tokens of all copies, by cluster.
        rows: int64[2, C], copies, by cluster.
        copies: int64[2], most copies of a document.
    """

    tokens: Ints
    rows: Ints
    copies: Ints

    @classmethod
    def empty(cls, clusters: int) -> CellSums:
        """Return the sums over no documents."""
        shape = len(ROLES), clusters
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(2, np.int64))

    def add(self, role: int, cluster: NDArray[np.int32], copies: Ints, tokens: Ints) -> None:
        """Add selected documents of one role: cluster, copies and tokens of each."""
        np.add.at(self.tokens[role], cluster, copies * tokens)
        np.add.at(self.rows[role], cluster, copies)
        self.copies[role] = max(self.copies[role], copies.max(initial=0))

    def merge(self, other: CellSums) -> CellSums:
        """Return the sums over both sets of documents."""
        most = np.maximum(self.copies, other.copies)
        return CellSums(self.tokens + other.tokens, self.rows + other.rows, most)


@dataclass
class DomainCounts:
    """Copies of the documents of each named domain; '' for documents without one.

    Attributes:
        copies: copies by name; 0 for a domain without selected documents.
    """

    copies: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_bytes(cls, data: bytes) -> DomainCounts:
        """Read the result of `to_bytes`."""
        return cls(Counter(json.loads(data)))

    def to_bytes(self) -> bytes:
        """Serialise the counts."""
        return json.dumps(self.copies).encode()

    def add(self, domain: pa.ChunkedArray, copies: Ints) -> None:
        """Add documents: their domains' names, null for none, and their copies."""
        codes, names = domain_codes(domain)
        counts = np.zeros(len(names), np.int64)
        np.add.at(counts, codes, copies)
        self.copies.update(dict(zip(names, counts.tolist(), strict=True)))

    def merge(self, other: DomainCounts) -> DomainCounts:
        """Return the counts over both sets of documents."""
        merged = Counter(self.copies)
        merged.update(other.copies)
        return DomainCounts(merged)


@dataclass
class Examples(_Arrays):
    """A selected document of each of C clusters: the smallest key, and of these the first.

    Attributes:
        key: uint64[C], `sample_key` of the document's first copy.
        document: int64[C], number of the document; `NO_DOCUMENT` where a cluster has none.
    """

    key: NDArray[np.uint64]
    document: Ints

    @classmethod
    def empty(cls, clusters: int) -> Examples:
        """Return no documents."""
        return cls(np.full(clusters, 2**64 - 1, np.uint64), np.full(clusters, NO_DOCUMENT))

    def add(self, cluster: NDArray[np.int32], key: NDArray[np.uint64], document: Ints) -> None:
        """Add selected documents: the cluster, key and number of each."""
        rows = np.flatnonzero(key <= self.key[cluster])
        order = rows[np.lexsort((document[rows], key[rows]))]
        clusters, first = np.unique(cluster[order], return_index=True)
        best = order[first]
        smaller = (key[best] < self.key[clusters]) | (document[best] < self.document[clusters])
        clusters, best = clusters[smaller], best[smaller]
        self.key[clusters], self.document[clusters] = key[best], document[best]

    def merge(self, other: Examples) -> Examples:
        """Return the example of each cluster over both sets of documents."""
        smaller = (other.key < self.key) | (
            (other.key == self.key) & (other.document < self.document)
        )
        return Examples(
            np.where(smaller, other.key, self.key),
            np.where(smaller, other.document, self.document),
        )


@dataclass
class TextSample(_Arrays):
    """Selected documents with the smallest keys, as many as a compression ratio needs.

    Attributes:
        key: uint64[m], `sample_key` of the documents' first copies, ascending.
        document: int64[m], numbers of the documents.
        length: int64[m], bytes of the texts, at most `BLOCK` each.
    """

    key: NDArray[np.uint64]
    document: Ints
    length: Ints

    @classmethod
    def empty(cls) -> TextSample:
        """Return no documents."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def of(cls, key: NDArray[np.uint64], document: Ints, length: Ints) -> TextSample:
        """Choose from documents: the key, number and bytes of each."""
        length = np.minimum(length, BLOCK)
        chosen = smallest_until(BLOCK * BLOCKS, length, key, document)
        return cls(key[chosen], document[chosen], length[chosen])

    def merge(self, other: TextSample) -> TextSample:
        """Choose from both sets of documents."""
        parts = (vars(self), vars(other))
        return TextSample.of(*(np.concatenate([part[name] for part in parts]) for name in parts[0]))


@dataclass
class Totals:
    """All sums over some documents.

    Attributes:
        sources: sums by source.
        cells: sums by place of the domain in the plan; empty where nothing was clustered.
        domains: copies by named domain; empty where no source names a domain.
        examples: a document of each cluster; no clusters where nothing was clustered.
        texts: sample of texts.
    """

    sources: SourceSums
    cells: dict[int, CellSums]
    domains: DomainCounts
    examples: Examples
    texts: TextSample

    @classmethod
    def empty(cls, sources: int, clusters: int) -> Totals:
        """Return the sums over no documents, for so many sources and clusters."""
        source, examples = SourceSums.empty(sources), Examples.empty(clusters)
        return cls(source, {}, DomainCounts(), examples, TextSample.empty())

    @classmethod
    def load(cls, folder: str, sources: int, clusters: int) -> Totals:
        """Read the files of `SelectedSums`.

        Args:
            folder: folder of the files.
            sources: number of sources.
            clusters: number of clusters; 0 where nothing was clustered.
        """
        totals = cls.empty(sources, clusters)
        for path in files.list_files(files.join(folder, "*")):
            name = path.rpartition("/")[2]
            if name.startswith("cells-"):
                sums = files.read_as(path, CellSums.from_bytes)
                totals.cells[int(name.removeprefix("cells-"))] = sums
            elif name in PARTS:
                setattr(totals, name, files.read_as(path, PARTS[name].from_bytes))
        return totals


PARTS: dict[str, Any] = {
    SOURCES: SourceSums,
    DOMAINS: DomainCounts,
    EXAMPLES: Examples,
    TEXTS: TextSample,
}
"""Sums by the names of their files; those of cells have a file for each domain."""


def domain_codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Return the domains of n documents as places in a list of their names.

    Args:
        column: string[n], names; null, for none, counts as ''.

    Returns:
        int32[n] places, and the different names.
    """
    encoded = column.fill_null("").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
