"""Files in data/ before a run: shards of an earlier run are deleted, other files stay."""

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
