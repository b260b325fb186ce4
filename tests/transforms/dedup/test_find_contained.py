"""Units get the evaluation texts that their documents hold, once."""

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.dedup.contain import build_index
from outcross.transforms.dedup.find_contained import FindContained
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from tests.support.corpora import over


def packed(runs):
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    return offsets, np.array([word for run in runs for word in run], np.uint32)


def words(rng, length):
    return rng.integers(0, 2**32, length).tolist()


def test_each_unit_has_its_documents_items_beside_it_and_is_worked_once(tmp_path):
    rng = np.random.default_rng(0)
    items = [words(rng, 20) for _ in range(3)]
    index = build_index(*packed(items))
    index.save(str(tmp_path / "index.npz"))
    runs = [
        [words(rng, 30), items[1] + words(rng, 50), []],
        [],
        [words(rng, 9) + items[2], items[0][:13], items[0][:15]],
    ]
    folder = tmp_path / "contained"
    folder.mkdir()
    for unit, found in enumerate(runs):
        binary = [np.array(run, np.uint32).tobytes() for run in found]
        table = pa.table({"words": pa.array(binary, pa.large_binary())})
        files.write_table(unit_file(str(tmp_path), unit, "parquet"), table)
    lanes = [
        [Unit(i, 0, (Piece(f"{i}.jsonl", "jsonl", 0, -1, 1),)) for i in lane]
        for lane in ([2, 0], [1])
    ]
    transform = FindContained(str(tmp_path), str(tmp_path / "index.npz"), 0.5, str(folder))
    over(lanes, transform)
    half = float(np.float32(8 / 13))
    expected = [[(-1, 0.0), (1, 1.0), (-1, 0.0)], [], [(2, 1.0), (-1, 0.0), (0, half)]]

    def written():
        for unit in range(3):
            item, share = load_unit(str(folder), unit, ["item", "share"])
            assert (item.dtype, share.dtype) == (np.int64, np.float32)
            yield list(zip(item.tolist(), share.tolist(), strict=True))

    assert list(written()) == expected
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "unit-000000.parquet").unlink()
    over(lanes, transform)
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {path.name for path in after if after[path] != before[path]} == {"unit-000000.parquet"}
    assert list(written()) == expected
