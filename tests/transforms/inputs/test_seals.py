"""An identity detects every edit, and readers only see bytes that were hashed."""

import gzip
import json
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import Source
from outcross.transforms.inputs import seals
from outcross.transforms.inputs.seals import (
    ChangedError,
    SealedFile,
    check_piece,
    digests_of,
    identify,
    identify_all,
    open_piece,
    seal_units,
)
from outcross.transforms.reading.lookup import texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from tests.support.attic import Attic

BLOCK = 64  # in these tests, so that small files have many


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(seals, "BLOCK", BLOCK)


def seal(units, folder):
    paths = sorted({piece.file for unit in units for piece in unit.pieces})
    identities = identify_all(paths, 2)
    (folder / "digests").write_bytes(digests_of(identities))
    return seal_units(units, identities, str(folder / "digests"))


def sealed_piece(path, folder):
    unit = Unit(0, 0, (Piece(str(path), "jsonl", 0, -1, path.stat().st_size),))
    ((piece,),) = (unit.pieces for unit in seal([unit], folder))
    return piece


@given(st.integers(0, 5 * BLOCK), st.data())
def test_every_byte_counts(tmp_path_factory, size, data):
    path = tmp_path_factory.mktemp("seals") / "x"
    before = random.Random(size).randbytes(size)
    path.write_bytes(before)
    identity = identify(str(path))
    assert identity.size == size
    assert identity.name.startswith(f"{size}-")
    at = data.draw(st.integers(0, size))
    after = data.draw(
        st.sampled_from([before[:at] + b"!" + before[at:], before[:at] + before[at + 1 :]])
        if at == size
        else st.integers(1, 255).map(
            lambda flip: before[:at] + bytes([before[at] ^ flip]) + before[at + 1 :]
        )
    )
    path.write_bytes(after)
    assert (identify(str(path)) == identity) == (after == before)


def test_files_are_identified_side_by_side_as_alone(tmp_path):
    paths = []
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(b"x" * number * 17)
        paths.append(str(tmp_path / f"{number}"))
    assert identify_all(paths, 3) == {path: identify(path) for path in paths}
    with pytest.raises(FileNotFoundError):
        identify_all([*paths, str(tmp_path / "none")])


@settings(max_examples=60)
@given(
    st.integers(0, 4 * BLOCK),
    st.lists(st.tuples(st.integers(0, 5 * BLOCK), st.integers(-1, 3 * BLOCK)), max_size=6),
)
def test_a_sealed_file_reads_as_any_file(tmp_path_factory, size, reads):
    folder = tmp_path_factory.mktemp("seals")
    path = folder / "x"
    path.write_bytes(random.Random(size).randbytes(size))
    with open_piece(sealed_piece(path, folder)) as sealed, path.open("rb") as plain:
        assert isinstance(sealed, SealedFile)
        for at, length in reads:
            assert sealed.seek(at) == plain.seek(at)
            assert sealed.read(length) == plain.read(length)
            assert at > size or sealed.tell() == plain.tell()
        sealed.seek(0)
        buffer = bytearray(7)
        assert sealed.readinto(buffer) == min(7, size)


@given(st.integers(0, 4 * BLOCK - 1), st.integers(0, 4 * BLOCK - 1))
def test_a_changed_block_can_not_be_read(tmp_path_factory, edited, read):
    folder = tmp_path_factory.mktemp("seals")
    path = folder / "x"
    data = random.Random(1).randbytes(4 * BLOCK)
    path.write_bytes(data)
    piece = sealed_piece(path, folder)
    path.write_bytes(data[:edited] + bytes([data[edited] ^ 1]) + data[edited + 1 :])
    with open_piece(piece) as file:
        file.seek(read)
        if edited // BLOCK == read // BLOCK:
            with pytest.raises(ChangedError, match=f"{path} has changed"):
                file.read(1)
        else:
            assert file.read(1) == data[read : read + 1]


@pytest.mark.parametrize("after", [b"", b"12", b"1234"])
def test_another_size_is_refused_when_the_file_is_opened(tmp_path, after):
    path = tmp_path / "x"
    path.write_bytes(b"123")
    piece = sealed_piece(path, tmp_path)
    path.write_bytes(after)
    with pytest.raises(ChangedError):
        open_piece(piece)


def test_a_file_that_is_gone_or_a_pipe_is_refused_at_once(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"123")
    piece = sealed_piece(path, tmp_path)
    path.unlink()
    with pytest.raises(ChangedError, match=f"{path} is gone since the run began .*; bring the fi"):
        open_piece(piece)
    os.mkfifo(path)  # nobody writes: who opens it as a file waits for ever
    with pytest.raises(ChangedError, match=f"{path} has changed since the run began"):
        open_piece(piece)


ROWS = [{"text": f"text {n} of many " + "word " * (n % 9), "n": n} for n in range(200)]


@pytest.fixture(params=["jsonl", "jsonl.gz", "parquet"])
def corpus(request, tmp_path):
    path = tmp_path / f"x.{request.param}"
    if request.param == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=50, compression="none")
    else:
        data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        path.write_bytes(gzip.compress(data) if request.param.endswith("gz") else data)
    return path, Source(name="s", role="human", files=[str(path)])


def read(units, source):
    return [row for unit in units for block in read_unit(unit, source) for row in block.rows]


def test_every_format_is_read_under_seal(corpus, tmp_path):
    path, source = corpus
    units = seal(plan_units([source], 3000), tmp_path)
    plain = [row for block in read_unit(units[0], source) for row in block.batch.to_pylist()]
    assert plain == ROWS[: len(plain)]
    assert len(read(units, source)) == len(ROWS)
    (piece, *_) = units[0].pieces
    assert texts_at([piece], source, np.array([[0, 3]])) == [ROWS[3]["text"]]
    data = path.read_bytes()
    place = data.find(b"text 3 of") if path.suffix != ".gz" else 40
    path.write_bytes(data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :])
    # An error, not a reject: the file was intact when the run began.
    with pytest.raises(ChangedError, match=str(path)):
        read(units, source)
    with pytest.raises(ChangedError, match=str(path)):
        texts_at([piece], source, np.array([[0, 3]]))


class Stored(Attic):
    """An object store with a version of each object."""

    held: dict = {}  # noqa: RUF012
    versions: dict = {}  # noqa: RUF012

    @classmethod
    def scheme(cls):
        return "stored"

    def checksum(self, path):
        return self.versions[path]


def test_an_object_stores_checksum_stands_for_the_bytes(tmp_path):
    path = "stored://x/a.jsonl"
    Stored.held = {path: b'{"text": "one"}\n{"text": "two"}\n'}
    Stored.versions = {path: "v1"}
    assert identify(path).name == f"{len(Stored.held[path])}-v1"
    assert identify(path).blocks is None
    source = Source(name="s", role="human", files=[path])
    units = seal(plan_units([source]), tmp_path)
    assert read(units, source) == [0, 1]
    Stored.versions = {path: "v2"}
    with pytest.raises(ChangedError, match=path):
        read(units, source)
    with pytest.raises(ChangedError, match=path):
        texts_at(units[0].pieces, source, np.array([[0, 1]]))


def test_a_store_without_checksums_is_hashed(tmp_path):
    (tmp_path / "b").write_bytes(b"x" * 1000)
    Attic.held = {"attic://x/b": b"x" * 1000}
    assert identify("attic://x/b") == identify(str(tmp_path / "b"))
    units = seal([Unit(0, 0, (Piece("attic://x/b", "jsonl", 0, -1, 1000),))], tmp_path)
    with open_piece(units[0].pieces[0]) as file:
        assert file.read() == b"x" * 1000
    Attic.held = {"attic://x/b": b"x" * 999 + b"y"}
    with open_piece(units[0].pieces[0]) as file, pytest.raises(ChangedError):
        file.read()


def test_what_has_no_seal_is_not_checked(tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    piece = Piece(str(tmp_path / "x"), "jsonl", 0, -1, 1)
    with open_piece(piece) as file:
        assert file.read() == b"1"
    check_piece(piece)
