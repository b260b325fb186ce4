"""Measures beside human text: the same text is alike within its error, less text of it is seen."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates
from outcross.schemas.measures import MEASURES
from outcross.transforms.estimators.lexical import (
    first_tokens,
    lexical,
    opening_hashes,
    openings,
    retained,
)
from outcross.transforms.estimators.richness import TAIL, effective_number, js, tail_coverage
from outcross.transforms.estimators.vendi import moments, vendi
from outcross.transforms.measuring import contrast
from outcross.transforms.measuring.contrast import Contrast, measure, stepped
from outcross.transforms.measuring.gate import judged
from outcross.transforms.reference.sample import Sample
from tests.support.references import TOPICS, Documents, Population, packed, reference

TRIALS = 60
POPULATION = Population()
PER_DOCUMENT = {name for name, info in MEASURES.items() if info.per == "documents"}
SHOWN = [name for name in MEASURES if name != "near_duplicates"]  # which no sample shows


@pytest.fixture(scope="module")
def comparison() -> Contrast:
    return Contrast(reference(0, 1200, POPULATION))


def by_name(measures: list[Measure]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


@pytest.fixture(scope="module", params=[(400, 200), (900, 120)])
def trials(request: Any) -> dict[str, NDArray[np.float64]]:
    """Return distances of sets from human text of the same distribution, in errors, by measure.

    Of each trial the pool and the set are drawn anew: sets of half of the pool, and of an eighth.
    """
    pool, n = request.param
    whole_reference = reference(1, 200, POPULATION)
    against: dict[str, list[float]] = {name: [] for name in SHOWN}
    for trial in range(TRIALS):
        held_out = POPULATION.draw(pool, 1000 + trial).pool()
        sample = POPULATION.draw(n, 2000 + trial).sample()
        for entry in judged(
            Contrast(replace(whole_reference, pool=held_out)).measures(sample), Gates()
        ):
            assert entry.against is not None
            assert entry.error is not None
            assert entry.outcome in (
                "go",
                "warn",
                "shown",
                "too few",
            )  # never a stop, never noise
            equal = 1 if MEASURES[entry.name].kind == "ratio" else 0
            # In twenty splits of so few documents all may have as many off-support ones.
            against[entry.name].append(
                (entry.against - equal) / entry.error if entry.error else 0.0
            )
    return {name: np.array(values) for name, values in against.items()}


def test_the_same_distribution_is_alike_within_its_error(
    trials: dict[str, NDArray[np.float64]],
) -> None:
    within = {name: float((abs(values) < 1.96).mean()) for name, values in trials.items()}
    assert np.mean(list(within.values())) > 0.92
    assert min(within.values()) > 0.86, within
    # Not because errors are made large: divergences alone vary less, as theirs are of a mean.
    spread = {name: float(values.std()) for name, values in trials.items()}
    for name in ("js", "audit_js"):
        assert spread.pop(name) > 0.4
    # Hardly any of these documents begin alike: the error is that of the smallest step.
    assert spread.pop("openings") < 0.65
    assert min(spread.values()) > 0.65, spread


def test_nothing_is_off_to_one_side(trials: dict[str, NDArray[np.float64]]) -> None:
    bias = {name: float(values.mean()) for name, values in trials.items()}
    assert max(map(abs, bias.values())) < 0.35, bias
    assert abs(np.mean(list(bias.values()))) < 0.15


def test_half_of_the_topics_is_seen(comparison: Contrast) -> None:
    half = np.arange(0, TOPICS, 2)
    by_measure = by_name(
        judged(comparison.measures(POPULATION.draw(600, 5, half).sample()), Gates())
    )
    for name in ("effective_clusters", "js", "tail_coverage"):
        assert by_measure[name].outcome == "stop", by_measure[name]
    effective = by_measure["effective_clusters"]
    assert effective.against == pytest.approx(0.5, abs=0.1)
    for name in ("audit_effective_clusters", "audit_js", "vendi", "distinct_2"):
        measure_ = by_measure[name]
        assert measure_.against is not None
        assert measure_.error is not None
        equal = 1 if MEASURES[name].kind == "ratio" else 0
        worse = -1 if MEASURES[name].better == "high" else 1
        assert worse * (measure_.against - equal) > 2.58 * measure_.error
    # What is lost is not what is measured document by document.
    tail = by_measure["tail_mass"]
    assert tail.against == pytest.approx(1, abs=2 * (tail.error or 0))


def test_a_text_said_again_and_again_is_seen(comparison: Contrast) -> None:
    documents = POPULATION.draw(600, 7)
    repeating = documents.take(np.arange(600) % 60).sketch
    sketch = documents.sketch.drop_columns(["tokens", "words"])
    for name in ("tokens", "words"):
        sketch = sketch.append_column(name, repeating[name])
    sample = Documents(sketch, documents.cells).sample()
    by_measure = by_name(judged(comparison.measures(sample), Gates()))
    for name in ("vocabulary", "distinct_3", "rare_words"):
        assert by_measure[name].outcome == "stop"
    repeated, opened = by_measure["self_repetition"], by_measure["openings"]
    assert (repeated.value, opened.value) == (1, 1)
    assert by_measure["effective_clusters"].outcome == "go"


def test_figures_are_those_of_the_documents_with_the_smallest_keys(comparison: Contrast) -> None:
    """Measure at the same n for any size: documents beyond it change nothing."""
    large = POPULATION.draw(3000, 8)
    of_large = by_name(comparison.measures(large.sample()))
    size = of_large["effective_clusters"].n
    assert size <= 600 < size * 2**0.25
    assert {of_large[name].n for name in PER_DOCUMENT & of_large.keys()} == {size}
    few = large.take(np.argsort(large.key)[:size])
    of_few = by_name(comparison.measures(few.sample()))
    for name in PER_DOCUMENT & of_large.keys():
        assert of_few[name] == of_large[name]
    middle = by_name(comparison.measures(POPULATION.draw(640, 9).sample()))
    same = ("n", "human", "low", "high")
    for name in PER_DOCUMENT & of_large.keys():
        assert [getattr(middle[name], x) for x in same] == [
            getattr(of_large[name], x) for x in same
        ]


def test_sets_of_nearly_the_same_size_share_their_human_text(comparison: Contrast) -> None:
    small, large = (
        by_name(comparison.measures(POPULATION.draw(n, 9).sample())) for n in (185, 200)
    )
    assert small["vocabulary"].n == large["vocabulary"].n == 1 << 13
    assert small["vendi"].n == large["vendi"].n
    for name in SHOWN:
        assert (small[name].human, small[name].low) == (large[name].human, large[name].low)


def test_values_are_those_of_the_measures(comparison: Contrast) -> None:
    documents = POPULATION.draw(700, 10)
    by_measure = by_name(comparison.measures(documents.sample()))
    value = {name: entry.value for name, entry in by_measure.items()}
    size, tokens = by_measure["vendi"].n, by_measure["vocabulary"].n
    first = documents.take(np.argsort(documents.key)[:size])
    cluster = np.bincount(first.cells["cluster"], minlength=TOPICS)
    shares = comparison.reference.counts.documents
    embeddings = first.sample().embeddings
    ordered = documents.take(np.argsort(documents.key))
    runs = ordered.runs
    offsets = np.cumsum([0, *map(len, runs)])
    words = np.array([word for run in runs for word in run], np.uint32)
    offsets, words = first_tokens(offsets, words, tokens)
    read = lexical(offsets, words)
    assert read.tokens == tokens
    assert value == {
        "effective_clusters": effective_number(cluster),
        "audit_effective_clusters": effective_number(np.bincount(first.cells["audit_cluster"])),
        "js": value["js"],
        "audit_js": value["audit_js"],
        "tail_mass": (first.cells["class"] == TAIL).mean(),
        "tail_coverage": tail_coverage(cluster, shares / shares.sum()),
        "off_support": (first.cells["class"] == 2).mean(),
        "vendi": vendi(moments(embeddings), 1),
        "vendi_2": vendi(moments(embeddings), 2),
        "vocabulary": len(set(words.tolist())),
        "distinct_2": read.distinct_2,
        "distinct_3": read.distinct_3,
        "entropy_1": read.entropy_1,
        "entropy_2": read.entropy_2,
        "rare_words": retained(comparison.reference.rare, words),
        "self_repetition": read.self_repetition,
        "openings": openings(opening_hashes(*first.sample().words)),
    }
    pool = np.bincount(comparison.pool.column("cluster"), minlength=TOPICS)
    assert 0 < js(cluster, pool) < value["js"] < 0.2  # from as many, which is further off


def test_a_set_is_measured_alike_however_it_was_merged(comparison: Contrast) -> None:
    documents = POPULATION.draw(900, 11)
    expected = comparison.measures(documents.sample())
    parts = [documents.take(np.arange(start, 900, 3)).sample() for start in (2, 0, 1)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert comparison.measures(merged) == expected
    assert Contrast(comparison.reference).measures(merged) == expected


def test_too_little_of_a_set_is_no_number(comparison: Contrast) -> None:
    documents = POPULATION.draw(contrast.LEAST_DOCUMENTS, 12)
    few = documents.take(np.arange(contrast.LEAST_DOCUMENTS - 1))
    for sample, n in ((few.sample(), 99), (Sample.empty(), 0)):
        by_measure = by_name(comparison.measures(sample))
        assert list(by_measure) == SHOWN
        for name in PER_DOCUMENT & by_measure.keys():
            entry = by_measure[name]
            assert (entry.outcome, entry.n) == ("too few", n)
            numbers = (entry.value, entry.human, entry.low, entry.high, entry.against, entry.error)
            assert numbers == (None,) * 6
    by_measure = by_name(comparison.measures(documents.sample()))
    assert by_measure["js"].outcome == "shown"
    assert by_measure["js"].value is not None


def test_words_and_documents_are_too_few_each_for_itself(comparison: Contrast) -> None:
    # Many documents of few words, and few of many.
    documents = POPULATION.draw(200, 13)
    short = documents.sample(tokens=contrast.LEAST_TOKENS - 100)
    by_measure = by_name(comparison.measures(short))
    each = contrast.LEAST_TOKENS // contrast.DOCUMENTS_IN_TOKENS
    words = int(np.minimum(np.diff(short.words[0]), each).sum())
    assert words < contrast.LEAST_TOKENS
    assert (by_measure["vocabulary"].outcome, by_measure["vocabulary"].n) == ("too few", words)
    assert by_measure["vendi"].value is not None
    by_measure = by_name(comparison.measures(documents.take(np.arange(98)).sample()))
    assert by_measure["vendi"].outcome == "too few"
    assert by_measure["vocabulary"].value is not None


def test_a_pool_that_is_too_small_says_so() -> None:
    small = Contrast(reference(0, 2 * contrast.LEAST_DOCUMENTS - 1, POPULATION))
    by_measure = by_name(small.measures(POPULATION.draw(900, 14).sample()))
    assert (by_measure["vendi"].outcome, by_measure["vendi"].n) == ("too few", 99)
    tiny = Contrast(reference(0, 3, POPULATION))
    outcomes = {
        by_measure.outcome for by_measure in tiny.measures(POPULATION.draw(900, 14).sample())
    }
    assert outcomes == {"too few"}


def test_only_what_is_wanted_is_measured(comparison: Contrast) -> None:
    sample = POPULATION.draw(300, 15).sample()
    complete = by_name(comparison.measures(sample))
    for names in (("vocabulary", "js"), ("openings",), ("near_duplicates",), ()):
        measures = comparison.measures(sample, names)
        assert measures == [complete[name] for name in SHOWN if name in names]


@given(st.integers(1, 2**24), st.integers(1, 8))
def test_steps_are_the_same_for_sizes_that_are_nearly_equal(n: int, steps: int) -> None:
    size = stepped(n, steps)
    assert size <= n < (size + 1) * 2 ** (1 / steps) * (1 + 1e-12)
    assert stepped(n + 1, steps) >= size
    assert stepped(1 << (n.bit_length() - 1), steps) == 1 << (n.bit_length() - 1)


def test_a_measure_beside_human_text() -> None:
    ratio = measure("vendi", 30.0, 40.0, 2.0, 1.5, 512)
    assert (ratio.against, ratio.error) == (0.75, pytest.approx(3 / 40))
    assert (ratio.low, ratio.high) == (pytest.approx(40 - 3.92), pytest.approx(40 + 3.92))
    assert (ratio.value, ratio.human, ratio.n, ratio.outcome) == (30, 40, 512, "shown")
    excess = measure("openings", 0.3, 0.1, 0.2, 1.5, 512)
    assert (excess.against, excess.error) == (pytest.approx(0.2), pytest.approx(0.3))
    assert excess.low == 0  # no share is negative
    without_human = measure("tail_coverage", 0.3, 0.0, 0.0, 1.5, 512)
    assert (without_human.against, without_human.error) == (None, None)
    assert not any(isinstance(x, float) and math.isnan(x) for _, x in without_human)


def test_a_huge_document_counts_with_its_beginning_only(comparison: Contrast) -> None:
    documents = POPULATION.draw(600, 15).sample()
    n = by_name(comparison.measures(documents))["vocabulary"].n
    assert n >= contrast.LEAST_TOKENS
    each = n // contrast.DOCUMENTS_IN_TOKENS
    words = np.random.default_rng(0).integers(0, 1 << 32, 50 * each).astype(np.uint32)

    def with_first(length: int) -> list[Measure]:
        rows = documents.table.to_pylist()
        rows[0] |= {"words": words[:length].tobytes(), "tokens": length}
        table = pa.Table.from_pylist(rows, schema=documents.table.schema)
        measures = comparison.measures(Sample(table))
        return [entry for entry in measures if MEASURES[entry.name].per == "tokens"]

    assert with_first(each) == with_first(50 * each)
    assert with_first(each) != with_first(each // 2)


def test_few_rare_clusters_judge_nothing(comparison: Contrast) -> None:
    coverage = by_name(comparison.measures(POPULATION.draw(600, 16).sample()))["tail_coverage"]
    few = len(comparison.rare) < contrast.LEAST_RARE
    assert (coverage.outcome == "too few") is few
    assert (coverage.value is None) is few


def saying(documents: Documents, runs: list[list[int]]) -> Documents:
    """Replace the words of documents."""
    words = packed(np.cumsum([0, *map(len, runs)]), np.concatenate(runs).astype(np.uint32))
    sketch = documents.sketch
    for name, column in (("words", words), ("tokens", pa.array([len(run) for run in runs]))):
        sketch = sketch.set_column(sketch.schema.get_field_index(name), name, column)
    return Documents(sketch, documents.cells)


def opened(documents: Documents, rng: np.random.Generator, kinds: int) -> Documents:
    """Make documents begin with one of some openings, the first of them the commonest."""
    weight = 1 / np.arange(1, kinds + 1)
    kind = rng.choice(kinds, len(documents), p=weight / weight.sum())
    runs = [[int(k)] * 5 + run[5:] for k, run in zip(kind, documents.runs, strict=True)]
    return saying(documents, runs)


def test_common_openings_vary_as_their_error_says(comparison: Contrast) -> None:
    rng = np.random.default_rng(3)
    far = []
    for trial in range(TRIALS):
        human = opened(POPULATION.draw(600, 3000 + trial), rng, 400).pool()
        sample = opened(POPULATION.draw(200, 4000 + trial), rng, 400).sample()
        against = Contrast(replace(comparison.reference, pool=human))
        (measure,) = judged(against.measures(sample, ["openings"]), Gates())
        assert measure.outcome != "stop"
        assert measure.human is not None
        assert 0.6 < measure.human < 0.8
        far.append((measure.against or 0.0) / (measure.error or 1.0))
    assert abs(np.mean(far)) < 0.35
    assert 0.65 < np.std(far) < 1.4


def test_documents_that_begin_alike_are_stopped(comparison: Contrast) -> None:
    rng = np.random.default_rng(4)
    alike = opened(POPULATION.draw(400, 20), rng, 30).sample()
    (measure,) = judged(comparison.measures(alike, ["openings"]), Gates())
    assert measure.outcome == "stop"
    assert measure.value == 1


def test_words_that_are_all_new_judge_nothing(comparison: Contrast) -> None:
    """Make every word a new one, so that no measure of words says go."""

    def unheard(documents: Documents, first: int) -> Documents:
        ends = np.cumsum([0, *map(len, documents.runs)]) + first
        return saying(documents, [list(range(a, b)) for a, b in pairwise(ends.tolist())])

    human = unheard(POPULATION.draw(1200, 21), 0).pool()
    sample = unheard(POPULATION.draw(600, 22), 1 << 20).sample()
    measures = Contrast(replace(comparison.reference, pool=human)).measures(sample)
    outcomes = by_name(judged(measures, Gates()))
    assert outcomes["vocabulary"].against == 1
    for name in ("vocabulary", "distinct_3", "rare_words", "self_repetition", "openings"):
        assert outcomes[name].outcome == "too few"
        assert outcomes[name].unjudged
    assert outcomes["effective_clusters"].outcome == "go"
