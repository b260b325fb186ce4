"""Limits on the length of documents, so that no single one decides a corpus's totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.texts import printable
from outcross.schemas.config import DEFAULT_SYNTHETIC, Config, repeat_caps
from outcross.schemas.plan import LengthLimits
from outcross.schemas.report import LongDocument, LongDocuments
from outcross.schemas.sources import WRITABLE, Role

PERCENT = 100
"""Limit: a document may hold 1/PERCENT of the tokens to write, however short the others are."""
MEDIANS = 20
"""Limit: a document may be MEDIANS times as long as the median, however little is written."""
_NAMED = 10  # documents that are named

Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class TooLong:
    """Documents that are left out because they are too long.

    Attributes:
        rows: bool[n], the documents.
        limits: tokens of the longest document that may be written, by role; None: no limit.
        facts: entry of the report about them; None where there are none.
    """

    rows: NDArray[np.bool_]
    limits: LengthLimits | None
    facts: LongDocuments | None

    @property
    def warning(self) -> str | None:
        """Warning that names the documents, and the setting that keeps them."""
        if self.facts is None:
            return None
        named = ", ".join(
            f"{printable(document.id)} of {document.source} ({document.tokens:,} tokens)"
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


def too_long(deduplicated: Deduplicated, current: NDArray[np.bool_]) -> TooLong:
    """Find the documents that are too long, from content and configuration alone.

    Args:
        deduplicated: result of `deduplicate`.
        current: bool[n], synthetic documents of the run's own sources, not of earlier generations.
    """
    config, sketched = deduplicated.config, deduplicated.sketched
    kept, tokens = deduplicated.kept, sketched.tokens
    rows = np.zeros(len(kept), bool)
    roles = {role: kept & sketched.of_role(role) for role in WRITABLE}
    limits = None
    if config.plan is not None:
        limits = read_plan(config.plan).length_limits
    elif config.long_documents == "leave_out":
        lengths = {role: tokens[documents] for role, documents in roles.items()}
        new = tokens[roles["synthetic"] & current]
        limits = length_limits(config, lengths, new if new.any() else lengths["synthetic"])
    if limits is None:
        return TooLong(rows, None, None)
    for role, documents in roles.items():
        rows |= documents & (tokens > getattr(limits, role))
    return TooLong(rows, limits, _facts(deduplicated, rows, limits))


def length_limits(config: Config, tokens: dict[Role, Lengths], new: Lengths) -> LengthLimits:
    """Return the length up to which documents may be written, by role.

    A limit is the larger one of 1 % of the tokens to write and 20 times the median length. By
    default the tokens to write depend on the supply, which counts no document above the limits.

    Args:
        config: configuration of the run.
        tokens: int64[n], lengths of the kept documents of each role, in tokens.
        new: int64[m], lengths of the synthetic documents that decide the default total.
    """
    least = {role: MEDIANS * median(lengths) for role, lengths in tokens.items()}
    ordered: dict[Role, Lengths] = {"synthetic": np.sort(new), "human": np.sort(tokens["human"])}
    sums = {role: np.concatenate([[0], np.cumsum(part)]) for role, part in ordered.items()}

    def within(role: Role, limit: int) -> int:
        return int(sums[role][np.searchsorted(ordered[role], limit, side="right")])

    limits = dict.fromkeys(WRITABLE, 1 << 62)  # these leave out nothing
    while True:  # ends, as limits only fall
        wanted = tokens_wanted(config, *(within(role, limits[role]) for role in WRITABLE))
        lower = {
            role: min(limits[role], max(int(wanted) // PERCENT, least[role])) for role in WRITABLE
        }
        if lower == limits:
            return LengthLimits(**lower)
        limits = lower


def median(tokens: Lengths) -> int:
    """Return the upper median of the lengths of documents with words; 1 where there are none."""
    worded = tokens[tokens > 0]
    middle = len(worded) // 2
    return int(np.partition(worded, middle)[middle]) if len(worded) else 1


def tokens_wanted(config: Config, synthetic: float, human: float) -> float:
    """Return the tokens that a run would write, even if it can't.

    Args:
        config: configuration of the run.
        synthetic: supply of synthetic tokens, each document once.
        human: supply of human tokens, each document once.
    """
    if config.tokens is not None:
        return config.tokens
    generated = DEFAULT_SYNTHETIC * synthetic
    if config.human_tokens is not None:
        return generated + config.human_tokens
    share = config.human_share if config.effective_ratio is None else 0.0
    if share == 1 or synthetic == 0:
        return human
    return generated + min(generated * share / (1 - share), repeat_caps(config).human * human)


def _facts(
    deduplicated: Deduplicated, rows: NDArray[np.bool_], limits: LengthLimits
) -> LongDocuments | None:
    documents = np.flatnonzero(rows)
    if len(documents) == 0:
        return None
    sketched = deduplicated.sketched
    hi, lo = (half[documents] for half in sketched.fingerprints)
    lengths = sketched.tokens[documents]
    longest = documents[np.lexsort((lo, hi, -lengths))[:_NAMED]]
    return LongDocuments(
        documents=len(documents),
        tokens=int(lengths.sum()),
        limits=limits,
        longest=_named(deduplicated, longest),
    )


def _named(deduplicated: Deduplicated, documents: NDArray[np.int64]) -> Sequence[LongDocument]:
    """Name documents, in their order."""
    sketched = deduplicated.sketched
    ascending = np.sort(documents)
    names = dict(zip(ascending.tolist(), deduplicated.ids(ascending), strict=True))
    return [
        LongDocument(
            id=names[document],
            source=sketched.config.sources[sketched.source_numbers[document]].name,
            tokens=int(sketched.tokens[document]),
        )
        for document in documents.tolist()
    ]


def _many(facts: LongDocuments) -> str:
    return "1 document is" if facts.documents == 1 else f"{facts.documents:,} documents are"
