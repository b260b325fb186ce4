"""The transform that decides which documents repeat others, from sketches to verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from outcross.transforms.base import files
from outcross.transforms.dedup.bands import partition_bits
from outcross.transforms.dedup.bins import DecideBins, FillBins, PackBins
from outcross.transforms.dedup.boilerplate import (
    BoilerplateFiles,
    CountBoilerplate,
    SumBoilerplate,
)
from outcross.transforms.dedup.candidates import ConnectCandidates, SendCandidates
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.dedup.cosines import CELLS
from outcross.transforms.dedup.decide import Settings
from outcross.transforms.dedup.evaluation_items import (
    Containment,
    ContainmentFiles,
    IndexItems,
    SendItems,
    is_evaluation,
)
from outcross.transforms.dedup.exact_groups import FindRepeats, SaveRepeats, SendTexts
from outcross.transforms.dedup.paraphrases import (
    DOCUMENTS_A_PIVOT,
    Embedded,
    FindParaphrases,
    ParaphraseFiles,
    SaveParaphrases,
    SavePivots,
    SendPivots,
    SendVectors,
)
from outcross.transforms.dedup.removal_sums import SumRemovals
from outcross.transforms.dedup.verdict_files import SaveVerdicts
from outcross.transforms.exchange.exchange import Collect, Regroup, Send

BIN_LIMIT = 1 << 28
"""Largest weight of a bin: words of 4 bytes, and 64 more for each document."""


@dataclass
class DeduplicateDocuments(beam.PTransform):
    """Decide which documents repeat others; write row-aligned verdicts, removals and sums.

    Elements in: lanes of the corpus's units; elements out: keys of the sums.

    Args:
        corpus: documents of all units.
        settings: settings of the rules by similarity.
        bands, rows: numbers of bands, and of signature values in a band.
        containment: least share of an evaluation text's n-grams, and words in an n-gram; None to
            search for no evaluation texts.
        folder: folder of the files: `repeats`, `containment`, `boilerplate`, `verdicts`,
            `removals` and `sums`, and `semantic/pairs` where embeddings are compared. They exist
            already.
        reasons: reasons for a removal, by stage.
        seed: seed of the run.
        workers: number of bins to make at least, where there is enough work.
        limit: largest weight of a bin.
        bits: bits that choose a partition; None for as many as the corpus needs.
        spill: folder that all workers share, for rows on their way; None to shuffle them.
        pivots: number of documents for each cell of embeddings.
    """

    corpus: Corpus
    settings: Settings
    bands: int
    rows: int
    containment: tuple[float, int] | None
    folder: str
    reasons: Mapping[int, str]
    seed: int
    workers: int = 1
    limit: int = BIN_LIMIT
    bits: int | None = None
    spill: str | None = None
    pivots: int = DOCUMENTS_A_PIVOT

    def expand(self, lanes: Any) -> Any:
        """Wire the exchanges."""
        corpus, spill = self.corpus, self.spill
        total = int(corpus.offsets[-1])
        bits = self.bits or partition_bits(total)
        band_bits = self.bits or partition_bits(total * self.bands)
        repeats = files.join(self.folder, "repeats")
        renamed = files.join(self.folder, "renamed.npy")
        ready = (
            lanes
            | "SendTexts" >> Send(SendTexts(corpus, bits), spill)
            | "FindRepeats" >> Regroup(FindRepeats(corpus, bits), spill)
            | "SaveRepeats" >> Collect(SaveRepeats(corpus, repeats), lanes)
        )
        search = None
        if self.containment and any(is_evaluation(corpus, u) for u in range(corpus.current)):
            least, ngram = self.containment
            search = ContainmentFiles(files.join(self.folder, "containment"), ngram, least)
            ready = (
                lanes
                | "SendItems" >> Send(SendItems(corpus, repeats), spill, ready)
                | "IndexItems" >> Collect(IndexItems(corpus, search))
            )
        containment = Containment(corpus, search)
        paraphrases = None
        if self.settings.cosine is not None:
            paraphrases = ParaphraseFiles(files.join(self.folder, "semantic"))
            embedded = Embedded(corpus, repeats, containment)
            partitions = 1 << (self.bits or partition_bits(total * CELLS))
            sending = SendVectors(embedded, paraphrases, partitions)
            chosen = (
                lanes
                | "SendPivots" >> Send(SendPivots(embedded, self.seed, self.pivots), spill, ready)
                | "SavePivots" >> Collect(SavePivots(paraphrases))
            )
            ready = (
                lanes
                | "SendVectors" >> Send(sending, spill, chosen)
                | "FindParaphrases" >> Regroup(FindParaphrases(corpus, self.settings.cosine), spill)
                | "SaveParaphrases" >> Collect(SaveParaphrases(paraphrases), lanes)
            )
        candidates = SendCandidates(
            corpus, repeats, containment, self.bands, self.rows, band_bits, paraphrases
        )
        counts = None
        if self.settings.boilerplate is not None:
            folder = files.join(self.folder, "boilerplate")
            counts = BoilerplateFiles(folder, self.settings.boilerplate)
        packed = (
            lanes
            | "SendCandidates" >> Send(candidates, spill, ready)
            | "ConnectCandidates" >> Regroup(ConnectCandidates(corpus, band_bits), spill)
            | "PackBins"
            >> Regroup(PackBins(corpus, self.limit, self.workers, renamed, counts), spill)
        )
        summed = None
        if counts is not None:
            summed = (
                packed
                | "CountBoilerplate"
                >> Regroup(CountBoilerplate(corpus, counts, self.settings.ngram), spill)
                | "SumBoilerplate" >> Collect(SumBoilerplate(counts))
            )
        fill = FillBins(corpus, repeats, renamed, self.settings.exact, paraphrases)
        decide = DecideBins(corpus, self.settings, counts, self.seed)
        save = SaveVerdicts(
            corpus,
            repeats,
            renamed,
            containment,
            files.join(self.folder, "verdicts"),
            files.join(self.folder, "removals"),
            self.reasons,
            self.seed,
            bits,
            paraphrases,
        )
        return (
            packed
            | "FillBins" >> Regroup(fill, spill)
            | "DecideBins" >> Regroup(decide, spill, after=summed)
            | "SaveVerdicts" >> Regroup(save, spill, lanes)
            | "SumRemovals" >> Collect(SumRemovals(corpus, files.join(self.folder, "sums")))
        )
