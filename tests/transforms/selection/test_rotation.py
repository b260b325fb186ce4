"""Rotation of the ledger: who wrote a document last, and the order that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.quantile import BUCKETS, bucket_of
from outcross.transforms.selection.rotation import (
    FindLastWritten,
    Rotation,
    bought_by,
    newest,
    rotated,
    texts_in_range,
)
from outcross.transforms.selection.unit_columns import UnitColumns

LAST_HASH = 2**64 - 1
HASHES = st.one_of(st.integers(0, LAST_HASH), st.sampled_from([0, 1, LAST_HASH - 1, LAST_HASH]))


@given(st.integers(1, 1000), st.data())
def test_keys_keep_the_order_of_generations_and_of_hashes(generations: int, data: Any) -> None:
    pair = st.tuples(st.integers(0, generations - 1), HASHES)
    pairs = sorted(data.draw(st.lists(pair, min_size=1, max_size=30)))
    last = np.array([number for number, _ in pairs], np.int32)
    hashes = np.array([value for _, value in pairs], np.uint64)
    keys = [int(key) for key in rotated(hashes, last, generations)]
    assert keys == sorted(keys)
    numbers = last.tolist()
    for key, following, a, b in zip(keys, keys[1:], numbers, numbers[1:], strict=False):
        assert key < following or a == b  # no key is one of two generations
    width = LAST_HASH // generations
    assert all(n * width <= key < (n + 1) * width for key, n in zip(keys, numbers, strict=True))


@pytest.mark.parametrize("generations", [1, 2, 3, 7, 100])
def test_keys_fill_the_buckets_evenly(generations: int) -> None:
    rng, each = np.random.default_rng(0), 50
    hashes = rng.integers(0, 2**64, each * BUCKETS, dtype=np.uint64)
    last = rng.integers(0, generations, len(hashes)).astype(np.int32)
    sizes = np.bincount(bucket_of(rotated(hashes, last, generations)), minlength=BUCKETS)
    assert sizes.min() > each - 7 * each**0.5
    assert sizes.max() < each + 7 * each**0.5


SMALL = st.integers(0, 3)


@given(st.lists(st.tuples(SMALL, SMALL, st.integers(0, 9)), max_size=40))
def test_equal_texts_get_the_newest_of_their_generations(rows: list[tuple[int, int, int]]) -> None:
    hi, lo = (np.array([row[i] for row in rows], np.uint64) for i in range(2))
    last = np.array([row[2] for row in rows], np.int32)
    expected = [max(c for a, b, c in rows if (a, b) == row[:2]) for row in rows]
    assert newest(hi, lo, last).tolist() == expected


def test_an_id_names_the_generation_that_bought_the_document() -> None:
    ids = pa.array(["g2/people/a/b", "g10/people/x", "g1/g2/x", None, "other/people/x"])
    assert bought_by(ids, ["g1", "g2", "g10"]).tolist() == [1, 2, 0, 0, 0]


@pytest.mark.parametrize("parts", [1, 3, 50])
def test_a_range_is_read_from_its_row_groups_alone(
    tmp_path: Path, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, n, size = np.random.default_rng(1), 1000, 40
    hi = np.sort(rng.integers(0, 2**64, n, dtype=np.uint64))
    lo = rng.integers(0, 2**64, n, dtype=np.uint64)
    table = pa.table({"fingerprint_hi": hi, "fingerprint_lo": lo})
    path = str(tmp_path / "used.parquet")
    pq.write_table(table, path, row_group_size=size)
    read, groups = pq.ParquetFile.read_row_group, list[int]()

    def counted(self: Any, number: int, **given: Any) -> pa.Table:
        groups.append(number)
        return read(self, number, **given)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    halves = [pair for part in range(parts) for pair in texts_in_range(path, part, parts)]
    assert np.concatenate([pair[0] for pair in halves]).tolist() == hi.tolist()
    assert np.concatenate([pair[1] for pair in halves]).tolist() == lo.tolist()
    assert len(groups) <= n / size + parts - 1  # one that two ranges share is read twice


@dataclass
class PlainLedger:
    """Ledger by definition: documents, and the generation that last wrote each text.

    Attributes:
        texts: fingerprint of each document.
        bought: place of the generation that bought it.
        last: place of the generation that last wrote a text.
    """

    texts: list[tuple[int, int]] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)
    last: dict[tuple[int, int], int] = field(default_factory=dict)

    def write(self, text: tuple[int, int], generation: int) -> None:
        self.last[text] = generation

    def buy(self, text: tuple[int, int], generation: int) -> None:
        self.texts.append(text)
        self.bought.append(generation)
        self.write(text, generation)


def write_units(folder: Path, ledger: PlainLedger, cuts: Sequence[int]) -> list[Unit]:
    """Write the ledger as sketches of units; one more unit is of another source."""
    units = []
    for index, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(ledger.texts)], strict=True)):
        texts = np.array(ledger.texts[start:stop], np.uint64).reshape(-1, 2)
        ids = [f"g{b}/people/{start + i}" for i, b in enumerate(ledger.bought[start:stop])]
        table = {"fingerprint_hi": texts[:, 0], "fingerprint_lo": texts[:, 1]}
        path = unit_file(str(folder), index, "parquet")
        files.write_table(path, pa.table({"id": pa.array(ids, pa.string()), **table}))
        units.append(Unit(index, 1, ()))
    return [*units, Unit(len(units), 0, ())]


def exchange(work: FindLastWritten, units: Sequence[Unit]) -> None:
    """Run the exchange in memory; the last unit's rows arrive first."""
    sent: dict[int, list[pa.Table]] = {}
    for unit in reversed(units):
        for key, rows in work.send(unit):
            sent.setdefault(key, []).append(rows)
    answers: dict[int, list[pa.Table]] = {}
    for key, tables in sent.items():
        for unit_number, rows in work.regroup(key, pa.concat_tables(tables)):
            answers.setdefault(unit_number, []).append(rows)
    for key, tables in answers.items():
        assert list(work.collect(key, pa.concat_tables(tables))) == [key]


def find_last(
    folder: Path, ledger: PlainLedger, reused: Sequence[str | None], cuts: Sequence[int], parts: int
) -> tuple[Rotation, list[Unit]]:
    folder.mkdir()
    units = write_units(folder, ledger, cuts)
    columns = UnitColumns(str(folder), "", "", "", ["synthetic", "human"], frozenset({1}), ["*"])
    names = [f"g{number}" for number in range(len(reused))]
    out = str(folder / "last")
    files.make_folder(out)
    exchange(FindLastWritten(columns, names, reused, parts, out), units)
    return Rotation(out, len(reused)), units[:-1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.floats(0, 1.2)), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 7]),
)
def test_each_generation_writes_the_documents_that_were_written_longest_ago(
    asked: list[tuple[int, float]], seed: int, parts: int
) -> None:
    """Let generations buy documents and draw a share of the ledger, against the definition."""
    rng, ledger, reused = np.random.default_rng(seed), PlainLedger(), list[str | None]()
    with TemporaryDirectory() as name:
        for number, (buys, share) in enumerate(asked):
            drawn = set[tuple[int, int]]()
            if ledger.texts:
                cuts = sorted(rng.integers(0, len(ledger.texts) + 1, 2).tolist())
                folder = Path(name) / str(number)
                rotation, units = find_last(folder, ledger, reused, cuts, parts)
                texts = np.array(ledger.texts, np.uint64)
                hashes = seeded_hash(texts[:, 0], texts[:, 1], 5, f"ledger {number}")
                key = keys_of(rotation, units, hashes, [0, *cuts, len(texts)])
                count = round(share * len(texts))
                rows = np.lexsort((np.arange(len(texts)), key))[:count].tolist()
                plain = sorted(
                    range(len(texts)), key=lambda i: (ledger.last[ledger.texts[i]], hashes[i], i)
                )
                assert rows == plain[:count]
                drawn = {ledger.texts[row] for row in rows}
            reused.append(write_list(Path(name) / f"used-{number}", sorted(drawn)))
            for text in drawn:
                ledger.write(text, number)
            for _ in range(buys):
                known = bool(ledger.texts) and rng.random() < 0.2  # such as for another prompt
                new = int(rng.integers(0, 2**64, dtype=np.uint64)), int(rng.integers(0, 3))
                at = int(rng.integers(len(ledger.texts))) if known else 0
                ledger.buy(ledger.texts[at] if known else new, number)


def keys_of(
    rotation: Rotation, units: Sequence[Unit], hashes: NDArray[np.uint64], bounds: Sequence[int]
) -> NDArray[np.uint64]:
    keys = [
        rotation.keys(unit.index, np.arange(stop - start), hashes[start:stop])
        for unit, start, stop in zip(units, bounds, bounds[1:], strict=False)
    ]
    return np.concatenate(keys)


def write_list(path: Path, texts: list[tuple[int, int]]) -> str | None:
    if not texts:
        return None
    columns = np.array(texts, np.uint64)
    table = pa.table({"fingerprint_hi": columns[:, 0], "fingerprint_lo": columns[:, 1]})
    pq.write_table(table, path, row_group_size=3)
    return str(path)


def test_where_one_generation_bought_all_no_file_is_read() -> None:
    hashes = np.arange(5, dtype=np.uint64)
    for generations in (0, 1):
        rotation = Rotation("/nowhere", generations)
        assert rotation.keys(0, np.arange(5), hashes) is hashes
    none = hashes[:0]
    assert Rotation("/nowhere", 3).keys(0, np.arange(0), none) is none
