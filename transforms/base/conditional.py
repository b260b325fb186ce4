"""Objects that are written only if they are what the writer expects, which Beam can't do."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """Contents of a conditional object.

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


def seconds_of(date: str | None) -> float | None:
    """Return the seconds since 1970 of an HTTP date."""
    return None if date is None else parsedate_to_datetime(date).timestamp()
