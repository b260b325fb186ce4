"""Messages on stderr and in the log hold no character that steers a terminal."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.terminal.voice import Voice
from outcross.schemas.user_input import ConfigError

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
