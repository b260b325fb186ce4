"""Places of rows, with any pieces in a unit."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.inputs.places import file_names, places_of


def units(*files):
    """Make a unit for each file, given with the number of its source."""
    return [
        Unit(i, source, (Piece(file, "jsonl", 0, -1, 1),)) for i, (source, file) in enumerate(files)
    ]


def names(*files):
    named = file_names(units(*files))
    return [named[place] for place in files]


def test_files_are_named_below_the_folder_that_they_share():
    shared = names((0, "/data/a/x.jsonl"), (0, "/data/b/x.jsonl"), (1, "/data/b/x.jsonl"))
    assert shared == ["a/x.jsonl", "b/x.jsonl", "x.jsonl"]
    assert names((0, "/d/ab.jsonl"), (0, "/d/ac.jsonl")) == ["ab.jsonl", "ac.jsonl"]
    assert names((0, "/d/ab/x"), (0, "/d/ac/x")) == ["ab/x", "ac/x"]
    assert names((0, "/d/x"), (0, "/d/e/x")) == ["x", "e/x"]
    assert names((0, "gs://b/x"), (0, "gs://c/x")) == ["b/x", "c/x"]
    assert names((0, "a.jsonl"), (0, "b.jsonl")) == ["a.jsonl", "b.jsonl"]
    assert names((0, "a.jsonl"), (0, "/a.jsonl")) == ["a.jsonl", "/a.jsonl"]
    assert file_names([]) == {}


PARTS = st.lists(st.sampled_from(["a", "ab", "b.jsonl", ""]), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.integers(0, 1), PARTS.map("/".join)), min_size=1, max_size=6))
def test_two_files_of_a_source_never_have_one_name(files):
    paths = {}
    for (number, path), name in zip(files, names(*files), strict=True):
        assert path.endswith(name)
        assert paths.setdefault((number, name), path) == path


@given(st.lists(PARTS.map("/".join), min_size=1, max_size=5))
def test_names_do_not_depend_on_where_the_corpus_lies(paths):
    local = names(*((0, f"/data/{path}") for path in paths))
    remote = names(*((0, f"gs://bucket/x/{path}") for path in paths))
    assert local == remote


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1, max_size=5),
    st.data(),
)
def test_rows_are_those_of_their_files_whatever_makes_a_unit(files, data):
    """Draw files as lists of the lines of their pieces, and group pieces into units at random."""
    pieces = [(f"/d/{n}", lines) for n, parts in enumerate(files) for lines in parts]
    expected = [f"s/{n}#{row}" for n, parts in enumerate(files) for row in range(sum(parts))]
    cuts = data.draw(st.sets(st.integers(1, max(1, len(pieces) - 1))))
    edges = [0, *sorted(cut for cut in cuts if cut < len(pieces)), len(pieces)]
    groups = [pieces[a:b] for a, b in pairwise(edges)]
    grouped = [
        Unit(i, 0, tuple(Piece(file, "jsonl", 0, -1, 1) for file, _ in group))
        for i, group in enumerate(groups)
    ]
    lines = [[count for _, count in group] for group in groups]
    ids = []
    for places, counts in zip(places_of(grouped, lines), lines, strict=True):
        assert len(places.names) == len(counts)
        ids += places.ids(np.arange(sum(counts)), "s").to_pylist()
    assert ids == expected
