"""A server of Amazon's storage protocol on this machine: moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Bucket:
    """A bucket of a running server.

    Attributes:
        url: address of the server.
        name: name of the bucket.
    """

    url: str
    name: str

    @property
    def top(self) -> str:
        """Return the address of the bucket."""
        return f"s3://{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Amazon's clients use this server."""
        return {"AWS_ENDPOINT_URL": self.url, **CREDENTIALS}

    @property
    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the objects that begin with the prefix, in order."""
        pages = self.client.get_paginator("list_objects_v2")
        return sorted(
            entry["Key"]
            for page in pages.paginate(Bucket=self.name, Prefix=prefix)
            for entry in page.get("Contents", [])
        )

    def upload(self, path: Path, name: str) -> str:
        """Copy a local file into the bucket, and return its address."""
        self.client.upload_file(str(path), self.name, name)
        return f"{self.top}/{name}"

    def download(self, prefix: str, folder: Path) -> Path:
        """Copy all objects below a prefix into a folder, and return the folder."""
        client = self.client
        for name in self.names(prefix + "/"):
            path = folder / name.removeprefix(prefix + "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(self.name, name, str(path))
        return folder


@contextmanager
def amazon_server(name: str = "bucket") -> Iterator[Bucket]:
    """Run a server that keeps its objects in memory.

    Args:
        name: name of the bucket that is made.
    """
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        raise AssertionError("moto is not installed: pip install '.[s3,engines]'") from None
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        bucket = Bucket(f"http://{host}:{port}", name)
        bucket.client.create_bucket(Bucket=name)
        yield bucket
    finally:
        server.stop()
