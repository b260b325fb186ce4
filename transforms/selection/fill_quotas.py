"""Transform that fills the quotas of a plan, as one graph on all workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.utils.shared import Shared

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.exchange import Collect, Send
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.step import Step
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.selection.candidates import Layout
from outcross.transforms.selection.copies import WriteCopies
from outcross.transforms.selection.cut_cells import CutCells, FindWindows, SendCandidates
from outcross.transforms.selection.rounds import CountMix, ScoreRemaining
from outcross.transforms.selection.sources import HashKeys, KeySource, RandomKeys, ScoreKeys


@dataclass
class FillQuotas(beam.PTransform):
    """Fill the quotas of a plan: human ones by hash, synthetic ones by rounds of scores.

    Elements in: lanes of all units; elements out: indexes of the units.
    Each step waits for the step before it, and finds its result in the files of the layout.

    Args:
        layout: files of the selection, with the quotas written.
        synthetic: numbers of the synthetic sources.
        rounds: rounds of synthetic candidates by score; 0 to choose them by hash.
        wanted: True if synthetic documents are wanted.
        spill: folder that all workers share, for tables on their way; None to shuffle them.
    """

    layout: Layout
    synthetic: frozenset[int]
    rounds: int
    wanted: bool
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Apply all steps."""
        layout = self.layout
        last = self._fill(lanes, HashKeys(layout), None)
        steps, rounds = 1, self.rounds if self.wanted else 0
        if self.wanted:
            steps += max(rounds, 1)
            candidates = lanes | "Synthetic" >> beam.ParDo(_OfSources(self.synthetic))
        if self.wanted and not rounds:
            last = self._fill(candidates, RandomKeys(layout), last)
        reference = Shared()
        for name in ("candidates", "offsets", "ids") if rounds else ():
            files.make_folder(layout.folder(name, 0))
        for number in range(1, rounds + 1):
            for name in ("state", "figures"):
                files.make_folder(layout.folder(name, number))
            mix = CountMix(layout, number, rounds, reference)
            last = self._sum(lanes if number == 1 else candidates, mix, "ngrams", number, last)
            score = ScoreRemaining(layout, number, reference)
            last = self._sum(candidates, score, "moments", number, last)
            last = self._fill(candidates, ScoreKeys(layout, number, rounds), last)
        return lanes | "WriteCopies" >> PerUnit(WriteCopies(layout, rounds, steps), last)

    def _sum(self, lanes: Any, work: Any, name: str, step: int, after: Any) -> Any:
        """Sum up the units of lanes; `after` is the step before."""
        folder = self.layout.folder(name, step)
        files.make_folder(folder)
        return lanes | f"{type(work).__name__}{step}" >> SumUnits(work, folder, after)

    def _fill(self, lanes: Any, keys: KeySource, after: Any) -> Any:
        """Cut the cells for the candidates of lanes; `after` is the step before."""
        step = keys.step
        if self.layout.bits:
            after = self._sum(lanes, FindWindows(keys), "windows", step, after)
        spill = self.spill
        if spill is not None:
            spill = files.join(spill, f"sent-{step}")
            files.make_folder(spill)
        return (
            lanes
            | f"Send{step}" >> Send(SendCandidates(keys), spill, after)
            | f"Cut{step}" >> Collect(CutCells(keys))
        )


class _OfSources(Step):
    def __init__(self, sources: frozenset[int]) -> None:
        self.sources = sources

    def process(self, lane: Sequence[Unit]) -> Iterator[list[Unit]]:
        yield [unit for unit in lane if unit.source in self.sources]
