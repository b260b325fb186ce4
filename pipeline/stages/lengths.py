"""Documents that are too long, and documents that decide a corpus's totals alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.schemas.config import Config
from outcross.schemas.plan import LengthLimits
from outcross.schemas.report import LongDocument, LongDocuments
from outcross.transforms.base.visible import visible_name
from outcross.transforms.selection.length_limits import MEDIANS, Limits
from outcross.transforms.selection.supply import SupplySums
from outcross.transforms.selection.uses import TOO_LONG


@dataclass(frozen=True)
class TooLong:
    """Documents that are left out because they are too long.

    Attributes:
        limits: tokens of the longest document that may be written, by role; None: no limit.
        facts: entry of the report about them; None where there are none.
    """

    limits: LengthLimits | None
    facts: LongDocuments | None

    @property
    def warning(self) -> str | None:
        """Warning that names the documents, and the setting that keeps them."""
        if self.facts is None:
            return None
        named = ", ".join(
            f"{visible_name(document.id)} of {document.source} ({document.tokens:,} tokens)"
            for document in self.facts.longest
        )
        more = self.facts.documents - len(self.facts.longest)
        return (
            f"long_documents: {_many(self.facts)} not written, being longer than 1 % of the tokens "
            f"to write and than {MEDIANS} times the median: {named}"
            f"{f' and {more:,} more' if more else ''}; `long_documents: keep` writes them"
        )

    @property
    def hint(self) -> str:
        """Hint for an error message, as these documents may be the ones that are lacking."""
        if self.facts is None:
            return ""
        return (
            f" ({_many(self.facts)} left out as too long, {self.facts.tokens:,} tokens; "
            "`long_documents: keep` writes them)"
        )


def asked_limits(config: Config, lengths: str) -> Limits:
    """Return the limits of a run: its plan's, or those of its lengths, or none.

    Args:
        config: configuration of the run.
        lengths: path of the sum of the lengths.
    """
    if config.plan is not None:
        return Limits(config, fixed=read_plan(config.plan).length_limits)
    return Limits(config, lengths=lengths if config.long_documents == "leave_out" else None)


def too_long(deduplicated: Deduplicated, limits: Limits, sums: SupplySums) -> TooLong:
    """Describe the documents that are too long.

    Args:
        deduplicated: result of `deduplicate`.
        limits: limits of length.
        sums: sums over the documents.
    """
    documents, tokens, _ = sums.of_uses(TOO_LONG).tolist()
    reached = limits.load()
    if documents == 0 or reached is None:
        return TooLong(reached, None)
    longest = _named(deduplicated, sums.long[:, 3].astype(np.int64), sums.long[:, 0])
    return TooLong(
        reached,
        LongDocuments(documents=documents, tokens=tokens, limits=reached, longest=longest),
    )


def _named(
    deduplicated: Deduplicated, documents: NDArray[np.int64], tokens: NDArray[np.uint64]
) -> Sequence[LongDocument]:
    """Name a few documents, in their order.

    Args:
        deduplicated: result of `deduplicate`.
        documents: int64[m], numbers of the documents.
        tokens: uint64[m], their lengths.
    """
    sketches, sources = deduplicated.sketches, deduplicated.config.sources
    ascending = np.sort(documents)
    names = dict(zip(ascending.tolist(), deduplicated.ids(ascending), strict=True))
    units = np.searchsorted(sketches.offsets, documents, side="right") - 1
    return [
        LongDocument(
            id=names[number], source=sources[sketches.units[unit].source].name, tokens=length
        )
        for number, unit, length in zip(
            documents.tolist(), units.tolist(), tokens.tolist(), strict=True
        )
    ]


def _many(facts: LongDocuments) -> str:
    return "1 document is" if facts.documents == 1 else f"{facts.documents:,} documents are"
