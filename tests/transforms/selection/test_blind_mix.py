"""A blind mix is an even sample of each origin, of nearly the size that is asked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.written_ngrams import CountWritten, written_counts
from outcross.transforms.selection.blind_mix import (
    SLICES,
    CountSlices,
    Slices,
    choose_slices,
    slices_of,
)
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.gap import SAMPLE_TOKENS, Counts, measure_gap
from outcross.transforms.selection.supply import SUPPLY, SupplySums
from outcross.transforms.selection.uses import (
    FRESH,
    GENERATED,
    HUMAN,
    LEDGER,
    OFF_SUPPORT,
    SYNTHETIC,
    USES,
    WRITABLE,
)
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams
from tests.support.instances import RANDOM
from tests.support.references import Documents, Population
from tests.support.sums import DecidedUnits, add_up, decided_units

ROLES = ("synthetic", "human", "human")
BOUNDS = (0, 300, 500, 600)
TOKENS = st.lists(st.integers(0, 10_000), min_size=SLICES, max_size=SLICES)
SEED = 7


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Population().draw(BOUNDS[-1], 3)


@pytest.fixture(scope="module")
def uses() -> NDArray[np.int8]:
    """Draw uses that fit the roles, some of them of documents that are not written."""
    rng = np.random.default_rng(4)
    synthetic = rng.choice([SYNTHETIC, OFF_SUPPORT, 0, USES - 1], 300, p=[0.7, 0.1, 0.1, 0.1])
    human = rng.choice([FRESH, 0], 200, p=[0.9, 0.1])
    return np.concatenate([synthetic, human, np.full(100, LEDGER)]).astype(np.int8)


def written(
    folder: Path, documents: Documents, uses: NDArray[np.int8], pieces: int
) -> DecidedUnits:
    """Write the documents and their uses as units."""
    cuts = [
        (source, a, b)
        for source, (start, stop) in enumerate(pairwise(BOUNDS))
        for a, b in pairwise(np.linspace(start, stop, pieces + 1).astype(int).tolist())
    ]
    files.make_folder(str(folder / "uses"))
    for index, (_, start, stop) in enumerate(cuts):
        path = unit_file(str(folder / "uses"), index, "parquet")
        files.write_table(path, pa.table({"use": uses[start:stop]}))
    return decided_units(folder, documents, np.ones(len(uses), bool), cuts, ROLES, frozenset({2}))


def counted(
    folder: Path,
    documents: Documents,
    uses: NDArray[np.int8],
    pieces: int = 2,
    lanes: int = 1,
    most: int = SAMPLE_TOKENS,
) -> Slices:
    units = written(folder, documents, uses, pieces)
    supply = SupplySums.empty(ROLES, 1, 1)
    np.add.at(supply.amounts, (0, uses, 1), documents.sketch["tokens"].to_numpy())
    files.write_bytes(str(folder / SUPPLY), supply.to_bytes())
    work = CountSlices(units.columns, str(folder), str(folder / "uses"), SEED, most)
    (folder / "slices").mkdir()
    dealt = [units.units[lane::lanes] for lane in range(lanes)]
    add_up(work, dealt, str(folder / "slices"))
    return Slices(str(folder / "slices"), most)


def counts_of(documents: Documents, chosen: NDArray[np.bool_]) -> Counts:
    tables = Tables.empty(DISTANCE_BUCKETS)
    runs = ngram_runs(documents.sketch.select(NGRAM_COLUMNS))
    count_ngrams(*runs, chosen, tables.unigrams, tables.bigrams)
    return Counts(tables.unigrams, tables.bigrams)


def tokens_of(documents: Documents, chosen: NDArray[np.bool_]) -> int:
    return int(documents.sketch["tokens"].to_numpy()[chosen].sum())


def plain_slice(value: int, share: float) -> int:
    limit = int(share * 2.0**64)
    inside = [number for number in range(SLICES) if value < limit >> number]
    return inside[-1] if inside else SLICES


@RANDOM
@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1), st.sampled_from([1.0, 0.7, 0.01]))
def test_each_slice_is_the_lower_half_of_what_is_left(values: list[int], share: float) -> None:
    edges = [int(share * 2.0**64) >> number for number in range(1, SLICES + 1)]
    hashes = [*values, 0, 1, (1 << 64) - 1, *edges]
    expected = [plain_slice(value, share) for value in hashes]
    assert slices_of(np.array(hashes, np.uint64), share).tolist() == expected


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_slices_halve_from_one_to_the_next(share: float) -> None:
    hashes = np.random.default_rng(0).integers(0, 1 << 64, 1 << 16, np.uint64)
    documents = np.bincount(slices_of(hashes, share), minlength=SLICES + 1)
    expected = [2.0 ** -(number + 1) for number in range(SLICES - 1)]
    inside = documents[:SLICES].sum()
    assert documents[:SLICES] / inside == pytest.approx([*expected, expected[-1]], abs=0.01)
    assert inside / documents.sum() == pytest.approx(share, abs=0.01)


@RANDOM
@given(TOKENS, st.floats(0, 100_000))
def test_slices_hold_as_much_as_is_wanted_up_to_the_smallest_that_is_left(
    tokens: list[int], wanted: float
) -> None:
    values = np.array(tokens)
    chosen = choose_slices(values, wanted)
    if wanted == 0 or not values.any():
        assert not len(chosen)
        return
    assert (values[chosen] > 0).all()
    drawn, smallest = int(values[chosen].sum()), int(values[values > 0].min())
    left = np.setdiff1d(np.flatnonzero(values), chosen)
    assert 0 < drawn <= max(wanted + 0.5, smallest)
    assert not len(left) or drawn == smallest or wanted - drawn < values[left].min() - 0.5


@RANDOM
@given(TOKENS)
def test_all_slices_are_taken_where_all_tokens_are_wanted(tokens: list[int]) -> None:
    values = np.array(tokens)
    chosen = choose_slices(values, float(values.sum()))
    assert chosen.tolist() == np.flatnonzero(values).tolist()


@pytest.mark.parametrize(
    ("pieces", "lanes", "most"), [(1, 1, SAMPLE_TOKENS), (3, 2, SAMPLE_TOKENS), (5, 4, 2000)]
)
def test_slices_are_those_of_the_documents_one_by_one(
    tmp_path: Path,
    documents: Documents,
    uses: NDArray[np.int8],
    pieces: int,
    lanes: int,
    most: int,
) -> None:
    slices = counted(tmp_path, documents, uses, pieces, lanes, most)
    hashes = seeded_hash(*documents.fingerprints, SEED, "blind").tolist()
    for origin, of_origin in enumerate([[FRESH], [LEDGER], GENERATED]):
        supply = tokens_of(documents, np.isin(uses, of_origin))
        number = np.array([plain_slice(value, min(most / supply, 1.0)) for value in hashes])
        for place in range(SLICES + 1):
            chosen = np.isin(uses, of_origin) & (number == place)
            assert slices.tokens[origin, place] == tokens_of(documents, chosen)
        largest = np.isin(uses, of_origin) & (number == 0)
        wanted = [0.0] * 3
        wanted[origin] = float(tokens_of(documents, largest))
        mix, expected = slices.mix(*wanted), counts_of(documents, largest)
        assert (mix.words == expected.words).all()
        assert (mix.pairs == expected.pairs).all()


def test_a_mix_of_all_tokens_is_all_documents(
    tmp_path: Path, documents: Documents, uses: NDArray[np.int8]
) -> None:
    """Its gap is that of the documents written, so nothing is gained where all is taken."""
    slices = counted(tmp_path, documents, uses)
    every = (np.isin(uses, of_origin) for of_origin in ([FRESH], [LEDGER], GENERATED))
    mix = slices.mix(*(float(tokens_of(documents, chosen)) for chosen in every))
    copies = np.isin(uses, WRITABLE).astype(np.int32)
    units = written(tmp_path, documents, uses, 2)
    (tmp_path / "copies").mkdir()
    for unit, (start, stop) in zip(units.units, pairwise(units.offsets), strict=True):
        path = unit_file(str(tmp_path / "copies"), unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies[start:stop]}))
    work = CountWritten(units.columns.sketches, str(tmp_path / "copies"), 1.0, SEED)
    add_up(work, [units.units], str(tmp_path))
    after = written_counts(str(tmp_path))
    assert (mix.words == after.words).all()
    assert (mix.pairs == after.pairs).all()
    reference = Tables(*(counts.astype(np.int64) for counts in counts_of(documents, uses == FRESH)))
    assert measure_gap(reference, mix) == measure_gap(reference, after)


@pytest.mark.parametrize("most", [1500, SAMPLE_TOKENS])
@pytest.mark.parametrize("shares", [(0.1, 0.37, 0.004), (1.0, 0.5, 0.6), (2.4, 1.0, 1.7)])
def test_a_mix_has_each_origin_in_its_proportion_and_the_size_of_its_sample(
    tmp_path: Path,
    documents: Documents,
    uses: NDArray[np.int8],
    shares: tuple[float, float, float],
    most: int,
) -> None:
    slices = counted(tmp_path, documents, uses, most=most)
    origins = ([FRESH], [LEDGER], [*GENERATED])
    supply = [tokens_of(documents, np.isin(uses, of_origin)) for of_origin in origins]
    amounts = [share * tokens for share, tokens in zip(shares, supply, strict=True)]
    sampled = min(most / sum(amounts), 1.0)
    words = 0.0
    for share, of_origin in zip(shares, origins, strict=True):
        every = counts_of(documents, np.isin(uses, of_origin)).words.sum()
        words += sampled * share * every
    # Documents have nearly as many words and signs for each token.
    assert slices.mix(*amounts).words.sum() == pytest.approx(words, rel=0.03)


def test_human_text_is_drawn_where_there_is_enough_of_it(
    tmp_path: Path, documents: Documents, uses: NDArray[np.int8]
) -> None:
    slices = counted(tmp_path, documents, uses)
    supply = tokens_of(documents, np.isin(uses, HUMAN))
    assert slices.human(supply + 1.0) is None
    human, expected = slices.human(float(supply)), counts_of(documents, np.isin(uses, HUMAN))
    assert human is not None
    assert human.words == pytest.approx(expected.words)
    assert Slices(slices.folder, supply // 2).human(supply + 1.0) is not None
