"""Counts of units, as a transform on folders of sketches."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.score_candidates import CountNgrams, read_tables
from outcross.transforms.text.ngrams import Tables, count_ngrams
from outcross.transforms.text.signs import with_signs


def unit(index: int) -> Unit:
    return Unit(index, 0, (Piece(f"{index}.jsonl", "jsonl", 0, -1, 1),))


def write_words(folder: Path, texts: list[list[list[int]]], copies: list[list[int]]) -> None:
    for index, (runs, counts) in enumerate(zip(texts, copies, strict=True)):
        words = [np.array(run, np.uint32).tobytes() for run in runs]
        signs = [b"\0," * len(run) for run in runs]  # a comma behind each word
        binary = pa.large_binary()
        table = pa.table({"words": pa.array(words, binary), "signs": pa.array(signs, binary)})
        files.write_table(unit_file(str(folder), index, "parquet"), table)
        copies_column = pa.table({"copies": pa.array(counts, pa.int32())})
        files.write_table(unit_file(str(folder / "copies"), index, "parquet"), copies_column)


TEXTS = [[[1, 2, 3], [2**32 - 1, 1]], [[], [7]], [[1, 2], [5, 5, 5, 5]], [[9]]]
COPIES = [[1, 2], [3, 1], [0, 3], [0]]


def with_commas(runs: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return offsets and hashes of words and commas, as `write_words` writes them."""
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    ids = np.array([word for run in runs for word in run], np.uint32)
    commas = np.frombuffer(b"\0," * len(ids), np.uint8)
    return with_signs(offsets, ids, 2 * offsets, commas)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("lanes", [[[0, 1, 2, 3]], [[3], [1, 0], [2]]])
def test_counts_are_those_of_one_table_whoever_counts(
    tmp_path: Path, lanes: list[list[int]], counted: bool
) -> None:
    (tmp_path / "copies").mkdir()
    write_words(tmp_path, TEXTS, COPIES)
    path = str(tmp_path / "ngrams.bin")
    before = str(tmp_path / "before.bin") if counted else None

    def count(target: str, on_top_of: str | None) -> None:
        with beam.Pipeline(runner="FnApiRunner") as p:
            dealt = p | beam.Create([[unit(i) for i in lane] for lane in lanes])
            dealt | CountNgrams(str(tmp_path), str(tmp_path / "copies"), target, on_top_of)

    if before is not None:  # all documents twice: what is too much is taken away again
        write_words(tmp_path, TEXTS, [[2] * len(copies) for copies in COPIES])
        count(before, None)
        write_words(tmp_path, TEXTS, [[c - 2 for c in copies] for copies in COPIES])
    count(path, before)
    expected = Tables.empty()
    for runs, copies in zip(TEXTS, COPIES, strict=True):
        ids = with_commas(runs)
        count_ngrams(*ids, np.array(copies, np.int32), expected.unigrams, expected.bigrams)
    tables = read_tables(path)
    assert tables.totals == expected.totals
    assert tables.totals[0] == (2 * 3 + 2) + 2 * (2 * 2 + 2) + (2 + 2) + 3 * (2 * 4 + 2)
    assert (tables.unigrams == expected.unigrams).all()
    assert (tables.bigrams == expected.bigrams).all()
