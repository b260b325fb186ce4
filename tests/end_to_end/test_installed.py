"""The installed command, as users start it; other tests call the same command line in process."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus, Run
from tests.support.commands import COMMAND, installed, outcross
from tests.support.processes import command_line, descendants
from tests.support.promises import promised_bytes


def test_a_run_that_is_killed_goes_on_and_gives_the_same_bytes(
    corpus: Corpus, base: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    config = corpus.config(out, workers=2)
    started = subprocess.Popen(
        [COMMAND, "run", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".outcross/sketch-*/manifest.json")) and time.monotonic() < deadline:
        assert started.poll() is None
        time.sleep(0.002)
    started.kill()
    assert started.wait(10) == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    resumed = installed("run", config)
    assert "sketch        done earlier, unchanged" in resumed.stderr
    assert promised_bytes(out) == promised_bytes(base.out)
    assert resumed.stdout.replace(str(out), str(base.out)) == base.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_gets_a_signal_ends_in_order_and_goes_on(
    corpus: Corpus, base: Run, tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out"
    config = corpus.config(out, workers=2)
    started = subprocess.Popen(
        [COMMAND, "run", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    awaited = "sketch" if number == signal.SIGINT else "cluster"
    deadline = time.monotonic() + 120
    while not list(out.glob(f".outcross/{awaited}-*/manifest.json")):
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    children = descendants(started.pid)
    started.send_signal(number)
    stdout, stderr = started.communicate(timeout=20)
    assert started.returncode == code
    assert stdout == ""
    assert stderr.splitlines()[-1] == "outcross: stopped; the same command goes on from here"
    assert "Traceback" not in stderr
    assert not [child for child in children if command_line(child)]
    assert not (out / "manifest.json").exists()
    assert f"{awaited:<13} done earlier, unchanged" in outcross("run", config).stderr
    assert promised_bytes(out) == promised_bytes(base.out)


@pytest.fixture(scope="module")
def finished(base: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the finished run, with its report beside it as a later generation."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(base.out, folder / "out")
    (folder / "later").mkdir()
    shutil.copy(base.out / "report.json", folder / "later")
    return folder


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["plan", "{out}.yaml", "--json"]),
        (0, ["compare", "{out}", "{folder}/later"]),
        (2, ["run", "{out}.yaml", "--token", "3"]),
        (2, ["explain", "{out}", "nobody"]),
    ],
)
def test_a_call_in_process_answers_as_the_installed_command(
    corpus: Corpus, finished: Path, code: int, arguments: list[str]
) -> None:
    corpus.config(finished / "out")
    line = [word.format(out=finished / "out", folder=finished) for word in arguments]
    done = installed(*line, code=code)
    assert outcross(*line, code=code) == done
    assert done.stdout or done.stderr


def test_a_call_in_process_leaves_the_process_as_it_was(finished: Path) -> None:
    def state() -> list[object]:
        root = logging.getLogger()
        names = ("", "apache_beam", "apache_beam.runners", "outcross.said")
        return [
            sys.argv,
            (sys.stdout, sys.stderr),
            dict(os.environ),
            os.getcwd(),
            (root.handlers[:], [logging.getLogger(name).level for name in names]),
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            (gc.isenabled(), gc.get_freeze_count()),
            (warnings.filters[:], warnings.showwarning),
        ]

    outcross("explain", finished / "out")  # imports what the command needs
    before = state()
    outcross("explain", finished / "out")
    outcross("explain", finished / "later", code=2)
    assert state() == before
