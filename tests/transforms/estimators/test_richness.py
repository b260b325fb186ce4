"""Estimators against their formulas and known distributions; accumulators that merge exactly."""

import json
import math
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from outcross.schemas.figures import Figures
from outcross.transforms.estimators.richness import (
    OFF_SUPPORT,
    TAIL,
    ClusterCounts,
    chao_shen,
    effective_number,
    jackknife,
    js,
    js_each,
    sample_coverage,
    standard_error,
    tail_coverage,
)

HISTOGRAMS = st.lists(st.integers(0, 30), min_size=1, max_size=40).filter(any)


def plug_in(counts: NDArray[np.int64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


@settings(max_examples=200, deadline=None)
@given(HISTOGRAMS)
def test_the_jackknife_is_that_of_leaving_each_document_out(histogram: list[int]) -> None:
    counts = np.array(histogram)
    n = counts.sum()
    if n < 2:
        assert jackknife(counts) == 0
        return
    without = 0.0
    for c in np.flatnonzero(counts):
        rest = counts.copy()
        rest[c] -= 1
        without += counts[c] / n * plug_in(rest)
    assert jackknife(counts) == pytest.approx(n * plug_in(counts) - (n - 1) * without, abs=1e-8)


@settings(max_examples=200, deadline=None)
@given(HISTOGRAMS)
def test_chao_shen_and_coverage_are_their_formulas(histogram: list[int]) -> None:
    counts = np.array(histogram)
    n, once, twice = int(counts.sum()), (counts == 1).sum(), (counts == 2).sum()
    if once == 0:
        coverage = 1.0
    elif twice:
        coverage = 1 - once / n * ((n - 1) * once / ((n - 1) * once + 2 * twice))
    elif once > 1:
        coverage = 1 - once / n * ((n - 1) * (once - 1) / ((n - 1) * (once - 1) + 2))
    else:
        coverage = 1 - once / n
    assert sample_coverage(counts) == pytest.approx(coverage)
    assert 0 <= sample_coverage(counts) <= 1
    direct = 0.0
    for count in counts:
        p = coverage * count / n
        if p > 0:
            direct -= p * math.log(p) / (1 - (1 - p) ** n)
    assert chao_shen(counts) == pytest.approx(direct, abs=1e-9)
    covered = coverage >= 0.95
    expected = math.exp(jackknife(counts) if covered else chao_shen(counts))
    assert effective_number(counts) == pytest.approx(expected)


def test_coverage_is_the_probability_of_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    p = 1 / np.arange(1, 2001) ** 1.1
    p /= p.sum()
    for n in (200, 1000, 5000):
        samples = rng.multinomial(n, p, 200)
        estimated = np.mean([sample_coverage(sample) for sample in samples])
        assert estimated == pytest.approx(((samples > 0) * p).sum(1).mean(), abs=0.01)


@pytest.mark.parametrize(
    ("shares", "documents", "within"),
    [
        (np.full(64, 1 / 64), 2000, 0.01),  # covered: the jackknife
        (np.full(500, 1 / 500), 700, 0.12),  # three quarters seen: Chao–Shen
        (1 / np.arange(1, 301) ** 1.0, 30_000, 0.01),
        (1 / np.arange(1, 1001) ** 1.1, 1000, 0.06),
    ],
)
def test_the_effective_number_of_a_known_distribution(
    shares: NDArray[np.float64], documents: int, within: float
) -> None:
    p = shares / shares.sum()
    truth = math.exp(-(p * np.log(p)).sum())
    samples = np.random.default_rng(1).multinomial(documents, p, 100)
    estimated = np.mean([effective_number(sample) for sample in samples])
    naive = np.mean([math.exp(plug_in(sample)) for sample in samples])
    assert estimated == pytest.approx(truth, rel=within)
    assert abs(estimated - truth) < abs(naive - truth)


def test_the_smallest_histograms() -> None:
    assert effective_number(np.zeros(5, np.int64)) == 0
    assert effective_number(np.array([0, 1, 0])) == 1
    assert effective_number(np.array([7, 0])) == pytest.approx(1)
    assert effective_number(np.array([10**12, 10**12])) == pytest.approx(2)
    assert sample_coverage(np.zeros(3, np.int64)) == 0
    assert sample_coverage(np.array([1])) == 0


def test_zero_cells_and_their_order_change_nothing() -> None:
    counts = np.array([5, 1, 2, 1, 9, 30])
    wider = np.array([0, 30, 0, 1, 9, 2, 5, 0, 1])
    assert effective_number(wider) == pytest.approx(effective_number(counts), rel=1e-12)


def zipf(cells: int, exponent: float) -> NDArray[np.float64]:
    shares = 1 / np.arange(1, cells + 1) ** exponent
    return np.asarray(shares / shares.sum())


@pytest.mark.parametrize(
    ("shares", "documents"),
    [
        (np.full(100, 0.01), 100),  # Chao–Shen; cells alike, where a jackknife is 40 % too much
        (np.full(1000, 0.001), 1000),
        (zipf(4096, 1), 100),  # two fifths seen
        (zipf(4096, 1), 3000),
        (zipf(1000, 1.1), 1000),
        (0.99 ** np.arange(2000) / 100, 300),
        (zipf(1000, 1.1), 10_000),  # the jackknife
        (np.full(100, 0.01), 3000),
        (0.9 ** np.arange(200) / 10, 1000),
        (np.array([0.5, 0.5]), 500),
        (np.array([0.9, 0.06, 0.04]), 500),
    ],
)
def test_the_standard_error_is_the_standard_deviation_of_the_estimate(
    shares: NDArray[np.float64], documents: int
) -> None:
    samples = np.random.default_rng(3).multinomial(documents, shares / shares.sum(), 500)
    deviation = np.std([math.log(effective_number(sample)) for sample in samples], ddof=1)
    assert np.mean([standard_error(sample) for sample in samples]) == pytest.approx(
        deviation, rel=0.2
    )


@given(HISTOGRAMS)
def test_a_standard_error_is_a_number_and_knows_no_order(histogram: list[int]) -> None:
    counts = np.array(histogram)
    error = standard_error(counts)
    assert math.isfinite(error)
    assert error >= 0
    assert standard_error(np.append(counts[::-1], 0)) == error
    if (counts > 0).sum() == 1:
        assert error == pytest.approx(0, abs=1e-9)


@given(HISTOGRAMS, HISTOGRAMS)
def test_js_is_the_divergence_from_the_mean(one: list[int], other: list[int]) -> None:
    length = max(len(one), len(other))
    p, q = (np.array(h + [0] * (length - len(h))) for h in (one, other))
    assert js(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-12)
    assert js(p, q) == js(q, p)
    assert js(p, 3 * p) == pytest.approx(0, abs=1e-12)
    assert js(np.append(p, 0 * p), np.append(0 * p, p)) == pytest.approx(math.log(2))


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_many_divergences_are_those_one_by_one(cells: int, histograms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (histograms + 1, cells))
    counts[:, 0] += 1
    p, *others = counts
    assert js_each(p, others) == [js(p, q) for q in others]


@given(HISTOGRAMS, st.data())
def test_tail_coverage_is_the_share_of_rare_clusters_that_are_held(
    reference: list[int], data: st.DataObject
) -> None:
    size = len(reference)
    counts = data.draw(st.lists(st.integers(0, 30), min_size=size, max_size=size))
    rare: list[int] = []
    for cell in sorted(range(size), key=lambda cell: reference[cell]):
        if reference[cell] and 10 * sum(reference[c] for c in rare) < sum(reference):
            rare.append(cell)
    covered = [
        Fraction(counts[c], max(sum(counts), 1)) >= Fraction(reference[c], 4 * sum(reference))
        for c in rare
    ]
    expected = sum(covered) / len(covered) if any(counts) else 0
    for scale in (1, 0.37):  # a reference may be counts or shares
        assert tail_coverage(np.array(counts), np.array(reference) * scale) == expected


@pytest.mark.parametrize("total", range(11, 60))
def test_a_cluster_that_holds_just_a_quarter_is_held(total: int) -> None:
    """Allow for any rounding of the share."""
    reference = np.array([1, total - 1]) * 0.37
    assert tail_coverage(np.array([1, 4 * total - 1]), reference) == 1
    assert tail_coverage(np.array([1, 4 * total]), reference) == 0.5


@pytest.mark.parametrize("tenth", range(1, 40))
def test_a_tenth_of_equal_clusters_is_rare(tenth: int) -> None:
    """Allow for any rounding of their sum."""
    covered = np.repeat([1, 0], [tenth, 9 * tenth])
    assert tail_coverage(covered, np.full(10 * tenth, 0.1 / tenth)) == 1
    assert tail_coverage(covered[::-1], np.full(10 * tenth, 0.1 / tenth)) == 0


def test_what_has_no_measure_is_refused() -> None:
    counts, zeros = np.array([1, 2]), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="q_counts sum to 0"):
        js(counts, zeros)
    with pytest.raises(ValueError, match="histograms have shapes"):
        js(counts, np.ones(3, np.int64))
    with pytest.raises(ValueError, match="reference_shares sum to 0"):
        tail_coverage(counts, zeros.astype(float))
    with pytest.raises(ValueError, match="reference shares"):
        tail_coverage(counts, np.ones(3))
    assert tail_coverage(zeros, np.ones(2)) == 0
    assert standard_error(zeros) == standard_error(np.array([1])) == 0


K, K2 = 6, 4
Rows = dict[str, NDArray[Any]]


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 50))
    return {
        "cluster": rng.integers(0, K, n).astype(np.int32),
        "tokens": rng.integers(0, 2**40, n),
        "document_class": rng.integers(0, 3, n).astype(np.int8),
        "second_cluster": rng.integers(0, K2, n).astype(np.int32),
        "copy": rng.integers(0, 2, n),
    }


def counted(columns: Rows, chosen: Any = slice(None)) -> ClusterCounts:
    part = {name: values[chosen] for name, values in columns.items()}
    copies = int(part.pop("copy").sum())
    total = ClusterCounts.empty(K, K2)
    total.add(**part, copies=copies, near_duplicates=copies // 2 * 2)
    return total


@settings(max_examples=200, deadline=None)
@given(rows(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(columns: Rows, parts: int, random: Any) -> None:
    of_part = np.array([random.randrange(parts) for _ in columns["cluster"]], np.int64)
    pieces = [counted(columns, of_part == part) for part in range(parts)]
    random.shuffle(pieces)
    complete = counted(columns).to_json()
    merged = reduce(ClusterCounts.merge, pieces).to_json()
    without = {"near_duplicates"}  # counted by part here
    assert {k: v for k, v in merged.items() if k not in without} == {
        k: v for k, v in complete.items() if k not in without
    }
    assert merged["near_duplicates"] == sum(piece.near_duplicates for piece in pieces)
    folded = reduce(ClusterCounts.merge, pieces)
    right = reduce(lambda a, b: b.merge(a), pieces)
    assert folded.to_json() == right.to_json()
    empty = ClusterCounts.empty(K, K2)
    assert folded.merge(empty).to_json() == folded.to_json()
    assert sum(complete["documents"]) == sum(complete["classes"]) == sum(complete["audit"])
    assert sum(complete["tokens"]) == int(columns["tokens"].sum())


def test_merging_leaves_both_as_they_were() -> None:
    first, second = ClusterCounts.empty(K, K2), ClusterCounts.empty(K, K2)
    second.add([1, 1], [5, 6], [TAIL, OFF_SUPPORT], [0, 3], copies=1)
    union = first.merge(second)
    union.add([0], [1], [0], [0])
    assert first.documents.sum() == 0
    assert second.documents.tolist() == [0, 2, 0, 0, 0, 0]


@settings(max_examples=50, deadline=None)
@given(rows())
def test_json_gives_back_the_same_counts_and_figures(columns: Rows) -> None:
    counts = counted(columns)
    read = ClusterCounts.from_json(json.loads(json.dumps(counts.to_json())))
    assert read.to_json() == counts.to_json()
    assert read.documents.dtype == np.int64
    shares = np.full(K, 1 / K)
    assert read.extract(shares) == counts.extract(shares)
    for reference in (shares, None):
        Figures(**counts.extract(reference))  # each of them stands in the report's schema


def test_the_figures_of_a_small_set() -> None:
    total = ClusterCounts.empty(K, K2)
    total.add(
        cluster=np.array([0, 0, 1, 1]),
        tokens=np.array([30, 10, 40, 0]),
        document_class=np.array([0, TAIL, OFF_SUPPORT, TAIL]),
        second_cluster=np.array([2, 2, 2, 2]),
        copies=1,
        near_duplicates=2,
    )
    reference = np.array([0.25, 0.25, 0.5, 0, 0, 0])
    figures = total.extract(reference)
    assert (figures["documents"], figures["tokens"], figures["copies"]) == (4, 80, 1)
    assert figures["near_duplicate_rate"] == 0.5
    assert figures["token_entropy"] == pytest.approx(math.log(2))
    assert figures["kl_to_reference"] == pytest.approx(math.log(2))
    assert (figures["tail_mass"], figures["off_support"]) == (0.5, 0.25)
    assert figures["audit_effective_clusters"] == pytest.approx(1)


def test_what_can_not_be_said_is_absent() -> None:
    reference = np.full(K, 1 / K)
    total = ClusterCounts.empty(K, K2)
    assert "effective_clusters" not in total.extract(reference)
    total.add([0], [0], [0], [0])
    figures = total.extract(reference)  # a document without words
    assert "token_entropy" not in figures
    assert "kl_to_reference" not in figures
    against_human = {"tail_mass", "off_support", "kl_to_reference"}
    total.add([2], [9], [TAIL], [0])
    assert not against_human & set(total.extract(None))
    assert against_human <= set(total.extract(reference))
