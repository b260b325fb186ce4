"""Gaps of a reference are text that it lacks, and never chance between samples of one text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, ClusterCounts
from outcross.transforms.reference.codebook import Codebook, default_clusters, fit_codebook
from outcross.transforms.reference.gaps import ONE_IN, RATIO, find_gaps, is_excess
from outcross.transforms.reference.thresholds import Thresholds, set_thresholds
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.surface import Bands
from tests.support.references import TOPICS, Documents, Population

EVERY = np.arange(TOPICS)
counts = st.integers(0, 10**9)


@given(st.integers(0, 300), st.integers(0, 300), counts, counts, st.integers(1, 4096))
def test_an_excess_is_beyond_the_exact_chance(
    human: int, reference: int, humans: int, references: int, cells: int
) -> None:
    humans, references = humans + human, references + reference
    if is_excess(human, humans, reference, references, cells):
        assert human * references > reference * humans
        chance = binom.sf(human - 1, human + reference, humans / (humans + references))
        assert chance <= 1.0001 / (ONE_IN * cells)


@given(counts, counts, counts, counts)
def test_equal_shares_and_empty_cells_are_no_excess(
    human: int, reference: int, humans: int, times: int
) -> None:
    assert not is_excess(0, humans, reference, reference + humans, 9)
    assert not is_excess(human, human + humans, human * times, (human + humans) * times, 9)
    assert not is_excess(human, human + humans, 0, 0, 9)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 4096))
def test_a_cell_that_the_reference_lacks_is_an_excess_from_some_documents_on(
    humans: int, references: int, cells: int
) -> None:
    least = math.log(ONE_IN * cells) / math.log1p(references / humans)
    for human in {math.floor(least * 0.999999), math.ceil(least * 1.000001)} - {0}:
        if human <= humans:
            assert is_excess(human, humans, 0, references, cells) == (human > least)


Fitted = tuple[Codebook, Thresholds, ClusterCounts, int]


def fitted(documents: Documents, seed: int) -> Fitted:
    """Fit a codebook and thresholds as a reference does; half the documents fit the centroids."""
    x, n = fixed_matrix(documents.sketch["embedding"], np.int8), len(documents)
    codebook = fit_codebook(x[: n // 2], default_clusters(n), seed)
    _, dot, density = codebook.assign(x[n // 2 : 3 * n // 4])
    return codebook, set_thresholds(dot, density, Bands()), counted(codebook, documents), n


def counted(codebook: Codebook, documents: Documents) -> ClusterCounts:
    total = ClusterCounts.empty(codebook.size, 1)
    cluster, _, _ = codebook.assign(fixed_matrix(documents.sketch["embedding"], np.int8))
    nothing = np.zeros(len(cluster), np.int8)
    total.add(cluster, documents.sketch["tokens"].to_numpy(), nothing, nothing.astype(np.int32))
    return total


def measured(
    reference: Documents, sources: Sequence[Documents], fit: Fitted
) -> tuple[NDArray[np.int64], ClusterCounts, ClusterCounts]:
    """Return the arguments of `find_gaps`."""
    codebook, thresholds, total, n = fit

    def classes(documents: Documents) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        x = fixed_matrix(documents.sketch["embedding"], np.int8)
        surface = fixed_matrix(documents.sketch["surface"], np.uint32)
        cluster, dot, density = codebook.assign(x)
        off_support = thresholds.classify(dot, density, surface) == OFF_SUPPORT
        return cluster, off_support.astype(np.int64)

    sums = np.zeros((len(sources), 2, 2, codebook.size), np.int64)
    for source, human in zip(sums, sources, strict=True):
        if len(human):
            cluster, off_support = classes(human)
            np.add.at(source[:, 0], (off_support, cluster), 1)
            np.add.at(source[:, 1], (off_support, cluster), human.sketch["tokens"].to_numpy())
    held_out = reference.take(np.arange(3 * n // 4, n))
    cluster, off_support = classes(held_out)
    part = ClusterCounts.empty(codebook.size, 1)
    document_class = np.where(off_support == 1, OFF_SUPPORT, 0).astype(np.int8)
    tokens = held_out.sketch["tokens"].to_numpy()
    part.add(cluster, tokens, document_class, np.zeros(len(cluster), np.int32))
    return sums, total, part


def split(documents: Documents, kind: str, seed: int) -> list[Documents]:
    """Split documents into sources: one, several by chance, one for each document, or by topic."""
    n = len(documents)
    source = {
        "one": np.zeros(n, np.int64),
        "chance": np.random.default_rng(seed).geometric(0.4, n),
        "each": np.arange(n),
        "topic": documents.cells["cluster"],
    }[kind]
    return [documents.take(np.flatnonzero(source == value)) for value in np.unique(source)]


@pytest.mark.parametrize("size", [60, 300, 2000])
@pytest.mark.parametrize("bought", [20, 300, 2000])
def test_a_reference_drawn_from_the_same_text_has_no_gaps(size: int, bought: int) -> None:
    population = Population()
    for seed in range(12):
        drawn = population.draw(size + bought, seed)
        reference = drawn.take(np.arange(size))
        human = drawn.take(np.arange(size, size + bought))
        fit = fitted(reference, seed)
        for kind in ("one", "chance", "topic"):
            gaps = find_gaps(*measured(reference, split(human, kind, seed), fit))
            assert gaps.tokens.sum() == 0, (seed, kind)


def test_no_split_into_sources_makes_a_gap_of_chance() -> None:
    drawn = Population().draw(2300, 3)
    reference, human = drawn.take(np.arange(2000)), drawn.take(np.arange(2000, 2300))
    gaps = find_gaps(*measured(reference, split(human, "each", 3), fitted(reference, 3)))
    assert gaps.tokens.sum() == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_topic_that_the_reference_lacks_is_a_gap(seed: int) -> None:
    population = Population()
    lacking = np.array([0, seed + 1])
    reference = population.draw(2000, seed, np.setdiff1d(EVERY, lacking))
    others = population.draw(1700, seed + 100, np.setdiff1d(EVERY, lacking))
    unknown = population.draw(300, seed + 200, lacking)
    sketch = pa.concat_tables([others.sketch, unknown.sketch]).combine_chunks()
    human = Documents(sketch, {})
    fit = fitted(reference, seed)
    gaps = find_gaps(*measured(reference, [human], fit))
    tokens = int(unknown.sketch["tokens"].to_numpy().sum())
    assert gaps.lacking == [0]
    assert gaps.tokens.sum() < 1.2 * tokens
    assert gaps.totals.tolist() == [human.sketch["tokens"].to_numpy().sum()]
    by_cluster = gaps.tokens[0]
    ranked = sorted(np.flatnonzero(by_cluster).tolist(), key=lambda c: (-by_cluster[c], c))
    assert gaps.clusters == ranked
    without = find_gaps(*measured(reference, [others], fit))
    assert without.tokens.sum() == 0


@pytest.mark.parametrize("size", [300, 1500, 6000])
@pytest.mark.parametrize("seed", range(3))
def test_text_that_the_reference_has_hides_no_text_that_it_lacks(size: int, seed: int) -> None:
    population = Population()
    lacking = np.array([0, seed + 1])
    known = np.setdiff1d(EVERY, lacking)
    reference = population.draw(2000, seed, known)
    sources = [
        *split(population.draw(size, seed + 100, known), "chance", seed),
        population.draw(300, seed + 200, lacking),
    ]
    gaps = find_gaps(*measured(reference, sources, fitted(reference, seed)))
    assert gaps.lacking == [len(sources) - 1]
    assert 2 * gaps.tokens[-1].sum() > gaps.totals[-1]


def one_cell(
    documents: Sequence[int], totals: Sequence[int], reference: int, references: int
) -> list[bool]:
    """Return for each source whether a cluster with these documents is a gap."""
    human = np.zeros((len(totals), 2, 2, 2), np.int64)
    human[:, 0, 0, 0] = documents
    human[:, 0, 0, 1] = np.array(totals) - documents
    human[:, 0, 1] = human[:, 0, 0]
    counts = ClusterCounts.empty(2, 1)
    counts.documents[:] = reference, references - reference
    counts.classes[HEAD] = references
    tokens = find_gaps(human, counts, counts).tokens
    return [bool(of_source) for of_source in tokens[:, 0]]


def test_a_kind_of_text_in_a_source_of_its_own_is_no_gap() -> None:
    # Each time a source has only text of the cluster, ten times the reference's share.
    assert one_cell([0, 1000], [9000, 1000], 1000, 10_000) == [False, False]
    assert one_cell([0, 1000, 1000], [8000, 1000, 1000], 1000, 10_000) == [False, False, False]
    assert one_cell([0, 5000], [5000, 5000], 1000, 10_000) == [False, True]
    # The others have as much of it as the reference, so nothing there is like this source.
    assert one_cell([900, 1000], [9000, 1000], 1000, 10_000) == [False, True]


def test_more_text_of_a_kind_that_the_reference_has_is_no_gap() -> None:
    assert one_cell([200, 200], [1000, 1000], 1000, 10_000) == [False, False]
    assert one_cell([390, 390], [1000, 1000], 1000, 10_000) == [False, False]
    assert one_cell([410, 410], [1000, 1000], 1000, 10_000) == [True, True]


sources_in_a_cell = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 3000)), min_size=1, max_size=4
)


@given(sources_in_a_cell, st.integers(0, 60), st.integers(0, 3000))
def test_the_sources_gaps_are_within_an_excess_of_all_human_text(
    sources: list[tuple[int, int]], reference: int, others: int
) -> None:
    documents, _ = zip(*sources, strict=True)
    totals = [n + m for n, m in sources]
    references = reference + others
    human, humans = sum(documents), sum(totals)
    gaps = one_cell(documents, totals, reference, references)
    excess = is_excess(human, humans, reference, references, 3)
    pooled = excess and human * references > RATIO * reference * humans
    assert any(gaps) >= pooled
    assert any(gaps) <= excess
    for n, total, gap in zip(documents, totals, gaps, strict=True):
        assert not gap or n * references > RATIO * reference * total
    if len(sources) == 1:
        assert gaps == [pooled]


@pytest.mark.parametrize(("few", "lacking"), [(50, []), (51, [1])])
def test_a_source_with_more_than_a_twentieth_of_its_tokens_in_gaps_is_lacking(
    few: int, lacking: list[int]
) -> None:
    human = np.zeros((2, 2, 2, 2), np.int64)
    human[:, 0, 0] = [[1000, 0], [900, 100]]
    human[:, 0, 1] = [[3000, 0], [1000 - few, few]]
    reference = ClusterCounts.empty(2, 1)
    reference.documents[:] = 2000, 1
    gaps = find_gaps(human, reference, reference)
    assert gaps.tokens.tolist() == [[0, 0], [0, few]]
    assert gaps.lacking == lacking
    assert gaps.clusters == lacking
    assert find_gaps(human[:0], reference, reference).lacking == []
