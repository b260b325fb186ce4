from __future__ import annotations

from pathlib import Path

import pytest

from outcross.schemas.user_input import ConfigError
from outcross.transforms.encoders import hub
from outcross.transforms.encoders.spec import parse_spec

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "current_revision", lambda *_: None)


def test_a_directory_is_taken_before_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "model").mkdir(parents=True)
    spec = parse_spec("static:owner/model")
    assert (spec.kind, spec.folder, spec.repository) == ("static", "owner/model", None)
    assert spec.name == "static:model"  # no path of this machine


def test_a_hub_id_with_its_commit_is_taken() -> None:
    spec = parse_spec(f"transformers:owner/model@{COMMIT}#onnx/model_fp16.onnx")
    assert (spec.folder, spec.repository, spec.revision) == (None, "owner/model", COMMIT)
    assert spec.file == "onnx/model_fp16.onnx"
    assert spec.name == spec.key


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model", r"embedder: found 'model'; write static:PLACE or transformers:PLACE"),
        ("static:", "write static:PLACE"),
        ("onnx:owner/model", "write static:PLACE"),
        ("static:/no/such/place", "is no directory, nor a hub id"),
        ("static:../up", "is no directory, nor a hub id"),
        ("transformers:owner/model", "has no revision; write the 40 digits of a commit"),
        ("transformers:owner/model@main", "has the revision 'main', which can move"),
        (f"transformers:owner/model@{COMMIT}#../x.onnx", "not the name of an .onnx file"),
        (f"transformers:owner/model@{COMMIT}#model.bin", "not the name of an .onnx file"),
        (f"static:owner/model@{COMMIT}#model.onnx", "which only encoders have"),
    ],
)
def test_other_values_are_refused_with_what_to_write(key: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_spec(key)


def test_the_current_commit_is_named_if_the_hub_can_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "current_revision", lambda repository, revision: COMMIT)
    with pytest.raises(ConfigError, match=f"write static:owner/model@{COMMIT}, which is the"):
        parse_spec("static:owner/model")
