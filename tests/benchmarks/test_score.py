from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score import agreement, components, score
from shingles import Pairs
from templates import difference, form_letters, reference_pages, subject
from verdicts import verdict_of

POOL = [" ".join(f"w{n}" for n in range(i, i + 1000)) for i in range(0, 200_000, 1000)]


def pairs(*labels_found: tuple[int, int, float]) -> Pairs:
    a, b, j = zip(*labels_found, strict=True)
    return Pairs(np.array(a), np.array(b), np.array(j))


# 0 – 1 – 2 is a chain whose ends are not alike, 3 and 4 are below the threshold, 5 is alone
CHAIN = pairs((0, 1, 0.9), (1, 2, 0.86), (0, 2, 0.74), (3, 4, 0.7))


SAME = np.array([True, False, True, True])  # which pairs carry the same beyond their words


def judged(*kept: int):
    return score(np.isin(np.arange(6), kept), CHAIN, SAME)


def test_a_verdict_without_fault():
    s = judged(0, 2, 3, 4, 5)
    assert (s.recall.hits, s.recall.count) == (2, 2)
    assert (s.recall_of_same.hits, s.recall_of_same.count) == (1, 1)
    assert (s.precision_below.hits, s.precision_below.count) == (3, 3)
    assert (s.supported.hits, s.supported.count) == (1, 1)
    assert (s.removed, s.families, s.wiped_out) == (1, 1, 0)
    assert s.least_support == 0.9


def test_connected_components_remove_what_nothing_kept_is_like():
    s = judged(0, 3, 4, 5)
    assert s.recall.value == 1.0
    assert (s.supported.hits, s.supported.count) == (1, 2)
    assert s.least_support == 0.74
    assert s.wiped_out == 0


def test_what_is_removed_below_the_threshold_and_what_is_wiped_out():
    s = judged(3, 5)
    assert (s.precision_below.hits, s.precision_below.count) == (2, 3)
    assert (s.supported.hits, s.supported.count) == (0, 4)
    assert s.support.sum() == 4
    assert s.support[0] == 3
    assert (s.families, s.wiped_out) == (1, 1)


def test_the_curve_counts_only_pairs_without_a_closer_relative():
    s = judged(0, 2, 3, 4, 5)
    curve = [(ratio.hits, ratio.count) for ratio in s.curve if ratio.count]
    assert curve == [(0, 1), (1, 1)]  # .7 both stay, .9 not
    assert sum(ratio.count for ratio in s.all_pairs) == 4


def test_nothing_removed_has_no_share_to_tell():
    s = judged(*range(6))
    assert s.recall.value == 0.0
    assert np.isnan(s.supported.value)


clustering = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30)


@given(clustering)
def test_agreement_is_that_of_all_pairs_counted(labels):
    labels_found, truth = np.array(labels).T
    cells = [
        (labels_found[i] == labels_found[j], truth[i] == truth[j])
        for i, j in combinations(range(len(labels_found)), 2)
    ]
    both, only_found, only_truth = (
        cells.count(cell) for cell in ((True, True), (True, False), (False, True))
    )
    neither = len(cells) - both - only_found - only_truth
    a = agreement(labels_found, truth)
    assert a.precision == pytest.approx(both / (both + only_found) if both + only_found else 1)
    assert a.recall == pytest.approx(both / (both + only_truth) if both + only_truth else 1)
    # the same index from the pair confusion matrix (Steinley 2004)
    below = (both + only_truth) * (only_truth + neither) + (both + only_found) * (
        only_found + neither
    )
    expected = 2 * (both * neither - only_truth * only_found) / below if below else 1.0
    assert a.adjusted_rand == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_components_are_what_a_walk_reaches(edges):
    label = list(range(12))
    for _ in range(12):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    a, b = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    labels_found = components(Pairs(a, b, np.ones(len(a))), 12)
    assert all(
        (labels_found[i] == labels_found[j]) == (label[i] == label[j])
        for i in range(12)
        for j in range(12)
    )


def test_a_peer_names_clusters_or_partners_and_partners_of_partners():
    lines = [
        {"id": "0", "kept": True, "partner": None},
        {"id": "1", "kept": False, "partner": "0"},
        {"id": "2", "kept": False, "partner": "1"},
        {"id": "3", "kept": True, "cluster": "7"},
        {"id": "4", "kept": False, "cluster": "7"},
    ]
    verdict = verdict_of(lines, 6)
    assert verdict.kept.tolist() == [True, False, False, True, False, False]
    assert verdict.partner.tolist() == [-1, 0, 1, -1, -1, -1]
    groups = [np.flatnonzero(verdict.cluster == label).tolist() for label in verdict.cluster]
    assert groups == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3, 4], [3, 4], [5]]


def test_made_templates_differ_in_their_substance_only():
    for name, (first, *_) in reference_pages(POOL).items():
        one, other = first[0].split(), first[1].split()
        common = sum(a == b for a, b in zip(one, other, strict=True))
        assert common == round(float(name.split("%")[0]) / 100 * len(one))
    for name, (first, *_) in form_letters([*POOL, "Ann Bob Cid"]).items():
        one, other = first[0].split(), first[1].split()
        differ = sum(a != b for a, b in zip(one, other, strict=True))
        assert 0 <= differ <= int(name.split()[0])
        assert one != other or differ == 0


def test_what_a_document_is_about_and_how_two_differ():
    assert subject({"text": '---\ntitle: "Warning C4996"\n---\n# Text'}) == "warning c4996"
    assert subject({"text": "no front matter"}) == ""
    assert subject({"instruction": "Add.", "input": "1 2", "response": "3"}) == "1 2 add"
    changes = difference("Reads a file, then closes it", "Writes a file and closes it")
    assert changes == [("reads", "writes"), ("then", "and")]
