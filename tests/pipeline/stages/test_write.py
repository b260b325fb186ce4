"""Files in data/ before a run: shards of an earlier run are deleted, other files stay."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import deduplicate
from outcross.pipeline.stages.select import keep
from outcross.pipeline.stages.sketch import sketch
from outcross.pipeline.stages.write import check_folders, write
from outcross.schemas.config import parse
from outcross.schemas.user_input import ConfigError
from tests.support.corpora import write_jsonl


def test_a_parquet_file_of_someone_else_is_refused_and_other_files_are_left(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    check_folders(str(tmp_path))
    for name in ("train-00000-of-00002.parquet", "notes.txt", "README.md"):
        (data / name).write_text("x")
    check_folders(str(tmp_path))
    (data / "mine.parquet").write_text("x")
    with pytest.raises(ConfigError, match=r"^out: .*data/mine.parquet is not of a run.*move it"):
        check_folders(str(tmp_path))


def test_only_shards_of_an_earlier_run_are_deleted(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / WORK).mkdir()
    for name in ("train-00000-of-00002.parquet", "notes.txt", "mine.parquet"):
        (data / name).write_text("x")
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "some words"}])
    source = {"name": "s", "role": "synthetic", "files": [str(path)]}
    context = Context(
        parse({"out": str(tmp_path), "sources": [source], "workers": 1}),
        progress=StageProgress(quiet=True),
    )
    kept, counted = keep(deduplicate(sketch(context, embedded=False)))
    written = write(kept, counted)
    (shard,) = (file["file"] for file in written.files)
    assert shard == "train-00000-of-00001.parquet"
    assert sorted(path.name for path in data.iterdir()) == ["mine.parquet", "notes.txt", shard]


def damage_emptied(path):
    path.write_bytes(b"")


def damage_shortened(path):
    path.write_bytes(path.read_bytes()[:-30])


def damage_changed(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_replaced(path):
    pq.write_table(pa.table({"text": ["other words"]}), path)


def repeated(config):
    """Do a run; return what it has written, and its notes."""
    lines = []
    context = Context(config, progress=StageProgress(quiet=True, keep=lines.append))
    written = write(*keep(deduplicate(sketch(context, embedded=False))))
    return written, [line for line in lines if line.startswith("note")]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Do a run that tests damage and repeat; return its configuration and what it has written."""
    folder = tmp_path_factory.mktemp("first")
    rows = [{"text": f"some words number {n % 6}"} for n in range(9)]
    path = write_jsonl(folder / "a.jsonl", rows)
    source = {"name": "s", "role": "synthetic", "files": [str(path)]}
    config = parse({"out": str(folder / "out"), "sources": [source], "workers": 1})
    return config, repeated(config)[0]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (damage_emptied, "has 0 bytes, and"),
        (damage_shortened, "were written"),
        (damage_changed, "has other bytes than were written"),
        (damage_replaced, "were written"),
        (Path.unlink, "is gone"),
    ],
)
@pytest.mark.parametrize("folder", ["data", "removed"])
def test_a_repeated_run_makes_damaged_shards_again(first, folder, damage, fault):
    config, written = first
    (shard,) = Path(config.out, folder).iterdir()
    before = shard.read_bytes()
    damage(shard)
    again, notes = repeated(config)
    assert shard.read_bytes() == before
    assert (again.files, again.removed) == (written.files, written.removed)
    (note,) = notes
    assert note.startswith(f"note: {shard} ")
    assert fault in note
    assert note.endswith("; it is made again")
    assert repeated(config)[1] == []
