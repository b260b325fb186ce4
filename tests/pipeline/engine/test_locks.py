"""A lock keeps a second process out until the first one ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from outcross.pipeline.engine.locks import lock_file
from outcross.schemas.user_input import ConfigError


def test_a_lock_is_free_again_when_its_process_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys\n"
        "from outcross.pipeline.engine.locks import lock_file\n"
        f"with lock_file({str(path)!r}, 'busy'):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(ConfigError, match="busy"), lock_file(str(path), "busy"):
            pass
        process.kill()
    with lock_file(str(path), "busy"):
        pass
