"""Verdicts are the same for any units, partitions and bins, and those of one bin of all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.documents import REMOVED_FIELDS
from outcross.transforms.base import files
from outcross.transforms.dedup import resolve
from outcross.transforms.dedup.contain import build_index
from outcross.transforms.dedup.corpus import Corpus, Named
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, Comparison, Settings
from outcross.transforms.dedup.evaluation_items import Containment, ContainmentFiles
from outcross.transforms.dedup.rules import Party
from outcross.transforms.exchange import packing
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from tests.support.corpora import (
    NUM_PERM,
    HeldSketches,
    corpus_of,
    deduplicate,
    in_one_bin,
    order_columns,
    paragraphs,
    rules_of,
    source,
    verdicts_in,
)

REASONS = {EXACT: "the same", NEAR: "nearly the same", CONTAINED: "holds a text"}
PARTIES = [
    Party(source("tests", "exclude", "x", id_field="id")),
    Party(source("people", "human", "x", id_field="id", priority=1)),
    Party(source("gpt", "synthetic", "x", id_field="id")),
    Party(source("own", "synthetic", "x", id_field="id", removed_by=["people"])),
    Party(source("yard", "reference", "x", id_field="id")),
    Party(source("gpt", "synthetic", "x", id_field="id"), "old"),
]


def documents(seed, texts=30, copies=7):
    """Draw documents as (party, row, written): variants of some paragraphs, for all parties."""
    rng = np.random.default_rng(seed)
    bases = [text.split() for text in paragraphs()]
    drawn = []
    for number in rng.choice(len(bases), texts, replace=False):
        for copy in range(int(rng.integers(1, copies))):
            words = list(bases[number])
            for at in rng.integers(0, len(words), int(rng.integers(0, 4)) * (len(words) // 40)):
                words[at] = "changed"
            if copy and rng.random() < 0.2:
                words = [*bases[rng.integers(len(bases))], *words]
            row = {
                "id": f"d{len(drawn)}",
                "text": " ".join(words) + "\n" * int(rng.integers(2)),
                "score": int(rng.integers(2)),
                "prompt": [None, "p", "q"][rng.integers(3)],
            }
            drawn.append((int(rng.integers(len(PARTIES))), row, bool(rng.random() < 0.8)))
    return [drawn[at] for at in rng.permutation(len(drawn))]


def saved(folder, drawn, size):
    """Write units of so many documents; return their sketches and the masks of earlier ones."""
    units, masks = [], {}
    for party in range(len(PARTIES)):
        own = [(row, flag) for number, row, flag in drawn if number == party]
        for at in range(0, len(own), size):
            if PARTIES[party].run is not None:
                masks[len(units)] = [flag for _, flag in own[at : at + size]]
            units.append((party, [row for row, _ in own[at : at + size]]))
    sketches = HeldSketches(units)
    folder.mkdir()
    sketches.save(folder)
    for number, mask in masks.items():
        copies = pa.table({"copies": np.array(mask, np.int32)})
        files.write_table(str(folder / f"copies-{number}.parquet"), copies)
    written = {number: str(folder / f"copies-{number}.parquet") for number in masks}
    everything = [masks.get(n, [True] * len(rows)) for n, (_, rows) in enumerate(units)]
    return sketches, written, np.array([flag for mask in everything for flag in mask], bool)


def judged(folder, drawn, decided, size=1000, **options):
    """Deduplicate; return all verdicts and removals by id, and the sums of partitions."""
    sketches, written, part = saved(folder, drawn, size)
    corpus = corpus_of(sketches, PARTIES, decided.same_answers is not None, written)
    out = folder / "out"
    deduplicate(out, sketches, corpus, decided, reasons=REASONS, **options)
    verdicts = verdicts_in(out, sketches, corpus.current)
    ids = [row for table in sketches.tables for row in table["id"].to_pylist()]
    told = {
        ids[document]: (
            ids[verdicts.partner[document]] if verdicts.partner[document] >= 0 else None,
            int(verdicts.stage[document]),
            float(verdicts.similarity[document]),
            bool(verdicts.open[document]),
        )
        for document in range(len(verdicts.partner))
    }
    tables = [pq.read_table(path) for path in sorted(Path(out, "removals").glob("*.parquet"))]
    rows = [row for table in tables for row in table.to_pylist()]
    columns = [field.name for field in REMOVED_FIELDS] + ["key", "row_hash"]
    removed = sorted(tuple(row[name] for name in columns) for row in rows)
    return told, removed, verdicts.counts, sketches, part


def by(threshold, exact, **options):
    return Settings(threshold, exact, 5, NUM_PERM, **options)


CONFIGURATIONS = [
    (by(0.8, exact=True), {}),
    (by(0.4, exact=True), {}),
    (by(0.3, exact=False), {"threshold": 0.3}),
    (by(0.7, exact=True, same_answers=2), {"threshold": 0.6}),
    (by(0.6, exact=True, boilerplate=4), {}),
    (by(0.6, exact=False, same_answers=1), {"containment": (0.5, 8)}),
    (by(0.5, exact=True, same_answers=1, boilerplate=5), {"containment": (0.5, 8)}),
]


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_neither_units_nor_partitions_nor_bins_matter(tmp_path, number, monkeypatch):
    decided, options = CONFIGURATIONS[number]
    drawn = documents(number)
    told, removed, counts, sketches, part = judged(
        tmp_path / "one", drawn, decided, bits=1, limit=1 << 40, lanes=1, **options
    )
    assert {stage for _, stage, _, _ in told.values()} >= {0, NEAR, *([] if number else [EXACT])}
    assert [row[0] for row in removed] == sorted(name for name, (kept, *_) in told.items() if kept)
    for turn, (size, bits, limit, lanes) in enumerate(
        [(1000, 6, 1, 2), (15, 3, 2000, 3), (7, 2, 400, 2)]
    ):
        # Bins' parts go to a file, and a bin of more than one pair is verified in batches.
        monkeypatch.setattr(packing, "IN_MEMORY", 1000 * turn)
        monkeypatch.setattr(resolve, "PAIRS_A_CALL", turn + 1)
        folder = tmp_path / str(turn)
        again = judged(folder, drawn, decided, size, bits=bits, limit=limit, lanes=lanes, **options)
        assert again[0] == told
        assert again[1] == removed
        assert again[2] == counts
        random = np.random.default_rng(turn)
        if turn == 0:
            drawn = [drawn[at] for at in random.permutation(len(drawn))]
    if "containment" in options:
        assert CONTAINED in {stage for _, stage, _, _ in told.values()}
        return
    # One bin of all documents decides the same.
    rules = rules_of(sketches, PARTIES, decided.same_answers is not None)
    comparison = Comparison.of(order_columns(sketches), rules, part)
    threshold = options.get("threshold")
    verdicts, _ = in_one_bin(sketches, np.arange(len(part)), comparison, decided, threshold)
    ids = [row for table in sketches.tables for row in table["id"].to_pylist()]
    for document, name in enumerate(ids[: len(told)]):
        kept = verdicts.partner[document]
        assert told[name] == (
            ids[kept] if kept >= 0 else None,
            int(verdicts.stage[document]),
            float(verdicts.similarity[document]),
            bool(verdicts.open[document]),
        )
    assert verdicts.counts == counts


def test_a_text_given_often_goes_to_many_shards_whatever_the_order_of_files(tmp_path):
    """Its rows are told apart by how many equal ones come before."""
    rows = [{"id": None, "text": "the same text", "score": 0, "prompt": None}] * 400
    _, removed, _, _, _ = judged(
        tmp_path / "a", [(2, row, True) for row in rows], by(0.8, exact=True), size=30
    )
    assert len(removed) == 399
    assert len({key for *_, key, _ in removed}) == 399
    assert len({row_hash for *_, row_hash in removed}) == 1


def packed(runs):
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    return offsets, np.array([word for run in runs for word in run], np.uint32)


def test_documents_that_hold_an_evaluation_text_are_found_once(tmp_path):
    rng = np.random.default_rng(0)

    def words(length):
        return rng.integers(0, 2**32, length).tolist()

    items = [words(20) for _ in range(3)]
    paths = ContainmentFiles(str(tmp_path), 8, 0.5)
    build_index(*packed(items)).save(paths.index)
    runs = [
        [words(30), items[1] + words(50), []],
        [words(9) + items[2], items[0][:13], items[0][:15]],
    ]
    (tmp_path / "contained").mkdir()
    sketches = [unit_file(str(tmp_path), unit, "parquet") for unit in range(2)]
    for path, found in zip(sketches, runs, strict=True):
        binary = [np.array(run, np.uint32).tobytes() for run in found]
        files.write_table(path, pa.table({"words": pa.array(binary, pa.large_binary())}))
    corpus = Corpus(
        [Party(source("s", "human", "x"))],
        sketches,
        np.zeros(2, np.int16),
        np.array([0, 3, 6]),
        [Named("s")] * 2,
        2,
    )
    expected = [[False, True, False], [True, False, True]]
    assert [Containment(corpus, paths).find(unit).tolist() for unit in range(2)] == expected
    item, share = load_unit(str(tmp_path / "contained"), 1, ["item", "share"])
    assert (item.tolist(), share.tolist()) == ([2, -1, 0], [1, 0, float(np.float32(8 / 13))])
    files.delete_files(sketches)  # nothing is searched again
    assert [Containment(corpus, paths).find(unit).tolist() for unit in range(2)] == expected
    assert not Containment(corpus, None).find(0).any()
