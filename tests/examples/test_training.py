"""`examples/training/` on a small run: cores as they are, torch by a stand-in of its interface."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.export import export
from outcross.pipeline.commands.run import dedup
from outcross.schemas.config import parse
from outcross.schemas.export import ExportRequest
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.tokenizers import END, bytes_tokenizer, write_tokenizer

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "training"))

from packing import Packed
from rows import Rows, loader
from streaming import stream_of
from weighted import draw, repeat, row_weights, weighted_sampler

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run whose data/ has two shards of several row groups each."""
    folder = tmp_path_factory.mktemp("training")
    write_jsonl(folder / "texts.jsonl", [{"text": text} for text in paragraphs(20)[:120]])
    write_tokenizer(folder / "bytes")
    source = {"name": "people", "role": "human", "files": [str(folder / "texts.jsonl")]}
    request = {"out": str(folder / "out"), "sources": [source]}
    dedup(parse(request | {"tokenizer": str(folder / "bytes"), "max_reject_share": 1}))
    kinds = {"npy": folder / "tokens", "megatron": folder / "megatron"}
    for kind, out in kinds.items():
        asked = {"run": str(folder / "out"), "format": kind, "tokenizer": str(folder / "bytes")}
        export(ExportRequest.model_validate(asked | {"out": str(out)}))
    (shard,) = (folder / "out" / "data").glob("*.parquet")
    table = pq.read_table(shard)
    shard.unlink()
    for number, part in enumerate((table.slice(0, 70), table.slice(70))):
        pq.write_table(
            part, shard.with_name(f"train-{number:05d}-of-00002.parquet"), row_group_size=16
        )
    return folder


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Stand in for the parts of torch that the examples use."""

    class IterableDataset:
        pass

    class DataLoader:
        def __init__(
            self, dataset: Any, batch_size: int, num_workers: int, collate_fn: Any
        ) -> None:
            self.dataset, self.size, self.collate = dataset, batch_size, collate_fn
            assert num_workers == 0

        def __iter__(self) -> Iterator[Any]:
            batch = []
            for row in self.dataset:
                batch.append(row)
                if len(batch) == self.size:
                    yield self.collate(batch)
                    batch = []
            if batch:
                yield self.collate(batch)

    class Generator:
        def manual_seed(self, seed: int) -> Generator:
            self.seed = seed
            return self

    def sampler(weights: Any, draws: int, replacement: bool, generator: Any) -> Any:
        return SimpleNamespace(weights=weights, draws=draws, seed=generator.seed)

    module, data = ModuleType("torch"), ModuleType("torch.utils.data")
    module.Generator = Generator  # type: ignore[attr-defined]
    parts = {"IterableDataset": IterableDataset, "DataLoader": DataLoader}
    vars(data).update(parts, get_worker_info=lambda: None, WeightedRandomSampler=sampler)
    names = {"torch": module, "torch.utils": ModuleType("torch.utils"), "torch.utils.data": data}
    for name, value in names.items():
        monkeypatch.setitem(sys.modules, name, value)
    return module


def texts_of(rows: Any) -> list[str]:
    return [row["text"] for row in rows]


def written(folder: Path) -> list[str]:
    return pq.read_table(folder / "out" / "data")["text"].to_pylist()


def test_each_epoch_has_all_rows_in_another_order(folder: Path) -> None:
    rows = Rows(folder / "out", ["text"], seed=1)
    epochs = [texts_of(rows) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(written(folder))
    assert epochs[0] != epochs[1] != epochs[2]
    assert texts_of(Rows(folder / "out", ["text"], seed=1)) == epochs[0]
    parts = [texts_of(Rows(folder / "out", ["text"], seed=1, part=n, parts=3)) for n in range(3)]
    assert sorted(text for part in parts for text in part) == sorted(written(folder))


def test_a_loader_goes_on_at_any_row(folder: Path, torch: ModuleType) -> None:
    rows = Rows(folder / "out", ["text"], seed=2)
    whole = [texts_of(batch) for _ in range(2) for batch in loader(rows, 10)]
    for taken in (0, 3, 11):
        first = Rows(folder / "out", ["text"], seed=2)
        batches = iter(loader(first, 10))
        before = [texts_of(next(batches)) for _ in range(taken)]
        resumed = Rows(folder / "out", ["text"], seed=2)
        resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
        after = [texts_of(batch) for batch in loader(resumed, 10)]
        after += [texts_of(batch) for batch in loader(resumed, 10)]
        assert before + after == whole


def test_rows_are_drawn_by_their_weights(tmp_path: Path, torch: ModuleType) -> None:
    weights = np.tile([1.0, 2.0, 5.0], 100)
    (tmp_path / "data").mkdir()
    column = pa.StructArray.from_arrays([pa.array(weights)], ["weight"])
    pq.write_table(pa.table({"outcross": column}), tmp_path / "data" / "a.parquet")
    read = row_weights(tmp_path)
    assert read.tolist() == weights.tolist()
    counts = np.bincount(draw(read, 80_000, seed=1) % 3)
    assert counts / 10_000 == pytest.approx([1, 2, 5], rel=0.05)
    assert np.bincount(repeat(read, seed=1)).tolist() == weights.astype(int).tolist()
    sampler = weighted_sampler(read, 7, seed=3)
    assert (sampler.weights, sampler.draws, sampler.seed) == (weights.tolist(), 7, 3)


@pytest.mark.parametrize("name", ["tokens", "megatron"])
def test_windows_cover_all_tokens_and_know_their_documents(folder: Path, name: str) -> None:
    packed = Packed(folder / name, length=64, seed=1)
    windows = list(packed)
    assert len(windows) == len(packed)
    counts = Counter(token for window in windows for token in window.tokens[:-1].tolist())
    facts = json.loads((folder / name / "tokens.json").read_text())
    assert 0 <= facts["tokens"] + facts["documents"] - sum(counts.values()) <= 64
    end = bytes_tokenizer().token_to_id(END)
    for window in windows:
        changes = np.flatnonzero(np.diff(window.document)).tolist()
        assert changes == np.flatnonzero(window.tokens[:-1] == end).tolist()
        assert (window.position[1:][np.diff(window.document) == 1] == 0).all()
    resumed = Packed(folder / name, length=64, seed=1, taken=5)
    assert [w.tokens.tolist() for w in resumed] == [w.tokens.tolist() for w in windows[5:]]
    other = Packed(folder / name, length=64, seed=1, epoch=1)
    assert [w.tokens.tolist() for w in other] != [w.tokens.tolist() for w in windows]


def test_a_stream_is_shuffled_and_resumed(folder: Path) -> None:
    texts = texts_of(stream_of(folder / "out", seed=1))
    assert sorted(texts) == sorted(written(folder)) != texts
    # A resumed stream fills its buffer anew, so what stood in it is left out: 1 keeps all.
    stream = stream_of(folder / "out", seed=1, buffer=1)
    rows = iter(stream)
    before = [next(rows)["text"] for _ in range(30)]
    state = stream.state_dict()
    resumed = stream_of(folder / "out", seed=1, buffer=1)
    resumed.load_state_dict(state)
    assert before + texts_of(resumed) == texts_of(stream_of(folder / "out", seed=1, buffer=1))


def test_the_page_s_lines_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    codes = re.findall(r"<!-- python -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(codes) == 4
    for code in codes:
        exec(code, {})
    rows = [json.loads(line) for line in (folder / "human.jsonl").read_text().splitlines()]
    assert sorted(row["text"] for row in rows) == sorted(written(folder))
    assert "people" in capfd.readouterr().out
