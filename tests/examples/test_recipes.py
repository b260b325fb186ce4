"""Recipes for a script, Make, GitHub Actions and Airflow go on after code 0, and stop after 3."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT, blocks
from tests.docs.test_links import unknown

RECIPES = ROOT / "examples" / "recipes"
STAND_IN = """#!/bin/sh
echo "$@" >> calls
mkdir -p out
touch out/manifest.json
exit $(cat code)
"""
TRAIN = '#!/bin/sh\necho "$1" >> trained\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a corpus, and stand-ins for `outcross` and the training."""
    (tmp_path / "bin").mkdir()
    for path, text in ((tmp_path / "bin" / "outcross", STAND_IN), (tmp_path / "train.sh", TRAIN)):
        path.write_text(text)
        path.chmod(0o755)
    for name in ("config.yaml", "synthetic.jsonl", "human.jsonl"):
        (tmp_path / name).write_text("")
    return tmp_path


def end_with(folder: Path, code: int) -> None:
    """Let the stand-in for `outcross` end with a code."""
    (folder / "code").write_text(str(code))


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def shell(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(RECIPES / "Makefile", folder)
    return shell(folder, "make")


def check_calls(folder: Path, calls: int) -> None:
    """Check how often `outcross` was called, with options that it has, and with the gate."""
    recorded = lines(folder / "calls")
    assert len(recorded) == calls
    for call in recorded:
        assert unknown(shlex.split(call)) == ""
        assert "--gate" in call


def test_make_trains_on_a_corpus_that_goes(folder: Path) -> None:
    end_with(folder, 0)
    assert make(folder).returncode == 0
    assert make(folder).returncode == 0  # the corpus is not made again
    check_calls(folder, 1)
    assert lines(folder / "trained") == ["out/data", "out/data"]


@pytest.mark.parametrize("code", [1, 2, 3])
def test_make_stops_and_does_not_go_on_next_time(folder: Path, code: int) -> None:
    end_with(folder, code)
    for calls in (1, 2):
        done = make(folder)
        assert done.returncode == 2
        assert f"Error {code}" in done.stderr
        check_calls(folder, calls)
    assert lines(folder / "trained") == []
    end_with(folder, 0)  # another budget, say
    assert make(folder).returncode == 0
    assert lines(folder / "trained") == ["out/data"]


def actions(folder: Path) -> tuple[int, str, list[str]]:
    """Run the steps of the workflow as GitHub's runners do; return code, output and steps."""
    workflow = yaml.safe_load((RECIPES / "corpus.yml").read_text())
    assert set(workflow[True]) == {"workflow_dispatch", "push"}  # YAML 1.1 reads `on` so
    (job,) = workflow["jobs"].values()
    output, ran, failed = "", [], 0
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        if failed and step.get("if") != "always()":
            continue
        ran.append(step.get("name", step.get("uses")))
        if "run" not in step or step["name"] == "Install":
            continue
        (folder / "step.sh").write_text(step["run"])
        done = shell(folder, "bash", "-e", "step.sh")
        output += done.stdout
        failed = failed or done.returncode
    return failed, output, ran


def test_actions_train_on_a_corpus_that_goes(folder: Path) -> None:
    end_with(folder, 0)
    code, output, ran = actions(folder)
    assert (code, output) == (0, "")
    assert ran[-1] == "Train"
    check_calls(folder, 1)
    assert lines(folder / "trained") == ["out/data"]


@pytest.mark.parametrize("code", [1, 2, 3])
def test_actions_stop_and_keep_the_report(folder: Path, code: int) -> None:
    end_with(folder, code)
    failed, output, ran = actions(folder)
    assert failed == code
    assert ("::error title=outcross::" in output) == (code == 3)
    assert ran[-1] == "Keep the report, whatever the verdict"
    assert lines(folder / "trained") == []


class AirflowException(Exception):  # noqa: N818
    """Stand-in: fails a task, which may be retried."""


class AirflowFailException(AirflowException):
    """Stand-in: fails a task without a retry."""


def airflow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Load and run the DAG with stand-ins for Airflow; return its tasks with their arguments."""
    tasks: list[tuple[str, Any]] = []

    def task(function: Callable[..., Any] | None = None, **options: Any) -> Any:
        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                tasks.append((function.__name__, options))
                return function(*arguments)

            return call

        return wrap if function is None else wrap(function)

    def dag(**_: Any) -> Any:
        return lambda function: function

    modules = {name: types.ModuleType(name) for name in ("airflow", "airflow.sdk")}
    modules["airflow.exceptions"] = types.ModuleType("airflow.exceptions")
    vars(modules["airflow.sdk"]).update(dag=dag, task=task)
    vars(modules["airflow.exceptions"]).update(
        AirflowException=AirflowException, AirflowFailException=AirflowFailException
    )
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("CORPUS_FOLDER", str(folder))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    runpy.run_path(str(RECIPES / "corpus_dag.py"))
    return tasks


def test_airflow_trains_on_a_corpus_that_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_with(folder, 0)
    tasks = airflow(folder, monkeypatch)
    assert [name for name, _ in tasks] == ["curate", "train"]
    assert tasks[0][1]["retries"] > 0
    check_calls(folder, 1)
    assert lines(folder / "trained") == [f"{folder}/out/data"]


@pytest.mark.parametrize(
    ("code", "error"), [(1, AirflowException), (2, AirflowException), (3, AirflowFailException)]
)
def test_airflow_retries_no_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    end_with(folder, code)
    with pytest.raises(AirflowException) as raised:
        airflow(folder, monkeypatch)
    assert type(raised.value) is error
    check_calls(folder, 1)
    assert lines(folder / "trained") == []


def test_the_page_shows_lines_of_the_recipes() -> None:
    files = {"make": "Makefile", "yaml": "corpus.yml", "python": "corpus_dag.py"}
    shown = [block for block in blocks(ROOT / "docs" / "recipes.md") if not block.mark]
    assert [block.language for block in shown] == list(files)
    for block in shown:
        text = (RECIPES / files[block.language]).read_text()
        text = text.replace("$(OUTCROSS)", "outcross").replace("$(TRAIN)", "./train.sh")
        there = {line.strip() for line in text.splitlines()}
        assert {line.strip() for line in block.code.splitlines()} <= there
