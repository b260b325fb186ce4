"""Values of `languages`, `license` and `openlineage_url`, which others read with a result."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

API_KEY = "OPENLINEAGE_API_KEY"
"""Environment variable with the key that is sent with an event."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def _checked_languages(codes: list[str]) -> list[str]:
    """Return codes of languages.

    Raises:
        ValueError: one is no code.
    """
    for code in codes:
        if not _LANGUAGE.fullmatch(code):
            raise ValueError(f"found {code!r:.80}; a code such as en, zh or pt-BR is expected")
    return codes


def _checked_license(name: str) -> str:
    """Return the hub's name of a licence.

    Raises:
        ValueError: it can't be one.
    """
    if not _LICENSE.fullmatch(name):
        raise ValueError(f"found {name!r:.80}; a name such as cc-by-4.0, mit or other is expected")
    return name


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


Languages = Annotated[list[str], AfterValidator(_checked_languages)]
License = Annotated[str, AfterValidator(_checked_license)]
EventUrl = Annotated[str, AfterValidator(_checked_url)]
