"""What can't be read is named, and nothing else is missing."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.end_to_end.conftest import jsonl, run, write_rows
from tests.support.commands import outcross

BROKEN = [
    (b'{"id": "x", "text": "no end', None),
    (b"{'id': 1}", None),
    (b"[1, 2, 3]", None),
    (b'"only a string"', None),
    (b'{"id": "x", "text": null}', "null"),
    (b'{"id": "x"}', "missing"),
    (b'{"id": "x", "text": 17}', "number"),
    (b'{"id": "x", "text": [7, 8]}', "list"),
    (b'{"id": "x", "text": ""}', "empty"),
    (b'{"id": "x", "text": "not UTF-8: \xff\xfe"}', None),
]
VALID = [{"id": f"v{n}", "text": f"valid {n}: " + f"word{n} " * 6} for n in range(600)]


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    """200 broken rows among valid ones, and 5 broken files that begin well or never did."""
    folder = tmp_path_factory.mktemp("messy")
    lines = [json.dumps(row).encode() for row in VALID[:400]]
    for number in range(200):
        lines.insert(3 * number, BROKEN[number % len(BROKEN)][0])
    (folder / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    packed = gzip.compress(jsonl(VALID[400:500]))
    (folder / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "noise.jsonl.gz").write_bytes(b"this was never compressed\n" * 50)
    packed = zstandard.compress(jsonl(VALID[500:550]))
    (folder / "cut.jsonl.zst").write_bytes(packed[:-20])
    (folder / "noise.parquet").write_bytes(b"neither was this a table" * 50)
    table = write_rows(folder / "whole.parquet", VALID[550:])
    (folder / "cut.parquet").write_bytes(table.read_bytes()[:-30])
    table.unlink()
    return folder


@pytest.fixture(scope="module")
def failed(messy, tmp_path_factory):
    out = tmp_path_factory.mktemp("rejects") / "out"
    options = ["--synthetic", messy / "*", "--id-field", "id", "--rounds", 1, "--out", out]
    reject = ["--on-broken-file", "reject"]
    return run(*options, "--seed", 1, *reject, out=out, code=1), options


def test_broken_files_stop_a_run_by_name(messy, failed):
    out = failed[1][-1]
    result = run(*failed[1], out=out, code=1)
    assert "5 files are broken" in result.stderr
    for name in ("cut.jsonl.gz", "cut.jsonl.zst", "cut.parquet", "noise.jsonl.gz", "noise.parquet"):
        assert f"{messy / name}, byte " in result.stderr
    assert "--on-broken-file reject" in result.stderr
    assert not (result.out / "data").exists()


def test_too_many_rejects_fail_and_name_the_top_reasons(failed):
    result, _ = failed
    assert "205 of " in result.stderr
    assert "max_reject_share = 1.0%" in result.stderr
    assert "--max-reject-share" in result.stderr
    reasons = Counter(f"{row['source']}: {row['reason']}" for row in result.rejects)
    assert f"{failed[1][1].parent / 'cut.parquet'}, byte 0: broken Parquet" in result.stderr
    named = [line.strip().split(" × ") for line in result.stderr.splitlines() if " × " in line]
    assert len(named) == 5
    assert [int(often) for often, _ in named] == sorted(reasons.values())[: -len(named) - 1 : -1]
    assert all(reasons[reason] == int(often) for often, reason in named)
    assert len(result.rejects) == 205
    assert not (result.out / "data").exists()


def test_every_broken_row_and_file_is_in_rejects_and_nothing_else_is_missing(failed):
    _, options = failed
    out = options[-1]
    reject = ["--on-broken-file", "reject"]
    result = run(*options, *reject, "--max-reject-share", 0.5, out=out)
    assert "sketch        done earlier" in result.stderr
    by_file: dict[str, list] = {}
    for row in result.rejects:
        by_file.setdefault(row["file"], []).append(row)
    files = ["cut.jsonl.gz", "cut.jsonl.zst", "cut.parquet", "noise.jsonl.gz", "noise.parquet"]
    assert sorted(by_file) == [*files, "rows.jsonl"]
    assert all(len(by_file[name]) == 1 for name in files)
    for number, row in enumerate(sorted(by_file["rows.jsonl"], key=_line)):
        raw, reason = BROKEN[number % len(BROKEN)]
        assert _line(row) == 3 * number + 1  # as editors count
        assert row["raw"] == raw
        assert reason is None or reason in row["reason"]
    line = result.conservation("synthetic")
    assert line["read"] == line["rejected"] + line["removed"] + line["kept"]
    assert line["rejected"] == 205
    valid = {row["id"] for row in VALID[:400]}
    # Up to where it breaks, a compressed file gives what it has.
    seen = _ids(out)
    assert valid <= seen
    assert len(seen) == line["kept"] + line["removed"]
    for first, last in ((400, 500), (500, 550)):
        gained = seen & _of(first, last)
        assert gained == _of(first, first + len(gained))
        assert 0 < len(gained) < last - first or last == 550
    assert not seen & _of(550, 600)


def _line(row):
    kind, _, number = row["place"].partition(" ")
    assert kind == "line"
    return int(number)


def _of(start, stop):
    return {f"v{n}" for n in range(start, stop)}


def _ids(out):
    """Return the ids of all documents that were sketched."""
    return {
        name
        for path in out.glob(".outcross/sketch-*/units/unit-*[0-9].parquet")
        for name in pq.read_table(path, columns=["id"])["id"].to_pylist()
    }


def test_a_wrong_text_field_says_so(corpus, tmp_path):
    out = tmp_path / "out"
    options = ["--synthetic", corpus.folder / "gpt.jsonl", "--text-field", "answer"]
    failed = run(*options, "--out", out, out=out, code=1)
    assert "text field 'answer' is missing" in failed.stderr
    assert f"{len(corpus.rows['gpt'])} × " in failed.stderr


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.csv"])
@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError])
def test_memory_that_runs_out_ends_the_command_with_what_to_do(tmp_path, monkeypatch, name, error):
    path = tmp_path / name
    if name.endswith(".csv"):
        path.write_text("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in VALID))
    else:
        write_rows(path, VALID)

    def fail(*_, **__):
        raise error("malloc of size 4194304 failed")

    for owner, function in (
        (pq.ParquetFile, "iter_batches"),
        (pa.json, "read_json"),
        (pa.csv, "read_csv"),
    ):
        monkeypatch.setattr(owner, function, fail)
    out = tmp_path / "out"
    asked = ["dedup", "--synthetic", path, "--on-broken-file", "reject", "--max-reject-share", 1]
    failed = outcross(*asked, "--out", out, code=1)
    [message] = [line for line in failed.stderr.splitlines() if line.startswith("outcross: ")]
    assert message.startswith("outcross: out of memory: give fewer `workers`")
    assert "the same command goes on from here" in message
    assert "malloc of size 4194304 failed" in message
    assert name != "rows.parquet" or str(path) in message
    assert not (out / "rejects").exists()
    monkeypatch.undo()
    outcross(*asked, "--out", out)
