"""Data sets of the Hugging Face Hub as a read-only Beam file system.

Importing this module registers hf:// paths, such as hf://datasets/OWNER/NAME/data/*.parquet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NoReturn, cast

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
    MatchResult,
)

from outcross.schemas.user_input import ConfigError

_SCHEME = "hf://"


def hub_files() -> Any:
    """Return huggingface_hub's own file system.

    Raises:
        ImportError: the extra [hf] is not installed.
    """
    from huggingface_hub import HfFileSystem

    return HfFileSystem()


class HubFileSystem(FileSystem):
    """Read-only access to the files of the Hub by their paths."""

    def __init__(self, pipeline_options: Any) -> None:
        super().__init__(pipeline_options)
        self.files = hub_files()

    @classmethod
    def scheme(cls) -> str:
        """Return the scheme of the paths."""
        return "hf"

    def join(self, basepath: str, *paths: str) -> str:
        """Return a path below a folder."""
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        """Return the folder of a path and the name in it."""
        folder, _, name = path.rpartition("/")
        return folder, name

    def has_dirs(self) -> bool:
        """Return True: the Hub has folders."""
        return True

    def exists(self, path: str) -> bool:
        """Return whether a file or folder exists."""
        return bool(self.files.exists(_below(path)))

    def match(
        self, patterns: Sequence[str], limits: Sequence[int | None] | None = None
    ) -> list[MatchResult]:
        """Return the files that match each glob; an existing name matches itself only."""
        asked = limits or [None] * len(patterns)
        return [
            MatchResult(pattern, list(self._entries(pattern))[:limit])
            for pattern, limit in zip(patterns, asked, strict=True)
        ]

    def _entries(self, pattern: str) -> Iterator[FileMetadata]:
        path = _below(pattern)
        try:
            if self.files.exists(path):
                entries = {path: self.files.info(path)}
            else:
                entries = self.files.glob(path, detail=True)
        except (FileNotFoundError, NotImplementedError):
            return
        except Exception as error:
            raise BeamIOError(f"{pattern}: the Hub does not answer", {pattern: error}) from error
        for name, entry in sorted(entries.items()):
            if entry["type"] == "file":
                yield FileMetadata(_SCHEME + name, int(entry["size"] or 0))

    def open(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> BinaryIO:
        """Open a file for reading; it can seek."""
        kind = FileSystem._get_compression_type(path, compression_type)
        file = self.files.open(_below(path), "rb")
        if kind != CompressionTypes.UNCOMPRESSED:
            file = CompressedFile(file, kind)
        return cast(BinaryIO, file)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        return int(self.files.info(_below(path))["size"])

    def metadata(self, path: str) -> FileMetadata:
        """Return the path and size of a file."""
        return FileMetadata(path, self.size(path))

    def checksum(self, path: str) -> str:
        """Return the Hub's hash of a file."""
        return str(self.files.info(_below(path)).get("blob_id", ""))

    def last_updated(self, path: str) -> float:
        """Return the time of a file's last change, in seconds since 1970."""
        return float(self.files.modified(_below(path)).timestamp())

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        yield from self._entries(dir_or_prefix.rstrip("/") + "/**")

    def _refuse(self, *arguments: Any, **options: Any) -> NoReturn:
        raise ConfigError("hf:// is read only; write to a folder, then upload it")

    create = mkdirs = copy = rename = delete = _refuse


def _below(path: str) -> str:
    return path.removeprefix(_SCHEME)
