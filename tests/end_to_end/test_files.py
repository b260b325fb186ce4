"""Files as people have them: whole commands over folders, odd names, pipes and broken files."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.fuzz import make_files, read_file
from tests.end_to_end.conftest import Run, write_rows
from tests.support.commands import installed, outcross

ROWS = [{"id": f"r{n}", "text": f"row {n}: " + f"word{n} other{n} " * 4} for n in range(300)]


def dedup(out, *arguments, code=0):
    done = outcross("dedup", *arguments, "--out", out, code=code)
    return Run(out, done.stdout, done.stderr)


def written(result):
    return sorted(row["id"] for row in result.data)


def test_a_folder_of_many_formats_is_read_and_what_is_not_is_named(tmp_path):
    folder = tmp_path / "in"
    (folder / "lang=en").mkdir(parents=True)
    write_rows(folder / "a.jsonl", ROWS[:50])
    write_rows(folder / "b.parquet", ROWS[50:100])
    with (folder / "lang=en/c.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *(row.values() for row in ROWS[100:150])])
    table = pa.Table.from_pylist(ROWS[150:200])
    with pa.ipc.new_stream(str(folder / "d.arrow"), table.schema) as writer:
        writer.write_table(table)
    (folder / "e.json.gz").write_bytes(b"")
    (folder / "notes.txt").write_text("about this folder")
    write_rows(folder / ".old.jsonl", ROWS)
    (folder / "f.jsonl.part").write_bytes(b"{}")
    result = dedup(tmp_path / "out", "--synthetic", folder, "--id-field", "id")
    assert written(result) == sorted(row["id"] for row in ROWS[:200])
    assert {row["lang"] for row in result.data if row["id"] in ("r100", "r0")} == {"en", None}
    [warning] = [line for line in result.stderr.splitlines() if line.startswith("warning: /")]
    assert f"{folder}/e.json.gz: no bytes, which no compressed file has" in warning
    assert any("e.json.gz" in line for line in result.report["verdict"]["warnings"])
    [told] = [line for line in result.stderr.splitlines() if "files are left out" in line]
    for part in ("1 .part (", "1 .txt beside others (", "1 hidden (", "/.old.jsonl)"):
        assert part in told


def test_names_that_are_not_utf8_are_read_reported_and_explained(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
    path.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in [*ROWS, ROWS[0]]))
    for asked in (tmp_path / "*.jsonl", path):
        out = tmp_path / f"out-{len(str(asked))}"
        arguments = ["--synthetic", asked, "--human", asked, "--best-effort", "--out", out]
        outcross("run", *arguments)
        ids = {row["outcross"]["id"] for row in pq.read_table(out / "data").to_pylist()}
        assert all(name.split("/", 1)[1].startswith(r"caf\xe9.jsonl#") for name in ids)
        explained = outcross("explain", out, sorted(ids)[0])
        assert r"caf\xe9" in explained.stdout
        assert (out / "report.html").exists()


def test_standard_input_is_copied_once_and_read(tmp_path):
    data = "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in ROWS)
    asked = ["--synthetic", "-", "--format", "csv", "--id-field", "id", "--out", tmp_path / "out"]
    done = installed("dedup", *asked, stdin=data)
    result = Run(tmp_path / "out", done.stdout, done.stderr)
    assert written(result) == sorted(row["id"] for row in ROWS)
    failed = outcross("dedup", "--synthetic", "-", "--human", "-", "--out", tmp_path / "o", code=2)
    assert "- is named twice" in failed.stderr


def test_an_unquoted_glob_gets_the_hint(tmp_path):
    for name in ("s1", "s2", "s3"):
        write_rows(tmp_path / f"{name}.jsonl", ROWS[:5])
    files = [tmp_path / f"s{n}.jsonl" for n in (1, 2, 3)]
    for arguments in (["--synthetic", *files[:2]], files[:2], ["--synthetic", *files]):
        failed = outcross("run", *arguments, "--out", tmp_path / "out", code=2)
        assert "quote a glob ('s*.jsonl')" in failed.stderr


@pytest.mark.parametrize("command", ["run", "audit"])
@pytest.mark.parametrize("path", ["s3://b/x.jsonl", "https://example.org/x.jsonl"])
def test_addresses_that_cannot_be_read_say_what_to_do(tmp_path, monkeypatch, command, path):
    monkeypatch.setattr("outcross.transforms.base.stores.is_installed", lambda module: False)
    asked = [path] if command == "audit" else ["--synthetic", path]
    failed = outcross(command, *asked, "--out", tmp_path / "out", code=2)
    assert ".[s3]" in failed.stderr or "download the file first" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_truncated_file_stops_and_what_a_footer_counts_is_counted(tmp_path):
    write_rows(tmp_path / "a.parquet", ROWS[:100])
    cut = write_rows(tmp_path / "b.parquet", ROWS)
    cut.write_bytes(cut.read_bytes()[:-30])
    asked = ["--synthetic", tmp_path / "*.parquet"]
    failed = dedup(tmp_path / "out", *asked, code=1)
    assert "1 file is broken" in failed.stderr
    assert f"{cut}, byte 0: broken Parquet" in failed.stderr
    failed = dedup(tmp_path / "out", *asked, "--on-broken-file", "reject", code=1)
    assert "max_reject_share" in failed.stderr  # half of the bytes, though one row of 101
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, cut, compression="none", use_dictionary=False, row_group_size=100)
    data = bytearray(cut.read_bytes())
    place = pq.read_metadata(cut).row_group(1).column(1).data_page_offset
    data[place : place + 60] = bytes(60)
    cut.write_bytes(data)
    failed = dedup(tmp_path / "out", *asked, code=1)
    assert "100 of 400 rows (25.0%)" in failed.stderr
    assert f"{cut}, row 100, 100 rows: broken Parquet: column 'text', row group 1" in failed.stderr
    result = dedup(tmp_path / "out", *asked, "--max-reject-share", 0.3)
    line = result.conservation("synthetic")
    assert (line["read"], line["rejected"]) == (400, 100)
    [reject] = result.rejects
    assert (reject["rows"], reject["place"]) == (100, "row 100")


def test_an_open_set_of_keys_is_one_column_however_the_rows_lie(tmp_path):
    rows = [
        {**row, "label": n % 2, f"user_{n}": n, "now_and_then": [n] if n % 3 else None}
        for n, row in enumerate(ROWS * 5)
    ]
    for n, row in enumerate(rows):
        row["id"], row["text"] = f"o{n}", f"{n} {row['text']}"
    write_rows(tmp_path / "whole.jsonl", rows)
    for n in range(5):  # none of the parts has too many keys
        write_rows(tmp_path / f"part-{n}.jsonl", rows[300 * n : 300 * n + 300])
    results = []
    for glob in ("whole.jsonl", "part-*.jsonl"):
        asked = ["--synthetic", tmp_path / glob, "--id-field", "id", "--near-threshold", 1]
        result = dedup(tmp_path / f"out-{glob[0]}", *asked)
        assert "more than 1,000 different keys" in result.stderr
        results.append({row["id"]: row for row in result.data})
        for row in results[-1].values():
            row.pop("outcross")
    assert results[0] == results[1]
    assert len(results[0]) == len(rows)
    for row in rows:
        read = results[0][row["id"]]
        assert set(read) == {"id", "text", "label", "outcross_keys"}
        rest = {k: v for k, v in row.items() if k not in ("id", "text", "label") and v is not None}
        assert json.loads(read["outcross_keys"]) == rest


def test_of_a_damaged_corpus_every_row_is_kept_removed_or_rejected(tmp_path):
    (tmp_path / "in").mkdir()
    damaged = make_files(tmp_path / "in", 40, seed=3)
    read = [read_file(file) for file in damaged]
    asked = ["--on-broken-file", "reject", "--max-reject-share", 1]
    files = [part for file in damaged for part in ("--synthetic", file.path)]
    line = dedup(tmp_path / "out", *files, *asked).conservation("synthetic")
    assert line["rejected"] == sum(file.rejected for file in read)
    assert line["kept"] + line["removed"] == sum(file.rows for file in read)
    assert line["read"] == line["kept"] + line["removed"] + line["rejected"]


def test_a_dry_run_refuses_standard_input_which_the_run_needs(tmp_path):
    out = tmp_path / "out"
    refused = outcross("run", "--synthetic", "-", "--out", out, "--dry-run", code=2)
    assert "dry_run: source 'synthetic' is standard input" in refused.stderr
    assert not out.exists()
