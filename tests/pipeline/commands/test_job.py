"""Frame of a job: a directory of its own, which keeps to one kind of job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from outcross.pipeline.commands.job import check_out, check_request, job, lock_out
from outcross.pipeline.commands.run import dedup
from outcross.pipeline.engine.artifacts import MANIFEST, WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages.context import RunError
from outcross.schemas.config import Config, parse
from outcross.schemas.documents import FORMAT_VERSION
from outcross.schemas.formats import versions
from outcross.schemas.user_input import ConfigError
from tests.support.attic import Attic
from tests.support.locks import losing_lock

KINDS = {"run": "run", "audit": "audit", "reference": "reference build"}


def config(out: Path, **keys: Any) -> Config:
    file = out.parent / "a.jsonl"
    file.write_text('{"text": "some words"}\n')
    source = {"name": "a", "role": "synthetic", "files": [str(file)]}
    return parse({"out": str(out), "sources": [source], **keys})


def finish(config: Config, **described: Any) -> None:
    """Write the files that every finished job leaves."""
    Path(config.out, WORK).mkdir(parents=True, exist_ok=True)
    value = {**versions(FORMAT_VERSION), **described}
    value["configuration"] = config.model_dump(mode="json", exclude_unset=True)
    Path(config.out, MANIFEST).write_text(json.dumps(value))


def test_a_directory_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with lock_out(out):
        with pytest.raises(ConfigError, match="another run is at work"), lock_out(out):
            pass
        with lock_out(str(tmp_path / "other")):
            pass
    with lock_out(out):
        pass


def test_an_out_in_a_folder_that_is_read_is_refused_before_it_has_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    request = config(folder / "out")
    request.sources[0].files[:] = [str(folder)]
    with pytest.raises(ConfigError, match="would read the result as input; choose another out"):
        check_request(request)
    request.sources[0].files[:] = [str(folder / "*.jsonl")]
    assert len(check_request(request)) == 1


def test_an_out_that_is_a_link_to_nothing_is_refused_by_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"is a link to .*nowhere, which is not there"):
        check_out(str(out), "run")
    (tmp_path / "nowhere").mkdir()
    check_out(str(out), "run")


def test_an_out_in_a_store_may_hold_the_work_of_a_killed_job_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = "attic://bucket/out"
    for held in ([], [f"{out}/{WORK}/lock"], [f"{out}/reference/{WORK}/sketch-1/manifest.json"]):
        monkeypatch.setattr(Attic, "held", dict.fromkeys(held, b""))
        check_out(out, "run")
    manifest = json.dumps({**versions(FORMAT_VERSION), "kind": "run"}).encode()
    monkeypatch.setattr(Attic, "held", {f"{out}/{MANIFEST}": manifest, f"{out}/{WORK}/lock": b""})
    check_out(out, "run")
    monkeypatch.setattr(Attic, "held", {f"{out}/{MANIFEST}": manifest})
    with pytest.raises(ConfigError, match=f"lost its {WORK}"):
        check_out(out, "run")
    monkeypatch.setattr(Attic, "held", {f"{out}/notes/mine.txt": b""})
    with pytest.raises(ConfigError, match="holds files that are not of an outcross run"):
        check_out(out, "run")


def test_a_job_whose_lock_was_taken_starts_no_further_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[bool] = []

    class Losing(StageProgress):
        @contextmanager
        def stage(self, name: str, documents: int = 0, size: int = 0) -> Iterator[None]:
            with super().stage(name, documents, size):
                yield
            if name == "sketch":
                lost.append(True)

    monkeypatch.setattr("outcross.pipeline.commands.job.lock", losing_lock(lost))
    asked = config(tmp_path / "out")
    with pytest.raises(RunError, match="the lock is lost"):
        dedup(asked, (), Losing(quiet=True))
    work = Path(asked.out, WORK)
    assert list(work.glob("sketch-*/manifest.json"))
    assert not list(work.glob("deduplicate-*/manifest.json"))
    assert not Path(asked.out, MANIFEST).exists()


@pytest.mark.parametrize("earlier", KINDS)
def test_a_directory_keeps_to_one_kind_of_job(tmp_path: Path, earlier: str) -> None:
    asked = config(tmp_path / "out")
    finish(asked, kind=earlier)
    before = Path(asked.out, MANIFEST).read_bytes()
    for kind in KINDS:
        if kind == earlier:
            check_out(asked.out, kind)
            continue
        command = KINDS[earlier]
        message = rf"out: {asked.out} holds what `outcross {command}` has made; choose another"
        with pytest.raises(ConfigError, match=message), job(asked, (), None, kind):
            pass
    assert Path(asked.out, MANIFEST).read_bytes() == before


def test_a_run_of_a_time_before_there_were_kinds_is_one(tmp_path: Path) -> None:
    asked = config(tmp_path / "out")
    finish(asked)
    check_out(asked.out, "run")
    with pytest.raises(ConfigError, match="holds what `outcross run` has made"):
        check_out(asked.out, "audit")


@pytest.mark.parametrize("manifest", ["not json", "[1]", '{"name": "an extension"}', ""])
def test_somebody_elses_manifest_is_left_alone(tmp_path: Path, manifest: str) -> None:
    """Web applications and browser extensions have a manifest.json, too."""
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(manifest)
    for kind in KINDS:
        with pytest.raises(ConfigError, match=r"manifest\.json is not of an outcross run; choose"):
            check_out(str(out), kind)
    assert [path.name for path in out.iterdir()] == [MANIFEST]


def test_that_another_requests_result_is_replaced_is_said(tmp_path: Path, capsys: Any) -> None:
    asked = config(tmp_path / "out", seed=1)

    def printed(request: Config, kind: str) -> str:
        with job(request, (), StageProgress(), kind):
            return capsys.readouterr().err

    for kind in ("audit", "reference"):
        assert printed(asked, kind) == ""  # there is none
        finish(asked, kind=kind)
        assert printed(asked, kind) == ""  # it is the same
        message = f"note: the result of another request in {asked.out} is replaced\n"
        assert printed(config(tmp_path / "out", seed=2), kind) == message
        assert printed(config(tmp_path / "out"), kind) == message
        Path(asked.out, MANIFEST).unlink()
