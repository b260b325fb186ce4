"""`init`, `doctor` and `schema`, called on the command line."""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path

import pytest

from outcross.pipeline.cli.main import command
from outcross.pipeline.commands import doctor
from outcross.schemas.doctor import Check, DoctorReport
from outcross.schemas.guess import InitResult


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Write two sources; return the options that name them."""
    rows = [{"id": n, "prompt": f"Say {n % 3}", "response": f"Answer {n}"} for n in range(9)]
    (tmp_path / "gpt.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "people.csv").write_text("body,lang\nSome human words.,en\nOne more.,en\n")
    return ["--synthetic", "gpt.jsonl", "--human", "people.csv"]


def test_a_dry_run_accepts_the_written_configuration(outcross, files) -> None:
    code, stdout, stderr = outcross("init", *files)
    assert (code, stderr) == (0, "")
    for line in (
        "gpt (synthetic): gpt.jsonl, 9 first rows",
        "  text_field    response ",
        "  id_field      id ",
        "  prompt_field  prompt ",
        "people (human): people.csv, 2 first rows",
        "  text_field    body ",
        "  outcross run config.yaml --dry-run",
    ):
        assert line in stdout
    code, stdout, _ = outcross("run", "config.yaml", "--dry-run", "--json")
    assert code == 0
    assert [(s["judged"], s["valid"]) for s in json.loads(stdout)["sources"]] == [
        (["response"], 9),
        (["body"], 2),
    ]


def test_an_existing_file_is_replaced_by_force_only(outcross, files) -> None:
    path = Path("config.yaml")
    path.write_text("mine")
    code, _, stderr = outcross("init", *files)
    assert code == 2
    assert "config.yaml exists already; choose another --out, or give --force" in stderr
    assert path.read_text() == "mine"
    assert outcross("init", *files, "--force")[0] == 0
    assert "response" in path.read_text()
    assert outcross("init", *files, "--out", "new/other.yaml")[0] == 0
    assert "outcross run new/other.yaml --dry-run" in Path("new/other.yaml").read_text()


def test_files_without_a_role_are_answered_with_the_options(outcross, files) -> None:
    for arguments in (["gpt.jsonl", "people.csv"], ["gpt.jsonl", "--human", "people.csv"], []):
        code, stdout, stderr = outcross("init", *arguments)
        assert (code, stdout) == (2, "")
        assert "outcross init --synthetic model.jsonl --human people.jsonl" in stderr
        assert all(repr(name) in stderr for name in arguments if name == "gpt.jsonl")
    assert not Path("config.yaml").exists()


def test_init_prints_its_guesses_as_json(outcross, files) -> None:
    code, stdout, _ = outcross("init", *files, "--json")
    result = InitResult.model_validate_json(stdout)
    assert (code, result.file) == (0, "config.yaml")
    assert [source.format for source in result.sources] == ["jsonl", "csv"]


def report(monkeypatch: pytest.MonkeyPatch, local: Check) -> None:
    """Let the local engine be in some state."""
    monkeypatch.setattr(doctor, "check_local_engine", lambda: local)


def test_doctor_ends_with_0_if_the_local_engine_runs(outcross, monkeypatch) -> None:
    report(monkeypatch, Check(name="local", state="ready", detail="it has run", remedy=None))
    code, stdout, stderr = outcross("doctor")
    assert (code, stderr) == (0, "")
    for word in ("outcross", "apache-beam", "core", "free", "compiled kernel", "prism", "gcs"):
        assert word in stdout
    code, stdout, _ = outcross("doctor", "--json")
    assert code == 0
    assert DoctorReport.model_validate_json(stdout).can_run


def test_doctor_ends_with_1_if_the_local_engine_fails(outcross, monkeypatch) -> None:
    failed = Check(name="local", state="failed", detail="no numpy", remedy="install numpy")
    report(monkeypatch, failed)
    code, stdout, _ = outcross("doctor")
    assert code == 1
    assert "no numpy" in stdout
    assert "local: install numpy" in stdout


def test_a_schema_that_does_not_exist_is_answered_with_the_list(outcross) -> None:
    code, _, stderr = outcross("schema", "run")
    assert code == 2
    assert "choose config, plan, report, gates, compare, lineage" in stderr


@pytest.mark.parametrize("arguments", [("schema", "config"), ("--version",), ("doctor",), ("x",)])
def test_closed_streams_change_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    report(monkeypatch, Check(name="local", state="ready", detail="it has run", remedy=None))
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: None)
    monkeypatch.setattr(sys, "argv", ["outcross", *arguments])
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    command()
    sys.stdout.close()
    sys.stderr.close()
    assert codes == [2 if arguments == ("x",) else 0]


def test_the_command_after_init_is_quoted_for_a_shell(outcross, files) -> None:
    for name, word in (
        ("my conf.yaml", "'my conf.yaml'"),
        ("a'\n\x1b[31m.yaml", r"$'a\'\x0a\x1b[31m.yaml'"),
    ):
        code, stdout, _ = outcross("init", *files, "--out", name)
        assert code == 0
        assert f"  outcross run {word} --dry-run\n" in stdout
        assert stdout.replace("\n", "").isprintable()
        assert f"outcross run {word} --dry-run\n" in Path(name).read_text()


@pytest.mark.parametrize("role", ["synthetic", "human", "exclude"])
def test_files_without_a_name_are_refused(outcross, files, role: str) -> None:
    code, _, stderr = outcross("init", *files, f"--{role}", "")
    assert code == 2
    assert f"{role}: found ''; name a file, a glob or a folder" in stderr
    assert not Path("config.yaml").exists()


def test_a_configuration_that_is_no_file_is_refused(outcross, files) -> None:
    Path("folder").mkdir()
    Path("file").write_text("mine")
    for out, message in (
        ("", "out: found ''; name a file, such as config.yaml"),
        ("x/", "out: 'x/' is a folder; name a file, such as 'x/config.yaml'"),
        ("folder", "out: 'folder' is a folder; name a file, such as 'folder/config.yaml'"),
        ("file/x.yaml", "out: 'file/x.yaml' can't be written, because 'file' is a file; choose"),
        ("file/a/x.yaml", "out: 'file/a/x.yaml' can't be written, because 'file' is a file"),
    ):
        code, stdout, stderr = outcross("init", *files, "--out", out, "--force")
        assert (code, stdout) == (2, ""), out
        assert message in stderr
    assert Path("file").read_text() == "mine"
    assert not Path("x").exists()


def test_an_extra_argument_is_answered_with_the_options_of_its_command(outcross) -> None:
    for arguments, advice in (
        (("doctor", "extra"), None),
        (("reference", "build", "x"), "put --human before each file or glob"),
        (("run", "a.yaml", "x"), "put --synthetic or --human before each file or glob"),
    ):
        code, _, stderr = outcross(*arguments)
        assert code == 2
        assert "unexpected extra argument" in stderr
        assert (advice or "before each") in stderr or advice is None
        assert advice is not None or "before each" not in stderr
