"""Every command prints on a console of any encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outcross.pipeline.cli import main as cli
from tests.end_to_end.conftest import COMMAND
from tests.end_to_end.conftest import outcross as installed

Ascii = Callable[..., tuple[str, str]]


@pytest.fixture
def ascii_(monkeypatch: pytest.MonkeyPatch) -> Ascii:
    """Runs a command in this process on an ASCII console; returns stdout and stderr."""

    def call(*arguments: object) -> tuple[str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), "ascii") for _ in range(2)]
        monkeypatch.setattr(sys, "argv", ["outcross", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code in (0, 3, None)
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue().decode("ascii") for stream in streams)
        return out, err

    return call


def test_what_reads_a_run(ascii_: Ascii, base, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes((base.out / "report.json").read_bytes())
    name = base.removed[0]["id"]
    for command in (
        ["explain", base.out],
        ["explain", base.out, name],
        ["compare", tmp_path / "one", tmp_path / "two"],
        ["clean", base.out, "--dry-run"],
    ):
        shown, _ = ascii_(*command)
        assert shown
        as_json, _ = ascii_(*command, "--json")
        on_utf_8 = installed(*command, "--json", code=None).stdout
        assert json.loads(as_json) == json.loads(on_utf_8)


@pytest.mark.parametrize("command", [["-h"], ["run", "-h"], ["plan", "--help"], ["--version"]])
def test_help(ascii_: Ascii, command: list[str]) -> None:
    assert len(ascii_(*command)[0]) > 4


@pytest.mark.parametrize("what", ["config", "plan", "report", "gates", "compare", "lineage"])
def test_schemas(ascii_: Ascii, what: str) -> None:
    assert "properties" in json.loads(ascii_("schema", what)[0])


def test_what_works_on_a_corpus(ascii_: Ascii, corpus, base, tmp_path: Path) -> None:
    config = corpus.config(tmp_path / "out", workers=2)
    assert "would be read" in ascii_("run", config, "--dry-run")[0]
    planned, _ = ascii_("plan", config, "--shopping-list")
    assert "alpha = " in planned
    assert "#" in planned  # the bars
    assert "rows" in ascii_("dedup", config, "--out", tmp_path / "dedup")[0]
    human = corpus.folder / "people.jsonl"
    ascii_("reference", "build", "--human", human, "--out", tmp_path / "ref")
    shown, _ = ascii_(
        *("audit", base.out, "--reference", tmp_path / "ref", "--out", tmp_path / "audit")
    )
    assert "+- 95%" in shown


def test_the_installed_command_in_the_oldest_of_locales(base) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for extra in (plain, {"PYTHONIOENCODING": "ascii"}):
        done = subprocess.run(
            [COMMAND, "explain", base.out],
            env={**os.environ, **extra},
            capture_output=True,
            check=True,
        )
        assert "what was removed" in done.stdout.decode("ascii")
        assert done.stderr == b""
