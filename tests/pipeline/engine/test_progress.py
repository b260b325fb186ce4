"""Progress of stages: plain lines in a log, a bar on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from outcross.pipeline.engine.progress import StageProgress, time_left
from outcross.transforms.base.progress import TALLY

ROOT = Path(__file__).parents[3]

# A slow stage, whose progress is shown at once; workers count in `TALLY`.
SLOW = """
import time
from outcross.pipeline.engine import progress
from outcross.transforms.base.progress import TALLY
progress.PATIENCE, progress.PLAIN_INTERVAL = 0.2, 0.3
shown = progress.StageProgress()
with shown.stage("sketch", size=4_000_000):
    for _ in range(8):
        TALLY.add("documents", 1000)
        TALLY.add("bytes", 500_000)
        time.sleep(0.2)
shown.skipped("cluster")
"""


def _command():
    return [sys.executable, "-c", SLOW], {"cwd": ROOT, "timeout": 60}


def test_plain_lines_where_there_is_no_terminal():
    command, options = _command()
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    assert done.stdout == ""
    *going_on, end, skipped = done.stderr.splitlines()
    assert len(going_on) >= 2
    assert all(re.fullmatch(r"sketch +\d\.\d s  [\d,]+ rows .* …", line) for line in going_on)
    assert re.fullmatch(r"sketch +\d\.\d s  8,000 rows \([\d,]+/s\)  [\d.]+ MB/s", end)
    assert skipped.split() == ["cluster", "done", "earlier,", "unchanged"]
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr


def test_a_bar_on_a_terminal():
    command, options = _command()
    ours, theirs = pty.openpty()
    output: list[bytes] = []

    def listen():
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                return
            if not part:
                return
            output.append(part)

    listener = threading.Thread(target=listen)
    listener.start()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, check=True, **options)
    os.close(theirs)
    listener.join(20)
    os.close(ours)
    shown = b"".join(output).decode()
    assert "━" in shown  # drawn more than once, and wiped at the end
    assert shown.count("\x1b[2K") > 2
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert re.search(r"sketch +\d\.\d s  8,000 rows", plain)
    assert "…" not in plain


def test_quick_stages_say_one_line_each_and_keep_their_times(capsys):
    progress = StageProgress()
    for name in ("sketch", "write"):
        with progress.stage(name):
            TALLY.add("documents", 5)
    first, second = capsys.readouterr().err.splitlines()
    assert first.index(" s  5 rows") == second.index(" s  5 rows")  # in one column
    assert list(progress.seconds) == ["sketch", "write"]


def test_a_long_line_stays_one_line(capsys):
    line = "warning: " + "word " * 100
    StageProgress().say(line)
    assert capsys.readouterr().err.splitlines() == [line]


def test_quiet_is_quiet(capsys):
    progress = StageProgress(quiet=True)
    with progress.stage("sketch"):
        progress.say("a warning")
    progress.skipped("cluster")
    assert capsys.readouterr() == ("", "")
    assert "sketch" in progress.seconds


def test_a_stage_that_fails_is_not_said_to_be_done(capsys):
    progress = StageProgress()
    with pytest.raises(ValueError, match="no"), progress.stage("sketch"):
        raise ValueError("no")
    assert capsys.readouterr().err == ""
    assert progress.seconds == {}


@pytest.mark.parametrize(
    ("count", "total", "seconds", "expected"),
    [
        (50, 100, 10.0, "10 s"),
        (1, 1_000, 10.0, ""),  # too early to say
        (25, 100, 60.0, "3:00 min"),
        (10, 100, 500.0, "1:15 h"),
        (100, 100, 7.0, "0 s"),
        (5, 0, 7.0, ""),  # the total is unknown
        (101, 100, 7.0, ""),  # above the total
        (0, 100, 7.0, ""),
    ],
)
def test_the_rest_takes_as_long_as_its_share_at_the_pace_so_far(count, total, seconds, expected):
    assert time_left(count, total, seconds) == expected


def test_lines_say_how_long_the_rest_takes():
    command, options = _command()
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    assert re.search(r"  \d s left …\n", done.stderr)


def test_what_is_said_is_kept_even_by_a_quiet_one(capsys):
    kept: list[str] = []
    progress = StageProgress(quiet=True, verbose=True, keep=kept.append)
    with progress.stage("sketch", documents=4, size=2_500_000):
        pass
    with progress.stage("cluster", documents=4_000):
        pass
    progress.skipped("plan")
    assert capsys.readouterr() == ("", "")
    begun, finished, next_begun, next_finished, skipped = kept
    assert begun == "sketch        begins  2.5 MB"
    assert next_begun == "cluster       begins  4,000 documents"
    assert finished.startswith("sketch           0.0 s")
    assert next_finished.startswith("cluster          0.0 s")
    assert skipped == "plan          done earlier, unchanged"
