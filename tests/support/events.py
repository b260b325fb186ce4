"""A server on this machine that takes OpenLineage events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def event_server(
    events: list[dict[str, Any]],
    status: int = 201,
    keys: list[str | None] | None = None,
    location: str | None = None,
) -> Iterator[str]:
    """Serve as long as the body of the `with` statement runs.

    Args:
        events: list that gets the posted events.
        status: status of every answer.
        keys: list that gets the header `Authorization` of each request.
        location: header `Location` of every answer.

    Yields:
        The address to post to.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            events.append(json.loads(body))
            if keys is not None:
                keys.append(self.headers["Authorization"])
            self.send_response(status)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1/lineage"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
