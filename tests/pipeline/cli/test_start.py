"""The command line starts quickly, and completes its names in a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("outcross")
SLOW = ("pydantic", "yaml", "pyarrow", "numpy", "numba", "apache_beam")

HELP = """
import sys
from outcross.pipeline.cli.main import main
sys.argv = ["outcross", "--help"]
try:
    main()
finally:
    loaded = [name for name in {slow!r} if name in sys.modules]
    assert not loaded, loaded
"""


def test_the_help_loads_no_models_and_nothing_that_computes() -> None:
    result = subprocess.run(
        [sys.executable, "-c", HELP.format(slow=SLOW)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for command in ("run", "audit", "init", "doctor", "reference", "lineage"):
        assert f" {command} " in result.stdout


def test_a_shell_gets_its_script_for_completion(monkeypatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    script = subprocess.run(
        [COMMAND, "--show-completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    assert "complete -o default -F _outcross_completion outcross" in script


@pytest.mark.parametrize(
    ("words", "number", "completions"),
    [
        ("outcross re", 1, {"restore", "reference", "requests"}),
        ("outcross reference b", 2, {"build"}),
        ("outcross run --human-s", 2, {"--human-share"}),
        ("outcross init --syn", 2, {"--synthetic"}),
    ],
)
def test_names_of_commands_and_options_are_completed(
    outcross, monkeypatch, words: str, number: int, completions: set[str]
) -> None:
    monkeypatch.setenv("_OUTCROSS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(number))
    code, stdout, _ = outcross()
    assert code == 0
    assert set(stdout.split()) == completions
