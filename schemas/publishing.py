"""Values of `languages`, `license` and `openlineage_url`, which others read with a result."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

API_KEY = "OPENLINEAGE_API_KEY"
"""Environment variable with the key that is sent with an event."""

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
License = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]


def _checked_url(url: str) -> str:
    """Return an address to post to.

    Raises:
        ValueError: it isn't one of HTTP, or holds more than a host and a path.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"found {url!r:.80}; an address such as http://localhost:5000/api/v1/lineage is "
            "expected"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(
            "holds more than a host and a path, and this key stands in manifest.json; put a "
            f"secret into the environment variable {API_KEY}"
        )
    return url


EventUrl = Annotated[str, AfterValidator(_checked_url)]
