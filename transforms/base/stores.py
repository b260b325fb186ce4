"""Object stores: file systems by the scheme of an address, uploads, conditional objects."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.conditional import ConditionalObject
from outcross.transforms.base.store_errors import StoreError, place_of, reaching, scheme_of

_EXTRAS = {
    "gs": ("gcs", "google.cloud.storage"),
    "s3": ("s3", "boto3"),
    "hf": ("hf", "huggingface_hub"),
}
"""The extra of this package that reads each scheme, and a module that the extra installs."""

_CHECKED: set[tuple[str, str]] = set()
"""Scheme and bucket of each store that has answered in this process."""
_CHECKING = threading.Lock()


def is_installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def file_system(path: str) -> Any:
    """Return what lists, opens and deletes files at an address: Beam's `FileSystems`, but for s3.

    The first path in each bucket costs a request.

    Raises:
        ConfigError: no file system knows the scheme; the message says what to do.
        StoreError: the store doesn't answer or refuses.
    """
    from apache_beam.io.filesystems import FileSystems

    scheme = scheme_of(path)
    if scheme in ("http", "https"):
        raise ConfigError(
            f"{scheme}:// addresses are not read; download the file first (`curl -LO ADDRESS`), or "
            "read data sets of the Hugging Face Hub by hf://datasets/OWNER/NAME/FILE"
        )
    extra, module = _EXTRAS.get(scheme, ("", ""))
    if extra and not is_installed(module):
        raise ConfigError(
            f"{scheme}:// needs an extra; in the clone of outcross: pip install '.[{extra}]'"
        )
    if scheme == "hf":
        import outcross.transforms.base.hub  # noqa: F401, registers hf:// with Beam
    _options()
    try:
        FileSystems.get_filesystem(path)
    except ValueError:
        raise ConfigError(
            f"there is no file system for {scheme}://; there are gs, s3, hdfs and hf"
        ) from None
    _check_bucket(path)
    if scheme == "s3":
        from outcross.transforms.base.amazon_store import AmazonFiles

        return AmazonFiles(_options())
    return FileSystems


class StoredFile(io.RawIOBase):
    """An object that is open for reading, whose errors name its address.

    Args:
        path: address of the object.
        file: the object, opened by Beam.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, and return it."""
        with reaching(self._path):
            self._file.seek(offset, whence)
            return self._file.tell()

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        with reaching(self._path):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all bytes from the position on."""
        with reaching(self._path):
            return self._file.read()

    def close(self) -> None:
        """Close the object."""
        self._file.close()
        super().close()


def upload(path: str, file: BinaryIO) -> None:
    """Write an object from a local file, whole or not at all.

    Args:
        path: address of the object.
        file: open file, read from its position to its end.

    Raises:
        StoreError: the store doesn't answer or refuses.
    """
    from apache_beam.io.filesystem import CompressionTypes

    systems = file_system(path)
    with reaching(path):
        if scheme_of(path) == "s3":
            systems.upload(path, file)
            return
        with systems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as remote:
            while block := file.read(1 << 20):
                remote.write(block)


def conditional_object(path: str) -> ConditionalObject | None:
    """Return an object for conditional writes; None where the store has no such writes.

    Args:
        path: address of the object.

    Raises:
        StoreError: the store doesn't answer or refuses.
    """
    scheme = scheme_of(path)
    if scheme not in ("gs", "s3"):
        return None
    file_system(path)
    if scheme == "s3":
        from outcross.transforms.base.amazon_store import AmazonObject

        return AmazonObject(_options(), path)
    from outcross.transforms.base.google_store import GoogleObject

    return GoogleObject(_options(), path)


def use_options(beam_args: Sequence[str]) -> None:
    """Let stores be read with Beam's own options, such as --s3_endpoint_url, before any pipeline.

    Args:
        beam_args: arguments after `--`; unknown ones are left out, and refused later.
    """
    if beam_args:
        from apache_beam.io.filesystems import FileSystems
        from apache_beam.options.pipeline_options import PipelineOptions

        FileSystems.set_options(PipelineOptions(list(beam_args)))


def _options() -> Any:
    """Return the options that Beam's file systems have; S3 needs some before any pipeline."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.value_provider import RuntimeValueProvider

    options = FileSystems._pipeline_options or RuntimeValueProvider.runtime_options
    if options is None:
        options = PipelineOptions([])
        FileSystems.set_options(options)
    return options


def _check_bucket(path: str) -> None:
    """List an object of a bucket, once in this process, before Beam waits minutes for it."""
    scheme, bucket = scheme_of(path), place_of(path)[0]
    if scheme not in ("gs", "s3") or not bucket:
        return
    with _CHECKING:
        if (scheme, bucket) in _CHECKED:
            return
        beginning = re.split(r"[*?\[]", path)[0]
        try:
            with reaching(f"{scheme}://{bucket}"):
                if scheme == "s3":
                    from outcross.transforms.base.amazon_store import list_amazon

                    list_amazon(_options(), beginning)
                else:
                    from outcross.transforms.base.google_store import list_google

                    list_google(_options(), beginning)
        except FileNotFoundError as error:
            raise StoreError(
                f"{scheme}://{bucket}: there is no such bucket; check its name, and make it if it "
                "is new"
            ) from error
        _CHECKED.add((scheme, bucket))
