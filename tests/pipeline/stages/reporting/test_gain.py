"""The gain of a run is the fall of the gap, from a blind mix to the text that is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.planning.gap import planned_gap
from outcross.pipeline.stages.reporting.gain import measure_gain
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.write import Written
from outcross.schemas.gap import Gap
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.gap import Counts, measure_gap
from outcross.transforms.selection.uses import GENERATED, HUMAN
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams
from tests.pipeline.stages.chain import changed
from tests.support import columns

Run = Measured[Written[Selected]]


def gap_of(run: Run, copies: NDArray[np.int32]) -> Gap:
    """Return the gap of the run's documents with these copies."""
    tables, sketches = Tables.empty(DISTANCE_BUCKETS), run.sketched.sketches
    for unit, rows in columns.by_unit(sketches, copies):
        path = unit_file(sketches.folder, unit.index, "parquet")
        runs = ngram_runs(files.read_table(path, NGRAM_COLUMNS))
        count_ngrams(*runs, rows, tables.unigrams, tables.bigrams)
    mix = Counts(tables.unigrams, tables.bigrams)
    return measure_gap(run.clustered.reference.ngrams, mix)


def uses(run: Run) -> NDArray[np.int8]:
    ranking = run.corpus.selected.ranking
    return columns.load_columns(ranking.folder, run.sketched.sketches, ["use"])[0]


def test_the_gap_after_is_that_of_all_copies(measured: Run) -> None:
    selected = measured.corpus.selected
    gain = measure_gain(selected, measured.counted)
    assert gain is not None
    assert gain.after == gap_of(measured, columns.copies(selected))
    assert selected.planned.plan.gap is not None
    assert gain.before == selected.planned.plan.gap.blind
    assert gain.human == selected.planned.plan.gap.human


def test_nothing_is_gained_where_all_is_taken(measured: Run) -> None:
    selected, use = measured.corpus.selected, uses(measured)
    tokens = columns.Corpus(measured.sketched).tokens
    human, synthetic = (float(tokens[np.isin(use, of)].sum()) for of in (HUMAN, GENERATED))
    reached = selected.planned.plan.reached.model_copy(
        update={
            "tokens": human + synthetic,
            "human_tokens": human,
            "synthetic_tokens": synthetic,
            "ledger_tokens": 0.0,
        }
    )
    gap = planned_gap(selected.ranking, reached)
    assert gap is not None
    assert gap.blind == gap_of(measured, np.isin(use, [*HUMAN, *GENERATED]).astype(np.int32))


def test_half_of_the_human_text_is_further_from_it_than_all(measured: Run) -> None:
    ranking = measured.corpus.selected.ranking
    reached = measured.corpus.selected.planned.plan.reached
    tokens = columns.Corpus(measured.sketched).tokens[np.isin(uses(measured), HUMAN)].sum()
    gaps = [
        planned_gap(ranking, reached.model_copy(update={"tokens": share * float(tokens)}))
        for share in (1.0, 0.5, 1.01)
    ]
    every, half, lacking = (gap.human for gap in gaps if gap is not None)
    assert every is not None
    assert half is not None
    assert every.words < half.words
    assert every.pairs < half.pairs
    assert lacking is None


def test_a_plan_without_a_gap_gives_no_gain(measured: Run) -> None:
    selected = measured.corpus.selected
    plan = selected.planned.plan.model_copy(update={"gap": None})
    without = changed(selected, Planned, plan=plan)
    assert measure_gain(without, measured.counted) is None


def test_without_a_human_reference_there_is_no_gap(measured: Run) -> None:
    ranking = measured.corpus.selected.ranking
    reference = replace(ranking.clustered.reference, human=False)
    without = replace(ranking, clustered=replace(ranking.clustered, reference=reference))
    assert planned_gap(without, measured.corpus.selected.planned.plan.reached) is None
