"""Files of a source, with names, links and folders of real disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.files import as_utf8
from outcross.transforms.inputs.input_files import input_files, warnings_of_files


def source(*files, **options):
    return Source(**{"name": "s", "role": "human", "files": [str(f) for f in files], **options})


def names(folder, *files, **options):
    """Return the paths of a source's files below a folder."""
    read = input_files(source(*files, **options)).files
    return [os.path.relpath(file.path, folder) for file in read]


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text('{"text": "some words"}\n')


def test_a_name_that_exists_is_itself(tmp_path):
    touch(
        tmp_path, "part[1].jsonl", "part1.jsonl", "br[1]/x.jsonl", "sp ace/ünï☂.jsonl", "a*.jsonl"
    )
    touch(tmp_path, "100%#?.jsonl", "a1.jsonl")
    for name in ("part[1].jsonl", "part1.jsonl", "br[1]/x.jsonl", "sp ace/ünï☂.jsonl"):
        assert names(tmp_path, tmp_path / name) == [name]
    assert names(tmp_path, tmp_path / "a*.jsonl") == ["a*.jsonl"]
    assert names(tmp_path, tmp_path / "100%#?.jsonl") == ["100%#?.jsonl"]
    assert names(tmp_path, tmp_path / "br[1]/*.jsonl") == ["br[1]/x.jsonl"]
    assert names(tmp_path, tmp_path / "part[12].jsonl") == ["part1.jsonl"]


def test_two_stars_are_the_folder_and_all_below_it(tmp_path):
    touch(tmp_path, "top.jsonl", "sub/low.jsonl", "sub/er/deep.jsonl", "sub/.hid/no.jsonl")
    every = ["sub/er/deep.jsonl", "sub/low.jsonl", "top.jsonl"]
    assert names(tmp_path, tmp_path / "**/*.jsonl") == every
    assert names(tmp_path, tmp_path / "**") == every
    assert names(tmp_path, tmp_path / "*/*.jsonl") == ["sub/low.jsonl"]
    assert names(tmp_path, tmp_path / "**/er/*") == ["sub/er/deep.jsonl"]
    assert names(tmp_path, tmp_path) == every
    assert names(tmp_path, tmp_path / "su*") == every[:2]


def test_links_are_followed_without_loops_and_no_file_is_read_twice(tmp_path):
    touch(tmp_path, "disk/x.jsonl", "tree/a/x.jsonl", "blobs/123")
    tree = tmp_path / "tree"
    (tree / "b").symlink_to(tmp_path / "disk")
    (tree / "round").symlink_to(tree)
    (tree / "again.jsonl").symlink_to(tree / "a/x.jsonl")
    (tree / "train.jsonl").symlink_to(tmp_path / "blobs/123")
    every = ["a/x.jsonl", "b/x.jsonl", "train.jsonl"]
    for pattern in (tree, tree / "**", tree / "**/*.jsonl"):
        assert names(tree, pattern) == every
    assert names(tree, tree / "*/x.jsonl") == every[:2]
    assert names(tree, tree / "a/x.jsonl", tree / "again.jsonl", tree) == every


@pytest.mark.parametrize("pattern", ["in", "in/*", "in/part-2.jsonl", "**/*.jsonl"])
def test_a_link_to_nothing_is_an_error_that_names_it(tmp_path, pattern):
    touch(tmp_path, "in/part-0.jsonl")
    (tmp_path / "in/part-2.jsonl").symlink_to(tmp_path / "objects/9f")
    with pytest.raises(ConfigError, match=r"in/part-2\.jsonl', a link to '.*objects/9f'.*get the"):
        input_files(source(tmp_path / pattern))
    (tmp_path / "in/part-2.jsonl").rename(tmp_path / "in/.old.jsonl")  # nobody would read it
    assert names(tmp_path, tmp_path / "in") == ["in/part-0.jsonl"]


def test_hidden_files_are_read_by_their_own_names_alone(tmp_path):
    touch(tmp_path, "x.jsonl", "._x.jsonl", "_tmp/y.jsonl", ".cache/z.jsonl", "_SUCCESS", ".x.crc")
    for pattern in (tmp_path, tmp_path / "*", tmp_path / "**", tmp_path / "*/*"):
        if str(pattern).endswith("*/*"):
            with pytest.raises(ConfigError, match="matches no file"):
                input_files(source(pattern))
        else:
            assert names(tmp_path, pattern) == ["x.jsonl"]
    [skipped] = input_files(source(tmp_path)).left_out
    assert (skipped.why, skipped.files, Path(skipped.example).name) == ("hidden", 1, "._x.jsonl")
    for pattern in ("._x.jsonl", "_tmp/*", ".cache", "._*", "_*/*.jsonl"):
        assert len(names(tmp_path, tmp_path / pattern)) == 1, pattern


def test_folders_of_spark_and_hive(tmp_path):
    touch(tmp_path, "x.parquet/part-0.snappy.parquet", "x.parquet/_SUCCESS")
    touch(tmp_path, "x.parquet/.part-0.snappy.parquet.crc")
    [file] = input_files(source(tmp_path / "x.parquet")).files
    assert (file.kind, file.columns) == ("parquet", ())
    touch(tmp_path, "hive/lang=en/year=2020/a.csv", "hive/lang=p%2Fq/b.csv")
    touch(tmp_path, "hive/lang=__HIVE_DEFAULT_PARTITION__/c.csv")
    for pattern in (tmp_path / "hive", tmp_path / "hive/**/*.csv", tmp_path / "hive/lang=*"):
        read = input_files(source(pattern)).files
        assert [file.columns for file in read] == [
            (),
            (("lang", "en"), ("year", "2020")),
            (("lang", "p/q"),),
        ]


def test_what_is_left_out_is_told_with_counts_and_an_example(tmp_path):
    data = ["a.jsonl", "b.parquet", "c.jsonl.bz2", "d.csv", "sub/g.jsonl", "H.JSONL"]
    touch(
        tmp_path,
        *data,
        "e.txt",
        "f.jsonl.part",
        "g.jsonl.part",
        "README.md",
        "info.json",
        "Makefile",
    )
    assert names(tmp_path, tmp_path) == sorted(data)
    [warning] = warnings_of_files(source(tmp_path))
    parts = (
        "1 .txt beside others",
        "2 .part (",
        "f.jsonl.part)",
        "1 notes, by their",
        "1 .json be",
    )
    for part in parts:
        assert part in warning
    assert "1 without an ending" in warning
    # A glob that matches .json means it; notes are none.
    assert names(tmp_path, tmp_path / "*") == ["H.JSONL", *data[:4], "info.json", "sub/g.jsonl"]
    assert not list(warnings_of_files(source(tmp_path / "*.jsonl")))


def test_what_a_folder_has_is_read_where_there_is_nothing_better(tmp_path):
    touch(tmp_path, "j/a.json", "j/b.txt", "t/a.txt", "t/b.md", "t/README.md", "t/LICENSE")
    with pytest.raises(ConfigError, match=r"1 \.json files and 1 texts.*--format json or"):
        input_files(source(tmp_path / "j"))
    assert names(tmp_path, tmp_path / "j", format="json") == ["j/a.json"]
    assert names(tmp_path, tmp_path / "j/*.json") == ["j/a.json"]
    assert names(tmp_path, tmp_path / "t") == ["t/a.txt", "t/b.md"]
    warnings = list(warnings_of_files(source(tmp_path / "t")))
    assert "each of 2 text files is one document" in warnings[1]
    assert names(tmp_path, tmp_path / "t", format="text-lines") == ["t/a.txt", "t/b.md"]
    assert len(list(warnings_of_files(source(tmp_path / "t", format="text-file")))) == 1


def test_a_format_reads_names_that_tell_none(tmp_path):
    touch(tmp_path, "out/part-00000", "out/part-00001.gz", "out/_SUCCESS", "out/notes.csv")
    with pytest.raises(ConfigError, match=r"the name tells no format; expected \.jsonl.*--format"):
        input_files(source(tmp_path / "out/part-00000"))
    read = input_files(source(tmp_path / "out", format="jsonl"))
    assert [file.kind for file in read.files] == ["jsonl", "jsonl"]
    assert [skipped.why for skipped in read.left_out] == [".csv beside others"]
    [file] = input_files(source(tmp_path / "out/notes.csv", format="text-lines")).files
    assert file.kind == "text-lines"


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x.jsonl")
    with pytest.raises(ConfigError, match="is a pipe"):
        input_files(source(tmp_path / "x.jsonl"))


def test_names_that_are_not_utf8_are_names(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_text("{}")
    [file] = input_files(source(tmp_path)).files
    assert os.fsencode(file.path) == path
    assert as_utf8(file.path).endswith(r"/caf\xe9.jsonl")


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("gs://bucket/x.jsonl", r"pip install '\.\[gcs\]'"),
        ("s3://bucket/x.jsonl", r"pip install '\.\[s3\]'"),
        ("hf://datasets/a/b/x.jsonl", r"pip install '\.\[hf\]'"),
        ("https://example.org/x.jsonl", "download the file first"),
        ("ftp://example.org/x.jsonl", "there is no file system for ftp://"),
    ],
)
def test_schemes_say_what_they_need(path, cure, monkeypatch):
    monkeypatch.setattr("outcross.transforms.base.stores.is_installed", lambda module: False)
    with pytest.raises(ConfigError, match=cure):
        input_files(source(path))


NAMES = st.text("ab[]*?.=_ -é", min_size=1, max_size=6)
NAMES = NAMES.filter(lambda name: name.strip(". ") and name != "**")


@settings(max_examples=60)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=6))
def test_any_name_that_exists_is_itself_and_folders_hold_all_that_is_not_hidden(
    tmp_path_factory, paths
):
    folder = tmp_path_factory.mktemp("names")
    files = set()
    for parts in paths:
        path = "/".join([*parts[:-1], parts[-1] + ".jsonl"])
        try:
            touch(folder, path)
        except OSError:  # a file stands where a folder would
            continue
        files.add(path)
    for path in files:
        assert names(folder, folder / path) == [os.path.normpath(path)]
    visible = {p for p in files if not any(part[0] in "._" for part in p.split("/"))}
    if visible:
        for pattern in (folder, f"{folder}/**", f"{folder}/**/*.jsonl"):
            assert set(names(folder, pattern)) == visible


def test_values_of_folders_that_are_not_utf8_are_shown(tmp_path):
    folder = os.fsencode(tmp_path) + b"/lang=\xe9"
    os.mkdir(folder)
    with open(folder + b"/a.jsonl", "wb") as file:
        file.write(b'{"text": "a"}\n')
    [file] = input_files(source(tmp_path)).files
    assert file.columns == (("lang", "\\xe9"),)
