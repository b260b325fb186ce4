"""Every command prints on a console of any encoding."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.commands import installed, outcross


def on_ascii(*arguments: object) -> str:
    """Call a command on an ASCII console, and return what it prints."""
    done = outcross(*arguments, code=None, encoding="ascii")
    assert done.returncode in (0, 3)
    return done.stdout


def test_what_reads_a_run(base, tmp_path: Path) -> None:
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
        assert on_ascii(*command)
        on_utf_8 = outcross(*command, "--json", code=None).stdout
        assert json.loads(on_ascii(*command, "--json")) == json.loads(on_utf_8)


@pytest.mark.parametrize("command", [["-h"], ["run", "-h"], ["plan", "--help"], ["--version"]])
def test_help(command: list[str]) -> None:
    assert len(on_ascii(*command)) > 4


@pytest.mark.parametrize("name", ["config", "plan", "report", "gates", "compare", "lineage"])
def test_schemas(name: str) -> None:
    assert "properties" in json.loads(on_ascii("schema", name))


def test_what_works_on_a_corpus(corpus, base, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    config = corpus.config(out)
    assert "would be read" in on_ascii("run", config, "--dry-run")
    planned = on_ascii("plan", config, "--shopping-list")
    assert "alpha = " in planned
    assert "#" in planned  # the bars
    assert "rows" in on_ascii("dedup", config)
    human = corpus.folder / "people.jsonl"
    on_ascii("reference", "build", "--human", human, "--out", tmp_path / "ref")
    shown = on_ascii(
        *("audit", base.out, "--reference", tmp_path / "ref", "--out", tmp_path / "audit")
    )
    assert "+- 95%" in shown


def test_the_installed_command_in_the_oldest_of_locales(base) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for environment in (plain, {"PYTHONIOENCODING": "ascii"}):
        done = installed("explain", base.out, **environment)
        assert "what was removed" in done.stdout
        assert done.stdout.isascii()
        assert done.stderr == ""
