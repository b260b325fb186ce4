"""A first run compiles in two processes, a later one in none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from outcross.pipeline.engine.warm_up import compile_beside
from outcross.transforms.base import cache

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder for kernels."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_the_largest_kernels_are_compiled_beside(kept: Path) -> None:
    assert cache.is_empty()
    process = compile_beside()
    assert process is not None
    assert process.wait(300) == 0
    assert not cache.is_empty()
    assert {"words._split", "meaning._items"} <= {
        ".".join(path.name.split(".")[:2]).rpartition("-")[0] for path in kept.rglob("*.nbi")
    }
    assert compile_beside() is None
    # No kernel is compiled here, once the other process has it.
    code = """
import pyarrow as pa
from numba.core import event
from outcross.transforms.base.kernels import compile_late
from outcross.transforms.dedup import resolve
from outcross.transforms.text.meaning import items
from outcross.transforms.text.words import split_words
with event.install_recorder("numba:compile") as compiled:
    items(split_words(pa.array(["One text.", "Another."])))
    compile_late()
print(len(compiled.buffer))
"""
    again = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert again.stdout.strip() == b"0"


def test_meanwhile_nothing_of_the_same_is_compiled(kept: Path) -> None:
    code = "from outcross.pipeline.engine.warm_up import compile_meanwhile\ncompile_meanwhile()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    files = {path.name.partition(".")[0] for path in kept.rglob("*.nbi")}
    assert {"surface", "jaccard"} <= files
    assert not files & {"words", "meaning", "markup", "lines"}


def test_one_core_has_nothing_to_share(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert compile_beside() is None


def test_without_a_folder_for_temporary_files_no_process_begins(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(kept / "nowhere"))
    assert cache.is_empty()
    assert compile_beside() is None


def test_what_another_program_has_compiled_does_not_count(kept: Path) -> None:
    (kept / "other_1234").mkdir()
    (kept / "other_1234" / "kernel.nbi").write_text("")
    assert cache.is_empty()
    (kept / "text_1234").mkdir()
    (kept / "text_1234" / "kernel.nbi").write_text("")
    assert not cache.is_empty()


def test_the_installation_and_the_home_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(cache, "code_folder", lambda: tmp_path / "code")
    monkeypatch.setattr(cache, "user_folder", lambda: tmp_path / "home")
    assert cache.is_empty()
    (tmp_path / "code" / "kernel.nbi").write_text("")
    assert not cache.is_empty()
    (tmp_path / "code" / "kernel.nbi").unlink()
    monkeypatch.setattr(cache, "code_folder", lambda: Path("nowhere"))
    (tmp_path / "home" / "text_1").mkdir(parents=True)
    (tmp_path / "home" / "text_1" / "kernel.nbi").write_text("")
    assert not cache.is_empty()
