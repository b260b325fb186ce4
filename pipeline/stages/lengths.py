"""Documents that are too long for a corpus: one of them would decide its totals alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.texts import printable
from outcross.schemas.config import DEFAULT_SYNTHETIC, Config, repeat_caps
from outcross.schemas.plan import LengthLimits
from outcross.schemas.report import LongDocument, LongDocuments
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.sketches.aligned import load_aligned
from outcross.transforms.sketches.identity import ids_of

PERCENT = 100
"""A document may hold one part in so many of the tokens to write, whatever the others' lengths."""
MEDIANS = 20
"""A document may be so many times as long as the median of its role, whatever is to be written."""
_NAMED = 10  # documents that are named

Lengths = NDArray[np.int64]


@dataclass(frozen=True)
class TooLong:
    """Documents that are left out because they are too long.

    Attributes:
        rows: bool[n], which documents they are.
        limits: tokens of the longest document that may be written, by role; None: no limit.
        facts: what the report says of them; None where there are none.
    """

    rows: NDArray[np.bool_]
    limits: LengthLimits | None
    facts: LongDocuments | None

    @property
    def warning(self) -> str | None:
        """Name the documents, their sources and lengths, and say how they are written."""
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
        """What a refusal adds, as the documents that were left out may be what it lacks."""
        if self.facts is None:
            return ""
        return (
            f" ({_many(self.facts)} left out as too long, {self.facts.tokens:,} tokens; "
            "`long_documents: keep` writes them)"
        )


def too_long(
    config: Config, sketched: Sketched, deduplicated: Deduplicated, current: NDArray[np.bool_]
) -> TooLong:
    """Find the documents that are too long, from content and configuration alone.

    Args:
        config: of the run, with what its plan asks for.
        sketched, deduplicated: of the run.
        current: bool[n], synthetic documents of the run's own sources, not of earlier generations.
    """
    kept, tokens = deduplicated.verdicts.kept, sketched.tokens
    rows = np.zeros(len(kept), bool)
    roles = {role: kept & sketched.of_role(role) for role in WRITABLE}
    limits = None
    if config.plan is not None:
        limits = read_plan(config.plan).length_limits
    elif config.long_documents == "leave_out":
        there = {role: tokens[documents] for role, documents in roles.items()}
        new = tokens[roles["synthetic"] & current]
        limits = length_limits(config, there, new if new.any() else there["synthetic"])
    if limits is None:
        return TooLong(rows, None, None)
    for role, documents in roles.items():
        rows |= documents & (tokens > getattr(limits, role))
    return TooLong(rows, limits, _facts(sketched, deduplicated, rows, limits))


def length_limits(config: Config, tokens: dict[Role, Lengths], new: Lengths) -> LengthLimits:
    """Return the length up to which documents may be written, by role.

    A limit is the larger one of 1 % of the tokens to write and 20 times the median length. Where
    the tokens to write follow from what there is, they count without what is beyond the limits.

    Args:
        config: of the run.
        tokens: int64[n], lengths of the documents of each role that survived deduplication.
        new: int64[m], those of the synthetic documents that the default total is a part of.
    """
    least = {role: MEDIANS * median(lengths) for role, lengths in tokens.items()}
    ordered: dict[Role, Lengths] = {"synthetic": np.sort(new), "human": np.sort(tokens["human"])}
    sums = {role: np.concatenate([[0], np.cumsum(part)]) for role, part in ordered.items()}

    def within(role: Role, limit: int) -> int:
        return int(sums[role][np.searchsorted(ordered[role], limit, side="right")])

    limits = dict.fromkeys(WRITABLE, 1 << 62)  # which leave out nothing
    while True:  # limits only fall, so it ends
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
    """Return the tokens that a run would write, whether or not it can.

    Args:
        config: of the run.
        synthetic, human: tokens there are, each document once.
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


def dominant(
    sketched: Sketched, deduplicated: Deduplicated, copies: NDArray[np.int32]
) -> list[str]:
    """Say where one document holds more than half of the tokens of its source or of the corpus.

    Args:
        sketched, deduplicated: of the run.
        copies: int32[n], how often each document counts.
    """
    weight = copies * sketched.tokens
    if np.count_nonzero(weight) < 2:
        return []
    said = []
    for source in sketched.context.config.sources:
        part = np.where(sketched.of_sources(source.name), weight, 0)
        whole, name = int(part.sum()), source.name
        if np.count_nonzero(part) == 1:  # it is all of its source, so the corpus counts
            whole, name = int(weight.sum()), "the corpus"
        if 2 * (most := int(part.max())) > whole:
            (longest,) = _named(sketched, deduplicated, np.array([part.argmax()]))
            said.append(
                f"one document, {printable(longest.id)}, holds {most / whole:.0%} of the "
                f"{whole:,} tokens of {name}"
            )
    return said


def _facts(
    sketched: Sketched, deduplicated: Deduplicated, rows: NDArray[np.bool_], limits: LengthLimits
) -> LongDocuments | None:
    documents = np.flatnonzero(rows)
    if len(documents) == 0:
        return None
    hi, lo = (half[documents] for half in sketched.fingerprints)
    lengths = sketched.tokens[documents]
    longest = documents[np.lexsort((lo, hi, -lengths))[:_NAMED]]
    return LongDocuments(
        documents=len(documents),
        tokens=int(lengths.sum()),
        limits=limits,
        longest=_named(sketched, deduplicated, longest),
    )


def _named(
    sketched: Sketched, deduplicated: Deduplicated, documents: NDArray[np.int64]
) -> Sequence[LongDocument]:
    """Name documents, in their order."""
    sketches, sources = sketched.sketches, sketched.context.config.sources
    (repeated,) = load_aligned(deduplicated.folder, sketches, ["repeated_id"])
    ascending = np.sort(documents)
    ids = ids_of(sketches, sources, ascending, repeated).to_pylist()
    names = dict(zip(ascending.tolist(), ids, strict=True))
    units = np.searchsorted(sketches.offsets, documents, side="right") - 1
    return [
        LongDocument(
            id=names[document],
            source=sources[sketches.units[unit].source].name,
            tokens=int(sketched.tokens[document]),
        )
        for document, unit in zip(documents.tolist(), units.tolist(), strict=True)
    ]


def _many(facts: LongDocuments) -> str:
    return "1 document is" if facts.documents == 1 else f"{facts.documents:,} documents are"
