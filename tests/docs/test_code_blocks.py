"""Each block of code that a page marks as one to run is run, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outcross.schemas.config import parse
from outcross.schemas.gates import load_gates
from outcross.schemas.user_input import load_yaml
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands
from tests.support.commands import outcross

RUN = [path for path in PAGES if any(block.exit_code is not None for block in blocks(path))]


def run(block: Block, folder: Path) -> str:
    """Run a block in a folder as a user does, and return what it printed."""
    start = (
        [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    )
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [*start, block.code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == block.exit_code, f"{block.code}\n{done.stderr}"
    return done.stdout


def command_lines(block: Block) -> list[list[str]] | None:
    """Return the words of each line if all lines are plain calls of `outcross`, else None."""
    if block.language != "bash" or re.search(r"[|<>&;$`]", block.code):
        return None
    code = block.code.replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in code.splitlines()]
    lines = [words for words in lines if words]
    return lines if all(words[0] == "outcross" for words in lines) else None


def call(lines: list[list[str]], block: Block) -> str:
    """Call the command lines of a block in this process, and return what they printed."""
    output = [outcross(*words[1:]).stdout for words in lines[:-1]]
    return "".join([*output, outcross(*lines[-1][1:], code=block.exit_code).stdout])


def label(line: str) -> str:
    """Return a line without numbers, spaces and rules, which differ between versions of Python."""
    return re.sub(r"[\d.,%\s─]+", " ", line).strip()


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs(
    path: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run the README in a shell, and plain calls of the command on other pages in this process."""
    folder = tmp_path / "page"
    shutil.copytree(corpus, folder)
    monkeypatch.chdir(folder)
    output = ""
    for block in blocks(path):
        if block.file is not None:
            (folder / block.file).write_text(block.code)
        elif block.exit_code is not None:
            lines = None if path.stem == "README" else command_lines(block)
            output = run(block, folder) if lines is None else call(lines, block)
        elif block.mark == "output":
            printed = {label(line) for line in output.splitlines()}
            shown = {label(line) for line in block.code.splitlines()} - {"…"}
            assert shown <= printed, output


def test_configurations_and_gates_of_pages_are_right(tmp_path: Path) -> None:
    for path in PAGES:
        for block in blocks(path):
            if block.file is None:
                continue
            file = tmp_path / block.file
            file.write_text(block.code)
            if block.file.startswith("gates"):
                load_gates(str(file))
            else:
                parse(load_yaml(str(file)))


def test_calls_of_the_hub_have_options_that_there_are() -> None:
    codes = [block.code for path in PAGES for block in blocks(path) if block.mark == "hf"]
    calls = [shlex.split(line) for code in codes for line in code.splitlines()]
    calls = [words[1:] for words in calls if words[0] == "hf"]
    assert {"upload", "jobs"} <= {words[0] for words in calls}
    for words in calls:
        name = words[:2] if words[0] in ("jobs", "auth") else words[:1]
        call = [sys.executable, "-m", "huggingface_hub.cli.hf", *name, "--help"]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "NO_COLOR": "1"}
        shown = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
        known = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", shown.stdout))
        given = {word for word in words[len(name) :] if re.match("--?[a-z]", word)}
        assert given <= known, words


def test_every_mark_is_known() -> None:
    for path in PAGES:
        for block in blocks(path):
            known = block.exit_code is not None or block.file is not None
            assert known or block.mark in ("", "hf", "output", "python"), (
                f"{path.name}: {block.mark}"
            )


def test_most_pages_that_show_commands_run_some() -> None:
    showing = [path for path in PAGES if path.parent != ROOT / "runbooks" and any(commands(path))]
    assert len(RUN) > len(showing) / 2
