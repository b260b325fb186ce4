"""Messages on stderr and in the log hold no character that steers a terminal."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.terminal.voice import Voice
from outcross.schemas.user_input import ConfigError

FULL = Path("/dev/full")

HOSTILE = "\x1b[31m\x9b2J\x07\r\x00 \u202e [red] [/] :smile:"
SHOWN = r"\x1b[31m\x9b2J\x07\r\x00 \u202e [red] [/] :smile:"


def test_every_way_to_say_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    voice = Voice(verbose=True, log_file=str(tmp_path / "log"))
    progress = StageProgress(keep=voice.keep)
    voice.say(f"said {HOSTILE}")
    voice.keep(f"kept {HOSTILE}")
    progress.say(f"progress {HOSTILE}")
    voice.fail(ConfigError(f"failed {HOSTILE}\n  an indented line"))
    logging.getLogger("apache_beam").warning("beam %s", HOSTILE)
    voice.close()
    printed = capsys.readouterr().err
    logged = (tmp_path / "log").read_text()
    for word in ("said", "progress", "failed", "beam"):
        assert f"{word} {SHOWN}" in printed
    for word in ("said", "kept", "progress", "failed", "beam"):
        assert f"{word} {SHOWN}" in logged
    for output in (printed, logged):
        assert output.replace("\n", "").isprintable()


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_log_on_a_full_disk_is_given_up_with_one_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    voice = Voice(log_file=str(FULL))
    for number in range(3):
        voice.say(f"line {number}")
    voice.close()
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if not line.startswith("line ")]
    assert len(lines) == 4
    assert "log_file: /dev/full can't be written any more: No space left on device" in said[0]
