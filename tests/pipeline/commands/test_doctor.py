"""`doctor`: the local engine is tried, others are looked for, a cluster is asked."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from outcross.pipeline.commands import doctor
from outcross.pipeline.commands.doctor import check_local_engine, examine
from outcross.schemas.doctor import Check

OVERVIEW = {
    "flink-version": "1.19.1",
    "taskmanagers": 2,
    "slots-available": 3,
    "slots-total": 4,
}


class Overview(BaseHTTPRequestHandler):
    """A job manager that answers one address."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/overview" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(OVERVIEW).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster() -> Iterator[str]:
    """Serve a Flink cluster's REST address."""
    server = HTTPServer(("127.0.0.1", 0), Overview)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _tried(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = Check(name="local", state="ready", detail="it has run", remedy=None)
    monkeypatch.setattr(doctor, "check_local_engine", lambda: ready)


def test_the_local_engine_is_tried() -> None:
    check = check_local_engine()
    assert (check.state, check.remedy) == ("ready", None)


def test_a_local_engine_that_fails_can_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no threads\nat all")

    monkeypatch.setattr(doctor, "run_pipeline", fail)
    check = check_local_engine()
    assert (check.state, check.detail) == ("failed", "no threads")
    monkeypatch.setattr(doctor, "check_local_engine", lambda: check)
    assert not examine().can_run


def test_what_is_missing_comes_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = examine()
    engines = {check.name: check for check in report.engines}
    assert list(engines) == ["local", "prism", "flink", "spark", "dataflow"]
    assert (engines["flink"].state, engines["spark"].state) == ("missing", "missing")
    for check in (*report.engines, *report.programs, *report.extras):
        assert (check.state == "ready") == (check.remedy is None), check
    assert [check.name for check in report.programs] == ["java", "go"]


def test_resources_are_counted() -> None:
    report = examine()
    assert report.machine.cores >= 1
    assert report.machine.memory_bytes is None or report.machine.memory_bytes > 1 << 26
    assert all(disk.free_bytes >= 0 for disk in report.disks)
    assert report.versions["apache-beam"]
    assert report.kernels.folder


def test_a_flink_cluster_is_asked(cluster: str) -> None:
    for address in (cluster, f"http://{cluster}/"):
        check = examine(address).engines[-1]
        assert check.state == "ready"
        assert check.detail == "Flink 1.19.1, 2 task managers, 3 of 4 slots free"


@pytest.mark.parametrize("path", ["/elsewhere", ":x"])
def test_a_flink_cluster_that_is_out_of_reach_comes_with_what_to_do(
    cluster: str, path: str
) -> None:
    check = examine(f"{cluster}{path}").engines[-1]
    assert check.state == "failed"
    assert check.remedy is not None
    assert check.detail


def test_without_a_home_the_downloads_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "~nobody-of-this-name")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/java" if name == "java" else None)
    engines = {check.name: check for check in examine().engines}
    for name in ("prism", "flink", "spark"):
        assert engines[name].state == "downloads"
        assert engines[name].detail.startswith("unknown: "), name


def test_a_failed_installation_is_installed_again_from_the_clone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "run_pipeline", lambda *_: 1 / 0)
    check = check_local_engine()
    assert check.remedy == "install it again: pip install . in the clone of outcross"


def test_the_address_of_a_cluster_is_made_printable() -> None:
    check = examine("\x1b[31mx").engines[-1]
    assert check.name == "flink at \\u001b[31mx"
    assert check.detail.isprintable()


def test_what_a_cluster_answers_is_made_printable(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OVERVIEW, "flink-version", "1\x1b[31m\n")
    assert examine(cluster).engines[-1].detail.startswith("Flink 1\\u001b[31m\\n, 2 task")
