"""Bytes and figures of a run that are the same for the same documents, settings and seed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def promised_bytes(out: Path) -> dict[str, bytes]:
    """Return the bytes that must be the same, by file."""
    paths = [*out.glob("data/*"), *out.glob("removed/*"), *out.glob("plan.json")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def promised_hashes(out: Path) -> dict[str, str]:
    """Return hashes of what is promised, by file; those of `report.json` by its keys.

    An encoder's speed is no promise.
    """
    report = json.loads((out / "report.json").read_text())
    if report["embedder"] is not None:
        del report["embedder"]["texts_per_second"]
    figures = {f"report.json: {key}": json.dumps(value).encode() for key, value in report.items()}
    parts = promised_bytes(out) | figures
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())}
