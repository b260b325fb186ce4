"""Files on any Beam filesystem, each written whole or not at all."""

from __future__ import annotations

import glob
import importlib.util
import io
import json
import os
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.schemas.user_input import ConfigError

_ONE_AT_A_TIME = threading.Lock()
"""NumPy reads an array's header with `ast`, which fails in two threads at once on Python 3.11."""


def is_local(path: str) -> bool:
    """Whether the path is one of this machine's, not of an object store."""
    return "://" not in path


_EXTRAS = {
    "gs": ("gcs", "google.cloud.storage"),
    "s3": ("s3", "boto3"),
    "hf": ("hf", "huggingface_hub"),
}
"""By scheme: the extra of this package that reads it, and what that brings along."""


def beam_filesystems(path: str) -> Any:
    """Return Beam's file systems, one of which has the path.

    Raises:
        ConfigError: when none knows its scheme, with what to do.
    """
    from apache_beam.io.filesystems import FileSystems

    scheme = path.partition("://")[0].lower()
    if scheme in ("http", "https"):
        raise ConfigError(
            f"{scheme}:// addresses are not read; download the file first (`curl -LO ADDRESS`), or "
            "read data sets of the Hugging Face Hub by hf://datasets/OWNER/NAME/FILE"
        )
    extra, module = _EXTRAS.get(scheme, ("", ""))
    if extra and not _installed(module):
        raise ConfigError(f"{scheme}:// needs an extra: pip install 'outcross[{extra}]'")
    if scheme == "hf":
        import outcross.transforms.base.hub  # noqa: F401, which makes Beam know it
    try:
        FileSystems.get_filesystem(path)
    except ValueError:
        raise ConfigError(
            f"there is no file system for {scheme}://; there are gs, s3, hdfs and hf"
        ) from None
    return FileSystems


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False


def shown(path: str) -> str:
    """Return a path as text that can be written, bytes that aren't UTF-8 by their numbers."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def join(folder: str, *parts: str) -> str:
    """A path below a folder; object stores use slashes as well."""
    return "/".join([folder.rstrip("/"), *parts])


def exists(path: str) -> bool:
    """Whether there is such a file or folder."""
    if is_local(path):
        return Path(path).exists()
    return bool(beam_filesystems(path).exists(path))


def make_folder(path: str) -> None:
    """A local folder with its parents; object stores have none."""
    if is_local(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def open_input(path: str) -> BinaryIO:
    """The file's own bytes, compressed or not."""
    if is_local(path):
        return Path(path).open("rb")
    from apache_beam.io.filesystem import CompressionTypes

    systems = beam_filesystems(path)
    opened = systems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, opened)


def read_bytes(path: str) -> bytes:
    """All of a file."""
    with open_input(path) as file:
        return file.read()


def write_whole(path: str, write: Callable[[BinaryIO], None]) -> None:
    """Calls `write` with an open file that appears under its name only when it is complete.

    Locally that is a temporary name and a rename; object stores show a file when it is closed, so
    there the final name is written once.
    """
    if not is_local(path):
        from apache_beam.io.filesystem import CompressionTypes

        systems = beam_filesystems(path)
        with systems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as remote:
            write(cast(BinaryIO, remote))
        return
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a whole file."""
    write_whole(path, lambda file: cast(None, file.write(data)))


def write_json(path: str, value: Any) -> None:
    """Writes JSON that people can read, with keys in the order given."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # A file name that isn't UTF-8 has lone surrogates, which JSON can escape.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: str) -> Any:
    """What a JSON file holds."""
    return json.loads(read_bytes(path))


def write_array(path: str, array: NDArray[Any]) -> None:
    """Writes one NumPy array."""
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False))


def read_array(path: str) -> NDArray[Any]:
    """One NumPy array; nothing is ever unpickled."""
    data = io.BytesIO(read_bytes(path))
    with _ONE_AT_A_TIME:
        return cast(NDArray[Any], np.load(data, allow_pickle=False))


def pack_arrays(arrays: Mapping[str, NDArray[Any]], compressed: bool = False) -> bytes:
    """Several NumPy arrays by their names."""
    sink = io.BytesIO()
    save = cast(Any, np.savez_compressed if compressed else np.savez)
    save(sink, **arrays)
    return sink.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """What `pack_arrays` has packed; nothing is ever unpickled."""
    with _ONE_AT_A_TIME, np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def write_table(path: str, table: pa.Table) -> None:
    """Writes a small Parquet artifact, never with a row group without rows."""

    def write(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
            if table.num_rows:
                writer.write_table(table)

    write_whole(path, write)


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Some or all columns of a Parquet file."""
    wanted = None if columns is None else list(columns)
    if is_local(path):
        return pq.ParquetFile(path).read(columns=wanted, use_threads=False)
    with open_input(path) as file:
        return pq.read_table(pa.PythonFile(file, mode="r"), columns=wanted, use_threads=False)


def list_files(pattern: str) -> list[str]:
    """Files that match a glob, sorted; folders that are there under their very name are no glob."""
    if is_local(pattern):
        folder = pattern.rpartition("/")[0]
        while folder and not Path(folder).is_dir():
            folder = folder.rpartition("/")[0]
        pattern = glob.escape(folder) + pattern[len(folder) :]
        return sorted(path for path in glob.glob(pattern) if Path(path).is_file())
    matches = beam_filesystems(pattern).match([pattern])[0].metadata_list
    return sorted(found.path for found in matches)


def delete_files(paths: Sequence[str]) -> None:
    """Deletes files that are there."""
    for path in paths:
        if is_local(path):
            Path(path).unlink(missing_ok=True)
    remote = [path for path in paths if not is_local(path)]
    if remote:
        beam_filesystems(remote[0]).delete(remote)
