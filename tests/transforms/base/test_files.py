"""Files appear complete or not at all, on local and other file systems."""

import errno
import os
import resource

import numpy as np
import pyarrow as pa
import pytest

from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from tests.support.attic import Attic


@pytest.fixture(params=["local", "attic"])
def folder(request, tmp_path):
    Attic.held = {}
    return str(tmp_path / "a folder") if request.param == "local" else "attic://store/folder"


def test_what_is_written_is_read_again(folder):
    files.make_folder(folder)
    path = files.join(folder, "part", "x.gz")  # no name makes bytes be compressed
    files.make_folder(files.join(folder, "part"))
    assert not files.exists(path)
    files.write_bytes(path, b"as it is")
    assert files.exists(path)
    assert files.read_bytes(path) == b"as it is"
    files.write_json(path, {"ü": [1, None]})
    assert files.read_json(path) == {"ü": [1, None]}
    assert "ü".encode() in files.read_bytes(path)
    array = np.arange(6, dtype=np.uint64).reshape(2, 3)
    files.write_array(path, array)
    again = files.read_array(path)
    assert again.dtype == array.dtype
    assert again.tolist() == array.tolist()
    table = pa.table({"a": [1, 2], "b": ["x", None], "c": [[1], []]})
    files.write_table(path, table)
    assert files.read_table(path).equals(table)
    assert files.read_table(path, ["b"]).equals(table.select(["b"]))


def test_files_are_listed_in_order_and_deleted(folder):
    files.make_folder(folder)
    names = ["b-2.npy", "b-1.npy", "c.txt"]
    paths = [files.join(folder, name) for name in names]
    for path in paths:
        files.write_bytes(path, b"")
    assert files.list_files(files.join(folder, "b-*.npy")) == [paths[1], paths[0]]
    assert files.list_files(files.join(folder, "z*")) == []
    files.delete_files(paths[:2])
    assert files.list_files(files.join(folder, "*")) == [paths[2]]
    files.delete_files([])


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = str(tmp_path / "x")
    files.write_bytes(path, b"before")

    def fail(file):
        file.write(b"half")
        assert files.read_bytes(path) == b"before"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, fail)
    assert files.read_bytes(path) == b"before"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("number", "cure"),
    [(errno.ENOSPC, "free space"), (errno.EFBIG, "ulimit -f"), (errno.EROFS, "allow this user")],
)
def test_a_full_or_protected_disk_is_named_with_a_cure(tmp_path, number, cure):
    path = str(tmp_path / "x")

    def fail(file):
        raise OSError(number, os.strerror(number))

    with pytest.raises(files.WriteError) as raised:
        files.write_whole(path, fail)
    assert f"{path} can't be written: {os.strerror(number)}" in str(raised.value)
    assert cure in str(raised.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda path: files.write_bytes(path, bytes(9_000)),
        lambda path: files.write_array(path, np.arange(9_000)),
        lambda path: files.write_json(path, list(range(9_000))),
        lambda path: files.write_table(
            path, pa.table({"a": np.random.default_rng(0).random(9_000)})
        ),
    ],
    ids=["bytes", "array", "json", "table"],
)
def test_every_kind_of_file_says_why_it_could_not_be_written(tmp_path, write):
    path = str(tmp_path / "x")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(files.WriteError, match="x can't be written: File too large; allow"):
            write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_only_incomplete_files_of_killed_processes_are_deleted(tmp_path):
    kept = [tmp_path / ".a.tmp", tmp_path / "b.tmp", tmp_path / f"c.{'0' * 32}.tmp"]
    leftover = tmp_path / "deep" / f".d.parquet.{'0' * 32}.tmp"
    leftover.parent.mkdir()
    for path in (*kept, leftover):
        path.touch()
    files.delete_leftovers(str(tmp_path))
    assert not leftover.exists()
    assert all(path.exists() for path in kept)


def test_who_reads_a_file_is_not_disturbed_by_who_writes_it(tmp_path):
    path = str(tmp_path / "x")
    files.write_bytes(path, b"before")
    with files.open_input(path) as reader:
        files.write_bytes(path, b"after")
        assert reader.read() == b"before"
    assert files.read_bytes(path) == b"after"


def test_a_folder_may_be_called_like_a_glob(tmp_path):
    for name in ("run[1]", "run1", "a*b?", "axbx"):
        folder = tmp_path / name / "deeper"
        folder.mkdir(parents=True)
        (folder / "part-0.npy").touch()
    for name in ("run[1]", "a*b?"):
        only = [str(tmp_path / name / "deeper" / "part-0.npy")]
        assert files.list_files(str(tmp_path / name / "deeper" / "part-*.npy")) == only
        assert files.list_files(str(tmp_path / name / "*" / "part-[0-9].npy")) == only
    assert len(files.list_files(str(tmp_path / "*" / "*" / "*"))) == 4


def test_relative_and_absolute_paths_are_listed_alike(tmp_path, monkeypatch):
    (tmp_path / "x.json").touch()
    monkeypatch.chdir(tmp_path)
    assert files.list_files("*.json") == ["x.json"]
    assert files.list_files("./*.json") == ["./x.json"]
    assert files.list_files(f"{tmp_path}/*.json") == [f"{tmp_path}/x.json"]


def test_arrays_of_objects_are_refused(tmp_path):
    path = str(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="pickle"):
        files.write_array(path, np.array([{}]))
    assert not files.exists(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(DamagedError, match="pickle"):
        files.read_array(path)
