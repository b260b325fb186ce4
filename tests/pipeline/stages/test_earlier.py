"""Earlier runs as an index, and the messages where a folder can be none."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outcross.pipeline.commands.run import dedup, run
from outcross.pipeline.stages.earlier import EarlierRun, earlier_runs
from outcross.pipeline.stages.texts import texts_of_earlier, texts_of_sources
from outcross.schemas.config import Config, parse
from outcross.schemas.documents import FORMAT_VERSION
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

TEXTS = [
    f"text {number} of {number * 7} words that nobody else has {number * 3}" for number in range(60)
]


def config(folder: Path, out: str, **keys: Any) -> Config:
    path = folder / "gpt.jsonl"
    path.write_text("".join(json.dumps({"n": n, "text": t}) + "\n" for n, t in enumerate(TEXTS)))
    source = {"name": "gpt", "role": "synthetic", "files": [str(path)], "id_field": "n"}
    return parse({"out": str(folder / out), "sources": [source], "workers": 1} | keys)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run that has selected a part of its documents."""
    folder = tmp_path_factory.mktemp("earlier")
    result = run(config(folder, "run1", tokens=200))
    assert 5 < result.report.conservation[0].written < 55
    return folder / "run1"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run1"))


def _written(run: EarlierRun) -> NDArray[np.bool_]:
    """Return the documents of a run of one unit that stand in its data."""
    path = run.written(0)
    assert path is not None
    return np.asarray(files.read_table(path, ["copies"]).column(0).to_numpy() > 0)


def _ids(out: Path) -> list[str]:
    import pyarrow.parquet as pq

    column = pq.read_table(out / "data")["outcross"].to_pylist()
    return sorted({row["id"] for row in column})


def test_what_was_written_is_known_with_its_ids(finished: Path, tmp_path: Path) -> None:
    (earlier,) = earlier_runs(config(tmp_path, "out", against=[str(finished)]))
    assert earlier.name == "run1"
    assert [party.name for party in earlier.parties] == ["run1/gpt"]
    assert all(party.fixed for party in earlier.parties)
    written = _written(earlier)
    assert len(written) == len(TEXTS)
    names = earlier.named(0).names(
        earlier.sketches.table(0, ["id", "row"]), written.nonzero()[0], None
    )
    assert sorted(names.to_pylist()) == _ids(finished)


def test_the_name_is_the_directorys_wherever_the_command_is_typed(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied)
    for out in (".", "../run1/", "data/..", str(copied), f"{copied}/"):
        (earlier,) = earlier_runs(config(tmp_path, "out", against=[out]))
        assert earlier.name == "run1"
        assert _written(earlier).any()
    assert EarlierRun("gs://bucket/runs/run7/", {}).name == "run7"


def test_what_it_has_written_is_its_identity(copied: Path, tmp_path: Path) -> None:
    against = config(tmp_path, "out", against=[str(copied)])
    (before,) = earlier_runs(against)
    written = _written(before).sum()
    moved = shutil.copytree(copied, tmp_path / "elsewhere" / "run1")
    (same,) = earlier_runs(config(tmp_path, "out", against=[str(moved)]))
    assert same.identity == before.identity
    run(config(tmp_path, "run1", tokens=150))
    (after,) = earlier_runs(against)
    assert after.identity != before.identity
    assert _written(after).sum() < written


def _change(out: Path, **values: Any) -> None:
    path = out / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _lose(out: Path, name: str) -> None:
    shutil.rmtree(out / json.loads((out / "manifest.json").read_text())["work"][name])


BROKEN = {
    "not finished": (
        lambda out: (out / "manifest.json").unlink(),
        r"run1 holds no manifest\.json; give the output directory of a finished run",
    ),
    "of something else": (
        lambda out: (out / "manifest.json").write_text('{"name": "an extension"}'),
        r"manifest\.json is not of an outcross run; give the output",
    ),
    "no JSON": (
        lambda out: (out / "manifest.json").write_text("version 3"),
        r"manifest\.json is damaged or can't be read: .*; delete it, and give the command",
    ),
    "a list": (
        lambda out: (out / "manifest.json").write_text("[]"),
        r"manifest\.json is not of an outcross run",
    ),
    "an older format": (
        lambda out: _change(out, format_version=1),
        rf"run1/manifest\.json was written by an older outcross: it has format_version 1, and "
        rf"format_version {FORMAT_VERSION} is needed; make the run anew: .* or give its data",
    ),
    "no work directory": (
        lambda out: shutil.rmtree(out / ".outcross"),
        r"run1 has lost \.outcross/sketch-\w+, the index that it left; run it again, or give its",
    ),
    "no selection": (
        lambda out: _lose(out, "selection"),
        r"run1 has lost \.outcross/select-\w+/selection",
    ),
    "no verdicts": (lambda out: _lose(out, "verdicts"), r"run1 has lost \.outcross/deduplicate-"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_can_be_no_index_is_refused_before_anything_is_made(
    copied: Path, tmp_path: Path, fault: str
) -> None:
    change, message = BROKEN[fault]
    change(copied)
    against = config(tmp_path, "out", against=[str(copied)])
    with pytest.raises(ConfigError, match=f"against: .*{message}"):
        dedup(against)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("key", "value", "was"), [("ngram", 4, 5), ("num_perm", 64, 128)])
def test_other_shingles_can_not_be_compared(
    finished: Path, tmp_path: Path, key: str, value: int, was: int
) -> None:
    against = config(tmp_path, "out", against=[str(finished)], **{key: value})
    message = f"run1 was made with {key} = {was}, this run has {value}; use the same, or give its"
    with pytest.raises(ConfigError, match=message):
        dedup(against)


def test_runs_of_one_name_could_not_be_told_apart(
    finished: Path, copied: Path, tmp_path: Path
) -> None:
    against = config(tmp_path, "out", against=[str(finished), f"{copied}/"])
    with pytest.raises(ConfigError, match="end in the same name 'run1'") as error:
        dedup(against)
    assert str(finished) in str(error.value)
    assert str(copied) in str(error.value)


def test_a_run_is_no_index_of_itself(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _ids(copied)
    monkeypatch.chdir(tmp_path)
    for out in (str(copied), f"{copied}/", "run1", "./run1/"):
        with pytest.raises(ConfigError, match=r"against: .* is out itself"):
            dedup(config(tmp_path, "run1", against=[out]))
    assert _ids(copied) == before


def test_texts_of_earlier_runs_are_found_by_their_name(finished: Path, tmp_path: Path) -> None:
    against = config(tmp_path, "out", against=[str(finished)])
    written = _ids(finished)[0]
    unwritten = next(str(n) for n in range(len(TEXTS)) if str(n) not in _ids(finished))
    wanted = {
        ("run1/gpt", written),
        ("run1/gpt", unwritten),
        ("gpt", written),
        ("run2/gpt", written),
    }
    assert texts_of_earlier(against, wanted) == {("run1/gpt", written): TEXTS[int(written)]}


def test_an_earlier_run_that_is_gone_has_no_texts_and_is_no_error(
    copied: Path, tmp_path: Path
) -> None:
    against = config(tmp_path, "out", against=[str(copied)])
    shutil.rmtree(copied)
    assert texts_of_earlier(against, {("run1/gpt", "0")}) == {}


def test_texts_of_sources_that_have_changed_are_not_shown(copied: Path, tmp_path: Path) -> None:
    request = config(tmp_path, "run1", tokens=200)
    run(request)  # the copied result is of sources elsewhere
    wanted = {("gpt", "3"), ("gpt", "no such id")}
    assert texts_of_sources(str(copied), request, wanted) == ({("gpt", "3"): TEXTS[3]}, {})
    path = Path(request.sources[0].files[0])
    before = path.read_text()
    for changed in (before.replace("text 3", "test 3"), before + "{}\n", before[:-9]):
        path.write_text(changed)
        assert texts_of_sources(str(copied), request, wanted) == ({}, {("gpt", "3"): str(path)})
    path.unlink()
    assert texts_of_sources(str(copied), request, wanted) == ({}, {("gpt", "3"): str(path)})
