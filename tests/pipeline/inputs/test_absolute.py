"""Local paths become absolute where workers may have another working directory."""

from pathlib import Path

import pytest

from outcross.pipeline.inputs.absolute import with_absolute_paths
from outcross.schemas.config import Config


def test_local_paths_are_absolute_and_addresses_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model#1").mkdir()
    files = ["data/*.jsonl", "gs://bucket/a.jsonl", "-", "hf://datasets/o/n/x.parquet"]
    config = Config(
        out="out",
        against=["earlier", "s3://bucket/out/"],
        embedder="transformers:model#1",
        sources=[{"name": "s", "role": "synthetic", "files": files}],
    )
    absolute = with_absolute_paths(config)
    assert absolute.out == f"{tmp_path}/out"
    assert absolute.against == [f"{tmp_path}/earlier", "s3://bucket/out"]
    assert absolute.embedder == f"transformers:{tmp_path}/model#1"
    assert absolute.sources[0].files == [f"{tmp_path}/data/*.jsonl", *files[1:]]
    assert absolute.reference is None
    assert absolute.model_fields_set == config.model_fields_set
    assert with_absolute_paths(absolute) == absolute


def test_the_file_of_an_encoder_stays_behind_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for asked, expected in (
        ("transformers:model#onnx/a.onnx", f"transformers:{tmp_path}/model#onnx/a.onnx"),
        ("transformers:owner/name@" + "0" * 40, "transformers:owner/name@" + "0" * 40),
    ):
        config = Config(
            out="/out",
            lineage="loop",
            reference="ref",
            embedder=asked,
            sources=[{"name": "s", "role": "synthetic", "files": ["/x"]}],
        )
        absolute = with_absolute_paths(config)
        assert absolute.embedder == expected
        assert (absolute.lineage, absolute.reference) == (f"{tmp_path}/loop", f"{tmp_path}/ref")
