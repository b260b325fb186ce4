"""An input file that changes between two stages is refused by name, whatever its size and times."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.end_to_end.conftest import write_rows
from tests.support.commands import outcross

ROWS = [{"id": f"{n}", "text": f"row {n}: " + f"word{n} other{n} " * 6} for n in range(200)]


def change(path: Path) -> None:
    """Change a byte in the middle of a file, and nothing else that the system shows."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "jsonl.gz", "jsonl.zst"])
@pytest.mark.parametrize("command", ["dedup", "audit"])
def test_a_change_after_the_first_stage(tmp_path: Path, ending: str, command: str) -> None:
    path = write_rows(tmp_path / f"corpus.{ending}", ROWS)
    out = tmp_path / "out"
    files = ["--synthetic", path] if command == "dedup" else [path]
    rename = os.replace

    def replace(source: Path, target: Path) -> None:
        rename(source, target)
        if target.name == "manifest.json" and target.parent.name.startswith("sketch-"):
            change(path)

    with patch.object(os, "replace", replace):
        refused = outcross(command, *files, "--out", out, code=1)
    assert f"{path} has changed since the run began to read it" in refused.stderr
    assert not (out / "report.json").exists()
    change(path)  # it is as it was
    done = outcross(command, *files, "--out", out, code=None)
    assert "sketch        done earlier, unchanged" in done.stderr
    assert (out / "report.json").exists()
