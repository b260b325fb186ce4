"""Errors of object stores name the address and what to check, and objects are whole."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam.io.filesystem import BeamIOError

from outcross.pipeline.engine.engines import PipelineError, raise_cause
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.store_errors import StoreError, reaching
from tests.support.attic import Attic


def error_of(package: str, name: str, message: str, **attributes: Any) -> Exception:
    """Make an exception as a client's package has it."""
    kind = type(name, (Exception,), {"__module__": f"{package}.exceptions", **attributes})
    error: Exception = kind(message)
    return error


GOOGLE = "google.api_core"
NO_NETWORK = error_of("requests", "ConnectionError", "Failed to resolve 'storage.example.org'")
RETRIED = error_of(GOOGLE, "RetryError", "Timeout of 20.0s exceeded", cause=NO_NETWORK)
DENIED = error_of(GOOGLE, "Forbidden", "403 GET http://x: no list access", code=403)
AMAZON_DENIED = error_of(
    "botocore",
    "ClientError",
    "An error occurred (AccessDenied)",
    response={"ResponseMetadata": {"HTTPStatusCode": 403}},
)
NOBODY = error_of("botocore", "NoCredentialsError", "Unable to locate credentials")
CHANGED = error_of(
    "botocore",
    "ClientError",
    "An error occurred (PreconditionFailed)",
    response={"ResponseMetadata": {"HTTPStatusCode": 412}},
)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("gs://b/x", NO_NETWORK, ["can't be reached (ConnectionError: Failed", "the network"]),
        ("gs://b/x", RETRIED, ["can't be reached (ConnectionError: Failed", "gcloud auth"]),
        ("gs://b/x", BeamIOError("List failed", {"gs://b/x": RETRIED}), ["(ConnectionError"]),
        ("gs://b/x", DENIED, ["access is denied (Forbidden: 403", "list, read, write and delete"]),
        ("s3://b/x", AMAZON_DENIED, ["access is denied", "AWS_ACCESS_KEY_ID"]),
        ("s3://b/x", NOBODY, ["no credentials were found", "aws configure"]),
        ("s3://b/x", CHANGED, ["has changed while it was read"]),
        ("hf://b/x", TimeoutError("timed out"), ["can't be reached (TimeoutError", "HF_TOKEN"]),
    ],
)
def test_failures_name_the_address_the_cause_and_what_to_check(
    path: str, error: Exception, words: list[str]
) -> None:
    with pytest.raises(StoreError) as raised, reaching(path):
        raise error
    message = str(raised.value)
    assert message.startswith(path)
    assert len(message) < 700
    for word in words:
        assert word in message


def test_what_is_not_there_is_no_failure_of_the_store() -> None:
    missing = error_of(GOOGLE, "NotFound", "404", code=404)
    with pytest.raises(FileNotFoundError, match="gs://b/x is not there"), reaching("gs://b/x"):
        raise missing


@pytest.mark.parametrize("error", [ConfigError("key: value"), ValueError("no"), KeyError("x")])
def test_errors_that_are_no_failures_of_a_store_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, reaching("gs://b/x"):
        raise error
    assert raised.value is error


def test_a_worker_that_cannot_reach_a_store_ends_the_command_with_the_same_words() -> None:
    text = "gs://b/x can't be reached (ConnectionError: no); check the network"
    traceback = f"Traceback (most recent call last):\n  File x\n{__name__}.StoreError: {text}"
    with pytest.raises(PipelineError) as raised:
        raise_cause(RuntimeError(f"{traceback} [while running 'Sketch']"))
    assert str(raised.value) == text


class Cut(Attic):
    """A store whose connection is cut while a file is read."""

    @classmethod
    def scheme(cls) -> str:
        return "cut"

    def open(self, path: str, mime_type: Any = None, compression_type: Any = None) -> Any:
        file = super().open(path)

        class Cutting:
            def read(self, size: int = -1) -> bytes:
                if file.tell() > 2:
                    raise ConnectionResetError("cut off")
                return bytes(file.read(3))

            seek, tell, close = file.seek, file.tell, file.close

        return Cutting()


def test_a_connection_that_is_cut_is_no_broken_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError would reject the file's rows, and the run would go on without them."""
    monkeypatch.setattr(Attic, "held", {"cut://shelf/x": b"abcdef"})
    with files.open_input("cut://shelf/x") as file:
        assert file.read(3) == b"abc"
        with pytest.raises(StoreError, match=r"^cut://shelf/x can't be reached \(Connection"):
            file.read(3)


def test_a_write_that_fails_leaves_no_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Attic, "held", {})

    def fail(file: Any) -> None:
        file.write(b"half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        files.write_whole("attic://shelf/x", fail)
    assert Attic.held == {}
    files.write_bytes("attic://shelf/x", b"whole")
    assert files.read_bytes("attic://shelf/x") == b"whole"
