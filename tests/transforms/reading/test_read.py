"""Units of all formats give their valid rows, and a reject for each row that can't be read."""

import gzip
import json
import os
import random
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.columns import is_json, unite
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.inputs import content
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from tests.support.attic import Attic


def source(*files, **options):
    return Source(**{"name": "s", "role": "human", "files": [str(f) for f in files], **options})


def write(path, rows):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return write_bytes(path, data)


def write_bytes(path, data):
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def read(*files, batch_bytes=8 << 20, unit_bytes=64 << 20, **options):
    """Return the blocks of some files, after checks that hold for each block."""
    wanted = source(*files, **options)
    blocks = []
    for unit in plan_units([wanted], unit_bytes):
        lines = taken = 0
        last = -1
        for block in read_unit(unit, wanted, batch_bytes):
            assert block.read == len(block.rows) + sum(r.rows for r in block.rejects)
            assert 0 <= sum(r.lost for r in block.rejects) <= max(unit.bytes, block.bytes)
            assert block.batch.num_rows == len(block.text) == len(block.rows)
            assert block.text.null_count == 0
            block.batch.validate(full=True)
            places = sorted(
                [*block.rows.tolist(), *(r.number for r in block.rejects if r.kind != "byte")]
            )
            assert not places or (places[0] > last and places[-1] < lines + block.lines)
            assert len(set(places)) == len(places)
            assert block.rows.tolist() == sorted(block.rows.tolist())
            last = places[-1] if places else last
            lines += block.lines
            taken += block.bytes
            blocks.append(block)
        size = sum(os.path.getsize(piece.file) for piece in unit.pieces)
        assert 0 <= taken <= max(unit.bytes, size)
    return blocks


def texts(blocks):
    return [text for block in blocks for text in block.text.to_pylist()]


def rejects(blocks):
    return [reject for block in blocks for reject in block.rejects]


ROWS = [{"text": f"text {i} " + "ä" * (i % 7), "n": i} for i in range(40)]


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "json", "JSONL", "jsonl.gz", "json.zst"])
@pytest.mark.parametrize("batch_bytes", [1, 100, 1 << 20])
def test_every_kind_of_json_lines_is_read(tmp_path, ending, batch_bytes):
    path = write(tmp_path / f"a.{ending}", ROWS)
    blocks = read(path, batch_bytes=batch_bytes)
    assert [row for block in blocks for row in block.batch.to_pylist()] == ROWS
    assert np.concatenate([block.rows for block in blocks]).tolist() == list(range(40))
    assert sum(block.lines for block in blocks) == 40
    assert sum(block.bytes for block in blocks) == path.stat().st_size


def test_long_files_come_in_blocks(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"text": "x" * 1000}] * 5000)
    assert len(read(path, batch_bytes=1 << 20)) >= 4
    path = write(tmp_path / "a.jsonl.zst", [{"text": "x" * 1000}] * 5000)  # grows 10,000-fold
    assert len(read(path, batch_bytes=1 << 20)) >= 4


ENDS = ["\n", "\r\n", "\n\n", "\n \t\r\n"]
some_lines = st.lists(st.tuples(st.text(max_size=8), st.sampled_from(ENDS)), min_size=1, max_size=6)


@settings(max_examples=20, deadline=None)
@given(some_lines, st.booleans(), st.booleans())
def test_wherever_a_file_is_cut_every_line_is_read_once(tmp_path_factory, lines, bom, closed):
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    want = [f"x{text}" for text, _ in lines]
    data = "".join(
        json.dumps({"text": text}, ensure_ascii=False) + end
        for text, (_, end) in zip(want, lines, strict=True)
    ).encode()
    data = data if closed else data.rstrip(b"\r\n \t")
    path.write_bytes(b"\xef\xbb\xbf" * bom + data)
    size = path.stat().st_size
    count = data.count(b"\n") + (not data.endswith(b"\n"))
    uncut = read(path)
    assert texts(uncut) == want
    assert sum(block.lines for block in uncut) == count
    wanted = source(path)
    for cut in range(1, size):
        halves = [
            Unit(0, 0, (Piece(str(path), "jsonl", a, b, b - a),)) for a, b in ((0, cut), (cut, -1))
        ]
        blocks = [block for unit in halves for block in read_unit(unit, wanted)]
        assert not rejects(blocks)
        assert texts(blocks) == want, cut
        assert sum(block.lines for block in blocks) == count
    for unit_bytes in (1, 2, 3, 7):
        assert texts(read(path, unit_bytes=unit_bytes)) == want


def test_blank_lines_are_numbered_but_not_rows(tmp_path):
    path = write_bytes(tmp_path / "a.jsonl", b'\n{"text":"a"}\n  \r\nbad\n\n{"text":"b"}')
    [block] = read(path)
    assert block.rows.tolist() == [1, 5]
    assert [(r.kind, r.number, r.raw) for r in block.rejects] == [("line", 3, b"bad")]
    assert (block.read, block.lines, block.filtered) == (3, 6, 0)


def _zoo(random_):
    good = [
        {
            "text": f"good {i} é",
            "n": i,
            "f": i / 4,
            "when": "2020-01-01",
            "tags": ["a", None] * (i % 3),
        }
        for i in range(1000)
    ]
    spoil = [
        lambda line: line[: len(line) // 2],
        lambda line: line.replace(b"good", b"\xff\xfe"),
        lambda line: line.replace(b"good", b"\\ud800"),
        lambda line: line.replace(b'"text": ', b'"text": 7, "was": '),
        lambda line: line.replace(b'"text": ', b'"text": null, "was": '),
        lambda line: line.replace(b'"text": ', b'"text": [7], "was": '),
        lambda line: line.replace(b'"text": ', b'"text": {"n": "x"}, "was": '),
        lambda line: line.replace(b'"text": ', b'"text": " \\n\\t", "n": "mixed", "was": '),
        lambda line: line.replace(b'"text": ', b'"text": "", "f": true, "was": '),
        lambda line: line.replace(b'"text"', b'"txt"'),
        lambda line: b"[" + line + b"]",
        lambda line: line + b" " + line,
        lambda line: line + b"}",
        lambda line: b"null",
        lambda line: b"12",
        lambda line: b"not json at all",
        lambda line: line.replace(b",", b",,"),
        lambda line: line.replace(b'"', b"'"),
        lambda line: b"\x00" * 20,
        lambda line: line.replace(b"good", b"a\x01b"),
    ]
    lines, broken = [], set()
    bad = set(random_.sample(range(1200), 200))
    rest = iter(good)
    for number in range(1200):
        if number in bad:
            line = json.dumps(random_.choice(good), ensure_ascii=False).encode()
            lines.append(spoil[number % len(spoil)](line))
            broken.add(number)
        else:
            lines.append(json.dumps(next(rest), ensure_ascii=False).encode())
    return good, lines, broken


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
@pytest.mark.parametrize("batch_bytes", [3000, 8 << 20])
def test_among_broken_rows_all_others_are_intact(tmp_path, ending, batch_bytes):
    good, lines, broken = _zoo(random.Random(7))
    path = write_bytes(tmp_path / f"a.{ending}", b"\n".join(lines))
    blocks = read(path, batch_bytes=batch_bytes)
    assert [row for block in blocks for row in block.batch.to_pylist()] == good
    lost = rejects(blocks)
    assert {r.number for r in lost} == broken
    assert len(lost) == 200
    assert all(r.raw == lines[r.number][:500] and r.kind == "line" for r in lost)
    assert len({r.reason for r in lost}) < 25
    # Broken rows leave no types and no columns behind.
    schema = unite(block.batch.schema for block in blocks)
    assert sorted(schema.names) == ["f", "n", "tags", "text", "when"]
    assert not any(is_json(field) for field in schema)
    assert schema.field("n").type == pa.int64()


def test_rows_that_a_filter_leaves_out_are_neither_read_nor_typed(tmp_path):
    rows = [
        {"text": "a", "kind": "x", "v": 1},
        {"text": "b", "kind": "y", "v": "mixed", "extra": 1},
        {"text": "", "kind": "y", "v": 1},
        {"text": "", "kind": "x", "v": 2},
        {"text": "c", "v": 1},
    ]
    expected = [{"kind": "x", "text": "a", "v": 1}]
    path = write(tmp_path / "a.jsonl", rows)
    [block] = read(path, where={"kind": ["x", "z"]})
    assert block.batch.to_pylist() == expected
    assert (block.read, block.filtered, block.lines) == (2, 3, 5)
    assert [r.number for r in block.rejects] == [3]
    pq.write_table(pa.Table.from_pylist([{**row, "v": 1} for row in rows]), tmp_path / "a.parquet")
    [block] = read(tmp_path / "a.parquet", where={"kind": "x"})
    assert (block.read, block.filtered, block.lines) == (2, 3, 5)
    assert block.rows.tolist() == [0]
    assert [(r.kind, r.number) for r in block.rejects] == [("row", 3)]


def test_text_lies_at_a_dotted_path_even_in_columns_of_mixed_types(tmp_path):
    rows = [
        {"m": [{"c": "q"}, {"c": "one"}]},
        {"m": [{"c": "q"}, {"c": [["parts"]]}]},
        {"m": "none"},
        {"m": [{"c": 5}, {"c": "two"}]},
    ]
    [block] = read(write(tmp_path / "a.jsonl", rows), text_field="m.1.c")
    assert block.text.to_pylist() == ["one", "two"]
    assert [json.loads(m) for m in block.batch.column("m").to_pylist()] == [
        rows[0]["m"],
        rows[3]["m"],
    ]
    assert [r.reason for r in block.rejects] == [
        "text field 'm.1.c' holds a list that isn't of strings, or of turns with text",
        "text field 'm.1.c' is missing or null",
    ]


def _compressed(rows, ending):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if ending == "gz":
        return gzip.compress(data, mtime=0)
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


NOISE = [{"text": random.Random(i).randbytes(40).hex(), "n": i} for i in range(9000)]


@pytest.mark.parametrize("ending", ["gz", "zst"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_of_a_truncated_file_all_that_is_there_is_read(tmp_path, ending, share):
    data = _compressed(NOISE, ending)
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(data[: int(len(data) * share)])
    blocks = read(path, batch_bytes=50_000)
    count = len(texts(blocks))
    assert texts(blocks) == [row["text"] for row in NOISE[:count]]
    slack = 1800 if ending == "zst" else 20  # zstd decodes blocks of 128 KiB
    assert count >= (len(NOISE) * share - slack)
    [lost] = rejects(blocks)
    assert (lost.kind, "ends too early" in lost.reason) == ("byte", True)
    assert sum(block.read for block in blocks) == count + 1
    assert sum(block.bytes for block in blocks) == path.stat().st_size


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_of_a_corrupt_file_all_before_the_fault_is_read(tmp_path, ending):
    data = bytearray(_compressed(NOISE, ending))
    place = len(data) * 3 // 4
    data[place : place + 64] = bytes(64)
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(data)
    blocks = read(path)
    read_texts = texts(blocks)
    trusted = int(len(NOISE) * 0.7) - (1800 if ending == "zst" else 0)
    assert read_texts[:trusted] == [row["text"] for row in NOISE[:trusted]]
    assert [r.kind for r in rejects(blocks)][-1] == "byte"


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_wrong_checksum_costs_no_row(tmp_path, ending):
    data = bytearray(_compressed(ROWS, ending))
    data[-6 if ending == "gz" else -2] ^= 255
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(data)
    blocks = read(path)
    assert texts(blocks) == [row["text"] for row in ROWS]
    [lost] = rejects(blocks)
    assert lost.kind == "byte"


@pytest.mark.parametrize("ending", ["gz", "zst"])
@pytest.mark.parametrize("batch_bytes", [10, 8 << 20])
def test_parts_are_joined_and_trailing_garbage_is_one_reject(tmp_path, ending, batch_bytes):
    parts = [_compressed(ROWS[:10], ending), _compressed(ROWS[10:], ending)]
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(b"".join(parts) + bytes(1000))
    blocks = read(path, batch_bytes=batch_bytes)
    assert texts(blocks) == [row["text"] for row in ROWS]
    assert not rejects(blocks)
    path.write_bytes(b"".join(parts) + b"garbage that is no part")
    blocks = read(path, batch_bytes=batch_bytes)
    assert texts(blocks) == [row["text"] for row in ROWS]
    [lost] = rejects(blocks)
    assert (lost.kind, lost.raw) == ("byte", b"garbage that is no part")
    path.write_bytes(b"not compressed at all")
    assert [r.kind for r in rejects(read(path))] == ["byte"]


def test_a_last_line_without_newline_before_garbage_is_a_line(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text":"a"}\n{"text":"b"}') + b"garbage")
    blocks = read(path)
    assert texts(blocks) == ["a", "b"]
    assert len(rejects(blocks)) == 1


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_empty_files_are_units_without_rows(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"")
    assert len(plan_units([source(path)])) == 1
    assert sum(block.read for block in read(path)) == 0


def _parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


@pytest.mark.parametrize("unit_bytes", [1, 2000, 64 << 20])
@pytest.mark.parametrize("batch_bytes", [200, 8 << 20])
def test_parquet_is_read_by_row_groups(tmp_path, unit_bytes, batch_bytes):
    path = _parquet(tmp_path / "a.parquet", ROWS, row_group_size=6)
    blocks = read(path, unit_bytes=unit_bytes, batch_bytes=batch_bytes)
    assert [row for block in blocks for row in block.batch.to_pylist()] == ROWS
    units = plan_units([source(path)], unit_bytes)
    assert len(units) == {1: 7, 64 << 20: 1}.get(unit_bytes, len(units))
    places, base = [], 0
    for unit in units:
        blocks = list(read_unit(unit, source(path), batch_bytes))
        places += [int(base + row) for block in blocks for row in block.rows]
        base += sum(block.lines for block in blocks)
    assert places == list(range(40))


def test_bad_rows_of_parquet_are_named(tmp_path):
    data = [b"good", b"\xff\xfe", b"", b"  ", b"fine"]
    text = pa.array(data, pa.binary()).view(pa.string())
    table = pa.table({"n": range(5), "text": text, "l": pa.array([[1]] * 5)})
    pq.write_table(table, tmp_path / "a.parquet")
    [block] = read(tmp_path / "a.parquet")
    assert block.rows.tolist() == [0, 4]
    assert block.batch.to_pylist() == [
        {"n": 0, "text": "good", "l": [1]},
        {"n": 4, "text": "fine", "l": [1]},
    ]
    assert [(r.number, r.reason) for r in block.rejects] == [
        (1, "column 'text' is not valid UTF-8"),
        (2, "text field 'text' is empty"),
        (3, "text field 'text' holds only white space"),
    ]
    assert json.loads(block.rejects[1].raw) == {"n": 2, "text": "", "l": [1]}


def test_a_parquet_file_that_is_none_is_one_reject(tmp_path):
    path = tmp_path / "a.parquet"
    for data in (b"PAR1 nothing of the kind PAR1", b"", b"x" * 5000):
        path.write_bytes(data)
        blocks = read(path, unit_bytes=100)
        assert sum(block.read for block in blocks) == 1
        [lost] = rejects(blocks)
        assert lost.reason.startswith("broken Parquet: ")
        assert lost.kind == "byte"


def test_a_broken_row_group_is_one_reject_and_the_others_are_read(tmp_path):
    rows = [{"text": f"{i} " + "x" * 50, "n": i} for i in range(300)]
    path = _parquet(
        tmp_path / "a.parquet",
        rows,
        row_group_size=100,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
    )
    place = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[place + 60 : place + 120] = bytes(60)
    path.write_bytes(data)
    blocks = read(path)
    assert [row for block in blocks for row in block.batch.to_pylist()] == rows[:100] + rows[200:]
    assert np.concatenate([block.rows for block in blocks])[-1] == 299
    [lost] = rejects(blocks)
    assert (lost.kind, lost.number) == ("row", 100)
    assert sum(block.lines for block in blocks) == 300


def test_marks_of_other_programs_are_not_believed(tmp_path):
    field = pa.field("c", pa.string(), metadata={b"outcross": b"json"})
    table = pa.table([["t"], ["no json"]], schema=pa.schema([("text", pa.string()), field]))
    pq.write_table(table, tmp_path / "a.parquet")
    [block] = read(tmp_path / "a.parquet")
    assert not is_json(block.batch.schema.field("c"))


def test_a_column_that_is_there_twice_is_a_reject(tmp_path):
    table = pa.table([["t"], ["u"]], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert "there twice" in rejects(read(tmp_path / "a.parquet"))[0].reason


def test_units_are_in_the_order_of_sources_and_paths(tmp_path):
    for name in ("b.jsonl", "a.jsonl.gz", "c.pq"):
        _parquet(tmp_path / name, ROWS) if name == "c.pq" else write(tmp_path / name, ROWS)
    sources = [source(tmp_path / "b*"), source(tmp_path / "*", tmp_path / "a*", name="t")]
    units = plan_units(sources)
    pieces = [(u.index, u.source, Path(p.file).name, p.kind) for u in units for p in u.pieces]
    assert pieces == [
        (0, 0, "b.jsonl", "jsonl"),
        (1, 1, "a.jsonl.gz", "jsonl"),
        (1, 1, "b.jsonl", "jsonl"),
        (1, 1, "c.pq", "parquet"),
    ]
    assert all((p.start, p.stop) == (0, -1) for u in units for p in u.pieces)
    parts = [p for u in plan_units([source(tmp_path / "b.jsonl")], 100) for p in u.pieces]
    assert len(parts) > 10
    assert (parts[0].start, parts[-1].stop) == (0, -1)
    assert all(a.stop == b.start and b.bytes <= 100 for a, b in pairwise(parts))
    assert sum(p.bytes for p in parts) == os.path.getsize(tmp_path / "b.jsonl")


def test_files_that_cannot_be_meant_are_errors(tmp_path):
    (tmp_path / "a.xls").write_text("x")
    with pytest.raises(ConfigError, match=r"source 's': files: .*matches no file"):
        plan_units([source(tmp_path / "none*.jsonl")])
    with pytest.raises(ConfigError, match=r"source 's'.*a\.xls.*expected \.jsonl"):
        plan_units([source(tmp_path / "*")])


def test_other_filesystems_are_read_through_beam(tmp_path):
    files = [write(tmp_path / "a.jsonl.gz", ROWS), write(tmp_path / "b.jsonl", ROWS)]
    files.append(_parquet(tmp_path / "c.parquet", ROWS, row_group_size=10))
    Attic.held = {f"attic://x/{f.name}": f.read_bytes() for f in files}
    wanted = source("attic://x/*")
    units = plan_units([wanted], unit_bytes=500)
    assert len(units) > 6
    rows = [row for u in units for block in read_unit(u, wanted) for row in block.batch.to_pylist()]
    assert rows == ROWS * 3


def test_memory_does_not_follow_the_file(tmp_path):
    path = tmp_path / "a.jsonl.zst"
    random_ = random.Random(3)
    lines = [json.dumps({"text": random_.randbytes(5000).hex()}) for _ in range(4000)]
    path.write_bytes(zstandard.compress("\n".join(lines).encode()))
    del lines
    wanted = source(path)
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    tracemalloc.start()
    for block in read_unit(plan_units([wanted])[0], wanted, 1 << 20):
        most = max(most, pool.bytes_allocated() - before)
        del block
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12 << 20
    assert peak < 16 << 20


DATA = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[4] / "shared/data"))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("multigen/ngram_generations", "text"),
        ("multisample/novelty_bench", "generations.0"),
        ("synthetic/gsm8k_model_solutions", "question"),
        ("human/seed_tasks", "instances.0.output"),
    ],
)
def test_a_real_corpus_is_what_json_says(name, field):
    path = DATA / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here; OUTCROSS_DATA names the folder of the corpora")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    [unit] = plan_units([source(path, text_field=field)])
    count = 0
    for block in read_unit(unit, source(path, text_field=field)):
        for row, place in zip(block.batch.to_pylist(), block.rows, strict=True):
            assert {k: v for k, v in row.items() if v is not None} == {
                k: v for k, v in rows[place].items() if v is not None
            }
        count += block.read
    assert count == len(rows)


@pytest.mark.parametrize("size", [90, 137, 400, 2000])
def test_a_line_may_run_over_any_number_of_pieces_and_units(tmp_path, monkeypatch, size):
    """Read lines across the borders of reads and units."""
    monkeypatch.setattr(content, "PIECE", 64)
    lengths = [3, 700, 50, 64, 63, 65, 1, 300, 1000, 20, 128, 5] * 3
    texts = [f"{i}" + "x" * length for i, length in enumerate(lengths)]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    corpus = source(path)
    blocks = [block for unit in plan_units([corpus], size) for block in read_unit(unit, corpus)]
    assert [reject for block in blocks for reject in block.rejects] == []
    assert [text for block in blocks for text in block.text.to_pylist()] == texts
