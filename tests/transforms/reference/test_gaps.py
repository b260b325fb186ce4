"""Gaps of a reference are text that it lacks, and never chance between samples of one text."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from outcross.transforms.estimators.richness import OFF_SUPPORT, ClusterCounts
from outcross.transforms.reference.codebook import Codebook, default_clusters, fit_codebook
from outcross.transforms.reference.gaps import ONE_IN, find_gaps, is_excess
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


def fitted(documents: Documents, seed: int) -> tuple[Codebook, Thresholds, ClusterCounts, int]:
    """Fit a codebook and thresholds as a reference does; half the documents fit the centroids."""
    x, n = fixed_matrix(documents.sketch["embedding"], np.int8), len(documents)
    codebook = fit_codebook(x[: n // 2], default_clusters(n), seed, np.arange(x.shape[1]))
    _, dot, density = codebook.assign(x[n // 2 : 3 * n // 4])
    return codebook, set_thresholds(dot, density, Bands()), counted(codebook, documents), n


def counted(codebook: Codebook, documents: Documents) -> ClusterCounts:
    total = ClusterCounts.empty(codebook.size, 1)
    cluster, _, _ = codebook.assign(fixed_matrix(documents.sketch["embedding"], np.int8))
    nothing = np.zeros(len(cluster), np.int8)
    total.add(cluster, documents.sketch["tokens"].to_numpy(), nothing, nothing.astype(np.int32))
    return total


def measured(
    reference: Documents, human: Documents, seed: int
) -> tuple[NDArray[np.int64], ClusterCounts, ClusterCounts]:
    """Return the arguments of `find_gaps`."""
    codebook, thresholds, total, n = fitted(reference, seed)

    def classes(documents: Documents) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        x = fixed_matrix(documents.sketch["embedding"], np.int8)
        surface = fixed_matrix(documents.sketch["surface"], np.uint32)
        cluster, dot, density = codebook.assign(x)
        off_support = thresholds.classify(dot, density, surface) == OFF_SUPPORT
        return cluster, off_support.astype(np.int64)

    sums = np.zeros((2, 2, codebook.size), np.int64)
    cluster, off_support = classes(human)
    np.add.at(sums[:, 0], (off_support, cluster), 1)
    np.add.at(sums[:, 1], (off_support, cluster), human.sketch["tokens"].to_numpy())
    held_out = reference.take(np.arange(3 * n // 4, n))
    cluster, off_support = classes(held_out)
    part = ClusterCounts.empty(codebook.size, 1)
    document_class = np.where(off_support == 1, OFF_SUPPORT, 0).astype(np.int8)
    tokens = held_out.sketch["tokens"].to_numpy()
    part.add(cluster, tokens, document_class, np.zeros(len(cluster), np.int32))
    return sums, total, part


@pytest.mark.parametrize("size", [60, 300, 2000])
@pytest.mark.parametrize("bought", [20, 300, 2000])
def test_a_reference_drawn_from_the_same_text_has_no_gaps(size: int, bought: int) -> None:
    population = Population()
    for seed in range(12):
        drawn = population.draw(size + bought, seed)
        reference = drawn.take(np.arange(size))
        human = drawn.take(np.arange(size, size + bought))
        assert find_gaps(*measured(reference, human, seed)).tokens == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_topic_that_the_reference_lacks_is_a_gap(seed: int) -> None:
    population = Population()
    lacking = np.array([0, seed + 1])
    reference = population.draw(2000, seed, np.setdiff1d(EVERY, lacking))
    others = population.draw(1700, seed + 100, np.setdiff1d(EVERY, lacking))
    unknown = population.draw(300, seed + 200, lacking)
    sketch = pa.concat_tables([others.sketch, unknown.sketch]).combine_chunks()
    human = Documents(sketch, {})
    gaps = find_gaps(*measured(reference, human, seed))
    tokens = int(unknown.sketch["tokens"].to_numpy().sum())
    assert gaps.incomplete
    assert gaps.tokens < 1.2 * tokens
    assert gaps.total == int(human.sketch["tokens"].to_numpy().sum())
    held = gaps.off_support + gaps.swollen
    assert gaps.clusters == sorted(np.flatnonzero(held).tolist(), key=lambda c: (-held[c], c))
    without = find_gaps(*measured(reference, others, seed))
    assert without.tokens == 0


@pytest.mark.parametrize(("few", "incomplete"), [(50, False), (51, True)])
def test_only_more_than_a_twentieth_of_the_tokens_is_incomplete(few: int, incomplete: bool) -> None:
    human = np.zeros((2, 2, 2), np.int64)
    human[0, 0], human[0, 1] = [900, 100], [1000 - few, few]
    reference = ClusterCounts.empty(2, 1)
    reference.documents[:] = 2000, 1
    gaps = find_gaps(human, reference, reference)
    assert (gaps.tokens, gaps.incomplete, gaps.clusters) == (few, incomplete, [1])
