"""Google's client for gs://, with time limits, and conditional writes there."""

from __future__ import annotations

import os
from typing import Any

from outcross.transforms.base.conditional import RefusedWriteError, Stored, seconds_of
from outcross.transforms.base.store_errors import place_of, reaching

# Else the client also asks for the bucket, once for each client, for traces that nobody collects.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

SECONDS = 20
"""Seconds after which a store that doesn't answer is given up."""


def google_client(options: Any) -> Any:
    """Return a client of gs:// with Beam's credentials, or without at once if there are none.

    Beam would wait 27 s for credentials.

    Args:
        options: Beam's options.
    """
    import google.auth
    from apache_beam.io.gcp.gcsio import create_storage_client
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        google.auth.default()
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()
    return create_storage_client(options)


def limits() -> dict[str, Any]:
    """Return the arguments that limit the time of a request."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": SECONDS / 3, "retry": DEFAULT_RETRY.with_timeout(SECONDS)}


def list_google(options: Any, path: str) -> None:
    """List an object whose address begins with a path, to see that the store answers.

    Args:
        options: Beam's options.
        path: beginning of an address.
    """
    bucket, prefix = place_of(path)
    client = google_client(options)
    list(client.list_blobs(bucket, prefix=prefix, max_results=1, **limits()))


class GoogleObject:
    """An object of gs://, by its generation.

    Args:
        options: Beam's options.
        path: address of the object.
    """

    def __init__(self, options: Any, path: str) -> None:
        bucket, name = place_of(path)
        self._path = path
        self._bucket, self._name = google_client(options).bucket(bucket), name
        self._limits = limits()

    def read(self) -> Stored | None:
        """Return the object; None if there is none."""
        from google.api_core.exceptions import NotFound

        with reaching(self._path):
            try:
                blob = self._latest()
                blob.reload(**self._limits)
                data = blob.download_as_bytes(**self._limits)  # of this generation
            except NotFound:
                return None
        return Stored(data, str(blob.generation), blob.updated.timestamp())

    def write(self, data: bytes, version: str | None) -> str:
        """Write the object if it has a generation, and return the new one."""
        from google.api_core.exceptions import PreconditionFailed

        expected, blob = int(version or 0), self._latest()
        with reaching(self._path):
            try:
                blob.upload_from_string(data, if_generation_match=expected, **self._limits)
            except PreconditionFailed as error:
                raise RefusedWriteError(seconds_of(error.response.headers.get("Date"))) from None
        return str(blob.generation)

    def delete(self) -> None:
        """Delete the object."""
        with reaching(self._path):
            self._latest().delete(**self._limits)

    def _latest(self) -> Any:
        """Return the object without a generation; a client's object keeps to its first one."""
        return self._bucket.blob(self._name)
