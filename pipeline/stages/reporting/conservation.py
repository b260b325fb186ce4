"""Conservation of rows: where every row of each source went, counted from the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.context import RunError
from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.write import Written
from outcross.schemas.pieces import SourcePieces
from outcross.schemas.report import MEASURED, Conservation
from outcross.schemas.sources import WRITABLE
from outcross.transforms.selection.uses import (
    BEYOND,
    FRESH,
    LEDGER,
    NONE,
    OFF_SUPPORT,
    SYNTHETIC,
    TOO_LONG,
)


@dataclass(frozen=True)
class Rows:
    """Rows of each source, by its name.

    Attributes:
        removed: documents that deduplication removed.
        written: documents that stand in data/.
        rows: rows in data/, copies included.
        pieces: documents, or pieces of documents, that stand in data/.
    """

    removed: Mapping[str, int]
    written: Mapping[str, int]
    rows: Mapping[str, int]
    pieces: Mapping[str, int]

    @classmethod
    def of_files(
        cls, removed: Sequence[Mapping[str, Any]], data: Sequence[Mapping[str, Any]]
    ) -> Rows:
        """Count the rows in files.

        Args:
            removed: reports of the shards of removed/.
            data: reports of the shards of data/.
        """
        written = _by_source(data, "documents")
        return cls(
            _by_source(removed, "documents"),
            written,
            _by_source(data, "rows"),
            _by_source(data, "pieces") or written,
        )

    @classmethod
    def of_audit(cls, counted: Counted) -> Rows:
        """Return the removed documents of an audit, which writes nothing."""
        names = [source.name for source in counted.corpus.config.sources]
        removed = counted.totals.sources.removed.tolist()
        return cls(dict(zip(names, removed, strict=True)), {}, {}, {})


def conservation(
    corpus: Written[Selected] | Written[Kept] | Audited, counted: Counted
) -> list[Conservation]:
    """Account for every row of each source.

    Args:
        corpus: documents that were written or audited.
        counted: result of `count` for them.

    Raises:
        RunError: when a row is neither kept, removed nor rejected.
    """
    if isinstance(corpus, Audited):
        rows = Rows.of_audit(counted)
    else:
        rows = Rows.of_files(corpus.removed, corpus.files)
    lines = _lines(corpus.sketched, counted, rows)
    for line in lines:
        if not line.holds():
            raise RunError(
                f"conservation does not hold for source {line.source!r}: {line.model_dump()}; "
                "read must be kept + removed + rejected, and kept written + not_selected. "
                "Did the input change during the run? Run again with an empty output directory."
            )
    return lines


def _lines(sketched: Sketched, counted: Counted, rows: Rows) -> list[Conservation]:
    """Return a line for each source.

    Args:
        sketched: result of `sketch`.
        counted: result of `count`.
        rows: rows in the files.
    """
    lines = []
    for number, source in enumerate(sketched.config.sources):
        reports = sketched.reports(number)
        written = rows.written.get(source.name, 0)
        lines.append(
            Conservation(
                source=source.name,
                role=source.role,
                provenance=source.provenance,
                filtered=sum(report.filtered for report in reports),
                read=sum(report.read for report in reports),
                rejected=sum(report.rejected for report in reports),
                distinct=int(counted.distinct[0, number]),
                removed=rows.removed.get(source.name, 0),
                kept=int(counted.totals.sources.kept[number]),
                written=written,
                not_selected=reasons_not_selected(counted, number),
                copies=rows.rows.get(source.name, 0) - rows.pieces.get(source.name, 0),
            )
        )
    return lines


def pieces(written: Written[Selected] | Written[Kept]) -> list[SourcePieces]:
    """Count the documents and pieces of each source with the key `pieces`.

    Args:
        written: result of `write`.
    """
    rows, sums = Rows.of_files(written.removed, written.files), written.counted.totals.sources
    return [
        SourcePieces(
            source=source.name,
            documents=int(sums.kept[number]),
            pieces=int(sums.pieces[number]),
            written_documents=rows.written.get(source.name, 0),
            written_pieces=rows.pieces.get(source.name, 0),
        )
        for number, source in enumerate(written.config.sources)
        if source.pieces is not None
    ]


def _by_source(reports: Sequence[Mapping[str, Any]], measure: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["measures"].get(measure, {}))
    return total


def reasons_not_selected(counted: Counted, source: int) -> dict[str, int]:
    """Count the documents of a source that are kept but not written, by reason.

    Args:
        counted: result of `count`.
        source: number of the source.

    Returns:
        Documents by reason, without reasons that have none; a document has one reason.
    """
    sums, role = counted.totals.sources, counted.corpus.config.sources[source].role
    unselected = sums.unselected[source]
    if isinstance(counted.corpus, Audited):
        often = {MEASURED: sums.selected[source], "stands in the human reference": unselected.sum()}
    elif role not in WRITABLE:
        often = {f"role {role}": unselected.sum()}
    else:
        often = {
            "too long": unselected[TOO_LONG],
            "archive": unselected[BEYOND],
            "off-support": unselected[OFF_SUPPORT],
            "quota": unselected[[NONE, FRESH, LEDGER, SYNTHETIC]].sum(),
        }
    return {reason: int(number) for reason, number in often.items() if number}
