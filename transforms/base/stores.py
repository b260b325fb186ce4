"""Object stores: Beam's file systems, errors that name the address, and conditional writes."""

from __future__ import annotations

import importlib.util
import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, Protocol, cast

from outcross.schemas.user_input import ConfigError

_SECONDS = 30
"""Seconds after which a store that doesn't answer is given up, at first contact and for locks."""

_EXTRAS = {
    "gs": ("gcs", "google.cloud.storage"),
    "s3": ("s3", "boto3"),
    "hf": ("hf", "huggingface_hub"),
}
"""The extra of this package that reads each scheme, and a module that the extra installs."""

_CREDENTIALS = {
    "gs": "the credentials (`gcloud auth application-default login`, or "
    "GOOGLE_APPLICATION_CREDENTIALS)",
    "s3": "the credentials (`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "hf": "the token (`hf auth login`, or HF_TOKEN)",
}
_ADDRESS = {
    "gs": "the network, a proxy, and STORAGE_EMULATOR_HOST if it is set",
    "s3": "the network, a proxy, AWS_REGION, and AWS_ENDPOINT_URL for a store that isn't Amazon's",
}

_CLIENTS = ("apache_beam", "botocore", "boto3", "google", "hdfs", "httpx", "requests", "urllib3")
"""Packages whose exceptions are failures of a store, beside OSError."""


class StoreError(RuntimeError):
    """A store can't be reached or refuses a request; the message says what to check.

    It is no OSError: readers take those for a broken file, and would reject its rows.
    """


def scheme_of(path: str) -> str:
    """Return the scheme of an address in lower case."""
    return path.partition("://")[0].lower()


def is_installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def beam_filesystems(path: str) -> Any:
    """Return Beam's `FileSystems`, after checking that the path's store can be used.

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
    return FileSystems


@contextmanager
def reaching(path: str) -> Iterator[None]:
    """Name the address in the errors of a store's client.

    Args:
        path: address of the object or objects that the body of the `with` statement uses.

    Raises:
        FileNotFoundError: the object is not there.
        StoreError: the store doesn't answer or refuses.
    """
    try:
        yield
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        own = isinstance(error, FileNotFoundError) or package == "outcross"
        if own or not (isinstance(error, OSError) or package in _CLIENTS):
            raise
        cause = _cause(error)
        if isinstance(cause, NotImplementedError):
            raise cause from None
        if _status(cause) == 404:
            raise FileNotFoundError(f"{path} is not there") from error
        raise StoreError(_message(path, cause)) from error


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

    systems = beam_filesystems(path)
    with reaching(path):
        if scheme_of(path) == "s3":
            # Beam would complete an interrupted upload with a part of the bytes.
            bucket, name = _split(path)
            _amazon_client().upload_fileobj(file, bucket, name)
            return
        with systems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as remote:
            while block := file.read(1 << 20):
                remote.write(block)


@dataclass(frozen=True)
class Stored:
    """What a conditional object holds.

    Attributes:
        data: its bytes.
        version: generation or ETag of these bytes.
        written: seconds since 1970 at which they were written, by the store's clock.
    """

    data: bytes
    version: str
    written: float


class RefusedWriteError(Exception):
    """The object isn't what a conditional write expects.

    Attributes:
        now: seconds since 1970 by the store's clock; None if it doesn't say.
    """

    def __init__(self, now: float | None) -> None:
        super().__init__("the object has changed")
        self.now = now


class ConditionalObject(Protocol):
    """An object that is written only if it is what the writer expects."""

    def read(self) -> Stored | None:
        """Return the object; None if there is none."""

    def write(self, data: bytes, version: str | None) -> str:
        """Write the object if it has a version, and return its new version.

        Args:
            data: bytes to write; they differ from those before.
            version: version that it must have; None if there must be none.

        Raises:
            RefusedWriteError: it has another version.
        """

    def delete(self) -> None:
        """Delete the object."""


def conditional_object(path: str) -> ConditionalObject | None:
    """Return an object for conditional writes; None where the store has no such writes.

    Args:
        path: address of the object.

    Raises:
        StoreError: the store doesn't answer or refuses.
    """
    kinds: dict[str, Any] = {"gs": _GoogleObject, "s3": _AmazonObject}
    kind = kinds.get(scheme_of(path))
    if kind is None:
        return None
    beam_filesystems(path)
    return cast(ConditionalObject, kind(path))


class _GoogleObject:
    """An object of gs://, by its generation."""

    def __init__(self, path: str) -> None:
        bucket, name = _split(path)
        self._path = path
        self._blob = _google_client().bucket(bucket).blob(name)
        self._limits = {"timeout": _SECONDS / 2, "retry": _google_retry()}

    def read(self) -> Stored | None:
        """Return the object; None if there is none."""
        from google.api_core.exceptions import NotFound

        with reaching(self._path):
            try:
                self._blob.reload(**self._limits)
                version = self._blob.generation
                data = self._blob.download_as_bytes(if_generation_match=version, **self._limits)
            except NotFound:
                return None
        return Stored(data, str(version), self._blob.updated.timestamp())

    def write(self, data: bytes, version: str | None) -> str:
        """Write the object if it has a generation, and return the new one."""
        from google.api_core.exceptions import PreconditionFailed

        expected = int(version or 0)
        with reaching(self._path):
            try:
                self._blob.upload_from_string(data, if_generation_match=expected, **self._limits)
            except PreconditionFailed as error:
                raise RefusedWriteError(_seconds(error.response.headers.get("Date"))) from None
        return str(self._blob.generation)

    def delete(self) -> None:
        """Delete the object."""
        with reaching(self._path):
            self._blob.delete(**self._limits)


class _AmazonObject:
    """An object of s3://, by its ETag."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._place = dict(zip(("Bucket", "Key"), _split(path), strict=True))

    def read(self) -> Stored | None:
        """Return the object; None if there is none."""
        try:
            with reaching(self._path):
                answer = _amazon_client().get_object(**self._place)
                data = answer["Body"].read()
        except FileNotFoundError:
            return None
        return Stored(data, answer["ETag"], answer["LastModified"].timestamp())

    def write(self, data: bytes, version: str | None) -> str:
        """Write the object if it has an ETag, and return the new one."""
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        with reaching(self._path):
            try:
                answer = _amazon_client().put_object(**self._place, Body=data, **condition)
            except ClientError as error:
                # 404: it is gone; 409: another conditional write is under way
                if _status(error) not in (404, 409, 412):
                    raise
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
                raise RefusedWriteError(_seconds(headers.get("date"))) from None
        return str(answer["ETag"])

    def delete(self) -> None:
        """Delete the object."""
        with reaching(self._path):
            _amazon_client().delete_object(**self._place)


def _split(path: str) -> tuple[str, str]:
    """Return the bucket of an address, and the name in it."""
    bucket, _, name = path.partition("://")[2].partition("/")
    return bucket, name


def _seconds(date: str | None) -> float | None:
    """Return the seconds since 1970 of an HTTP date."""
    from email.utils import parsedate_to_datetime

    return None if date is None else parsedate_to_datetime(date).timestamp()


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


def _google_retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_SECONDS)


def _google_client() -> Any:
    """Return a client of gs:// with Beam's credentials; without, Beam would wait 27 s for them."""
    import google.auth
    from apache_beam.io.gcp.gcsio import create_storage_client
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        google.auth.default()
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()
    return create_storage_client(_options())


def _amazon_client() -> Any:
    """Return the client of s3:// with Beam's options; threads share it."""
    from apache_beam.options.pipeline_options import PipelineOptions, S3Options

    options = _options()
    if isinstance(options, dict):  # in workers of some engines
        options = PipelineOptions.from_dictionary(options)
    options = options.view_as(S3Options)
    return _amazon_client_of(tuple(getattr(options, f"s3_{name}") for name in _AMAZON_OPTIONS))


_AMAZON_OPTIONS = (
    "region_name",
    "api_version",
    "disable_ssl",
    "verify",
    "endpoint_url",
    "access_key_id",
    "secret_access_key",
    "session_token",
)


@cache
def _amazon_client_of(values: tuple[Any, ...]) -> Any:
    import boto3
    from botocore.config import Config

    region, version, without_ssl, verify, endpoint, key, secret, token = values
    return boto3.session.Session().client(
        service_name="s3",
        region_name=region,
        api_version=version,
        use_ssl=not without_ssl,
        verify=verify,
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(
            connect_timeout=_SECONDS / 3, read_timeout=60, retries={"total_max_attempts": 3}
        ),
    )


_CHECKED: set[tuple[str, str]] = set()
_CHECKING = threading.Lock()


def _check_bucket(path: str) -> None:
    """List an object of a bucket, once in this process, before Beam waits minutes for it."""
    scheme, (bucket, name) = scheme_of(path), _split(path)
    if scheme not in ("gs", "s3") or not bucket:
        return
    with _CHECKING:
        if (scheme, bucket) in _CHECKED:
            return
        prefix = name.partition("*")[0].partition("?")[0].partition("[")[0]
        try:
            with reaching(f"{scheme}://{bucket}"):
                if scheme == "gs":
                    limits = {"timeout": _SECONDS / 3, "retry": _google_retry()}
                    found = _google_client().list_blobs(
                        bucket, prefix=prefix, max_results=1, **limits
                    )
                    list(found)
                else:
                    _amazon_client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except FileNotFoundError as error:
            raise StoreError(
                f"{scheme}://{bucket}: there is no such bucket; check its name, and make it if it "
                "is new"
            ) from error
        _CHECKED.add((scheme, bucket))


def _cause(error: BaseException) -> BaseException:
    """Return the first cause inside an error of Beam or of a client that tries again."""
    details = getattr(error, "exception_details", None)
    inner = next(iter(details.values()), None) if isinstance(details, dict) else None
    inner = inner or getattr(error, "cause", None)
    return _cause(inner) if isinstance(inner, BaseException) else error


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in a client's error."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:  # google and Beam's S3 client; the Hub
        status = getattr(error, "code", None) or getattr(response, "status_code", None)
    return int(status) if isinstance(status, int) else None


def _message(path: str, error: BaseException) -> str:
    """Return what has failed at an address, why, and what to check."""
    scheme, status = scheme_of(path), _status(error)
    credentials = _CREDENTIALS.get(scheme, "the credentials")
    lines = " ".join(str(error).split())
    text = lines if len(lines) <= 300 else lines[:297] + "..."
    cause = f"({type(error).__name__}: {text})"
    if status in (401, 403):
        return (
            f"{path}: access is denied; check {credentials}, and that they may list, read, write "
            f"and delete there {cause}"
        )
    if "Credentials" in type(error).__name__:
        return f"{path}: there are no credentials; check {credentials} {cause}"
    address = _ADDRESS.get(scheme, "the network and the address")
    return (
        f"{path} can't be reached; check {address}; and {credentials}. The same command goes on "
        f"from here {cause}"
    )
