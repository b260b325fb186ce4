"""Pieces are grouped into units without loss, and small ones share a unit."""

import gzip
import json
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.sources import Source
from outcross.transforms.reading import pieces
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit


def source(*paths, name="s"):
    return Source(name=name, role="human", files=[str(path) for path in paths])


def write(folder, sizes):
    folder.mkdir()
    for number, size in enumerate(sizes):
        (folder / f"{number:05d}.jsonl").write_bytes(b"x" * size)
    return source(folder / "*")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_small_files_stand_together_in_their_order(tmp_path_factory, sizes, unit_bytes):
    folder = tmp_path_factory.mktemp("pieces")
    units = plan_units([write(folder / "x", sizes)], unit_bytes)
    all_pieces = [piece for unit in units for piece in unit.pieces]
    assert [unit.index for unit in units] == list(range(len(units)))
    assert [piece.file for piece in all_pieces] == sorted(piece.file for piece in all_pieces)
    assert len({piece.file for piece in all_pieces}) == len(sizes)
    assert sum(piece.bytes for piece in all_pieces) == sum(sizes)
    assert all(unit.bytes <= unit_bytes for unit in units)
    for unit, following in pairwise(units):  # no two could be one
        assert unit.bytes + following.pieces[0].bytes > unit_bytes
    for piece, following in pairwise(all_pieces):
        if piece.file == following.file:
            assert piece.stop == following.start
        else:
            assert (piece.stop, following.start) == (-1, 0)


def test_a_unit_has_so_many_pieces_at_most_and_is_of_one_source(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "MOST_PIECES", 7)
    sources = [write(tmp_path / name, [1] * 10) for name in "ab"]
    units = plan_units(sources)
    assert [(unit.source, len(unit.pieces)) for unit in units] == [(0, 7), (0, 3), (1, 7), (1, 3)]


LINES = st.sampled_from(
    ['{"text": "one", "n": 1}', '{"text": "two"}', '{"text": "x", "n": "a"}', "", "{broken", "  "]
)
FILES = st.lists(
    st.tuples(st.lists(LINES, max_size=5), st.booleans(), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(FILES, st.sampled_from([1, 40, 200, 1 << 20]), st.sampled_from([30, 100, 1 << 20]))
@settings(max_examples=60, deadline=None)
def test_rows_and_rejects_are_those_of_the_files(tmp_path_factory, files, unit_bytes, batch_bytes):
    """Read files with a byte order mark, without a last newline, and compressed."""
    folder = tmp_path_factory.mktemp("pieces")
    expected, broken = [], []
    for number, (lines, marked, ended, packed) in enumerate(files):
        data = "\n".join(lines).encode() + (b"\n" if ended and lines else b"")
        data = (b"\xef\xbb\xbf" if marked else b"") + data
        path = folder / f"{number:02d}.jsonl{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(data) if packed else data)
        for row, line in enumerate(lines):
            if line.startswith("{b"):
                broken.append((str(path), row))
            elif line.strip():
                expected.append((str(path), row, json.loads(line)["text"]))
    wanted = source(folder / "*")
    documents, faults = [], []
    bases: dict[str, int] = {}
    for unit in plan_units([wanted], unit_bytes):
        blocks = list(read_unit(unit, wanted, batch_bytes))
        counts = [0] * len(unit.pieces)
        for block in blocks:
            assert sum(lines for _, lines in block.pieces) == block.lines
            for piece, lines in block.pieces:
                counts[piece] += lines
        places = [
            (piece.file, bases.get(piece.file, 0) + line)
            for piece, count in zip(unit.pieces, counts, strict=True)
            for line in range(count)
        ]
        for piece, count in zip(unit.pieces, counts, strict=True):
            bases[piece.file] = bases.get(piece.file, 0) + count
        for block in blocks:
            texts = block.text.to_pylist()
            documents += [(*places[row], text) for row, text in zip(block.rows, texts, strict=True)]
            faults += [places[reject.number] for reject in block.rejects]
    assert documents == expected
    assert faults == broken


@pytest.mark.parametrize("kinds", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_small_row_groups_share_blocks(tmp_path, kinds):
    """Read row groups of 5 rows, as some programs write them."""
    texts = [f"text {number}" for number in range(1000)]
    nested = pa.array([[text] for text in texts], pa.list_(kinds))
    table = pa.table({"text": pa.array(texts, kinds), "nested": nested})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=5)
    corpus = source(tmp_path / "*")
    (unit,) = plan_units([corpus])
    blocks = list(read_unit(unit, corpus))
    assert len(blocks) <= 3
    assert [text for block in blocks for text in block.text.to_pylist()] == texts
    assert [row for block in blocks for row in block.rows.tolist()] == list(range(len(texts)))
    assert [row for block in blocks for (row,) in block.batch["nested"].to_pylist()] == texts


def test_a_broken_file_spoils_none_of_its_neighbours(tmp_path):
    lines = b'{"text": "a"}\n{"text": "b"}\n'
    packed = gzip.compress(lines * 50)
    for name, data in (
        ("a", gzip.compress(lines)),
        ("b", packed[:-9]),
        ("c", gzip.compress(lines)),
    ):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(data)
    corpus = source(tmp_path / "*")
    (unit,) = plan_units([corpus])
    blocks = list(read_unit(unit, corpus))
    rejects = [reject for block in blocks for reject in block.rejects]
    assert [(reject.kind, reject.piece) for reject in rejects] == [("byte", 1)]
    assert "ends too early" in rejects[0].reason
    by_piece = dict.fromkeys(range(3), 0)
    for block in blocks:
        for piece, count in block.pieces:
            by_piece[piece] += count
    assert by_piece[0] == by_piece[2] == 2
    assert sum(len(block.rows) for block in blocks) == sum(by_piece.values())
