"""Post an OpenLineage event to the address of the configuration."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from outcross.schemas.publishing import API_KEY

SECONDS = 5
"""Seconds that posting an event may take."""


def post(event: Mapping[str, Any], url: str) -> str | None:
    """Post an event as JSON, with the key in OPENLINEAGE_API_KEY if that variable is set.

    Args:
        event: the event.
        url: address of HTTP or HTTPS.

    Returns:
        A warning if the event could not be posted, else None.
    """
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(API_KEY):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(event).encode(), headers, method="POST")
    causes: list[object] = ["timed out"]

    def send() -> None:
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=SECONDS):
                causes.clear()
        except (OSError, ValueError, HTTPException) as error:
            causes[:] = [getattr(error, "reason", None) or error]

    # The timeout of a socket holds for each read, and a server may send a byte at a time.
    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    sending.join(SECONDS)
    return _warning(url, list(causes))


def _warning(url: str, causes: list[object]) -> str | None:
    """Return the warning of an event that was not taken; None without a cause."""
    if not causes:
        return None
    return (
        f"openlineage_url: {url} did not take the event ({causes[0]}); it stands in "
        "openlineage.json, so post it again, or correct the address"
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would carry the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that the answer counts as an error."""
