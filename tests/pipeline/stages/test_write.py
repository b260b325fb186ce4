"""What stands in data/ before a run: its own shards go, other files stay."""

import pytest

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.write import _forget_other_runs, check_folders
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError


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
    files = {"files": [str(tmp_path / "a.jsonl")]}
    config = Config(out=str(tmp_path), sources=[{"name": "s", "role": "synthetic", **files}])
    context = Context(config, [], StageProgress())
    _forget_other_runs(context, "data", str(data), "key")
    assert sorted(path.name for path in data.iterdir()) == ["mine.parquet", "notes.txt"]
