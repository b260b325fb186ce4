"""Ids: the documents' own where they are unique, else the place, and never two the same."""

import tempfile

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.dedup.corpus import Named
from outcross.transforms.inputs.places import places_of
from outcross.transforms.sketches.identity import document_ids
from tests.support.columns import by_unit, load_columns
from tests.support.corpora import HeldSketches, deduplicated, sketched, source, write_jsonl
from tests.support.ids_definition import repeated_ids


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


def names_in(folder, sketches, sources):
    """Deduplicate; return which ids are repeated, and the names of all documents."""
    deduplicated(folder, sketches, sources)
    (repeated,) = load_columns(f"{folder}/verdicts", sketches, ["repeated_id"])
    names = []
    for unit, part in by_unit(sketches, repeated):
        named = Named(sources[unit.source].name, sketches.places[unit.index])
        table = sketches.table(unit.index, ["id", "row"])
        names += named.names(table, np.arange(len(part)), part).to_pylist()
    return repeated.tolist(), names


def test_documents_are_called_by_id_or_place_whatever_the_units(tmp_path):
    sources = write_corpus(tmp_path)
    for unit_bytes in (1 << 20, 60, 10):
        sketches = sketched(tmp_path / str(unit_bytes), sources, unit_bytes)
        repeated, names = names_in(tmp_path / f"d{unit_bytes}", sketches, sources)
        assert np.flatnonzero(repeated).tolist() == [0, 3, 4, 6]
        assert names == NAMES


def test_a_source_without_a_single_id(tmp_path):
    sources = [
        source("s", "human", write_jsonl(tmp_path / "x.jsonl", [{"text": "a"}]), id_field="id"),
        source("t", "human", write_jsonl(tmp_path / "y.jsonl", [{"text": None}]), id_field="id"),
    ]
    sketches = sketched(tmp_path / "s", sources)
    assert names_in(tmp_path / "d", sketches, sources) == ([False], ["s/x.jsonl#0"])


@given(st.lists(st.sampled_from([None, "", "a", "b#1", "ü"]), max_size=8))
def test_ids_of_a_unit_differ(own):
    places = pa.array([f"s/f#{3 * row}" for row in range(len(own))], pa.string())
    repeated = np.array([own.count(name) > 1 and name is not None for name in own], bool)
    found = document_ids(pa.array(own, pa.string()), places, repeated).to_pylist()
    assert len(set(found)) == len(own)
    for name, again, made in zip(own, repeated, found, strict=True):
        assert made == name or name is None or again


LIKELY = [None, "", "x", "PLACE#0", "PLACE#2", "x@PLACE#1", "x@PLACE#0@PLACE#2"]


IDS = st.lists(st.sampled_from(LIKELY), min_size=1, max_size=8)


@settings(deadline=None, max_examples=3)
@given(st.lists(st.tuples(IDS, st.integers(1, 8)), min_size=20, max_size=20))
def test_an_id_that_looks_like_a_place_is_no_other_documents(drawn):
    """Name the documents of several sources at once. PLACE stands for a source's file."""
    sources_ids = [
        ([name and name.replace("PLACE", f"s{number}/f.jsonl") for name in ids], size)
        for number, (ids, size) in enumerate(drawn)
    ]
    units, pieces = [], []
    for number, (ids, size) in enumerate(sources_ids):
        rows = [{"text": f"t {number} {i}", "id": name} for i, name in enumerate(ids)]
        for at in range(0, len(rows), size):
            units.append((number, rows[at : at + size]))
            pieces.append(Piece("f.jsonl", "jsonl", at, -1, 0))
    sketches = HeldSketches(units)
    for index, ((number, _), piece) in enumerate(zip(units, pieces, strict=True)):
        sketches.units[index] = Unit(index, number, (piece,))
    sketches.places = places_of(sketches.units, [[len(rows)] for _, rows in units])
    with tempfile.TemporaryDirectory() as folder:
        sketches.save(folder)
        names_of_sources = [f"s{number}" for number in range(len(sources_ids))]
        sources = [source(name, "human", "f.jsonl", id_field="id") for name in names_of_sources]
        repeated, names = names_in(f"{folder}/d", sketches, sources)
    assert len(repeated) == sum(len(ids) for ids, _ in sources_ids)
    start = 0
    for name_of_source, (ids, _) in zip(names_of_sources, sources_ids, strict=True):
        rows = slice(start, start + len(ids))
        places = [f"{name_of_source}/f.jsonl#{number}" for number in range(len(ids))]
        expected = repeated_ids(ids, places)
        assert repeated[rows] == expected
        assert len(set(names[rows])) == len(ids)
        given_names = names[rows]
        for name, given_name, place, again in zip(ids, given_names, places, expected, strict=True):
            assert given_name == (place if name is None else f"{name}@{place}" if again else name)
        start += len(ids)
