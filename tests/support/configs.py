"""Small configurations, right but for what a test changes."""

from __future__ import annotations

from typing import Any

from outcross.schemas.config import Config, parse

SYNTHETIC = {"name": "gpt", "role": "synthetic", "files": ["syn/*.jsonl"]}
HUMAN = {"name": "people", "role": "human", "files": ["human/*.parquet"]}


def config(**changes: Any) -> Config:
    """Return a configuration of two sources with other keys."""
    return parse({"out": "out/", "sources": [SYNTHETIC, HUMAN]} | changes)


def source(**changes: Any) -> list[dict[str, Any]]:
    """Return two sources, the synthetic one with other keys."""
    return [SYNTHETIC | changes, HUMAN]
