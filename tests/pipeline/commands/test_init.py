"""`init`: what it writes is YAML that a dry run accepts, whatever files and columns are called."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from outcross.pipeline.commands.commented_config import (
    commented_config,
    one_line,
    scalar,
    shell_word,
)
from outcross.pipeline.commands.init import RoleFiles, init, inputs_of
from outcross.pipeline.commands.preview import preview
from outcross.schemas.config import Config, parse
from outcross.schemas.guess import FieldGuess, FieldGuesses, SourceGuess
from outcross.schemas.user_input import ConfigError, load_yaml

TEXTS = [f"A text of some words, number {n}." for n in range(12)]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def configured(folder: Path, *paths: Path, **keys: Any) -> Config:
    """Return the configuration that `init` writes for synthetic files."""
    target = folder / "config.yaml"
    inputs = [RoleFiles("synthetic", str(path)) for path in paths]
    init(inputs, str(target), force=True, **keys)
    return parse({**load_yaml(str(target)), "out": str(folder / "out")})


def valid_rows(config: Config) -> list[int]:
    return [source.valid for source in preview(config).sources]


def test_every_format_is_recognised_and_read(tmp_path: Path) -> None:
    rows = [{"key": n, "body": text} for n, text in enumerate(TEXTS)]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "a.parquet")
    with (
        pa.OSFile(str(tmp_path / "b.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)
    (tmp_path / "c.json").write_text(json.dumps(rows))
    (tmp_path / "d.tsv").write_text(
        "key\tbody\n" + "".join(f"{n}\t{t}\n" for n, t in enumerate(TEXTS))
    )
    (tmp_path / "e.jsonl.gz").write_bytes(
        gzip.compress(jsonl(tmp_path / "plain", rows).read_bytes())
    )
    paths = [tmp_path / name for name in ("a.parquet", "b.arrow", "c.json", "d.tsv", "e.jsonl.gz")]
    config = configured(tmp_path, *paths)
    assert [source.name for source in config.sources] == ["a", "b", "c", "d", "e"]
    assert {(s.text_field, s.id_field, s.format) for s in config.sources} == {("body", "key", None)}
    assert valid_rows(config) == [12] * 5


def test_a_text_file_of_many_lines_is_read_by_lines(tmp_path: Path) -> None:
    lines, prose, notes = (tmp_path / name for name in ("lines.txt", "prose.txt", "notes.md"))
    lines.write_text("\n".join(TEXTS) + "\n")
    prose.write_text("\n\n".join(TEXTS) + "\n")
    notes.write_text("\n".join(TEXTS) + "\n")
    config = configured(tmp_path, lines, prose, notes)
    assert [source.format for source in config.sources] == ["text-lines", None, None]
    assert valid_rows(config) == [12, 1, 1]


def test_a_format_can_be_given_where_names_tell_none(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "rows", [{"answer": text} for text in TEXTS])
    with pytest.raises(ConfigError, match="the name tells no format"):
        configured(tmp_path, path)
    config = configured(tmp_path, path, file_format="jsonl")
    assert (config.sources[0].format, valid_rows(config)) == ("jsonl", [12])
    with pytest.raises(ConfigError, match=r"format: found 'xml'; choose jsonl, json, "):
        configured(tmp_path, path, file_format="xml")


def test_columns_of_folders_count(tmp_path: Path) -> None:
    for lang in ("de", "en"):
        (tmp_path / "data" / f"lang={lang}").mkdir(parents=True)
        jsonl(tmp_path / "data" / f"lang={lang}" / "a.jsonl", [{"text": t} for t in TEXTS])
    config = configured(tmp_path, tmp_path / "data")
    assert config.sources[0].name == "data"
    assert valid_rows(config) == [24]


def test_sources_have_names_of_their_own(tmp_path: Path) -> None:
    paths = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        paths.append(jsonl(tmp_path / folder / "gpt 4.jsonl", [{"text": "Some words."}]))
    config = configured(tmp_path, *paths, tmp_path / "t*" / "*.jsonl")
    assert [source.name for source in config.sources] == ["gpt-4", "gpt-4-2", "synthetic"]


def test_files_that_cannot_be_judged_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    numbers = jsonl(tmp_path / "numbers.jsonl", [{"a": 1, "b": None}])
    empty = jsonl(tmp_path / "empty.jsonl", [])
    text = jsonl(tmp_path / "text.jsonl", [{"text": "Some words."}])
    target = tmp_path / "config.yaml"
    for inputs, message in (
        ({"synthetic": [numbers]}, r"none of its columns holds text .*\('a', 'b'\)"),
        ({"synthetic": [empty]}, "has no rows"),
        ({"synthetic": [tmp_path / "absent.jsonl"]}, "matches no file"),
        ({"synthetic": ["-"]}, "standard input can be read only once"),
        ({"exclude": [text]}, "there is nothing to write"),
    ):
        roles = {role: list(map(str, paths)) for role, paths in inputs.items()}
        with pytest.raises(ConfigError, match=message):
            init(inputs_of(roles), str(target))
        assert not target.exists()


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE.filter(lambda name: not set("{}") & set(name)))
@example("yes")
@example("a: b # c")
@example("\n- name: evil\n  files: [x]")
@example("\u2028\x85'\"\\")
@example("null")
@example("*")
@example("1e3")
def test_a_column_of_any_name_is_quoted_and_found_again(tmp_path: Path, column: str) -> None:
    jsonl(tmp_path / "a.jsonl", [{column: text} for text in TEXTS])
    config = configured(tmp_path, tmp_path / "a.jsonl")
    assert config.sources[0].text_field == column
    assert valid_rows(config) == [12]


@given(st.text(max_size=20))
def test_a_scalar_is_read_back_on_one_line(text: str) -> None:
    line = scalar(text)
    assert yaml.safe_load(line) == text
    assert yaml.safe_load(f"[{line}, {line}]") == [text, text]
    assert "\n" not in line


@given(st.lists(st.text(max_size=9), max_size=8), st.text(max_size=9))
def test_comments_end_with_their_line(alternatives: list[str], name: str) -> None:
    text = FieldGuess(value="text", reason="because", alternatives=alternatives)
    fields = FieldGuesses(
        text_field=text, roles=None, id_field=None, prompt_field=None, domain_field=None
    )
    source = SourceGuess(
        name="gpt",
        role="synthetic",
        files=[name],
        format="jsonl",
        format_reason="by the names of the files",
        format_needed=False,
        rows=1,
        columns=["text"],
        fields=fields,
    )
    config = yaml.safe_load(commented_config(name, "out", [source]))
    expected = {"name": "gpt", "role": "synthetic", "files": [name], "text_field": "text"}
    assert config == {"out": "out", "sources": [expected]}
    assert one_line(name).isprintable()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (10**7, pa.date32()),
        (2**40, pa.timestamp("s")),
        (1, pa.timestamp("us", "No/Where")),
        (2**62, pa.duration("s")),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_column_that_python_cannot_hold_is_left_out(
    tmp_path: Path, value: int, kind: pa.DataType, ending: str
) -> None:
    table = pa.table({"when": pa.array([value] * len(TEXTS), kind), "body": TEXTS})
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    result = init([RoleFiles("synthetic", str(path))], str(tmp_path / "config.yaml"))
    assert result.sources[0].columns == ["body"]
    assert result.sources[0].rows == len(TEXTS)


def test_nanoseconds_are_left_out_where_python_cannot_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = pa.array([1, 2], pa.timestamp("ns"))
    pq.write_table(pa.table({"when": times, "body": TEXTS[:2]}), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert valid_rows(configured(tmp_path, tmp_path / "a.parquet")) == [2]


def test_rows_that_are_not_utf8_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,body\n1,Caf\xe9\n2,Some words.\n")
    values = pa.array([b"Caf\xe9", b"Some words."]).view(pa.string())
    pq.write_table(pa.table({"body": values}), tmp_path / "b.parquet")
    inputs = [RoleFiles("synthetic", str(tmp_path / name)) for name in ("a.csv", "b.parquet")]
    result = init(inputs, str(tmp_path / "config.yaml"))
    assert [source.rows for source in result.sources] == [1, 1]
    assert [source.fields.text_field.value for source in result.sources] == ["body", "body"]


@pytest.mark.parametrize("empty", ["a.jsonl", "a.csv", "a.parquet", "a.txt"])
def test_the_first_file_that_has_rows_is_looked_at(tmp_path: Path, empty: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / empty).touch()
    (folder / "b.csv").write_text("body\n")
    jsonl(folder / "c.jsonl", [{"answer": text} for text in TEXTS])
    result = init([RoleFiles("synthetic", str(folder))], str(tmp_path / "config.yaml"))
    assert (result.sources[0].columns, result.sources[0].rows) == (["answer"], len(TEXTS))


def test_a_folder_of_empty_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("body\n")
    with pytest.raises(ConfigError, match=r"none of its 2 files has rows; give a file"):
        configured(tmp_path, tmp_path / "*.csv")


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12))
@example("it's \\ a\nname\x1b[31m")
@example("plain \\ 'name'")
def test_a_shell_reads_a_word_as_it_was(text: str) -> None:
    word = shell_word(text)
    assert word.isprintable()
    echo = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert echo.stdout == text.encode()


def test_a_null_in_a_list_of_fixed_size_does_not_refuse_the_file(tmp_path: Path) -> None:
    pairs = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2))
    pq.write_table(pa.table({"pair": pairs, "body": TEXTS[:3]}), tmp_path / "a.parquet")
    assert valid_rows(configured(tmp_path, tmp_path / "a.parquet")) == [3]
