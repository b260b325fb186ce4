"""Finished work is not done again, and the result is the same bytes."""

from __future__ import annotations

import random
import shutil

import pytest

from tests.end_to_end.conftest import Run, dedup, run, words, write_rows
from tests.support.commands import Done, outcross
from tests.support.kills import kill_at
from tests.support.promises import promised_bytes
from tests.support.units import units_of

STAGES = ["sketch", "deduplicate", "cluster", "rank", "plan", "select", "write", "measure"]
ENDINGS = ["jsonl", "jsonl.gz", "jsonl.zst", "parquet"]
SMALL = 1 << 17  # bytes of a unit, of which the small corpus then has many


@pytest.fixture(scope="module")
def split(corpus, tmp_path_factory):
    """Write the same rows in another order, in many files of all formats."""
    folder = tmp_path_factory.mktemp("split")
    draw = random.Random(3)
    files = {}
    for source, rows in corpus.rows.items():
        mixed = draw.sample(rows, len(rows))
        files[source] = [
            write_rows(folder / f"{source}-{n:03d}.{ENDINGS[n % 4]}", mixed[at : at + 40])
            for n, at in enumerate(range(0, len(mixed), 40))
        ]
    return files


def _units(out):
    """Return when each sketched unit was written, and its inode, by file."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in out.glob(".outcross/sketch-*/units/unit-*.json")
    }


def test_a_killed_run_goes_on_and_gives_the_same_bytes(corpus, base, split, tmp_path):
    out = tmp_path / "out"
    config = corpus.config(out, split, workers=1)
    kill_at("/units/unit-", "run", config, times=11, unit_bytes=SMALL)
    finished = _units(out)
    assert len(finished) >= 5
    assert not list(out.glob(".outcross/sketch-*/manifest.json"))
    with units_of(SMALL):
        resumed = outcross("run", config)
    assert "sketch        done earlier" not in resumed.stderr
    after = _units(out)
    assert len(after) > len(finished)
    assert {path: after[path] for path in finished} == finished
    # Another split, another order, small units, one worker, a kill: nothing of it shows.
    assert promised_bytes(out) == promised_bytes(base.out)


@pytest.fixture(scope="module")
def copied(base, tmp_path_factory):
    """Copy the finished run, to go on with."""
    out = tmp_path_factory.mktemp("copied") / "out"
    shutil.copytree(base.out, out)
    return out


def _reused(result: Run | Done) -> dict[str, bool]:
    """Return by stage whether it was done earlier; `report` is made every time."""
    names = [line[:13].strip() for line in result.stderr.splitlines()]
    return {
        name: "done earlier, unchanged" in line
        for name, line in zip(names, result.stderr.splitlines(), strict=True)
        if not line.startswith(("warning", "note", "report"))
    }


def _work(out):
    """Return when each file of the stages was written, and its inode."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in out.glob(".outcross/*-*/**/*")
        if path.is_file()
    }


def test_a_finished_run_does_nothing_again(corpus, base, copied):
    before = _work(copied)
    again = run(corpus.config(copied), out=copied)
    assert _reused(again) == dict.fromkeys(STAGES, True)
    assert _work(copied) == before  # the report's texts are not looked up again either
    assert promised_bytes(copied) == promised_bytes(base.out)
    assert again.report == base.report


def test_only_the_shards_that_are_missing_are_written(corpus, base, copied):
    first, *others = sorted(copied.glob("data/*.parquet"))
    before = [path.stat().st_mtime_ns for path in others]
    assert before
    first.unlink()
    again = run(corpus.config(copied), out=copied)
    assert [name for name, earlier in _reused(again).items() if not earlier] == ["write"]
    assert [path.stat().st_mtime_ns for path in others] == before
    assert promised_bytes(copied) == promised_bytes(base.out)


def test_another_budget_leaves_what_comes_before_it(corpus, base, copied):
    other = run(corpus.config(copied, tokens=12_000, human_share=0.3), out=copied)
    assert _reused(other) == {
        "sketch": True,
        "deduplicate": True,
        "cluster": True,
        "rank": False,  # the limits of length follow the budget
        "select": False,
        "write": False,  # measured by the same pipeline
    }
    assert "data/ of a run with other settings is replaced" in other.stderr
    assert other.plan["asked"]["tokens"] == 12_000
    assert promised_bytes(copied)["plan.json"] != promised_bytes(base.out)["plan.json"]
    before = run(corpus.config(copied), out=copied)
    assert promised_bytes(copied) == promised_bytes(base.out)
    assert before.report == base.report


def test_input_that_changed_is_read_again(corpus, copied, tmp_path):
    """Change bytes only: sizes and names stay."""
    rows = [dict(row) for row in corpus.rows["tests"]]
    rows[-1]["text"] = rows[-1]["text"][::-1]
    files = {"tests": [write_rows(tmp_path / "tests.jsonl", rows)]}
    changed = outcross("plan", corpus.config(copied, files))
    assert _reused(changed)["sketch"] is False
    before = outcross("plan", corpus.config(copied))
    assert set(_reused(before).values()) != {False}


def test_files_that_change_places_are_not_mistaken_for_each_other(tmp_path):
    """Make two sources of the same size: the path alone says who is human."""
    for name, between in (("a", " "), ("b", "_")):  # `_` is no end of a word
        rows = [{"text": f"{name} {n:03d} " + f"{name}{n}{between}" * 9} for n in range(300)]
        write_rows(tmp_path / f"{name}.jsonl", rows)
    out = tmp_path / "out"
    for human, synthetic in ("ab", "ba"):
        options = ["--human", tmp_path / f"{human}.jsonl"]
        options += ["--synthetic", tmp_path / f"{synthetic}.jsonl"]
        result = dedup(*options, "--out", out, out=out)
        assert {row["outcross"]["role"] for row in result.data} == {"human", "synthetic"}
        for row in result.data:
            role = "human" if row["text"].startswith(human) else "synthetic"
            assert row["outcross"]["role"] == role
            assert row["outcross"]["tokens"] == len(words(row["text"]))


def test_what_fails_leaves_a_finished_result_as_it_was(corpus, base, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(base.out, out)

    def result():
        paths = [path for path in out.rglob("*") if ".outcross" not in path.parts]
        return {path: path.read_bytes() for path in paths if path.is_file()}

    before = result()
    config = corpus.config(out)
    run(config, "--near-threshold", 0.6, "--entropy-floor", 99, out=out, code=2)
    rejected = run(config, "--text-field", "nothing", out=out, code=1)
    assert "gpt: text field 'nothing' is missing" in rejected.stderr
    assert str(out / ".outcross" / "rejects" / "rejects.parquet") in rejected.stderr
    assert result() == before


def test_names_that_find_nothing_are_said(tmp_path):
    rows = '{"text": "one two three", "n": 1, "m": 2}\n{"text": "four five", "n": 1, "m": "x"}\n'
    (tmp_path / "a.jsonl").write_text(rows)
    (tmp_path / "c.yaml").write_text(
        f"""
out: {tmp_path / "out"}
human_tokens: null
sources:
  - {{name: a, role: synthetic, files: [{tmp_path / "a.jsonl"}], id_field: nosuch}}
  - {{name: b, role: synthetic, files: [{tmp_path / "a.jsonl"}], where: {{n: "1"}}}}
"""
    )
    refused = run(tmp_path / "c.yaml", out=tmp_path / "out", code=2)
    assert "source 'a': id_field 'nosuch' has no value in any of its 2 rows" in refused.stderr
    assert "columns 'm' hold values of types that don't go together" in refused.stderr
    assert "source 'b': where leaves out all 2 rows: n: no row is = \"1\"" in refused.stderr
