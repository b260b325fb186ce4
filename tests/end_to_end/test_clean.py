"""`outcross clean` takes the work that no result needs, and nothing else."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

import outcross
from outcross.pipeline.commands.clean import clean
from outcross.pipeline.engine.artifacts import MANIFEST, WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.damage import DamagedError
from tests.end_to_end.conftest import run, write_rows
from tests.support.commands import outcross as command
from tests.support.promises import promised_bytes


@pytest.fixture
def finished(base, tmp_path) -> Path:
    """Copy a finished run, with the files as old as they are."""
    return Path(shutil.copytree(base.out, tmp_path / "out", symlinks=True))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def results(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in contents(folder).items() if not path.startswith(WORK)}


def size(folder: Path) -> int:
    return sum(map(len, contents(folder).values()))


def test_results_stay_and_the_bytes_are_those_that_went(finished):
    before, work_bytes = results(finished), size(finished / WORK)
    listed = clean(str(finished), dry_run=True)
    assert contents(finished).keys() >= {piece.path for piece in listed.removed if piece.bytes < 0}
    assert size(finished / WORK) == work_bytes
    cleaned = clean(str(finished))
    assert cleaned == listed.model_copy(update={"dry_run": False})
    assert results(finished) == before
    assert size(finished / WORK) == cleaned.kept_bytes
    assert work_bytes - cleaned.kept_bytes == cleaned.removed_bytes > 0
    assert sum(piece.bytes for piece in cleaned.removed) == cleaned.removed_bytes
    assert cleaned.unfinished == []
    assert not any((finished / piece.path).exists() for piece in cleaned.removed)
    again = clean(str(finished))
    assert (again.removed, again.kept_bytes) == ([], cleaned.kept_bytes)


def test_other_commands_answer_as_before(base, finished, tmp_path):
    clean(str(finished))
    for arguments in ([], ["00003"], ["00100"]):
        was = command("explain", base.out, *arguments, "--json", code=None)
        now = command("explain", finished, *arguments, "--json", code=None)
        assert (now.returncode, now.stdout) == (was.returncode, was.stdout)
    command("audit", finished, "--out", tmp_path / "audit", code=None)
    assert (tmp_path / "audit" / "report.json").exists()
    written = next(row for row in base.data if row["outcross"]["source"] == "people")
    rows = [{"text": written["text"]}, {"text": "A new one, quite."}]
    new = write_rows(tmp_path / "new.jsonl", rows)
    outcross.dedup(
        Config.model_validate(
            {
                "out": str(tmp_path / "later"),
                "sources": [{"name": "new", "role": "synthetic", "files": str(new)}],
                "against": str(finished),
            }
        ),
        progress=StageProgress(quiet=True),
    )
    (removed,) = pq.read_table(tmp_path / "later" / "removed").to_pylist()
    assert removed["kept_source"] == "out/people"


def test_the_same_run_again_writes_the_same(base, corpus, finished):
    before = promised_bytes(finished)
    clean(str(finished))
    again = run(corpus.config(finished), out=finished)
    assert promised_bytes(finished) == before
    assert "sketch        done earlier" in again.stderr  # what `explain` needs is of use here too
    plan = finished / "plan.json"
    clean(str(finished))
    asked = yaml.safe_load(corpus.config(finished.parent / "planned").read_text())
    outcross.run(
        Config.model_validate({**asked, "plan": str(plan)}), progress=StageProgress(quiet=True)
    )
    planned = promised_bytes(finished.parent / "planned")
    assert {path: data for path, data in planned.items() if path.startswith("data")} == {
        path: data for path, data in before.items() if path.startswith("data")
    }


def test_work_without_a_result_stays_unless_all_goes(finished):
    (finished / MANIFEST).unlink()
    before = contents(finished)
    kept = clean(str(finished))
    assert contents(finished) == before
    assert kept.removed == []
    assert kept.unfinished != []
    gone = clean(str(finished), everything=True)
    assert gone.removed == kept.unfinished
    assert {path.name for path in (finished / WORK).iterdir()} == {
        "lock",
        "data.key",
        "removed.key",
    }


def test_work_that_is_newer_than_the_result_stays(finished):
    time.sleep(0.02)
    begun = finished / WORK / "select-0123456789abcdef" / "round-1"
    begun.mkdir(parents=True)
    (begun / "scores").write_text("12345")
    before = contents(finished)
    kept = clean(str(finished))
    assert contents(finished) == before
    assert any(piece.path == f"{WORK}/{begun.parent.name}" for piece in kept.unfinished)
    clean(str(finished), everything=True)
    assert not begun.exists()
    assert results(finished).keys() == {p for p in before if not p.startswith(WORK)}


def test_links_are_not_followed(finished, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    for place in (finished / WORK / "texts-linked", finished / WORK / "spill" / "linked"):
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(outside)
    (finished / WORK / "file").symlink_to(outside / "mine")
    cleaned = clean(str(finished), everything=True)
    assert (outside / "mine").read_text() == "mine"
    assert not (finished / WORK / "texts-linked").is_symlink()
    assert {p.path: p.bytes for p in cleaned.removed}[f"{WORK}/texts-linked"] == 0
    (finished / WORK).rename(outside / "work")
    (finished / WORK).symlink_to(outside / "work")
    before = contents(outside)
    with pytest.raises(ConfigError, match="is a link to"):
        clean(str(finished))
    assert contents(outside) == before


@pytest.mark.parametrize("manifest", [None, "{}", "no json", '["a"]'])
def test_what_is_not_ours_is_refused(tmp_path, manifest):
    if manifest is not None:
        (tmp_path / MANIFEST).write_text(manifest)
        (tmp_path / WORK).mkdir()
        (tmp_path / WORK / "mine").write_text("mine")
    before = contents(tmp_path)
    message = r"clean: .* is not an output directory of outcross"
    if manifest == "no json":  # beside a work folder it may be ours, and damaged
        message = rf"{tmp_path / MANIFEST} is damaged or can't be read"
    with pytest.raises((ConfigError, DamagedError), match=message):
        clean(str(tmp_path), everything=True)
    assert contents(tmp_path) == before
    for out, message in (("nowhere", "no directory"), ("gs://a/b", "object store")):
        with pytest.raises(ConfigError, match=message):
            clean(out)


def test_people_and_programs_are_told(finished):
    shown = command("clean", finished, "--dry-run").stdout
    value = json.loads(command("clean", finished, "--json").stdout)
    assert f"{value['removed_bytes']:,} bytes would be removed" in shown
    assert all(piece["path"] in shown for piece in value["removed"])
    assert f"{value['kept_bytes']:,} bytes of work stay" in shown


def test_the_work_of_an_audits_own_reference_goes(corpus, tmp_path):
    human = str(corpus.folder / "people.jsonl")
    request = outcross.AuditRequest(paths=[human], human=[human], out=str(tmp_path / "audit"))
    outcross.audit(request, progress=StageProgress(quiet=True))
    before = results(tmp_path / "audit")
    reference = {path for path in before if path.startswith(f"reference/{WORK}/")}
    assert reference
    clean(request.out)
    after = results(tmp_path / "audit")
    assert {path for path in before if path not in after} == reference - {f"reference/{WORK}/lock"}
    outcross.audit(request, progress=StageProgress(quiet=True))
