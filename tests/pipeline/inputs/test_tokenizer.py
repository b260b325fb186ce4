from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from outcross.pipeline.inputs.tokenizer import check_counts, read_given
from outcross.schemas.tokens import Tokenizer
from outcross.schemas.user_input import ConfigError
from tests.support.tokenizers import write_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_directory_and_its_file_are_the_same_tokenizer(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "small")
    data = (folder / "tokenizer.json").read_bytes()
    for value, name in ((folder, "small"), (folder / "tokenizer.json", "small/tokenizer.json")):
        given = read_given(str(value))
        assert given is not None
        assert given.tokenizer.name == name
        assert given.tokenizer.sha256 == hashlib.sha256(data).hexdigest()
    (folder / "tokenizer.json").rename(tmp_path / "other.json")
    given = read_given(str(tmp_path / "other.json"))
    assert given is not None
    assert given.tokenizer.name == "other.json"
    assert read_given(None) is None


def test_a_commit_of_the_hub_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def download(name: str, file: str, *, revision: str) -> str:
        asked.append((name, file, revision))
        return str(write_tokenizer(tmp_path) / file)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    given = read_given(f"some/model@{COMMIT}")
    assert given is not None
    assert given.tokenizer.name == f"some/model@{COMMIT}"
    assert asked == [("some/model", "tokenizer.json", COMMIT)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("some/model", r"it names no revision: branches and tags move"),
        ("some/model@main", r"its revision is 'main': branches .* as some/model@COMMIT"),
        ("/no/such/place", r"/no/such/place holds no tokenizer\.json"),
    ],
)
def test_other_values_are_refused(value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tokenizer: .*{message}"):
        read_given(value)


@pytest.mark.parametrize("name", ["tokenizer.model", "model.safetensors", "merges"])
def test_a_file_that_is_no_tokenizer_json_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"\x0a\x00")
    monkeypatch.chdir(tmp_path)
    for value in (name, str(tmp_path / name)):
        with pytest.raises(ConfigError) as error:
            read_given(value)
        message = str(error.value)
        assert f"tokenizer: {value} is a file, but no tokenizer.json (JSON of the" in message
        assert "; give that file, or the directory" in message
        assert "hub" not in message


def test_a_directory_may_be_named_like_a_file(tmp_path: Path) -> None:
    given = read_given(str(write_tokenizer(tmp_path / "v1.json")))
    assert given is not None
    assert given.tokenizer.name == "v1.json"


def test_a_hub_that_fails_or_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: Any, **__: Any) -> str:
        raise OSError("no route")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    with pytest.raises(ConfigError, match=r"the hub gave no tokenizer\.json .*no route"):
        read_given(f"some/model@{COMMIT}")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'outcross\[hf\]'"):
        read_given(f"some/model@{COMMIT}")


def test_other_tokens_are_refused_with_both_ways_out() -> None:
    a, b = (Tokenizer(name=name, sha256=name * 64) for name in "ab")
    check_counts("plan", "p", None, None)
    check_counts("plan", "p", a, Tokenizer(name="renamed", sha256=a.sha256))
    with pytest.raises(ConfigError, match=r"tokenizer: p \(plan\) counts words, and this command "):
        check_counts("plan", "p", None, a)
    with pytest.raises(ConfigError, match=r"set `tokenizer` to that of b .*begin a new lineage"):
        check_counts("lineage", "p", b, a)
