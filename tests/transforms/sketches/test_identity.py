"""Ids: the documents' own where they are unique, else the place, and never two the same."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.inputs.places import places_of
from outcross.transforms.sketches.identity import document_ids, ids_of, repeated_ids
from tests.support.corpora import HeldSketches, sketched, source, write_jsonl


def write_corpus(folder):
    """Two files with ids of their own that repeat within and across files, and some without."""
    one = [{"text": f"t {i}", "id": v} for i, v in enumerate(["a", None, "b", "a", 7])]
    two = [{"text": f"u {i}", "id": v} for i, v in enumerate(["c", "7", None, "d"])]
    other = [{"text": "v 0", "id": "a"}, {"text": "v 1", "id": "e"}]
    return [
        source(
            "s",
            "synthetic",
            write_jsonl(folder / "in" / "one.jsonl", one),
            write_jsonl(folder / "in" / "two.jsonl", two),
            id_field="id",
        ),
        source("h", "human", write_jsonl(folder / "h.jsonl", other), id_field="id"),
        source("n", "human", folder / "h.jsonl"),
    ]


NAMES = [
    *("a@s/one.jsonl#0", "s/one.jsonl#1", "b", "a@s/one.jsonl#3", "7@s/one.jsonl#4"),
    *("c", "7@s/two.jsonl#1", "s/two.jsonl#2", "d"),
    *("a", "e", "n/h.jsonl#0", "n/h.jsonl#1"),
]


def test_documents_are_called_by_id_or_place_whatever_the_units(tmp_path):
    sources = write_corpus(tmp_path)
    for unit_bytes in (1 << 20, 60, 10):
        sketches = sketched(tmp_path / str(unit_bytes), sources, unit_bytes)
        repeated = repeated_ids(sketches, sources)
        assert np.flatnonzero(repeated).tolist() == [0, 3, 4, 6]
        everything = np.arange(len(sketches))
        assert ids_of(sketches, sources, everything, repeated).to_pylist() == NAMES
        some = np.array([1, 4, 6, 12])
        assert ids_of(sketches, sources, some, repeated).to_pylist() == [NAMES[i] for i in some]
        assert ids_of(sketches, sources, some[:0], repeated).to_pylist() == []


def test_a_source_without_a_single_id(tmp_path):
    sources = [
        source("s", "human", write_jsonl(tmp_path / "x.jsonl", [{"text": "a"}]), id_field="id"),
        source("t", "human", write_jsonl(tmp_path / "y.jsonl", [{"text": None}]), id_field="id"),
    ]
    sketches = sketched(tmp_path / "s", sources)
    repeated = repeated_ids(sketches, sources)
    assert repeated.tolist() == [False]
    assert ids_of(sketches, sources, np.arange(1), repeated).to_pylist() == ["s/x.jsonl#0"]


@given(st.lists(st.sampled_from([None, "", "a", "b#1", "ü"]), max_size=8))
def test_ids_of_a_unit_differ(own):
    places = pa.array([f"s/f#{3 * row}" for row in range(len(own))], pa.string())
    repeated = np.array([own.count(name) > 1 and name is not None for name in own], bool)
    found = document_ids(pa.array(own, pa.string()), places, repeated).to_pylist()
    assert len(set(found)) == len(own)
    for name, again, made in zip(own, repeated, found, strict=True):
        assert made == name or name is None or again


LIKELY = [None, "", "x", "s/f.jsonl#0", "s/f.jsonl#2", "x@s/f.jsonl#1", "x@s/f.jsonl#0@s/f.jsonl#2"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(LIKELY), min_size=1, max_size=6))
def test_an_id_that_looks_like_a_place_is_no_other_documents(names):
    sketches = HeldSketches([(0, [{"text": f"t {i}", "id": v} for i, v in enumerate(names)])])
    sketches.units = [Unit(0, 0, (Piece("f.jsonl", "jsonl", 0, -1, 0),))]
    sketches.places = places_of(sketches.units, [[len(names)]])
    sources = [source("s", "human", "f.jsonl", id_field="id")]
    repeated = repeated_ids(sketches, sources)
    given_ids = ids_of(sketches, sources, np.arange(len(names)), repeated).to_pylist()
    assert len(set(given_ids)) == len(names)
    for number, (name, name_given) in enumerate(zip(names, given_ids, strict=True)):
        place = f"s/f.jsonl#{number}"
        assert name_given == (
            place if name is None else f"{name}@{place}" if repeated[number] else name
        )
        # An id that nothing else has, as its own or from its place, is left as it is.
        others = {given_ids[i] for i in range(len(names)) if i != number}
        if name is not None and names.count(name) == 1 and name not in others:
            assert not repeated[number]
