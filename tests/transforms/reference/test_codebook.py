"""The codebook: exact assignment whatever the batch, density, and a fit that no order changes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import EMBEDDING_DIMS
from outcross.transforms.reference import codebook as cluster
from outcross.transforms.reference.codebook import (
    Codebook,
    default_clusters,
    fit_codebook,
    smallest,
)
from outcross.transforms.text.embed import SCALE
from tests.support.references import unit_vectors


def codebook(centroids: NDArray[Any], counts: NDArray[Any] | None = None) -> Codebook:
    counts = np.ones(len(centroids)) if counts is None else counts
    return Codebook(centroids.astype(np.int8), counts.astype(np.int64))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 70),
    st.sampled_from([1, 7, 2048]),
    st.sampled_from([1, 64, EMBEDDING_DIMS, 1024]),
)
def test_assignment_is_that_of_whole_numbers_in_any_batch(
    seed: int, n: int, clusters: int, batch: int, dims: int
) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.integers(-127, 128, (n, dims)).astype(np.int8)
    embeddings[rng.integers(n)] = 127  # the largest sums that there can be
    centroids = rng.integers(-127, 128, (clusters, dims)).astype(np.int8)
    centroids[rng.integers(clusters)] = 127
    book = Codebook(centroids, rng.integers(0, 1000, clusters))
    products = embeddings.astype(np.int64) @ centroids.astype(np.int64).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "BATCH", batch)
        nearest, dot, density = book.assign(embeddings)
    assert (nearest == products.argmax(1)).all()  # argmax gives the first of equals
    assert (dot == products.max(1)).all()
    alone = [book.assign(embeddings[i : i + 1])[2][0] for i in range(n)]
    assert density.tolist() == alone
    assert (nearest.dtype, dot.dtype, density.dtype) == (np.int32, np.int32, np.int64)


def test_the_lowest_number_wins_a_tie_and_a_vector_of_nothing_is_in_the_first_cell() -> None:
    rng = np.random.default_rng(0)
    centroids = unit_vectors(rng, 3)[[2, 0, 1, 0, 1]]
    zeros = np.zeros((1, EMBEDDING_DIMS), np.int8)
    nearest, dot, density = codebook(centroids).assign(np.concatenate([centroids, zeros]))
    assert nearest.tolist() == [0, 1, 2, 1, 2, 0]
    assert dot[-1] == 0
    assert density[-1] == pytest.approx(5 * np.exp(-10) * 2**30, rel=0.01)
    none = codebook(centroids).assign(np.zeros((0, EMBEDDING_DIMS), np.int8))
    assert [len(column) for column in none] == [0, 0, 0]


def test_the_density_is_the_kernels_sum_and_grows_with_what_is_near() -> None:
    rng = np.random.default_rng(1)
    centroids, x = unit_vectors(rng, 30, 5), unit_vectors(rng, 500, 5)
    counts = rng.integers(1, 100, 30)
    _, _, density = codebook(centroids, counts).assign(x)
    cosine = x.astype(float) @ centroids.T.astype(float) / SCALE**2
    exact = (counts * np.exp(10 * (np.minimum(cosine, 1) - 1))).sum(1)
    assert np.abs(density / 2**30 / exact - 1).max() < 0.01
    nonzero = exact > np.median(exact)
    assert density[nonzero].min() >= density[~nonzero].max() * 0.99
    more = counts.copy()
    more[3] += 50
    _, _, denser = codebook(centroids, more).assign(x)
    assert (denser > density).all()
    # On a great circle away from the only centroid, farther is never denser.
    toward, away = unit_vectors(rng, 2).astype(float)
    angles = np.linspace(0, np.pi, 200)[:, None]
    circle = np.rint(np.cos(angles) * toward + np.sin(angles) * away).clip(-127, 127)
    single = codebook(toward[None])
    _, dot, falling = single.assign(circle.astype(np.int8))
    order = np.argsort(-dot, kind="stable")
    assert (np.diff(falling[order]) <= 0).all()
    assert falling.max() == pytest.approx(2**30, rel=0.02)


@pytest.mark.parametrize(("documents", "expected"), [(0, 1), (63, 1), (640, 10), (10**7, 4096)])
def test_as_many_clusters_as_the_counts_can_carry(documents: int, expected: int) -> None:
    assert default_clusters(documents) == expected


def test_the_fit_is_the_same_twice_and_its_sample_has_no_order() -> None:
    rng = np.random.default_rng(2)
    x = unit_vectors(rng, 3000, 12)
    hashes = rng.integers(0, 2**64, len(x), dtype=np.uint64)
    order = rng.permutation(len(x))
    books = [
        fit_codebook(rows[smallest(hashed, 1500)], 12, 5)
        for rows, hashed in ((x, hashes), (x, hashes), (x[order], hashes[order]))
    ]
    for other in books[1:]:
        assert (other.centroids == books[0].centroids).all()
        assert (other.counts == books[0].counts).all()
    assert books[0].counts.sum() == 1500
    assert (fit_codebook(x, 12, 6).centroids != fit_codebook(x, 12, 5).centroids).any()


def test_the_fit_finds_the_groups_that_there_are() -> None:
    rng = np.random.default_rng(3)
    centres = unit_vectors(rng, 8).astype(float)
    label = rng.integers(0, 8, 4000)
    x = centres[label] + 5 * rng.normal(size=(4000, EMBEDDING_DIMS))
    x *= SCALE / np.linalg.norm(x, axis=1, keepdims=True)
    x = np.rint(x).clip(-127, 127).astype(np.int8)
    book = fit_codebook(x, 24, 0)
    nearest, dot, _ = book.assign(x)
    pure = sum(np.bincount(label[nearest == c]).max() for c in np.unique(nearest))
    assert pure / len(x) > 0.99
    lengths = np.linalg.norm(book.centroids.astype(float), axis=1)
    assert np.abs(lengths / SCALE - 1).max() < 0.02
    assert (dot > 0.8 * SCALE**2).mean() > 0.99


def test_fewer_documents_than_clusters_and_none_at_all() -> None:
    rng = np.random.default_rng(4)
    few = unit_vectors(rng, 3)
    book = fit_codebook(few, 50, 0)
    assert book.size == 3
    assert sorted(book.assign(few)[0].tolist()) == [0, 1, 2]
    with_nothing = np.concatenate([few, np.zeros((5, EMBEDDING_DIMS), np.int8)])
    assert fit_codebook(with_nothing, 50, 0).size == 3
    repeated = fit_codebook(np.repeat(few[:1], 10, axis=0), 4, 0)
    assert repeated.counts.sum() == 10
    for wordless in (np.zeros((0, EMBEDDING_DIMS), np.int8), with_nothing[3:]):
        book = fit_codebook(wordless, 50, 0)
        assert (book.size, book.counts.sum()) == (1, 0)
        assert book.assign(few)[0].tolist() == [0, 0, 0]


@given(st.integers(0, 2**32 - 1))
def test_the_nearest_centroid_is_the_same_without_the_density(seed: int) -> None:
    generator = np.random.default_rng(seed)
    centroids = generator.integers(-3, 4, (5, EMBEDDING_DIMS)).astype(np.int8)
    embeddings = generator.integers(-3, 4, (40, EMBEDDING_DIMS)).astype(np.int8)
    book = codebook(np.concatenate([centroids, centroids]))
    assert book.nearest(embeddings).tolist() == book.assign(embeddings)[0].tolist()
