"""Components of documents that share a group, and the bins that hold them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.dedup.components import connect, connect_groups, pack_bins

EDGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40)


def components(edges):
    """Return the smallest document of each one's component, by plain search."""
    near = {}
    for left, right in edges:
        near.setdefault(left, set()).add(right)
        near.setdefault(right, set()).add(left)
    root = {}
    for start in sorted(near):
        reached = [start] if start not in root else []
        while reached:
            document = reached.pop()
            if document not in root:
                root[document] = start
                reached += near[document]
    return root


def connected(edges):
    left, right = (np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    documents, roots = connect(left, right)
    return dict(zip(documents.tolist(), roots.tolist(), strict=True))


@given(EDGES)
def test_components_are_those_of_a_plain_search(edges):
    assert connected(edges) == components(edges)


@given(EDGES, st.integers(1, 64), st.randoms(use_true_random=False))
def test_forests_of_parts_have_the_components_of_all(edges, parts, random):
    random.shuffle(edges)
    forests = [connected(edges[part::parts]).items() for part in range(parts)]
    assert connected([edge for forest in forests for edge in forest]) == components(edges)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=30))
def test_documents_of_a_group_are_connected(entries):
    entries.sort()
    group, document = (np.array([entry[side] for entry in entries]) for side in (0, 1))
    documents, roots = connect_groups(group.astype(np.uint64), document.astype(np.int64))
    edges = [(a[1], b[1]) for a, b in pairwise(entries) if a[0] == b[0]]
    assert dict(zip(documents.tolist(), roots.tolist(), strict=True)) == components(edges)


@pytest.mark.parametrize("shape", ["chain", "star", "shuffled chain", "tree"])
def test_a_million_documents_in_one_component(shape):
    n = 1_000_000
    left, right = np.arange(1, n), np.arange(n - 1)
    if shape == "star":
        right = np.zeros(n - 1, np.int64)
    elif shape == "tree":
        right = (left - 1) // 2
    elif shape == "shuffled chain":
        order = np.random.default_rng(0).permutation(n)
        left, right = order[left], order[right]
    documents, roots = connect(left, right)
    assert (documents == np.arange(n)).all()
    assert not roots.any()


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 60))
def test_bins_hold_what_fits_and_a_larger_component_is_alone(weights, limit):
    weight = np.array(weights, np.int64)
    bins = pack_bins(weight, limit)
    filled = np.bincount(bins, weight) if weights else np.zeros(0)
    assert len(set(bins.tolist())) == len(filled)
    for number, total in enumerate(filled):
        assert total <= limit or (bins == number).sum() == 1
    # No two bins that follow each other could be one.
    ordered = sorted(weights, reverse=True)
    assert len(filled) <= max(1, 2 * sum(min(w, limit) for w in ordered) / limit + 1)
