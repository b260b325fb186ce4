"""Count what a job has read, kept and selected: one pipeline of sums and exchanges.

Checks of the budget, the stages after it and the report read the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.offered import document_lanes, offered_lanes
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.schemas.sources import Role
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.measuring.answer_classes import BY_ENCODER, BY_TABLE
from outcross.transforms.measuring.distinct import CountDistinct, total_distinct
from outcross.transforms.measuring.prompts import DrawnAnswers, PromptCounts
from outcross.transforms.measuring.selected import SelectedSums
from outcross.transforms.measuring.totals import Totals
from outcross.transforms.measuring.written_ngrams import CountWritten
from outcross.transforms.selection.gap import SAMPLE_TOKENS

_PARTITIONS = 4  # at least; more for many documents
_DOCUMENTS = 1 << 21  # documents of a partition

Corpus = Selected | Kept | Audited


@dataclass(frozen=True)
class Counted:
    """Results of `count`.

    Attributes:
        corpus: documents that were counted.
        artifact: artifact of the stage.
        totals: sums over all documents.
        distinct: int64[2, S], different texts and different answers of each source.
    """

    corpus: Corpus
    artifact: Artifact
    totals: Totals
    distinct: NDArray[np.int64]

    @property
    def prompts(self) -> str:
        """Folder of the drawn prompts of each source."""
        return self.artifact.path("prompts")

    @property
    def comparisons(self) -> str:
        """Folder of the comparison of each source's answers."""
        return self.artifact.path("comparisons")

    @property
    def ngrams(self) -> str:
        """Folder of the n-grams of a sample of a run's written documents."""
        return self.artifact.path("ngrams")

    @cached_property
    def named(self) -> bool:
        """True if a document names a domain."""
        return _named(self.corpus)

    @property
    def longest(self) -> int:
        """Tokens of the longest document that is selected."""
        return int(self.totals.sources.longest.max(initial=0))

    @property
    def copies(self) -> int:
        """Most copies of a document."""
        return int(self.totals.sources.copies.max(initial=0))

    @property
    def rows(self) -> int:
        """Rows of data/, where a document with a weight is one."""
        sums, weighted = self.totals.sources, self.corpus.config.copies == "weights"
        return int((sums.selected_pieces if weighted else sums.rows).sum())

    @property
    def by_cluster(self) -> NDArray[np.int64]:
        """Array int64[C]: copies of the selected documents, by cluster."""
        nothing = np.zeros(len(self.totals.examples.key), np.int64)
        return sum((cells.rows.sum(axis=0) for cells in self.totals.cells.values()), nothing)

    def tokens(self, *roles: Role) -> int:
        """Return the selected tokens of the sources with these roles, copies included."""
        sources = self.corpus.config.sources
        chosen = np.array([source.role in roles for source in sources], bool)
        return int(self.totals.sources.tokens[chosen].sum())


class Counting:
    """Work of the stage, which shares a pipeline with the stage that chooses the documents.

    Args:
        corpus: documents that a run or `dedup` selects, or that an audit measures.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus, config = corpus, corpus.config
        self.done = artifact(config.out, "count", before=corpus.artifact.key, seed=config.seed)
        self.clustered = None if isinstance(corpus, Kept) else corpus.clustered
        self.clusters = 0 if self.clustered is None else self.clustered.reference.codebook.size

    def wire(self, lanes: Any, spill: str | None, after: Any = None) -> None:
        """Apply the sums and exchanges to lanes of units.

        Args:
            lanes: lanes of all units, of documents and of passages.
            spill: folder for rows on their way; None to shuffle them.
            after: collection that is complete when the documents are chosen.
        """
        corpus, sketched, done = self.corpus, self.corpus.sketched, self.done
        sources, sketches, seed = corpus.config.sources, sketched.sketches, corpus.config.seed
        total = SelectedSums(
            roles=[source.role for source in sources],
            offsets=sketches.offsets,
            sketches=sketches.folder,
            verdicts=corpus.deduplicated.folder,
            selection=corpus.folder,
            assignments=None if self.clustered is None else self.clustered.folder,
            uses=corpus.ranking.folder if isinstance(corpus, Selected) else None,
            clusters=self.clusters,
            named=_named(corpus),
        )
        offered = offered_lanes(lanes, sketches, "OfferedToTotals")
        offered | "Totals" >> SumUnits(total, done.subfolder("sums"), after)
        if isinstance(corpus, Selected) and corpus.clustered.reference.human:
            share = min(SAMPLE_TOKENS / corpus.planned.plan.reached.tokens, 1.0)
            written = CountWritten(sketches.folder, corpus.folder, share, seed)
            offered | "Ngrams" >> SumUnits(written, done.subfolder("ngrams"), after)
        partitions = max(_PARTITIONS, len(sketches) // _DOCUMENTS)
        distinct = done.subfolder("distinct")
        texts = CountDistinct(sketches.folder, len(sources), partitions, distinct)
        documents = document_lanes(lanes, sketches)
        documents | "SendTexts" >> Send(texts, spill) | "CollectTexts" >> Collect(texts)
        asking = [source.prompt_field is not None for source in sources]
        prompts, comparisons = done.subfolder("prompts"), done.subfolder("comparisons")
        if any(asking):
            asked = PromptCounts(sketches.folder, asking, seed, partitions, prompts)
            by_source = documents | "SendPrompts" >> Send(asked, spill)
            by_source |= "RegroupPrompts" >> Regroup(asked, spill)
            collected = by_source | "CollectPrompts" >> Collect(asked)
            if sketched.embedded:
                rule = BY_ENCODER if corpus.config.encodes else BY_TABLE
                drawn = DrawnAnswers(
                    sketches.folder, sketches.offsets, prompts, rule, seed, comparisons
                )
                answers = documents | "SendAnswers" >> Send(drawn, spill, after=collected)
                answers | "CollectAnswers" >> Collect(drawn)

    def result(self) -> Counted:
        """Return the counts."""
        sources = len(self.corpus.config.sources)
        totals = Totals.load(self.done.path("sums"), sources, self.clusters)
        distinct = total_distinct(self.done.path("distinct"), sources)
        return Counted(self.corpus, self.done, totals, distinct)


def count(audited: Audited) -> Counted:
    """Count the documents of an audit.

    Args:
        audited: documents that the audit has marked.
    """
    counting = Counting(audited)
    if not counting.done.finished:
        with audited.context.spill() as spill:
            audited.context.over_units(
                audited.sketched.sketches.units, lambda lanes: counting.wire(lanes, spill)
            )
        counting.done.finish()
    return counting.result()


def _named(corpus: Corpus) -> bool:
    return any(report.named.get("domain", 0) for report in corpus.sketched.sketches.reports)
