"""Compiled kernels find a folder on any machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import event

from outcross.transforms.base import cache, kernels

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the code's folder and the home read-only, and return the temporary folder."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    blocked = tmp_path / "file"
    blocked.write_text("")  # nobody can write below a file, not even root
    monkeypatch.setattr(cache, "code_folder", lambda: blocked / "code")
    monkeypatch.setattr(cache, "user_folder", lambda: blocked / "home")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(sys.modules["numba"].config, "CACHE_DIR", "")
    return temporary


def test_nothing_is_changed_where_the_installation_can_be_written(monkeypatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert cache.place_cache() is None
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_the_home_will_do(monkeypatch, nowhere: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "user_folder", lambda: tmp_path / "home")
    assert cache.place_cache() is None
    assert list(nowhere.iterdir()) == []


def test_a_users_own_choice_is_kept(monkeypatch, nowhere: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert cache.place_cache() is None
    assert os.environ["NUMBA_CACHE_DIR"] == "/elsewhere"


def test_a_temporary_folder_is_found_again(monkeypatch, nowhere: Path) -> None:
    folder = cache.place_cache()
    assert folder is not None
    assert Path(folder).parent == nowhere
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == folder == sys.modules["numba"].config.CACHE_DIR
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert cache.place_cache() == folder


@pytest.mark.parametrize("kind", ["open to others", "link", "file"])
def test_what_others_could_have_put_there_is_not_run(nowhere: Path, tmp_path, kind) -> None:
    planted = nowhere / f"{cache.NAME}-{os.getuid()}"
    if kind == "file":
        planted.write_text("")
    elif kind == "link":
        planted.symlink_to(tmp_path)
    else:
        planted.mkdir()
        planted.chmod(0o777)
    folder = cache.place_cache()
    assert folder is not None
    assert Path(folder) != planted
    assert Path(folder).parent == nowhere


def test_a_home_that_nobody_knows_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.os.path, "expanduser", lambda path: path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert not cache.writable(cache.user_folder())


def test_compiling_is_said_once_and_keeping_is_not(tmp_path: Path) -> None:
    code = (
        "from outcross.transforms.base.kernels import announce\n"
        "announce(lambda: print('said'))\n"
        "from outcross.transforms.base import hashing\n"
        "from outcross.transforms.dedup import resolve\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for output in ("said\n", ""):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == output


def test_the_last_to_ask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    kernels.announce(lambda: calls.append(1))
    kernels.announce(lambda: calls.append(2))
    for _ in range(2):
        with event.trigger_event("numba:compile"):
            pass
    assert calls == [2]
