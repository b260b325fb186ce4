"""Rows of runs as files of tokens, read back as training reads them."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from outcross.pipeline.commands.export import export
from outcross.pipeline.commands.job import lock_out
from outcross.pipeline.commands.run import dedup, run
from outcross.pipeline.inputs.tokenizer import end_of_text
from outcross.pipeline.stages.context import RunError
from outcross.schemas.config import parse
from outcross.schemas.export import Export, ExportRequest
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.damage import DamagedError
from tests.support.commands import outcross
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.kills import kill_at
from tests.support.megatron import read_indexed
from tests.support.tokenizers import END, bytes_tokenizer, write_tokenizer, write_wide_tokenizer


def make_run(folder: Path, out: str, **keys: Any) -> Path:
    sources = [
        {"name": "gpt", "role": "synthetic", "files": [str(folder / "gpt.jsonl")]}
        | {"text_field": "{question} {answer}"},
        {"name": "people", "role": "human", "files": [str(folder / "people.jsonl")]},
    ]
    request = {"out": str(folder / out), "sources": sources, "rounds": 1}
    run(parse(request | keys))
    return folder / out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, texts = tmp_path_factory.mktemp("export"), paragraphs(20)
    gpt = [{"question": f"Number {n}?", "answer": text} for n, text in enumerate(texts[:60])]
    write_jsonl(folder / "gpt.jsonl", gpt)
    write_jsonl(folder / "people.jsonl", [{"text": text} for text in texts[60:160]])
    write_tokenizer(folder / "bytes")
    write_tokenizer(folder / "other", merges=1)
    return folder


ASKED = {"human_share": 0.3, "max_copies": {"synthetic": 3, "human": 1}, "tokens": 100_000}


@pytest.fixture(scope="module")
def rows(folder: Path) -> Path:
    """Run with copies as rows."""
    keys = {"tokenizer": str(folder / "bytes"), "best_effort": True, "long_documents": "keep"}
    return make_run(folder, "rows", **ASKED, **keys)


@pytest.fixture(scope="module")
def weights(folder: Path, rows: Path) -> Path:
    """Run with the same copies as weights."""
    shutil.copytree(rows, folder / "weights")
    keys = {"tokenizer": str(folder / "bytes"), "best_effort": True, "long_documents": "keep"}
    return make_run(folder, "weights", copies="weights", **ASKED, **keys)


def exported(run: Path, kind: str = "megatron", **keys: Any) -> tuple[Path, Export]:
    tokenizer = str(run.parent / "bytes")
    request = {"run": str(run), "format": kind, "tokenizer": tokenizer} | keys
    out, result = export(ExportRequest.model_validate(request))
    return Path(out), result


def documents(out: Path, result: Export) -> list[str]:
    """Return the texts in the order of training."""
    tokenizer = bytes_tokenizer()
    end = tokenizer.token_to_id(END)
    documents = [tokens.tolist() for name in result.prefixes for tokens in read_indexed(out / name)]
    assert all(tokens[-1] == end not in tokens[:-1] for tokens in documents)
    return [tokenizer.decode(tokens[:-1]) for tokens in documents]


def written(run: Path) -> Counter[str]:
    """Count how often each text of data/ is to be written."""
    table = pq.read_table(run / "data").to_pylist()
    counts: Counter[str] = Counter()
    for row in table:
        counts[row["text_judged"]] += int(row["outcross"]["weight"])
    return counts


def test_megatron_reads_what_the_run_has_written(rows: Path, tmp_path: Path) -> None:
    out, result = exported(rows, out=str(tmp_path / "tokens"))
    texts = documents(out, result)
    assert Counter(texts) == written(rows)
    report = json.loads((rows / "report.json").read_text())
    assert result.agrees is True
    assert result.tokens == report["achieved"]["tokens"]
    assert result.documents == len(texts)
    assert result.dtype == "uint16"
    assert Export.model_validate_json((out / "tokens.json").read_bytes()) == result


def test_weights_are_repeats_in_the_same_order(rows: Path, weights: Path, tmp_path: Path) -> None:
    assert max(written(weights).values()) > 1
    as_rows, as_weights = (
        documents(*exported(run, out=str(tmp_path / run.name))) for run in (rows, weights)
    )
    assert Counter(as_rows) == Counter(as_weights)
    if len(list(rows.glob("data/*"))) == len(list(weights.glob("data/*"))) == 1:
        assert as_rows == as_weights


def test_tokens_without_a_header_hold_the_same(rows: Path, tmp_path: Path) -> None:
    out, result = exported(rows, out=str(tmp_path / "a"))
    flat, plain = exported(rows, "npy", out=str(tmp_path / "b"))
    tokens = np.concatenate(
        [np.memmap(flat / f"{n}.npy", plain.dtype, "r") for n in plain.prefixes]
    )
    expected = np.concatenate([np.fromfile(out / f"{n}.bin", "uint16") for n in result.prefixes])
    assert (tokens == expected).all()
    assert len(tokens) == plain.tokens + plain.documents


def test_seeds_change_the_order_and_replace_the_files(rows: Path, tmp_path: Path) -> None:
    orders = []
    for seed, kind in ((0, "megatron"), (1, "megatron"), (0, "npy"), (0, "megatron")):
        out, result = exported(rows, kind, seed=seed, out=str(tmp_path / "tokens"))
        names = {path.name for path in out.glob("train-*")}
        assert names == {name for part in result.parts for name in part.files}
        if kind == "megatron":
            orders.append(documents(out, result))
    assert orders[0] == orders[2] != orders[1]
    assert Counter(orders[0]) == Counter(orders[1])


def test_finished_parts_are_not_written_again(rows: Path, tmp_path: Path) -> None:
    def states() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in out.glob("train-*")}

    out, result = exported(rows, out=str(tmp_path / "tokens"))
    before = states()
    (out / "manifest.json").unlink()  # as if it had been killed before its end
    exported(rows, out=str(out))
    assert states() == before
    lost = next(iter(result.parts[0].files))
    (out / lost).unlink()
    _, again = exported(rows, out=str(out))
    assert again == result
    assert states().keys() == before.keys()
    assert states()[lost] != before[lost]


def arguments(run: Path, out: Path, *more: Any) -> list[Any]:
    tokenizer = run.parent / "bytes"
    return ["export", run, "--format", "megatron", "--tokenizer", tokenizer, "--out", out, *more]


@pytest.fixture(scope="module")
def shards(folder: Path) -> tuple[Path, dict[str, bytes]]:
    """Run with several shards; return it with the files of its export."""
    draw, texts = random.Random(0), paragraphs(20)
    rows = [{"text": text, "notes": draw.randbytes(20_000).hex()} for text in texts[200:280]]
    write_jsonl(folder / "long.jsonl", rows)
    source = {"name": "people", "role": "human", "files": [str(folder / "long.jsonl")]}
    out = folder / "shards"
    dedup(parse({"out": str(out), "sources": [source], "shard_mb": 1}))
    tokens, result = exported(out, out=str(folder / "all"))
    assert len(result.parts) > 2
    return out, files_of(tokens)


def files_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*out.glob("train-*"), out / "tokens.json"]}


@pytest.mark.parametrize(
    ("point", "times"), [(r"train-.*\.bin", 2), (r"train-.*\.idx", 1), ("tokens.json", 1)]
)
def test_a_killed_export_goes_on_to_the_same_bytes(
    shards: tuple[Path, dict[str, bytes]], tmp_path: Path, point: str, times: int
) -> None:
    run, expected = shards
    out = tmp_path / "tokens"
    kill_at(point, *arguments(run, out), times=times)
    assert not (out / "manifest.json").exists()
    outcross(*arguments(run, out))
    assert files_of(out) == expected


def test_a_killed_export_of_another_order_leaves_nothing_behind(
    shards: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    run, expected = shards
    out = tmp_path / "tokens"
    outcross(*arguments(run, out))
    kill_at(r"train-.*\.bin", *arguments(run, out, "--seed", 7), times=2)
    outcross(*arguments(run, out))
    assert files_of(out) == expected


def test_a_second_export_into_the_same_folder_is_refused(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "tokens"
    with lock_out(str(out)):
        done = outcross(*arguments(rows, out), code=2)
    assert f"out: another run is at work in {out}; wait for it" in done.stderr
    assert not list(out.glob("train-*"))
    outcross(*arguments(rows, out))


@pytest.mark.parametrize(("kind", "dtype"), [("megatron", "int32"), ("npy", "uint32")])
def test_a_large_vocabulary_has_wide_tokens(
    shards: tuple[Path, dict[str, bytes]], tmp_path: Path, kind: str, dtype: str
) -> None:
    run, _ = shards
    end = write_wide_tokenizer(tmp_path / "wide", 70_000)
    out, result = exported(run, kind, tokenizer=str(tmp_path / "wide"), out=str(tmp_path / "out"))
    assert (result.dtype, result.vocabulary, result.end_of_text.id) == (dtype, 70_000, end)
    plain = Tokenizer.from_file(str(tmp_path / "wide" / "tokenizer.json"))
    texts = pq.read_table(run / "data")["text"].to_pylist()
    expected = Counter((*plain.encode(t, add_special_tokens=False).ids, end) for t in texts)
    if kind == "megatron":
        read = [tuple(d.tolist()) for name in result.prefixes for d in read_indexed(out / name)]
        assert Counter(read) == expected
    else:
        flat = np.concatenate([np.fromfile(out / f"{n}.npy", dtype) for n in result.prefixes])
        ends = np.flatnonzero(flat == end)
        read = [tuple(d.tolist()) for d in np.split(flat, ends + 1)[:-1]]
        assert Counter(read) == expected
    assert max(map(max, expected)) > 65_535


def test_other_tokens_than_the_report_s_are_counted_and_said(rows: Path, tmp_path: Path) -> None:
    other = str(rows.parent / "other")
    _, result = exported(rows, tokenizer=other, out=str(tmp_path / "tokens"))
    report = json.loads((rows / "report.json").read_text())
    assert result.agrees is None
    assert result.tokens > report["achieved"]["tokens"]


def test_a_report_that_says_otherwise_is_an_error(rows: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(rows, run)
    shutil.copytree(rows.parent / "bytes", tmp_path / "bytes")
    report = json.loads((run / "report.json").read_text())
    report["achieved"]["tokens"] += 1
    (run / "report.json").write_text(json.dumps(report))
    with pytest.raises(RunError, match=r"says that its rows have .* so data/ or report\.json has"):
        exported(run)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1"])
def test_a_damaged_report_is_named_before_any_work(
    rows: Path, tmp_path: Path, content: bytes | None
) -> None:
    shutil.copytree(rows, tmp_path / "run")
    path = tmp_path / "run" / "report.json"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    tokenizer, out = str(rows.parent / "bytes"), tmp_path / "tokens"
    with pytest.raises(DamagedError, match=r"report\.json is .*give the command that made it"):
        exported(tmp_path / "run", tokenizer=tokenizer, out=str(out))
    assert not out.exists()


def test_changed_shards_are_refused_in_a_new_folder_and_in_a_repeated_export(
    rows: Path, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "tokens"
    shutil.copytree(rows, run)
    tokenizer = str(rows.parent / "bytes")
    exported(run, tokenizer=tokenizer, out=str(out))
    shard = min(run.glob("data/*"))
    whole = shard.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for data, fault in (
        (b"", f"has 0 bytes, and {len(whole):,} were written"),
        (whole[:-30], f"has {len(whole) - 30:,} bytes, and {len(whole):,} were written"),
        (bytes(flipped), "has other bytes than were written"),
        (None, "is gone"),
    ):
        shard.unlink() if data is None else shard.write_bytes(data)
        cure = "give the command of the run again, which makes it again"
        for folder in (out, tmp_path / "new"):
            if data is None and len(list(rows.glob("data/*"))) == 1:
                continue  # there is no shard at all, which another message says
            with pytest.raises(DamagedError) as error:
                exported(run, tokenizer=tokenizer, out=str(folder))
            assert str(error.value) == f"{shard} {fault}; {cure}"


def test_damaged_files_of_tokens_are_written_again(rows: Path, tmp_path: Path) -> None:
    out, result = exported(rows, out=str(tmp_path / "tokens"))
    path = out / next(iter(result.parts[0].files))
    whole = path.read_bytes()
    for data in (b"", whole[:-2], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(data)
        assert exported(rows, out=str(out))[1] == result
        assert path.read_bytes() == whole


def test_the_command_says_what_it_wrote(rows: Path, tmp_path: Path) -> None:
    tokenizer = rows.parent / "bytes"
    arguments = ["export", rows, "--format", "megatron", "--tokenizer", tokenizer]
    done = outcross(*arguments, "--out", tmp_path / "tokens")
    assert "the run's report says as many" in done.stdout
    assert f"next: --data-path {tmp_path}/tokens/train-00000-of-" in done.stdout
    done = outcross(*arguments, "--out", tmp_path / "tokens", "--json")
    assert json.loads(done.stdout)["end_of_text"]["token"] == END
    done = outcross(*arguments, "--end-of-text", "<none>", code=2)
    assert "end_of_text:" in done.stderr
    done = outcross("export", tmp_path, "--format", "npy", "--tokenizer", tokenizer, code=2)
    assert "holds no manifest.json" in done.stderr


def test_the_run_s_tokenizer_is_the_default(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(rows, run)
    _, asked = exported(rows, out=str(tmp_path / "asked"))
    manifest = json.loads((run / "manifest.json").read_text())
    given = manifest["configuration"]["tokenizer"]
    (copy,) = (run / ".outcross").glob("tokenizer-*.json")
    for place in (given, str(copy)):
        manifest["configuration"]["tokenizer"] = given if place == given else str(tmp_path / "gone")
        (run / "manifest.json").write_text(json.dumps(manifest))
        _, result = exported(run, tokenizer=None)
        assert result == asked
        assert f"note: tokenizer is that of the run, {place}\n" in capsys.readouterr().err
    copy.unlink()
    with pytest.raises(ConfigError, match=r"^tokenizer: .*counted tokens of bytes .*--tokenizer"):
        exported(run, tokenizer=None)
    del manifest["tokenizer"], manifest["configuration"]["tokenizer"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match=r"^tokenizer: .*has counted words.*--tokenizer DIREC"):
        exported(run, tokenizer=None)


def test_exports_and_runs_say_which_tokens_are_replaced_or_old(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(rows, run)
    for name in ("gpt.jsonl", "people.jsonl"):
        shutil.copy(rows.parent / name, tmp_path / name)
    exported(run, tokenizer=str(rows.parent / "bytes"))
    assert "is replaced" not in capsys.readouterr().err
    exported(run, tokenizer=str(rows.parent / "bytes"))
    assert "is replaced" not in capsys.readouterr().err
    exported(run, "npy", tokenizer=str(rows.parent / "other"), seed=2)
    said = capsys.readouterr().err
    assert f"note: the export in {run}/tokens (megatron, tokens of bytes (sha256 " in said
    assert "is replaced by another (npy, tokens of other (sha256 " in said
    make_run(tmp_path, "run", tokens=5000, best_effort=True)
    said = capsys.readouterr().err
    assert f"note: {run}/tokens holds tokens of the earlier data/; export again" in said
    assert f"`outcross export {run} --format npy --tokenizer {rows.parent}/other --seed 2`" in said


def test_the_end_of_a_text_is_the_tokenizer_s_own(tmp_path: Path) -> None:
    folder, tokenizer = write_tokenizer(tmp_path), bytes_tokenizer()
    number = tokenizer.token_to_id(END)
    assert end_of_text(str(folder), None, tokenizer) == {"token": END, "id": number}
    settings = folder / "tokenizer_config.json"
    for end in ("Q", {"content": "Q", "special": True}):
        settings.write_text(json.dumps({"eos_token": end}))
        for value in (folder, folder / "tokenizer.json"):
            assert end_of_text(str(value), None, tokenizer)["token"] == "Q"
    assert end_of_text(str(folder), END, tokenizer)["token"] == END
    settings.write_text("[]")
    assert end_of_text(str(folder), None, tokenizer)["id"] == number
    tokenizer.add_special_tokens(["</s>"])
    with pytest.raises(ConfigError, match=r"end_of_text: .*\(it has </s>, <\|endoftext\|>\); name"):
        end_of_text(str(folder), None, tokenizer)
    with pytest.raises(ConfigError, match=r"has no token '<nothing>'"):
        end_of_text(str(folder), "<nothing>", tokenizer)
