"""Conservation of rows: where every row of each source went, counted from the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.context import RunError
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.select import Kept, Selected
from outcross.pipeline.stages.write import Written
from outcross.schemas.report import MEASURED, Conservation
from outcross.schemas.sources import WRITABLE
from outcross.transforms.dedup.order import count_distinct
from outcross.transforms.selection.uses import TOO_LONG


@dataclass(frozen=True)
class Rows:
    """Rows of each source, by its name.

    Attributes:
        removed: documents that deduplication removed.
        written: documents that stand in data/.
        rows: rows in data/, copies included.
    """

    removed: Mapping[str, int]
    written: Mapping[str, int]
    rows: Mapping[str, int]

    @classmethod
    def of_files(
        cls, removed: Sequence[Mapping[str, Any]], data: Sequence[Mapping[str, Any]]
    ) -> Rows:
        """Count the rows in files.

        Args:
            removed: reports of the shards of removed/.
            data: reports of the shards of data/.
        """
        return cls(
            _by_source(removed, "documents"),
            _by_source(data, "documents"),
            _by_source(data, "rows"),
        )

    @classmethod
    def of_verdicts(cls, deduplicated: Deduplicated) -> Rows:
        """Count the removed documents of an audit, which writes nothing."""
        removed: Counter[str] = Counter()
        sources = deduplicated.config.sources
        for unit, part in deduplicated.sketches.per_unit(~deduplicated.kept):
            removed[sources[unit.source].name] += int(part.sum())
        return cls(removed, Counter(), Counter())


def conservation(
    corpus: Written[Selected] | Written[Kept] | Audited,
) -> list[Conservation]:
    """Account for every row of each source.

    Args:
        corpus: documents that were written or audited.

    Raises:
        RunError: when a row is neither kept, removed nor rejected.
    """
    if isinstance(corpus, Audited):
        rows = Rows.of_verdicts(corpus.deduplicated)
        unwritten = {MEASURED: corpus.copies > 0, "stands in the human reference": corpus.known}
    else:
        rows = Rows.of_files(corpus.removed, corpus.files)
        unwritten = reasons_not_selected(corpus.selected)
    lines = _lines(corpus.deduplicated, unwritten, rows)
    for line in lines:
        if not line.holds():
            raise RunError(
                f"conservation does not hold for source {line.source!r}: {line.model_dump()}; "
                "read must be kept + removed + rejected, and kept written + not_selected. "
                "Did the input change during the run? Run again with an empty output directory."
            )
    return lines


def _lines(
    deduplicated: Deduplicated, unwritten: Mapping[str, NDArray[np.bool_]], counted: Rows
) -> list[Conservation]:
    """Return a line for each source.

    Args:
        deduplicated: result of `deduplicate`.
        unwritten: bool[n] by reason, documents that are kept but not written.
        counted: rows in the files.
    """
    sketched, kept = deduplicated.sketched, deduplicated.kept
    hi, lo = sketched.fingerprints
    lines = []
    for number, source in enumerate(sketched.config.sources):
        reports = sketched.reports(number)
        mask = sketched.source_numbers == number
        reasons = {reason: int((chosen & mask).sum()) for reason, chosen in unwritten.items()}
        written = counted.written.get(source.name, 0)
        lines.append(
            Conservation(
                source=source.name,
                role=source.role,
                filtered=sum(report.filtered for report in reports),
                read=sum(report.read for report in reports),
                rejected=sum(report.rejected for report in reports),
                distinct=count_distinct(hi[mask], lo[mask]),
                removed=counted.removed.get(source.name, 0),
                kept=int((kept & mask).sum()),
                written=written,
                not_selected={reason: often for reason, often in reasons.items() if often},
                copies=counted.rows.get(source.name, 0) - written,
            )
        )
    return lines


def _by_source(reports: Sequence[Mapping[str, Any]], measure: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["measures"][measure])
    return total


def reasons_not_selected(selected: Selected | Kept) -> dict[str, NDArray[np.bool_]]:
    """Return the documents that are kept but not written, by reason.

    Args:
        selected: documents of data/.

    Returns:
        bool[n] for each reason; a document has one reason.
    """
    sketched, kept = selected.sketched, selected.deduplicated.kept
    too_long = beyond = off_support = np.zeros(len(kept), bool)
    if isinstance(selected, Selected):
        ranking, synthetic = selected.ranking, sketched.of_role("synthetic")
        too_long = ranking.uses == TOO_LONG
        beyond = synthetic & kept & ~ranking.candidate & ~too_long
        off_support = selected.clustered.off_support & synthetic & ~beyond
    unwritten = kept & (selected.copies == 0)
    writable = unwritten & sketched.of_role(*WRITABLE) & ~beyond & ~too_long
    return {
        "too long": unwritten & too_long,
        "archive": unwritten & beyond,
        "role exclude": unwritten & sketched.of_role("exclude"),
        "role reference": unwritten & sketched.of_role("reference"),
        "off-support": writable & off_support,
        "quota": writable & ~off_support,
    }
