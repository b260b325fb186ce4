"""Errors of object stores: they name the address, the cause and what to check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_CREDENTIALS = {
    "gs": "the credentials (`gcloud auth application-default login`, or "
    "GOOGLE_APPLICATION_CREDENTIALS)",
    "s3": "the credentials (`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "hf": "the token (`hf auth login`, or HF_TOKEN)",
}
_ADDRESS = {
    "gs": "the network, a proxy, STORAGE_EMULATOR_HOST if it is set",
    "s3": "the network, a proxy, AWS_REGION, AWS_ENDPOINT_URL for a store that isn't Amazon's",
}


class StoreError(RuntimeError):
    """A store can't be reached or refuses a request; the message says what to check.

    It is no OSError: readers take those for a broken file, and would reject its rows.
    """


def scheme_of(path: str) -> str:
    """Return the scheme of an address in lower case."""
    return path.partition("://")[0].lower()


def place_of(path: str) -> tuple[str, str]:
    """Return the bucket of an address, and the name in it."""
    bucket, _, name = path.partition("://")[2].partition("/")
    return bucket, name


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
        # Clients have their own kinds of errors, and OSError. Others are mistakes of a program.
        if package == "outcross" or isinstance(error, FileNotFoundError):
            raise
        if package == "builtins" and not isinstance(error, OSError):
            raise
        cause = _cause(error)
        if isinstance(cause, NotImplementedError):
            raise cause from None
        if status_of(cause) == 404:
            raise FileNotFoundError(f"{path} is not there") from error
        raise StoreError(_message(path, cause)) from error


def _cause(error: BaseException) -> BaseException:
    """Return the first cause inside an error of Beam or of a client that tries again."""
    details = getattr(error, "exception_details", None)
    inner = next(iter(details.values()), None) if isinstance(details, dict) else None
    inner = inner or getattr(error, "cause", None)
    return _cause(inner) if isinstance(inner, BaseException) else error


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status in a client's error."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:  # google and Beam's S3 client; the Hub
        status = getattr(error, "code", None) or getattr(response, "status_code", None)
    return int(status) if isinstance(status, int) else None


def _message(path: str, error: BaseException) -> str:
    """Return what has failed at an address, why, and what to check."""
    scheme, status = scheme_of(path), status_of(error)
    credentials = _CREDENTIALS.get(scheme, "the credentials")
    lines = " ".join(str(error).split())
    text = lines if len(lines) <= 300 else lines[:297] + "..."
    cause = f"{type(error).__name__}: {text}"
    if status == 412:
        return f"{path} has changed while it was read; run again when it no longer changes"
    if status in (401, 403):
        return (
            f"{path}: access is denied ({cause}); check {credentials}, and that they may list, "
            "read, write and delete objects there"
        )
    if "Credentials" in type(error).__name__:
        return f"{path}: no credentials were found ({cause}); check {credentials}"
    address = _ADDRESS.get(scheme, "the network and the address")
    return (
        f"{path} can't be reached ({cause}); check {address}, then {credentials}. The same command "
        "goes on from here"
    )
