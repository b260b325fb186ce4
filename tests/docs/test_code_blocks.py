"""Each block of code that a page marks as one to run is run, in the order of the page."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from click.testing import CliRunner

from outcross.schemas.config import parse
from outcross.schemas.gates import load_gates
from outcross.schemas.user_input import load_yaml
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands
from tests.support.commands import outcross

RUN = [path for path in PAGES if any(block.exit_code is not None for block in blocks(path))]


Call = tuple[list[str], set[int]]
"""Words of a call of `outcross`, and the exit codes that its line allows."""


def run_in_shell(block: Block, folder: Path) -> str:
    """Run a block in a folder as a user does, and return what it printed."""
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == block.exit_code, f"{block.code}\n{done.stderr}"
    return done.stdout


def calls(block: Block) -> list[Call] | None:
    """Return the calls of a block that has nothing but calls of `outcross`, else None.

    A line may allow another exit code: `outcross … || test $? = 3`.
    """
    every: list[Call] = []
    for line in block.code.replace("\\\n", " ").splitlines():
        command, _, code = line.partition(" || test $? = ")
        words = shlex.split(command, comments=True)
        if not words:
            continue
        if words[0] != "outcross" or re.search(r"[|<>&;$`]", command):
            return None
        every.append((words[1:], {0, int(code)} if code else {0}))
    return every


def run(block: Block, folder: Path) -> str:
    """Run a block, where a process of its own shows nothing more in this one.

    Args:
        block: code to run.
        folder: working directory.

    Returns:
        What the block printed.
    """
    if block.language == "python":
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(block.code, "<block>", "exec"), {"__name__": "__main__"})
        assert block.exit_code == 0
        return printed.getvalue()
    plain = calls(block)
    if plain is None:
        return run_in_shell(block, folder)
    output = []
    for number, (words, codes) in enumerate(plain, 1):
        done = outcross(*words, code=None)
        expected = codes if number < len(plain) or not block.exit_code else {block.exit_code}
        assert done.returncode in expected, f"{words}\n{done.stderr}"
        output.append(done.stdout)
    return "".join(output)


def label(line: str) -> str:
    """Return a line without numbers, spaces and rules, which differ between versions of Python."""
    return re.sub(r"[\d.,%\s─]+", " ", line).strip()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in libraries that the pages use
@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs(
    path: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(corpus, folder)
    monkeypatch.chdir(folder)
    output = ""
    for block in blocks(path):
        if block.file is not None:
            (folder / block.file).write_text(block.code)
        elif block.exit_code is not None:
            output = run(block, folder)
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
    from huggingface_hub.cli.hf import app

    codes = [block.code for path in PAGES for block in blocks(path) if block.mark == "hf"]
    calls = [shlex.split(line) for code in codes for line in code.splitlines()]
    calls = [words[1:] for words in calls if words[0] == "hf"]
    assert {"upload", "jobs"} <= {words[0] for words in calls}
    for words in calls:
        name = words[:2] if words[0] in ("jobs", "auth") else words[:1]
        shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*name, "--help"])
        assert shown.exit_code == 0, shown.output
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
