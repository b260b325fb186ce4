"""Post an OpenLineage event to the address of the configuration."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from outcross.schemas.publishing import API_KEY

SECONDS = 5
"""Seconds that a connection, and each read from it, may take."""


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
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=SECONDS):
            return None
    except (OSError, ValueError, HTTPException) as error:
        cause = getattr(error, "reason", None) or error
        return (
            f"openlineage_url: {url} did not take the event ({cause}); it stands in "
            "openlineage.json, so post it again, or correct the address"
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would carry the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that the answer counts as an error."""
