"""Count what a job has read, kept and selected: one pipeline of sums and exchanges.

Checks of the budget, the stages after it and the report read the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.select import Kept, Selected
from outcross.schemas.sources import WRITABLE, Role
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.measuring.distinct import CountDistinct, total_distinct
from outcross.transforms.measuring.prompts import DrawnAnswers, PromptCounts
from outcross.transforms.measuring.selected import SelectedSums
from outcross.transforms.measuring.totals import Totals

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
        return int((sums.selected if weighted else sums.rows).sum())

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


def count(corpus: Corpus) -> Counted:
    """Count the documents of a job.

    Args:
        corpus: documents that a run or `dedup` has selected, or that an audit measures.
    """
    sketched, config = corpus.sketched, corpus.config
    sources, clustered = config.sources, clusters_of(corpus)
    before = corpus.clustered.artifact if isinstance(corpus, Audited) else corpus.artifact
    done = artifact(config.out, "count", before=before.key, seed=config.seed)
    clusters = 0 if clustered is None else clustered.reference.codebook.size
    sums, distinct = done.subfolder("sums"), done.subfolder("distinct")
    prompts, comparisons = done.subfolder("prompts"), done.subfolder("comparisons")
    if not done.finished:
        sketches = sketched.sketches
        total = SelectedSums(
            roles=[source.role for source in sources],
            offsets=sketches.offsets,
            sketches=sketches.folder,
            verdicts=corpus.deduplicated.folder,
            selection=corpus.folder,
            assignments=None if clustered is None else clustered.folder,
            uses=corpus.ranking.folder if isinstance(corpus, Selected) else None,
            clusters=clusters,
            named=_named(corpus),
        )
        partitions = max(_PARTITIONS, len(sketches) // _DOCUMENTS)
        texts = CountDistinct(sketches.folder, len(sources), partitions, distinct)
        asking = [source.prompt_field is not None for source in sources]
        asked = PromptCounts(sketches.folder, asking, config.seed, partitions, prompts)
        drawn = DrawnAnswers(sketches.folder, sketches.offsets, prompts, config.seed, comparisons)
        with corpus.context.spill() as spill:

            def wire(lanes: object) -> None:
                lanes | SumUnits(total, sums)
                lanes | "SendTexts" >> Send(texts, spill) | "CollectTexts" >> Collect(texts)
                if any(asking):
                    by_source = lanes | "SendPrompts" >> Send(asked, spill)
                    by_source |= Regroup(asked, spill)
                    written = by_source | "CollectPrompts" >> Collect(asked)
                    if sketched.embedded:
                        answers = lanes | "SendAnswers" >> Send(drawn, spill, after=written)
                        answers | "CollectAnswers" >> Collect(drawn)

            corpus.context.over_units(sketched.units(*WRITABLE, "exclude", "reference"), wire)
        done.finish()
    return Counted(
        corpus,
        done,
        Totals.load(sums, len(sources), clusters),
        total_distinct(distinct, len(sources)),
    )


def clusters_of(corpus: Corpus) -> Clustered | None:
    """Return the clusters of a corpus; None where nothing was clustered."""
    return None if isinstance(corpus, Kept) else corpus.clustered


def _named(corpus: Corpus) -> bool:
    return any(report.named.get("domain", 0) for report in corpus.sketched.sketches.reports)
