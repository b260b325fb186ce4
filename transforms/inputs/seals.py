"""Identities of input files at the start of a run, and readers that check files against them.

A file's identity is the XXH3-128 of its bytes. For a file of several blocks of 1 MiB it is that of
the blocks' hashes. A reader checks each block that it touches, so it never sees bytes that were
not hashed. For files of object stores, a checksum or generation stands for the bytes.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import xxhash

from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.base.damage import reading
from outcross.transforms.base.files import is_local, open_input
from outcross.transforms.base.store_errors import reaching
from outcross.transforms.base.stores import file_system
from outcross.transforms.base.visible import visible_name

BLOCK = 1 << 20  # bytes of a block
_DIGEST = 16  # bytes of a block's hash


class ChangedError(RuntimeError):
    """An input file has changed or gone since the run began."""

    def __init__(self, path: str, change: str = "has changed") -> None:
        super().__init__(
            f"{visible_name(path)} {change} since the run began to read it, so the part that "
            "was read is no longer valid; bring the file back, or run again when it no longer "
            "changes"
        )


@dataclass(frozen=True)
class Identity:
    """Identity of a file's content.

    Attributes:
        name: size, and the hash of all bytes or the object store's checksum.
        size: bytes.
        blocks: hashes of the blocks, 16 bytes each; None where a checksum stands for them.
    """

    name: str
    size: int
    blocks: bytes | None


def identify(path: str) -> Identity:
    """Return the identity of a file: hash its bytes, or ask an object store for its checksum.

    Raises:
        OSError: the file can't be read.
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
    return Identity(f"{size}-{_file_hash(joined).hex()}", size, joined)


def identify_all(paths: Sequence[str], workers: int | None = None) -> dict[str, Identity]:
    """Identify files in a pool of threads.

    Args:
        paths: paths of the files.
        workers: number of threads; the number of cores if None.
    """
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        return dict(zip(paths, pool.map(identify, paths), strict=True))


def digests_of(identities: Mapping[str, Identity]) -> bytes:
    """Return the block hashes of all files with several blocks, in the order of seals."""
    return b"".join(_several(identity) for identity in identities.values())


def seal_units(
    units: Sequence[Unit], identities: Mapping[str, Identity], digests: str
) -> list[Unit]:
    """Seal the pieces of units.

    Args:
        units: units of the input.
        identities: identity of each of its files, by path.
        digests: path of a file with the bytes that `digests_of` makes from the same identities.
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
    """Open the piece's file at its beginning; a seal is checked while it is read.

    Raises:
        ChangedError: the file's size has changed; while reading, the bytes of a block have.
        OSError: the file can't be opened.
    """
    if piece.seal is None or piece.seal.stored:
        return open_input(piece.file)
    return cast(BinaryIO, SealedFile(piece.file, piece.seal))


def check_piece(piece: Piece) -> None:
    """Check an object store's checksum after reading; other files are checked while reading.

    Raises:
        ChangedError: the checksum has changed.
    """
    if piece.seal is None or not piece.seal.stored:
        return
    try:
        checksum = _checksum(piece.file)
    except FileNotFoundError:
        raise ChangedError(piece.file, "is gone") from None
    if piece.seal.identity != f"{piece.seal.size}-{checksum}":
        raise ChangedError(piece.file)


class SealedFile(io.RawIOBase):
    """A file that compares each block with its hash when it is read.

    Args:
        path: path of the file.
        seal: identity that the file must have.

    Raises:
        ChangedError: the file is gone, or its kind, its size or a block has changed.
    """

    def __init__(self, path: str, seal: Seal) -> None:
        self._path, self._seal = path, seal
        try:
            self._file = _unbuffered(path, _open_file)
        except FileNotFoundError:
            raise ChangedError(path, "is gone") from None
        self._at = 0
        self._number, self._block = -1, b""  # the block that was read last
        if self._file.seek(0, os.SEEK_END) != seal.size:
            self._file.close()
            raise ChangedError(path)
        self._hashes = _hashes(seal)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._seal.size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, all of them if `size` is negative or None."""
        remaining = max(0, self._seal.size - self._at)
        if size is not None and size >= 0:
            remaining = min(remaining, size)
        parts = []
        while remaining:
            number, start = divmod(self._at, BLOCK)
            part = self._checked(number)[start : start + remaining]
            parts.append(part)
            self._at += len(part)
            remaining -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
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
    size = -(-seal.size // BLOCK) * _DIGEST
    with reading(seal.digests), open_input(seal.digests) as file:
        file.seek(seal.at)
        hashes = file.read(size)
        if len(hashes) < size:
            raise EOFError("it ends too early")
    return hashes


def _several(identity: Identity) -> bytes:
    """Return the hashes of a file's blocks if it has several; a single one is in the identity."""
    blocks = identity.blocks or b""
    return blocks if len(blocks) > _DIGEST else b""


def _file_hash(hashes: bytes) -> bytes:
    """Return the hash of a file from its blocks' hashes; a single block's hash is the file's."""
    return hashes if len(hashes) == _DIGEST else xxhash.xxh3_128_digest(hashes)


def _open_file(path: str, flags: int) -> int:
    """Open a regular file; anything else in its place, such as a pipe, would let readers wait."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ChangedError(path)
    return descriptor


def _unbuffered(path: str, opener: Callable[[str, int], int] | None = None) -> BinaryIO:
    if is_local(path):
        return cast(BinaryIO, open(path, "rb", buffering=0, opener=opener))
    return open_input(path)


def _checksum(path: str) -> str | None:
    """Return an object store's checksum of a file; None for local files and stores without."""
    if is_local(path):
        return None
    systems = file_system(path)
    try:
        with reaching(path):
            return str(systems.checksum(path) or "") or None
    except NotImplementedError:
        return None


def _exactly(file: BinaryIO, size: int) -> bytes:
    parts, remaining = [], size
    while remaining and (part := file.read(remaining)):
        parts.append(part)
        remaining -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
