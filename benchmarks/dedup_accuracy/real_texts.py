"""Real text for the benchmarks: `$OUTCROSS_DATA` (../shared/data), else Python's documentation."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("OUTCROSS_DATA", ROOT.parent / "shared" / "data"))

sys.path.insert(0, str(ROOT / "examples"))

from pydoc_corpus import human_paragraphs  # noqa: E402

# file, column of the text
PROSE = (
    ("human/movie_reviews.jsonl.gz", "text"),
    ("human/dolly_6400.jsonl.gz", "response"),
    ("synthetic/gpteacher.jsonl.gz", "response"),
    ("synthetic/self_instruct_predictions.jsonl.gz", "response"),
    ("human/eips.jsonl.gz", "text"),
    ("human/us_speeches.jsonl.gz", "text"),
)


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of the data folder."""
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def prose(least: int = 40, most: int = 1500) -> list[str]:
    """Return distinct texts of `least` to `most` words (between white space), in a fixed order."""
    if DATA.is_dir():
        texts = [row[column] for name, column in PROSE for row in rows(name)]
    else:
        texts = [*topics.values(), *(paragraph.text for paragraph in human_paragraphs())]
    return [text for text in dict.fromkeys(texts) if least <= len(text.split()) <= most]
