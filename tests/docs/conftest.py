"""A small corpus under the names that the pages use."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.other_tools import LAYOUTS


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with human text, and synthetic text that repeats itself."""
    paragraphs = [" ".join(part.split()) for name in topics for part in topics[name].split("\n\n")]
    paragraphs = sorted({text for text in paragraphs if 12 < len(text.split()) < 200})
    draw = random.Random(0)
    draw.shuffle(paragraphs)
    human, learned = paragraphs[:240], paragraphs[240:400]
    repeating = draw.choices(learned[:50], k=160)
    folder = tmp_path_factory.mktemp("corpus")
    files = {
        "human.jsonl": human,
        "synthetic.jsonl": repeating,
        "batch1.jsonl": learned[:80],
        "batch2.jsonl": learned[50:130],
        "tests.jsonl": learned[:10],
        "new.jsonl": learned,
        "generation1.jsonl": learned,
        "generation2.jsonl": repeating,
        "syn/1.jsonl.gz": repeating,
        "human/1.parquet": human,
    }
    for name, texts in files.items():
        _write(folder / name, [_row(number, text) for number, text in enumerate(texts)])
    for write_layout in LAYOUTS.values():
        write_layout(folder)
    return folder


def _row(number: int, text: str) -> dict[str, Any]:
    kind = ("maths", "stories", "other")[number % 3]
    return {"id": f"{number:04d}", "text": text, "kind": kind, "verified": number % 2 == 0}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
