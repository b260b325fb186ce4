"""Events are posted; what can't be posted is a warning."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from outcross.pipeline.commands import post as module
from outcross.pipeline.commands.post import post
from outcross.schemas.config import parse
from outcross.schemas.user_input import ConfigError
from tests.support.commands import outcross
from tests.support.events import event_server

EVENT = {"eventType": "COMPLETE", "run": {"runId": "1"}}


@pytest.mark.parametrize("key", [None, "secret"])
def test_an_event_is_posted_with_the_key(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv("OPENLINEAGE_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENLINEAGE_API_KEY", key)
    events: list[dict[str, Any]] = []
    keys: list[str | None] = []
    with event_server(events, keys=keys) as url:
        assert post(EVENT, url) is None
    assert events == [EVENT]
    assert keys == [None if key is None else "Bearer secret"]


@pytest.mark.parametrize("status", [400, 401, 500])
def test_an_answer_that_is_an_error_is_a_warning(status: int) -> None:
    with event_server([], status=status) as url:
        warning = post(EVENT, url)
    assert warning is not None
    assert warning.startswith(f"openlineage_url: {url} did not take the event (")


def test_no_redirect_is_followed() -> None:
    stolen: list[dict[str, Any]] = []
    with (
        event_server(stolen) as other,
        event_server([], status=302, location=other) as url,
    ):
        assert post(EVENT, url) is not None
    assert stolen == []


def test_a_server_that_is_silent_or_absent_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert "timed out" in str(post(EVENT, url))
    assert "refused" in str(post(EVENT, url))


def test_a_server_that_answers_a_byte_at_a_time_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.3)
    ended = threading.Event()

    def dribble(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 201 Created\r\nX-Slow: ")
            while not ended.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dribble, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        try:
            assert "did not take the event (timed out)" in str(post(EVENT, url))
        finally:
            ended.set()
            thread.join()


def test_a_run_whose_event_is_refused_is_done(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one text"}\n{"text": "another one"}\n')
    out = tmp_path / "out"
    with event_server([], status=500) as url:
        done = outcross(
            *("dedup", "--synthetic", tmp_path / "a.jsonl", "--out", out),
            *("--openlineage-url", url),
        )
    assert f"warning: openlineage_url: {url} did not take the event" in done.stderr
    event = json.loads((out / "openlineage.json").read_text())
    assert event["job"]["name"] == "dedup.out"
    assert event["run"]["facets"]["outcross_verdict"]["exitCode"] == 0
    assert json.loads((out / "croissant.json").read_text())["name"] == "out"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("openlineage_url", "localhost:5000", "an address such as http://"),
        ("openlineage_url", "ftp://host/x", "an address such as http://"),
        ("openlineage_url", "http://me:hunter2@host/x", "OPENLINEAGE_API_KEY"),
        ("openlineage_url", "http://host/x?key=hunter2", "OPENLINEAGE_API_KEY"),
        ("languages", ["en", "English"], "found 'English'; a code such as en"),
        ("license", "CC BY 4.0", "a name such as cc-by-4.0"),
    ],
)
def test_wrong_values_are_refused_by_name(key: str, value: Any, words: str) -> None:
    source = {"name": "a", "role": "synthetic", "files": ["a.jsonl"]}
    with pytest.raises(ConfigError, match=words) as refused:
        parse({"out": "out", "sources": [source], key: value})
    assert key in str(refused.value)
    assert "hunter2" not in str(refused.value)
