"""Files of s3:// through one client of boto3, and conditional writes there.

Beam's own file system makes a client for every request, which takes half a second, and completes
an upload that an error interrupts with a part of the bytes.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, BinaryIO, cast

from outcross.transforms.base.conditional import RefusedWriteError, Stored, seconds_of
from outcross.transforms.base.store_errors import place_of, reaching, status_of

_BLOCK = 8 << 20
"""Bytes of a request where a file is read in turn."""
_OPTIONS = (
    "region_name",
    "api_version",
    "disable_ssl",
    "verify",
    "endpoint_url",
    "access_key_id",
    "secret_access_key",
    "session_token",
)


def amazon_client(options: Any) -> Any:
    """Return the client of s3:// with Beam's options; threads share it.

    Args:
        options: Beam's options; a dictionary in workers of some engines.
    """
    from apache_beam.options.pipeline_options import PipelineOptions, S3Options

    if isinstance(options, dict):
        options = PipelineOptions.from_dictionary(options)
    values = options.view_as(S3Options)
    return _client_of(tuple(getattr(values, f"s3_{name}") for name in _OPTIONS))


@cache
def _client_of(values: tuple[Any, ...]) -> Any:
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
        config=Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 4}),
    )


def forget_clients() -> None:
    """Make new clients from now on, where the environment has changed."""
    _client_of.cache_clear()


def list_amazon(options: Any, path: str) -> None:
    """List an object whose address begins with a path, to see that the store answers.

    Args:
        options: Beam's options.
        path: beginning of an address.
    """
    bucket, prefix = place_of(path)
    amazon_client(options).list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)


def _named(path: str) -> dict[str, str]:
    """Return the arguments that name an object."""
    return dict(zip(("Bucket", "Key"), place_of(path), strict=True))


class AmazonFiles:
    """The files of s3://, with those methods of Beam's `FileSystems` that are used here.

    Args:
        options: Beam's options.
    """

    def __init__(self, options: Any) -> None:
        self._client = amazon_client(options)

    def match(self, patterns: Sequence[str]) -> list[Any]:
        """Return the files that match each glob, as Beam does."""
        from apache_beam.io.filesystem import FileMetadata, FileSystem, MatchResult

        results = []
        for pattern in patterns:
            matches = re.compile(FileSystem.translate_pattern(pattern)).match
            bucket, prefix = place_of(re.split(r"[*?\[]", pattern)[0])
            pages = self._client.get_paginator("list_objects_v2")
            entries = [
                FileMetadata(path, entry["Size"], entry["LastModified"].timestamp())
                for page in pages.paginate(Bucket=bucket, Prefix=prefix)
                for entry in page.get("Contents", [])
                for path in [f"s3://{bucket}/{entry['Key']}"]
                if matches(path)
            ]
            results.append(MatchResult(pattern, entries))
        return results

    def exists(self, path: str) -> bool:
        """Return whether there is an object of this name."""
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(**_named(path))
        except ClientError as error:
            if status_of(error) != 404:
                raise
            return False
        return True

    def checksum(self, path: str) -> str:
        """Return the ETag of an object."""
        return str(self._client.head_object(**_named(path))["ETag"])

    def open(self, path: str, compression_type: str) -> BinaryIO:
        """Open an object for reading its bytes as they are stored."""
        file = _AmazonFile(self._client, path)
        return cast(BinaryIO, io.BufferedReader(file, max(1, min(file.size, _BLOCK))))

    def upload(self, path: str, file: BinaryIO) -> None:
        """Write an object from a local file, whole or not at all."""
        self._client.upload_fileobj(file, *place_of(path))

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects."""
        for path in paths:
            self._client.delete_object(**_named(path))


class _AmazonFile(io.RawIOBase):
    """An object that is read by ranges, all of one version.

    Args:
        client: client of s3://.
        path: address of the object.
    """

    def __init__(self, client: Any, path: str) -> None:
        self._client, self._object = client, _named(path)
        head = client.head_object(**self._object)
        self.size: int = head["ContentLength"]
        self._version, self._at = head["ETag"], 0

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
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        data = self._bytes(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all bytes from the position on."""
        return self._bytes(self.size - self._at)

    def _bytes(self, size: int) -> bytes:
        end = min(self._at + size, self.size)
        if end <= self._at:
            return b""
        answer = self._client.get_object(
            **self._object, Range=f"bytes={self._at}-{end - 1}", IfMatch=self._version
        )
        data: bytes = answer["Body"].read()
        self._at += len(data)
        return data


class AmazonObject:
    """An object of s3://, by its ETag.

    Args:
        options: Beam's options.
        path: address of the object.
    """

    def __init__(self, options: Any, path: str) -> None:
        self._path, self._object = path, _named(path)
        self._client = amazon_client(options)

    def read(self) -> Stored | None:
        """Return the object; None if there is none."""
        try:
            with reaching(self._path):
                answer = self._client.get_object(**self._object)
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
                answer = self._client.put_object(**self._object, Body=data, **condition)
            except ClientError as error:
                # 404: it is gone; 409: another conditional write is under way
                if status_of(error) not in (404, 409, 412):
                    raise
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
                raise RefusedWriteError(seconds_of(headers.get("date"))) from None
        return str(answer["ETag"])

    def delete(self) -> None:
        """Delete the object."""
        with reaching(self._path):
            self._client.delete_object(**self._object)
