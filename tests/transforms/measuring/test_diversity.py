"""What is said of a set does not depend on how it was cut: shards add up to the corpus."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.estimators.vendi import moments
from outcross.transforms.measuring.diversity import Diversity, merged
from outcross.transforms.reference.sample import DOCUMENTS, TOKENS, Sample
from tests.support.references import Documents, Population
from tests.support.sets import SIZES, accumulate, assert_same

POPULATION = Population()


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 7), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(n: int, parts: int, random: Any) -> None:
    documents = POPULATION.draw(60, 2)
    rows = sorted(random.sample(range(60), n))
    of_part = [random.randrange(parts) for _ in rows]
    copies = Counter(of_part)
    pieces = [
        accumulate(
            documents,
            [row for row, part_of_row in zip(rows, of_part, strict=True) if part_of_row == part],
            copies=copies[part] // 2 * 2,
            near=copies[part],
        )
        for part in range(parts)
    ]
    expected = accumulate(documents, rows, copies=sum(c // 2 * 2 for c in copies.values()), near=n)
    assert_same(merged(pieces, *SIZES), expected)
    while len(pieces) > 1:
        random.shuffle(pieces)
        pieces.append(pieces.pop().merge(pieces.pop()))
    assert_same(pieces[0], expected)


@settings(max_examples=20)
@given(st.integers(0, 60))
def test_bytes_give_back_the_set(n: int) -> None:
    diversity = accumulate(POPULATION.draw(60, 3), np.arange(n), copies=n // 2, near=n // 3)
    read = Diversity.from_bytes(diversity.to_bytes())
    assert_same(read, diversity)
    assert_same(read.merge(diversity), diversity.merge(diversity))


def test_units_add_up_beyond_the_limits_of_a_sample(large: Documents) -> None:
    """Add a unit at a time, and merge in any order."""
    n = len(large)
    complete = accumulate(large, np.arange(n))
    key = large.key
    order = np.argsort(key)
    assert complete.sample.column("key").tolist() == key[order[:DOCUMENTS]].tolist()
    lengths = large.sketch["tokens"].to_numpy()[order]
    before = np.cumsum(lengths) - lengths
    with_words = int((before < TOKENS).sum())
    assert complete.sample.words[0][-1] == lengths[:with_words].sum() >= TOKENS
    assert (complete.moments == moments(embeddings(large))).all()
    parts = np.random.default_rng(0).integers(0, 5, n)
    one_by_one = Diversity.empty(*SIZES)
    pieces = []
    for part in range(5):
        rows = np.flatnonzero(parts == part)
        one_by_one.add(large.at(rows), large.sketch, key[rows])
        pieces.append(accumulate(large, rows))
    assert_same(one_by_one, complete)
    joined = pieces[0].merge(pieces[1]).merge(pieces[2].merge(pieces[3].merge(pieces[4])))
    assert_same(joined, complete)
    assert_same(merged(reversed(pieces), *SIZES), complete)


def test_rows_on_their_way_are_the_documents_themselves(large: Documents) -> None:
    complete = accumulate(large, np.arange(len(large)), copies=3, near=5)
    parts = [
        Sample.of(large.key[rows], large.at(rows), large.sketch, documents=len(rows)).table
        for rows in np.array_split(np.random.default_rng(1).permutation(len(large)), 4)
    ]
    together = Diversity.empty(*SIZES)
    rows = Sample(pa.concat_tables(parts), len(large))
    together.add_rows(rows, rows.column("tokens"), 3, 5)
    assert_same(together, complete)


def embeddings(documents: Documents) -> NDArray[np.int8]:
    data = b"".join(documents.sketch["embedding"].to_pylist())
    return np.frombuffer(data, np.int8).reshape(len(documents), -1)


def test_merging_leaves_both_as_they_were() -> None:
    documents = POPULATION.draw(30, 4)
    first, second = accumulate(documents, range(10)), accumulate(documents, range(10, 30))
    union = first.merge(second)
    rows = np.arange(5)
    union.add(documents.at(rows), documents.sketch, documents.key[rows])
    assert_same(first, accumulate(documents, range(10)))
    assert_same(second, accumulate(documents, range(10, 30)))


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**4)), min_size=1, max_size=60),
    st.floats(0, 1, exclude_max=True),
)
def test_a_length_is_within_a_tenth_of_the_order_statistic(
    lengths: list[int], share: float
) -> None:
    n = len(lengths)
    documents = POPULATION.draw(60, 5)
    words = [bytes(4 * length) for length in [*lengths, *[0] * (60 - n)]]
    place = documents.sketch.schema.get_field_index("words")
    sketch = documents.sketch.set_column(place, "words", pa.array(words, pa.large_binary()))
    quantile = accumulate(Documents(sketch, documents.cells), range(n)).length_quantile(share)
    exact = sorted(lengths)[int(share * n)]
    if exact < 2:
        assert quantile == 0
    else:
        assert quantile <= exact < 1.1 * quantile
