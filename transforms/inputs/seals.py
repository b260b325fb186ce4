"""What input files were when a run began, and files that are held to it as they are read.

A file's identity is the XXH3-128 of all of its bytes, or of the hashes of its blocks of 1 MiB if
it has several. A reader checks each block that it touches, so that it never sees other bytes than
those that were hashed. Of files in object stores that tell a checksum or generation, this takes
the place of the bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import xxhash

from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.base.files import is_local, open_input

BLOCK = 1 << 20  # bytes that are hashed at once
_DIGEST = 16  # bytes of a block's hash


class ChangedError(RuntimeError):
    """An input file is not what it was when the run began."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} has changed since the run began to read it; what was read of it no longer "
            "holds. Bring the file back, or run again once it stays as it is"
        )


@dataclass(frozen=True)
class Identity:
    """What a file is.

    Attributes:
        name: its size, and the hash of all its bytes or the object store's checksum.
        size: in bytes.
        blocks: the hashes of its blocks, 16 bytes each; None where a checksum stands for them.
    """

    name: str
    size: int
    blocks: bytes | None


def identify(path: str) -> Identity:
    """Read all of a file and say what it is; of an object store, ask for its checksum.

    Raises:
        OSError: when the file can't be read.
    """
    with _unbuffered(path) as file:
        if (checksum := _checksum(path)) is not None:
            size = file.seek(0, os.SEEK_END)
            return Identity(f"{size}-{checksum}", size, None)
        blocks, size = [], 0
        while block := _exactly(file, BLOCK):
            blocks.append(xxhash.xxh3_128_digest(block))
            size += len(block)
    joined = b"".join(blocks)
    return Identity(f"{size}-{_whole(joined).hex()}", size, joined)


def identify_all(paths: Sequence[str], workers: int | None = None) -> dict[str, Identity]:
    """Identify files by a pool of threads.

    Args:
        paths: of the files.
        workers: threads; as many as the machine has cores if None.
    """
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        return dict(zip(paths, pool.map(identify, paths), strict=True))


def digests_of(identities: Mapping[str, Identity]) -> bytes:
    """The hashes of the blocks of all files that have several, as seals find them."""
    return b"".join(_several(identity) for identity in identities.values())


def seal_units(
    units: Sequence[Unit], identities: Mapping[str, Identity], digests: str
) -> list[Unit]:
    """Seal the pieces of units.

    Args:
        units: of the input.
        identities: of all of its files.
        digests: path of the file that holds what `digests_of` makes of the same identities.
    """
    seals: dict[str, Seal] = {}
    at = 0
    for path, identity in identities.items():
        several = _several(identity)
        where = (digests, at) if several else ("", 0)
        seals[path] = Seal(identity.name, identity.size, *where, stored=identity.blocks is None)
        at += len(several)
    return [
        replace(unit, pieces=tuple(replace(piece, seal=seals[piece.file]) for piece in unit.pieces))
        for unit in units
    ]


def open_piece(piece: Piece) -> BinaryIO:
    """Open the piece's file from its beginning, held to the seal if it has one.

    Raises:
        ChangedError: when the file has another size; later, when a block has other bytes.
        OSError: when the file can't be opened.
    """
    if piece.seal is None or piece.seal.stored:
        return open_input(piece.file)
    return cast(BinaryIO, SealedFile(piece.file, piece.seal))


def check_piece(piece: Piece) -> None:
    """Check an object store's checksum after reading; other files were checked as they were read.

    Raises:
        ChangedError: when it is not what it was.
    """
    if piece.seal is None or not piece.seal.stored:
        return
    if piece.seal.identity != f"{piece.seal.size}-{_checksum(piece.file)}":
        raise ChangedError(piece.file)


class SealedFile(io.RawIOBase):
    """A file in which every block is compared with its hash when it is read.

    Args:
        path: of the file.
        seal: of the file.

    Raises:
        ChangedError: when the size or a block that is read is not what it was.
    """

    def __init__(self, path: str, seal: Seal) -> None:
        self._path, self._seal = path, seal
        self._file = _unbuffered(path)
        self._at = 0
        self._number, self._block = -1, b""  # of the block that was read last
        if self._file.seek(0, os.SEEK_END) != seal.size:
            self._file.close()
            raise ChangedError(path)
        self._hashes = _hashes(seal)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._seal.size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._seal.size - self._at)
        if size is not None and size >= 0:
            left = min(left, size)
        parts = []
        while left:
            number, start = divmod(self._at, BLOCK)
            part = self._checked(number)[start : start + left]
            parts.append(part)
            self._at += len(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _checked(self, number: int) -> bytes:
        if number != self._number:
            self._file.seek(number * BLOCK)
            block = _exactly(self._file, min(BLOCK, self._seal.size - number * BLOCK))
            expected = self._hashes[number * _DIGEST : (number + 1) * _DIGEST]
            if xxhash.xxh3_128_digest(block) != expected:
                raise ChangedError(self._path)
            self._number, self._block = number, block
        return self._block


def _hashes(seal: Seal) -> bytes:
    if not seal.digests:
        return bytes.fromhex(seal.identity.partition("-")[2])
    with open_input(seal.digests) as file:
        file.seek(seal.at)
        return file.read(-(-seal.size // BLOCK) * _DIGEST)


def _several(identity: Identity) -> bytes:
    """Return the hashes of a file's blocks if there are several: one stands in the identity."""
    blocks = identity.blocks or b""
    return blocks if len(blocks) > _DIGEST else b""


def _whole(hashes: bytes) -> bytes:
    """Return the hash of a file from those of its blocks; of one block it is the block's own."""
    return hashes if len(hashes) == _DIGEST else xxhash.xxh3_128_digest(hashes)


def _unbuffered(path: str) -> BinaryIO:
    if is_local(path):
        return cast(BinaryIO, open(path, "rb", buffering=0))
    return open_input(path)


def _checksum(path: str) -> str | None:
    """Return what an object store says of a file's content; None where it says nothing of it."""
    if is_local(path):
        return None
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    try:
        return str(FileSystems.checksum(path) or "") or None
    except (BeamIOError, NotImplementedError):
        return None


def _exactly(file: BinaryIO, size: int) -> bytes:
    parts, left = [], size
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
