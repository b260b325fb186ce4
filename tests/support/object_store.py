"""A server of Google's storage protocol on this machine: fake-gcs-server."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

PROJECT = "my-project-1"


@dataclass(frozen=True)
class Store:
    """A running server with one bucket.

    Attributes:
        place: address of the server.
        bucket: name of the bucket.
        requests: method and address of every request so far.
    """

    place: str
    bucket: str
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the address as a URL."""
        return f"http://{self.place}"

    @property
    def top(self) -> str:
        """Return the address of the bucket."""
        return f"gs://{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Google's clients use this server."""
        hosts = dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), self.place)
        return {"STORAGE_EMULATOR_HOST": self.url, "GOOGLE_CLOUD_PROJECT": PROJECT, **hosts}

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the objects that begin with the prefix, in order."""
        query = f"?prefix={quote(prefix, safe='')}&maxResults=100000"
        with urlopen(f"{self.url}/storage/v1/b/{self.bucket}/o{query}") as answer:
            return sorted(item["name"] for item in json.load(answer).get("items", []))

    def read(self, name: str) -> bytes:
        """Return an object's bytes.

        Args:
            name: name in the bucket, or its `gs://` address.
        """
        name = name.removeprefix(f"gs://{self.bucket}/")
        place = f"/download/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}?alt=media"
        with urlopen(self.url + place) as answer:
            data: bytes = answer.read()
        return data

    def delete(self, name: str) -> None:
        """Delete an object, as a person does with the store's own tools."""
        place = f"/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}"
        urlopen(Request(self.url + place, method="DELETE")).close()

    def download(self, prefix: str, folder: Path) -> Path:
        """Copy all objects below a prefix into a folder, and return the folder."""
        for name in self.names(prefix + "/"):
            path = folder / name.removeprefix(prefix + "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(name))
        return folder


_NOT_PASSED_ON = ("content-length", "transfer-encoding", "connection", "date", "server")

# A virtual machine's metadata server gives tokens. Without one, Google's clients look for an
# account for 20 s in each process.
_ACCOUNT = {"aliases": ["default"], "email": "w@example.org", "scopes": []}
_METADATA = {
    "/token": {"access_token": "none", "expires_in": 36_000, "token_type": "Bearer"},
    "/service-accounts/default/": _ACCOUNT,
    "/service-accounts/w@example.org/": _ACCOUNT,
}


def _front(server: str, store: Store) -> type[http.server.BaseHTTPRequestHandler]:
    """Return a handler that passes requests on to fake-gcs-server, and counts them.

    It gives each part of a batch the number that the server skips it without.

    Args:
        server: address of fake-gcs-server.
        store: store whose requests are counted.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if self.headers.get("Metadata-Flavor"):
                value = next((v for end, v in _METADATA.items() if path.endswith(end)), {})
                text = b"googleapis.com" if path.endswith("domain") else json.dumps(value).encode()
                kind = ("Content-Type", "application/json" if value else "text/plain")
                self.reply(200, [("Metadata-Flavor", "Google"), kind], text)
                return
            store.requests.append((self.command, unquote(self.path)))
            if path == "/batch/storage/v1":
                store.requests.extend(_batched(body))
                numbered = b"Content-Type: application/http\r\nContent-ID: <%d>\r\n"
                parts = re.split(rb"Content-Type: application/http\r?\n", body)
                body = parts[0] + b"".join(numbered % n + p for n, p in enumerate(parts[1:]))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "content-length"}
            connection = http.client.HTTPConnection(server)
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = b"" if self.command == "HEAD" else answer.read()
            self.reply(answer.status, answer.getheaders(), data)
            connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _batched(body: bytes) -> list[tuple[str, str]]:
    """Return the requests in a batch."""
    requests = re.findall(r"^([A-Z]+) (\S+) HTTP/1", body.decode(), re.MULTILINE)
    return [(method, unquote(address)) for method, address in requests]


@contextmanager
def object_store(program: Path, folder: Path, bucket: str = "bucket") -> Iterator[Store]:
    """Run a server that keeps its objects in memory.

    Args:
        program: fake-gcs-server.
        folder: folder of the log.
        bucket: name of the bucket that is made.
    """
    assert program.exists(), f"{program} is not there: `make engines` builds it"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = f"127.0.0.1:{port}"
    front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    store = Store(f"127.0.0.1:{front.server_address[1]}", bucket)
    front.RequestHandlerClass = _front(server, store)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-public-host", store.place, "-external-url", store.url]
    with (folder / "object-store.log").open("w") as messages:
        process = subprocess.Popen(command, stdout=messages, stderr=messages)
    try:
        _make_bucket(f"http://{server}", bucket)
        yield store
    finally:
        process.terminate()
        process.wait(10)
        front.shutdown()
        front.server_close()


def _make_bucket(url: str, bucket: str, seconds: float = 20) -> None:
    body, header = json.dumps({"name": bucket}).encode(), {"Content-Type": "application/json"}
    deadline = time.monotonic() + seconds
    while True:
        try:
            urlopen(Request(f"{url}/storage/v1/b?project={PROJECT}", body, header)).close()
            return
        except URLError:  # the server has not begun to listen
            assert time.monotonic() < deadline, "fake-gcs-server does not answer"
            time.sleep(0.05)


_STAGE = re.compile(r"/\.outcross/([a-z]+)-[0-9a-f]+")


def requests_by_stage(requests: list[tuple[str, str]], prefix: str) -> Counter[tuple[str, str]]:
    """Count requests for objects below a prefix, by stage of the run and method.

    Args:
        requests: method and address, such as `Store.requests`.
        prefix: first part of the objects' names.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for method, address in requests:
        if prefix in address:
            stage = _STAGE.search(address)
            counts[stage[1] if stage else "results", method] += 1
    return counts
